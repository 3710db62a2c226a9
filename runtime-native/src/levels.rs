//! Entries in order: higher priority first; within one, by frame; within one frame, first in first out.
//!
//! A frame is what one job pushes while it runs (or what the continuations in one turn of a worker's event loop push), numbered so that what runs
//! inside of something else has the higher number. Its owner takes from the newest frame: depth first, so that a tree of tasks needs memory
//! for its depth and not for its breadth, and what was pushed last is still in the caches. Thieves take from the oldest: the largest piece
//! of work, and far from the owner. Within a frame all go in the order of the calls, which is also the order in which the results are
//! usually waited for. (A plain deque would run one's own tasks last in first out.)

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::fairness::{Epoch, Fairness};
use crate::state::Phase;
use crate::task::Task;

/// A priority as a key that sorts the highest first.
pub type Rank = u64;

/// The rank of priority 0.
pub const ORDINARY: Rank = !(1 << 63);
/// Behind all ranks: no entry.
pub const NOTHING: Rank = Rank::MAX;

/// `f64::total_cmp` as integers: flip all bits of negatives, the sign of the others. A priority is never NaN.
pub fn rank(priority: f64) -> Rank {
    let bits = (priority + 0.0).to_bits();
    let ascending = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    !ascending
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The newest frame.
    Owner,
    /// The oldest.
    Thief,
}

struct Frame {
    number: u64,
    entries: VecDeque<Arc<Task>>,
    /// Epoch in which its first entry came to be the first.
    first_since: Epoch,
}

type Level = VecDeque<Frame>;

/// Kept for the next frames.
const MAX_SPARE: usize = 16;

#[derive(Default)]
pub struct Levels {
    /// No level is empty, and no frame is.
    levels: BTreeMap<Rank, Level>,
    pub fairness: Fairness,
    spare: Vec<VecDeque<Arc<Task>>>,
}

fn is_stale(task: &Task) -> bool {
    task.state.load().phase() != Phase::Queued
}

impl Levels {
    /// The rank of the entry that is next, NOTHING when there is none.
    pub fn top(&self) -> Rank {
        self.levels.first_key_value().map_or(NOTHING, |(rank, _)| *rank)
    }

    pub fn push(&mut self, task: Arc<Task>) {
        let level = self.levels.entry(rank(task.plan.priority)).or_default();
        let number = task.plan.frame;
        // Nearly always the newest.
        let at = match level.back() {
            None => 0,
            Some(newest) if newest.number == number => level.len() - 1,
            Some(newest) if newest.number < number => level.len(),
            Some(_) => level.partition_point(|frame| frame.number < number),
        };
        if level.get(at).is_none_or(|frame| frame.number != number) {
            let frame = Frame {
                number,
                entries: self.spare.pop().unwrap_or_default(),
                first_since: self.fairness.epoch(),
            };
            level.insert(at, frame);
        }
        level[at].entries.push_back(task);
    }

    /// The next entry; once in a while one that has been passed over for long, see [`Fairness`].
    pub fn pop(&mut self, end: End) -> Option<Arc<Task>> {
        if self.levels.is_empty() {
            return None;
        }
        if let Some(epoch) = self.fairness.count()
            && let Some((_, rank)) = self.overdue(epoch)
        {
            return self.pop_from(rank, End::Thief);
        }
        self.pop_from(self.top(), end)
    }

    /// Of the levels whose oldest first entry has been that since `epoch` or before, the one with the oldest. (Of equals, the highest.)
    pub fn overdue(&self, epoch: Epoch) -> Option<(Epoch, Rank)> {
        let oldest = self.levels.iter().map(|(rank, level)| (level[0].first_since, *rank));
        oldest.filter(|(since, _)| *since <= epoch).min()
    }

    pub fn pop_from(&mut self, rank: Rank, end: End) -> Option<Arc<Task>> {
        let level = self.levels.get_mut(&rank)?;
        let at = if end == End::Owner { level.len() - 1 } else { 0 };
        let task = level[at].entries.pop_front();
        self.after_pop(rank, at);
        task
    }

    /// Takes out an entry that somebody is about to claim, if it is the first of its frame, and drops what is stale there: what is claimed in the
    /// order of its calls leaves nothing behind. Dropped entries go into `stale`, so that their destructors run without a lock.
    pub fn take(&mut self, task: &Arc<Task>, stale: &mut Vec<Arc<Task>>) {
        let key = rank(task.plan.priority);
        let Some(level) = self.levels.get_mut(&key) else {
            return;
        };
        let at = match level.back() {
            Some(newest) if newest.number == task.plan.frame => level.len() - 1,
            _ => level.partition_point(|frame| frame.number < task.plan.frame),
        };
        let Some(frame) = level.get_mut(at).filter(|frame| frame.number == task.plan.frame) else {
            return;
        };
        let before = stale.len();
        while let Some(first) = frame.entries.front()
            && (Arc::ptr_eq(first, task) || is_stale(first))
        {
            stale.extend(frame.entries.pop_front());
        }
        if stale.len() > before {
            self.after_pop(key, at);
        }
    }

    /// The first entry of a frame has been taken.
    fn after_pop(&mut self, rank: Rank, at: usize) {
        let Some(level) = self.levels.get_mut(&rank) else {
            return;
        };
        level[at].first_since = self.fairness.epoch();
        if !level[at].entries.is_empty() {
            return;
        }
        if let Some(frame) = level.remove(at)
            && self.spare.len() < MAX_SPARE
            && frame.entries.capacity() <= 64
        {
            self.spare.push(frame.entries);
        }
        if level.is_empty() {
            self.levels.remove(&rank);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fairness::{TAKINGS, wait_for_clock};
    use crate::mailbox::Mailbox;
    use crate::payload::Payload;
    use crate::task::Plan;

    fn task(owner: &Arc<Mailbox>, slot: u32, priority: f64, frame: u64) -> Arc<Task> {
        let plan = Plan {
            priority,
            frame,
            ..Plan::new(slot, 0)
        };
        Arc::new(Task::new(Arc::clone(owner), plan, Payload::default(), Phase::Queued))
    }

    fn drain(levels: &mut Levels, end: End) -> Vec<u32> {
        std::iter::from_fn(|| levels.pop(end))
            .map(|task| task.plan.slot)
            .collect()
    }

    #[test]
    fn the_rank_of_zero_is_ordinary_and_higher_priorities_come_before() {
        assert_eq!((rank(0.0), rank(-0.0)), (ORDINARY, ORDINARY));
        let sorted = [
            f64::INFINITY,
            f64::MAX,
            1.0,
            1e-300,
            0.0,
            -1e-300,
            -5.0,
            f64::NEG_INFINITY,
        ];
        assert!(sorted.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert!(rank(f64::NEG_INFINITY) < NOTHING);
    }

    #[test]
    fn the_owner_takes_the_newest_frame_and_thieves_the_oldest_each_in_the_order_of_calls() {
        let owner = Mailbox::for_tests();
        for (end, expected) in [
            (End::Owner, [8, 3, 4, 1, 2, 5, 6, 7]),
            (End::Thief, [8, 1, 2, 5, 3, 4, 6, 7]),
        ] {
            let mut levels = Levels::default();
            // 5 belongs to the older frame though it is pushed later; 8 has priority, 6 and 7 have less.
            for (slot, priority, frame) in [
                (1, 0.0, 10),
                (2, 0.0, 10),
                (3, 0.0, 11),
                (6, -1.0, 12),
                (4, 0.0, 11),
                (5, 0.0, 10),
                (7, -1.0, 12),
                (8, 2.0, 5),
            ] {
                levels.push(task(&owner, slot, priority, frame));
            }
            assert_eq!(drain(&mut levels, end), expected);
            assert_eq!(levels.top(), NOTHING);
        }
    }

    #[test]
    fn what_is_claimed_in_the_order_of_its_calls_leaves_nothing_behind() {
        let owner = Mailbox::for_tests();
        let mut levels = Levels::default();
        let tasks: Vec<_> = (0..4).map(|slot| task(&owner, slot, 0.0, 7)).collect();
        tasks.iter().for_each(|task| levels.push(Arc::clone(task)));
        let mut gone = Vec::new();
        let mut take = |levels: &mut Levels, slot: usize| {
            levels.take(&tasks[slot], &mut gone);
            assert!(tasks[slot].claim(0, slot as u32));
            let slots: Vec<u32> = gone.drain(..).map(|task: Arc<Task>| task.plan.slot).collect();
            slots
        };
        assert_eq!(take(&mut levels, 0), [0]);
        assert_eq!(take(&mut levels, 2), [0_u32; 0]);
        assert_eq!(take(&mut levels, 1), [1, 2]);
        assert_eq!(take(&mut levels, 3), [3]);
        assert_eq!(levels.top(), NOTHING);
    }

    #[test]
    fn an_entry_passed_over_for_a_second_and_by_sixty_four_others_goes_first_once() {
        wait_for_clock();
        let owner = Mailbox::for_tests();
        let mut levels = Levels::default();
        levels.push(task(&owner, 1_000, -5.0, 0));
        levels.push(task(&owner, 1_001, -5.0, 0));
        levels.push(task(&owner, 1_002, 1.0, 0));
        let mut let_through = Vec::new();
        for slot in 0..TAKINGS * 8 {
            levels.push(task(&owner, slot, 7.0, 1));
            levels.fairness.age();
            let taken = levels.pop(End::Owner).unwrap().plan.slot;
            if taken >= 1_000 {
                let_through.push((slot, taken));
            }
        }
        // They came in the first epoch, so the end of the second is the first at which one of them has been passed over for a whole one. The
        // higher of two that have waited as long is the first; 1001 only begins to wait when 1000 has gone.
        assert_eq!(
            let_through,
            [
                (2 * TAKINGS - 1, 1_002),
                (3 * TAKINGS - 1, 1_000),
                (5 * TAKINGS - 1, 1_001)
            ]
        );
    }

    #[test]
    fn an_older_frame_is_not_forgotten_under_a_chain_of_newer_ones() {
        wait_for_clock();
        let owner = Mailbox::for_tests();
        let mut levels = Levels::default();
        levels.push(task(&owner, 1_000, 0.0, 1));
        let taken = (0..TAKINGS * 3).position(|slot| {
            levels.push(task(&owner, slot, 0.0, 2 + u64::from(slot)));
            levels.fairness.age();
            levels.pop(End::Owner).unwrap().plan.slot == 1_000
        });
        assert_eq!(taken, Some(2 * TAKINGS as usize - 1));
    }
}
