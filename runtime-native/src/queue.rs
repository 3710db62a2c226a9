//! The injector: tasks from outside. Higher priority first, first in first out within one, and no starvation (see `fairness.rs`).
//!
//! Nearly all tasks have priority 0 and go through a lock-free injector; others are kept in order under a lock, which is only looked at when there
//! are any. Entries may be stale (cancelled, or claimed by a caller that helps): the taker finds out when it claims.

use std::sync::Arc;

use crate::fairness::Epoch;
use crate::levels::{End, Levels, NOTHING, ORDINARY, Rank, rank};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Injector, Mutex, Steal, spin_loop};
use crate::task::Task;

#[derive(Default)]
struct Ranked {
    levels: Levels,
    /// Epoch since which the first of the ordinary ones can have been passed over at most.
    ordinary_since: Epoch,
}

pub struct Queue {
    ordinary: Injector<Arc<Task>>,
    ranked: Mutex<Ranked>,
    /// Mirrors `Levels::top` of the ranked ones.
    ranked_top: AtomicU64,
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
            ranked: Mutex::default(),
            ranked_top: AtomicU64::new(NOTHING),
        }
    }

    pub fn push(&self, task: Arc<Task>) {
        let rank = rank(task.plan.priority);
        if rank == ORDINARY {
            self.ordinary.push(task);
            return;
        }
        let mut ranked = self.ranked.lock();
        let top = ranked.levels.top();
        if top == NOTHING {
            // Until now nothing could pass an ordinary one over.
            ranked.ordinary_since = ranked.levels.fairness.epoch();
        }
        ranked.levels.push(task);
        // Under the lock, so that it is never behind what a holder of the lock finds. SeqCst: see `sleep/README.md`.
        if rank < top {
            self.ranked_top.store(rank, Ordering::SeqCst);
        }
    }

    pub fn pop(&self) -> Option<Arc<Task>> {
        if self.ranked_top.load(Ordering::SeqCst) == NOTHING {
            self.pop_ordinary()
        } else {
            self.pop_by_rank()
        }
    }

    /// The rank of the next entry, NOTHING when there is none.
    pub fn top(&self) -> Rank {
        let ranked = self.ranked_top.load(Ordering::SeqCst);
        if ranked > ORDINARY && !self.ordinary.is_empty() {
            ORDINARY
        } else {
            ranked
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ordinary.is_empty() && self.ranked_top.load(Ordering::SeqCst) == NOTHING
    }

    fn pop_ordinary(&self) -> Option<Arc<Task>> {
        loop {
            match self.ordinary.steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => spin_loop(),
            }
        }
    }

    fn pop_by_rank(&self) -> Option<Arc<Task>> {
        let ranked = &mut *self.ranked.lock();
        let ended = ranked.levels.fairness.count();
        if self.ordinary.is_empty() {
            ranked.ordinary_since = ranked.levels.fairness.epoch();
        }
        let overdue = ended.and_then(|epoch| ranked.overdue(epoch));
        let task = overdue.and_then(|rank| self.pop_rank(ranked, rank));
        let task = task.or_else(|| {
            let top = ranked.levels.top();
            let ordinary = if top < ORDINARY {
                None
            } else {
                self.pop_rank(ranked, ORDINARY)
            };
            ordinary.or_else(|| self.pop_rank(ranked, top))
        });
        let top = ranked.levels.top();
        if top != self.ranked_top.load(Ordering::Relaxed) {
            self.ranked_top.store(top, Ordering::SeqCst);
        }
        task
    }

    fn pop_rank(&self, ranked: &mut Ranked, rank: Rank) -> Option<Arc<Task>> {
        if rank == ORDINARY {
            ranked.ordinary_since = ranked.levels.fairness.epoch();
            self.pop_ordinary()
        } else {
            ranked.levels.pop_from(rank, End::Thief)
        }
    }
}

impl Ranked {
    /// The rank that has been passed over for the longest, if that is since `epoch` or longer.
    fn overdue(&self, epoch: Epoch) -> Option<Rank> {
        let ordinary = (self.ordinary_since <= epoch).then_some((self.ordinary_since, ORDINARY));
        let longest = self.levels.overdue(epoch).into_iter().chain(ordinary).min();
        longest.map(|(_, rank)| rank)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fairness::{TAKINGS, wait_for_clock};
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

    #[test]
    fn ordinary_and_lower_ones_are_not_forgotten_under_a_stream_of_higher_ones() {
        wait_for_clock();
        let owner = Mailbox::for_tests();
        let queue = Queue::new();
        let push = |slot: u32, priority: f64| {
            let plan = Plan {
                priority,
                ..Plan::new(slot, 0)
            };
            let task = Task::new(Arc::clone(&owner), plan, Payload::default(), Phase::Queued);
            queue.push(Arc::new(task));
        };
        let mut let_through = Vec::new();
        for slot in 0..TAKINGS * 6 {
            push(slot, 7.0);
            if slot == 0 {
                push(1_001, -1.0);
            }
            // In the second epoch, so that the end of the third is not enough.
            if slot == TAKINGS {
                push(1_000, 0.0);
                push(1_002, 0.0);
            }
            queue.ranked.lock().levels.fairness.age();
            let taken = queue.pop().unwrap().plan.slot;
            if taken >= 1_000 {
                let_through.push((slot, taken));
            }
        }
        assert_eq!(
            let_through,
            [
                (2 * TAKINGS - 1, 1_001),
                (3 * TAKINGS - 1, 1_000),
                (5 * TAKINGS - 1, 1_002)
            ]
        );
    }

    #[test]
    fn lower_ones_are_not_forgotten_under_a_stream_of_ordinary_ones() {
        wait_for_clock();
        let owner = Mailbox::for_tests();
        let queue = Queue::new();
        let push = |slot: u32, priority: f64| {
            let plan = Plan {
                priority,
                ..Plan::new(slot, 0)
            };
            let task = Task::new(Arc::clone(&owner), plan, Payload::default(), Phase::Queued);
            queue.push(Arc::new(task));
        };
        push(1_000, -1.0);
        let taken = (0..TAKINGS * 3).position(|slot| {
            push(slot, 0.0);
            queue.ranked.lock().levels.fairness.age();
            queue.pop().unwrap().plan.slot == 1_000
        });
        assert_eq!(taken, Some(2 * TAKINGS as usize - 1));
    }
}
