//! The numbers of a worker's jobs, and their flags that other threads see: which jobs are open, which are suspended, and which have been cancelled.
//!
//! Jobs run on a stack, so [`SLOTS`] numbers are enough for nearly all: a number is a slot and a count, its flags are two words, and JavaScript polls
//! one of them directly. Asynchronous jobs that wait for each other may be more; those beyond get numbers that are never used twice, and their
//! flags are in a map.

use std::array;
use std::collections::HashMap;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};

/// A power of two.
pub const SLOTS: usize = if cfg!(loom) { 2 } else { 2048 };
const SLOT_BITS: u32 = SLOTS.trailing_zeros();
/// From here on a number is that of a job without a slot. Known to `runtime-ts/src/worker/native-worker.ts`.
pub const WITHOUT_SLOT: u32 = 1 << 30;
/// Added to a job's number: the job while it is suspended, that is, while none of its code runs or can run. Other numbers stay below.
pub const SUSPENDED: u32 = 1 << 31;

/// The slot of a job that has one.
pub fn job_slot(job: u32) -> usize {
    job as usize % SLOTS
}

/// The job's number without [`SUSPENDED`].
fn name(job: u32) -> u32 {
    job & !SUSPENDED
}

pub fn has_slot(job: u32) -> bool {
    name(job) < WITHOUT_SLOT
}

/// The number after `job` in the same slot, so that a flag which comes too late hits nobody else; never 0.
pub fn next_job(job: u32) -> u32 {
    let next = job.wrapping_add(1 << SLOT_BITS) & (WITHOUT_SLOT - 1);
    if next >> SLOT_BITS == 0 {
        next | (1 << SLOT_BITS)
    } else {
        next
    }
}

/// The number after `job` among those without a slot; positive as an `i32`.
pub fn next_job_without_slot(job: u32) -> u32 {
    WITHOUT_SLOT | (job.wrapping_add(1) & (WITHOUT_SLOT - 1))
}

#[derive(Default)]
struct Other {
    /// The job's number as it is open.
    open: u32,
    cancelled: bool,
}

pub struct JobFlags {
    /// By slot: the job that is open there.
    open: [AtomicU32; SLOTS],
    /// By slot: the job that was last cancelled there.
    cancelled: [AtomicU32; SLOTS],
    /// Open jobs without a slot, by number.
    others: Mutex<HashMap<u32, Other>>,
}

impl Default for JobFlags {
    fn default() -> Self {
        Self {
            open: array::from_fn(|_| AtomicU32::new(0)),
            cancelled: array::from_fn(|_| AtomicU32::new(0)),
            others: Mutex::default(),
        }
    }
}

impl JobFlags {
    /// What JavaScript polls.
    pub fn cancelled(&self) -> &[AtomicU32; SLOTS] {
        &self.cancelled
    }

    pub fn open(&self, job: u32) {
        if has_slot(job) {
            self.open[job_slot(job)].store(job, Ordering::Relaxed);
        } else {
            self.others.lock().entry(name(job)).or_default().open = job;
        }
    }

    /// An open job is suspended or goes on: `job` is its number from now on. SeqCst, or under the lock: see [`crate::worker::Worker::resume_job`].
    pub fn rename(&self, job: u32) {
        if has_slot(job) {
            self.open[job_slot(job)].store(job, Ordering::SeqCst);
        } else if let Some(other) = self.others.lock().get_mut(&name(job)) {
            other.open = job;
        }
    }

    /// SeqCst, or under the lock: see [`crate::worker::Worker::close_job`].
    pub fn close(&self, job: u32) {
        if has_slot(job) {
            self.open[job_slot(job)].store(0, Ordering::SeqCst);
        } else {
            self.others.lock().remove(&job);
        }
    }

    pub fn is_open(&self, job: u32) -> bool {
        if has_slot(job) {
            self.open[job_slot(job)].load(Ordering::SeqCst) == job
        } else {
            self.others
                .lock()
                .get(&name(job))
                .is_some_and(|other| other.open == job)
        }
    }

    pub fn cancel(&self, job: u32) {
        if has_slot(job) {
            self.cancelled[job_slot(job)].store(job, Ordering::Release);
        } else if let Some(other) = self.others.lock().get_mut(&job) {
            other.cancelled = true;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn job_numbers_keep_their_slot_and_never_become_zero_or_negative() {
        let mut job = 5;
        for _ in 0..3_000_000 {
            job = next_job(job);
            assert!(job_slot(job) == 5 && job > 1023 && has_slot(job));
        }
        let mut other = u32::MAX;
        for _ in 0..10 {
            other = next_job_without_slot(other);
            assert!(!has_slot(other) && (other as i32) > 0);
        }
    }

    #[test]
    fn jobs_without_a_slot_have_flags_too() {
        let flags = JobFlags::default();
        let (one, other) = (next_job_without_slot(0), next_job_without_slot(1));
        flags.open(one);
        flags.cancel(other);
        assert!(flags.is_open(one) && !flags.is_open(other));
        flags.rename(one | SUSPENDED);
        assert!(!flags.is_open(one) && flags.is_open(one | SUSPENDED));
        flags.rename(one);
        assert!(flags.is_open(one) && !flags.is_open(one | SUSPENDED));
        flags.close(one);
        assert!(!flags.is_open(one));
    }
}
