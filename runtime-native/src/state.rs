//! A task's state: one atomic word, so that exactly one thread decides how a task ends.
//!
//! ```text
//!  Waiting ──► Queued ──► Running ─┐
//!     │           │          │     │ begin_settle (exactly one winner)
//!     └───────────┴──────────┴──►  Settling ──► Settled
//! ```
//!
//! The winner of `begin_settle` alone may write the outcome; `finish_settle` publishes it. Two marks live in the same word, so that setting
//! one and learning whether it came too late is a single step:
//!
//! * `AWAITED`: the owner is blocked on this very task, takes the outcome itself and has to be unparked;
//! * `LINKED`: other tasks depend on this one.
//!
//! A running task's word also names the worker and the worker's own number for the job, which a canceller needs.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Numbers as in `Phase` of `runtime-ts/src/pool/backend.ts`, with one more that counts as running for onlookers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Waiting = 0,
    Queued = 1,
    Running = 2,
    Settled = 3,
    Settling = 4,
}

/// Numbers as in `Settlement` of `runtime-ts/src/pool/backend.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Settlement {
    Fulfilled = 1,
    Rejected = 2,
    Cancelled = 3,
    TimedOut = 4,
    Crashed = 5,
    DependencyFailed = 6,
}

impl Settlement {
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Fulfilled,
            2 => Self::Rejected,
            3 => Self::Cancelled,
            4 => Self::TimedOut,
            5 => Self::Crashed,
            6 => Self::DependencyFailed,
            _ => return None,
        })
    }
}

const PHASE: u64 = 0b111;
const SETTLEMENT_SHIFT: u32 = 3;
const AWAITED: u64 = 1 << 6;
const LINKED: u64 = 1 << 7;
const MARKS: u64 = AWAITED | LINKED;
const WORKER_SHIFT: u32 = 8;
const JOB_SHIFT: u32 = 32;

/// Worker ids must stay below this.
pub const MAX_WORKERS: u32 = 1 << 24;

/// A snapshot of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    pub fn phase(self) -> Phase {
        match self.0 & PHASE {
            0 => Phase::Waiting,
            1 => Phase::Queued,
            2 => Phase::Running,
            3 => Phase::Settled,
            _ => Phase::Settling,
        }
    }

    pub fn settlement(self) -> Option<Settlement> {
        Settlement::from_number((self.0 >> SETTLEMENT_SHIFT) as u8 & 0b111)
    }

    pub fn is_awaited(self) -> bool {
        self.0 & AWAITED != 0
    }

    pub fn is_linked(self) -> bool {
        self.0 & LINKED != 0
    }

    /// Worker id and job number; only meaningful when the phase is (or was) Running.
    pub fn runner(self) -> (u32, u32) {
        (
            (self.0 >> WORKER_SHIFT) as u32 & (MAX_WORKERS - 1),
            (self.0 >> JOB_SHIFT) as u32,
        )
    }
}

pub struct State(AtomicU64);

impl State {
    pub fn new(phase: Phase) -> Self {
        Self(AtomicU64::new(phase as u64))
    }

    /// Acquire: whoever sees Settled may read the outcome that was written before.
    pub fn load(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    /// Waiting → Queued. False when the task has been settled meanwhile.
    pub fn enqueue(&self) -> bool {
        self.step(|word| (word.phase() == Phase::Waiting).then_some((word.0 & MARKS) | Phase::Queued as u64))
            .is_some()
    }

    /// Queued → Running. False for a stale queue entry: claimed by another, or cancelled.
    pub fn claim(&self, worker: u32, job: u32) -> bool {
        let runner = (u64::from(worker) << WORKER_SHIFT) | (u64::from(job) << JOB_SHIFT);
        self.step(|word| (word.phase() == Phase::Queued).then_some((word.0 & MARKS) | Phase::Running as u64 | runner))
            .is_some()
    }

    /// → Settling, from a phase that `allowed` accepts. Gives the word before it to the one winner.
    pub fn begin_settle(&self, allowed: impl Fn(Phase) -> bool) -> Option<Word> {
        self.step(|word| allowed(word.phase()).then_some((word.0 & MARKS) | Phase::Settling as u64))
    }

    /// Settling → Settled, by the winner of [`State::begin_settle`]. Gives the marks that had been set in time.
    ///
    /// AcqRel: releases the outcome to whoever loads the word; acquires what the setters of the marks did before.
    pub fn finish_settle(&self, settlement: Settlement) -> Word {
        Word(self.0.swap(
            Phase::Settled as u64 | ((settlement as u64) << SETTLEMENT_SHIFT),
            Ordering::AcqRel,
        ))
    }

    /// Sets the mark of a blocked owner. If the word says Settled, it came too late and the outcome is there.
    pub fn mark_awaited(&self) -> Word {
        Word(self.0.fetch_or(AWAITED, Ordering::AcqRel))
    }

    /// Takes the mark back. If the word says Settled, the settler has seen the mark and left the outcome to the owner.
    pub fn unmark_awaited(&self) -> Word {
        Word(self.0.fetch_and(!AWAITED, Ordering::AcqRel))
    }

    /// Sets the mark that others depend on this task. If the word says Settled, it came too late.
    pub fn mark_linked(&self) -> Word {
        Word(self.0.fetch_or(LINKED, Ordering::AcqRel))
    }

    /// AcqRel on success: what led to the phase before is seen by whoever leads to the next. On failure nothing is read through the word.
    fn step(&self, next: impl Fn(Word) -> Option<u64>) -> Option<Word> {
        let mut current = self.0.load(Ordering::Acquire);
        loop {
            let target = next(Word(current))?;
            match self
                .0
                .compare_exchange_weak(current, target, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(before) => return Some(Word(before)),
                Err(seen) => current = seen,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn a_claimed_task_names_its_runner_and_cannot_be_claimed_again() {
        let state = State::new(Phase::Queued);
        assert!(state.claim(MAX_WORKERS - 1, u32::MAX));
        assert!(!state.claim(1, 1));
        assert_eq!(state.load().runner(), (MAX_WORKERS - 1, u32::MAX));
        assert_eq!(
            state.begin_settle(|phase| phase == Phase::Running).unwrap().runner(),
            (MAX_WORKERS - 1, u32::MAX)
        );
        assert_eq!(state.load().phase(), Phase::Settling);
    }

    #[test]
    fn marks_survive_every_step_and_reach_the_settler() {
        let state = State::new(Phase::Waiting);
        state.mark_awaited();
        assert!(state.enqueue() && state.claim(3, 4));
        state.mark_linked();
        state.begin_settle(|_| true).unwrap();
        let before = state.finish_settle(Settlement::Fulfilled);
        assert!(before.is_awaited() && before.is_linked());
        assert_eq!(
            (state.load().phase(), state.load().settlement()),
            (Phase::Settled, Some(Settlement::Fulfilled))
        );
    }

    #[test]
    fn a_mark_that_comes_too_late_says_so() {
        let state = State::new(Phase::Queued);
        state.begin_settle(|phase| phase == Phase::Queued).unwrap();
        state.finish_settle(Settlement::Cancelled);
        assert_eq!(state.mark_awaited().phase(), Phase::Settled);
        assert!(
            state
                .begin_settle(|phase| phase != Phase::Settled && phase != Phase::Settling)
                .is_none()
        );
    }

    #[test]
    fn of_many_that_settle_at_once_one_wins() {
        for _ in 0..200 {
            let state = Arc::new(State::new(Phase::Queued));
            let threads: Vec<_> = [Settlement::Cancelled, Settlement::TimedOut, Settlement::Crashed]
                .into_iter()
                .map(|settlement| {
                    let state = Arc::clone(&state);
                    thread::spawn(move || {
                        let won = state
                            .begin_settle(|phase| phase != Phase::Settled && phase != Phase::Settling)
                            .is_some();
                        if won {
                            state.finish_settle(settlement);
                        }
                        won
                    })
                })
                .collect();
            assert_eq!(
                threads
                    .into_iter()
                    .filter(|_| true)
                    .map(|thread| thread.join().unwrap())
                    .filter(|won| *won)
                    .count(),
                1
            );
        }
    }
}
