//! What must have come out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::wait_until;
use crate::pool::Pool;
use crate::state::Settlement;
use crate::task::Task;

/// Kept by all threads of a round.
#[derive(Default)]
pub struct Ledger {
    /// Tasks by how they ended, as their owners were told.
    told: Mutex<HashMap<u8, u32>>,
    /// All that were ever made.
    made: Mutex<Vec<Weak<Task>>>,
    /// Jobs that workers have claimed, and settled first.
    pub claimed: AtomicU64,
    pub finished: AtomicU64,
    /// Cancellations that won.
    pub cancelled: AtomicU64,
    /// Nested tasks that were pushed, and those whose owner has heard of them or has gone.
    pub nested: AtomicU64,
    pub nested_told: AtomicU64,
}

impl Ledger {
    pub fn note_made(&self, task: &Arc<Task>) {
        self.made.lock().push(Arc::downgrade(task));
    }

    pub fn note_told(&self, settlement: Settlement) {
        *self.told.lock().entry(settlement as u8).or_default() += 1;
    }

    /// At the end of a round, when no thread of it runs any more.
    pub fn check(&self, pool: &Pool, pushed: u32) {
        let told = self.told.lock();
        assert_eq!(
            told.values().sum::<u32>(),
            pushed,
            "each owner is told of each task once: {told:?}"
        );
        let of = |settlement: Settlement| u64::from(told.get(&(settlement as u8)).copied().unwrap_or(0));
        let (claimed, finished) = (
            self.claimed.load(Ordering::SeqCst),
            self.finished.load(Ordering::SeqCst),
        );
        assert!(finished <= claimed);
        // Nested ones end in the same way, but their owner may have gone before it was told.
        assert!(of(Settlement::Fulfilled) + of(Settlement::Rejected) <= finished);
        assert!(of(Settlement::Cancelled) <= self.cancelled.load(Ordering::SeqCst));
        assert_eq!(pool.queued(), 0, "what is counted as queued comes out even");
        assert_eq!(
            self.nested.load(Ordering::SeqCst),
            self.nested_told.load(Ordering::SeqCst),
            "nested tasks"
        );
        let made = self.made.lock();
        wait_until("no task is left in memory", || {
            made.iter().all(|task| task.strong_count() == 0)
        });
    }
}
