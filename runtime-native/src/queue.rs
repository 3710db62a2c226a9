//! A queue of tasks: higher priority first, first in first out within one.
//!
//! Nearly all tasks have priority 0 and go through a lock-free injector; others are kept sorted under a lock, which is only looked at when there
//! are any. Entries may be stale (cancelled, or claimed by a caller that helps): the taker finds out when it claims.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Injector, Mutex, Steal, spin_loop};
use crate::task::Task;

/// A priority as a key that sorts the highest first. `f64::total_cmp` as integers: flip all bits of negatives, the sign of the others.
fn rank(priority: f64) -> u64 {
    let bits = (priority + 0.0).to_bits();
    let ascending = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    !ascending
}

type Ranked = Mutex<BTreeMap<u64, VecDeque<Arc<Task>>>>;

pub struct Queue {
    ordinary: Injector<Arc<Task>>,
    urgent: Ranked,
    lazy: Ranked,
    urgent_count: AtomicUsize,
    lazy_count: AtomicUsize,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

impl Queue {
    pub fn new() -> Self {
        Self {
            ordinary: Injector::new(),
            urgent: Mutex::default(),
            lazy: Mutex::default(),
            urgent_count: AtomicUsize::new(0),
            lazy_count: AtomicUsize::new(0),
        }
    }

    pub fn push(&self, task: Arc<Task>) {
        let priority = task.plan.priority;
        if priority == 0.0 {
            self.ordinary.push(task);
        } else if priority > 0.0 {
            Self::push_ranked(&self.urgent, &self.urgent_count, task);
        } else {
            Self::push_ranked(&self.lazy, &self.lazy_count, task);
        }
    }

    pub fn pop(&self) -> Option<Arc<Task>> {
        if let Some(task) = Self::pop_ranked(&self.urgent, &self.urgent_count) {
            return Some(task);
        }
        loop {
            match self.ordinary.steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return Self::pop_ranked(&self.lazy, &self.lazy_count),
                Steal::Retry => spin_loop(),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ordinary.is_empty()
            && self.urgent_count.load(Ordering::SeqCst) == 0
            && self.lazy_count.load(Ordering::SeqCst) == 0
    }

    fn push_ranked(ranked: &Ranked, count: &AtomicUsize, task: Arc<Task>) {
        let mut levels = ranked.lock();
        levels.entry(rank(task.plan.priority)).or_default().push_back(task);
        // Under the lock, so that the count is never behind what a taker of the lock finds. SeqCst: see `sleep/README.md`.
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn pop_ranked(ranked: &Ranked, count: &AtomicUsize) -> Option<Arc<Task>> {
        if count.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let mut levels = ranked.lock();
        let mut level = levels.first_entry()?;
        let task = level.get_mut().pop_front();
        if level.get().is_empty() {
            level.remove();
        }
        count.fetch_sub(1, Ordering::SeqCst);
        task
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::mailbox::Mailbox;
    use crate::payload::Payload;
    use crate::state::Phase;
    use crate::task::Plan;

    #[test]
    fn higher_priority_first_and_first_in_first_out_within_one() {
        let owner = Mailbox::for_tests();
        let queue = Queue::new();
        for (slot, priority) in [0.0, 5.0, -1.0, 5.0, 0.0, 0.5, -1.0, -2.5, -0.0, f64::MAX]
            .into_iter()
            .enumerate()
        {
            let plan = Plan {
                priority,
                ..Plan::new(slot as u32, 0)
            };
            queue.push(Arc::new(Task::new(
                Arc::clone(&owner),
                plan,
                Payload::default(),
                Phase::Queued,
            )));
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop()).map(|task| task.plan.slot).collect();
        assert_eq!(order, [9, 1, 3, 5, 0, 4, 8, 2, 6, 7]);
        assert!(queue.is_empty());
    }
}
