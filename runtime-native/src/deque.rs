//! One worker's own tasks: those that its tasks have pushed.
//!
//! Its owner pushes and pops, other workers steal, and whoever fulfils the last dependency of one of them pushes it too. A lock guards the order
//! (see `levels.rs`), not a lock-free deque: what is taken is a call into JavaScript, some µs at least, against some 20 ns for a lock that
//! is nearly always free; and only a lock lets priorities, frames and late pushers be one order. Thieves never wait for it.

use std::sync::Arc;

use crate::levels::{End, Levels, NOTHING, Rank, rank};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, spin_loop};
use crate::task::Task;

/// Entries in all deques of a pool.
pub struct Totals {
    entries: AtomicUsize,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            entries: AtomicUsize::new(0),
        }
    }
}

impl Totals {
    /// SeqCst: the last look before a sleep, see `sleep/README.md`.
    pub fn is_empty(&self) -> bool {
        self.entries.load(Ordering::SeqCst) == 0
    }
}

pub struct Deque {
    levels: Mutex<Levels>,
    /// Mirrors `Levels::top`.
    top: AtomicU64,
    totals: Arc<Totals>,
}

impl Deque {
    pub fn new(totals: Arc<Totals>) -> Self {
        Self {
            levels: Mutex::default(),
            top: AtomicU64::new(NOTHING),
            totals,
        }
    }

    pub fn push(&self, task: Arc<Task>) {
        let rank = rank(task.plan.priority);
        let mut levels = self.levels.lock();
        levels.push(task);
        // Under the lock, so that both are never behind what a holder of the lock finds. SeqCst: see `sleep/README.md`.
        if rank < self.top.load(Ordering::Relaxed) {
            self.top.store(rank, Ordering::SeqCst);
        }
        self.totals.entries.fetch_add(1, Ordering::SeqCst);
    }

    /// The next entry for the owner. It may be stale.
    pub fn pop(&self) -> Option<Arc<Task>> {
        if self.is_empty() {
            return None;
        }
        let mut levels = self.levels.lock();
        let task = levels.pop(End::Owner);
        self.removed(&levels, usize::from(task.is_some()));
        task
    }

    /// The next entry for another worker. None also when somebody else is at it at the moment.
    pub fn steal(&self) -> Option<Arc<Task>> {
        if self.is_empty() {
            return None;
        }
        let Some(mut levels) = self.levels.try_lock() else {
            spin_loop();
            return None;
        };
        let task = levels.pop(End::Thief);
        self.removed(&levels, usize::from(task.is_some()));
        task
    }

    /// Takes out an entry that the owner is about to claim, see [`Levels::take`].
    pub fn take(&self, task: &Arc<Task>) {
        if self.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        let mut levels = self.levels.lock();
        levels.take(task, &mut gone);
        self.removed(&levels, gone.len());
        drop(levels);
    }

    /// The rank of the next entry, NOTHING when there is none.
    pub fn top(&self) -> Rank {
        self.top.load(Ordering::SeqCst)
    }

    pub fn is_empty(&self) -> bool {
        self.top() == NOTHING
    }

    fn removed(&self, levels: &Levels, count: usize) {
        if count == 0 {
            return;
        }
        let top = levels.top();
        if top != self.top.load(Ordering::Relaxed) {
            self.top.store(top, Ordering::SeqCst);
        }
        self.totals.entries.fetch_sub(count, Ordering::SeqCst);
    }
}
