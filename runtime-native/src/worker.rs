//! The part of a worker that other threads reach.

use std::sync::{Arc, OnceLock};

use crate::deque::{Deque, Totals};
use crate::job_flags::{JobFlags, SUSPENDED};
use crate::mailbox::LoopWaker;
use crate::queue::Queue;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering, fence};
use crate::sync::{Mutex, Parker, Unparker, yield_now};

const SOUND: u8 = 0;
const SUSPECT: u8 = 1;
const CONDEMNED: u8 = 2;

/// No worker's id.
const NOBODY: u32 = u32::MAX;

pub struct Worker {
    /// Unique in its pool, never reused.
    pub id: u32,
    /// Tasks that this worker's tasks have pushed.
    pub nested: Deque,
    /// Chunk loads for this worker alone.
    pub pinned: Queue,
    pub flags: Arc<JobFlags>,
    parker: Mutex<Option<Parker>>,
    unparker: Unparker,
    waker: OnceLock<Arc<dyn LoopWaker>>,
    /// It waits in its event loop (or is on its way there), so a wake goes through the loop.
    in_loop: AtomicBool,
    /// It has been woken in its loop, and somebody looks soon whether it has come.
    expected: AtomicBool,
    doom: AtomicU8,
    /// Open jobs. Written by its own thread only.
    running: AtomicU32,
    /// Those of them that are suspended, and that it does not wait for. Used by its own thread only.
    aside: AtomicU32,
    /// The worker whose task it runs, so that what is in its deque is likely to come from there.
    serves: AtomicU32,
    ready: AtomicBool,
    /// Idle for long, and chosen to end.
    retired: AtomicBool,
    /// It has been removed from its pool.
    left: AtomicBool,
    /// It is blocked where it can run nothing, see `Pool::ask_for_stand_in`.
    stuck: AtomicBool,
}

impl Worker {
    /// A worker without a pool.
    pub fn new(id: u32) -> Self {
        Self::in_pool(id, Arc::default())
    }

    /// `totals`: what its pool knows of all workers' deques.
    pub fn in_pool(id: u32, totals: Arc<Totals>) -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        Self {
            id,
            nested: Deque::new(totals),
            pinned: Queue::new(),
            flags: Arc::new(JobFlags::default()),
            parker: Mutex::new(Some(parker)),
            unparker,
            waker: OnceLock::new(),
            in_loop: AtomicBool::new(false),
            expected: AtomicBool::new(false),
            doom: AtomicU8::new(SOUND),
            running: AtomicU32::new(0),
            aside: AtomicU32::new(0),
            serves: AtomicU32::new(NOBODY),
            ready: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            left: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        }
    }

    /// Its thread has arrived. Gives the parker, to the first caller only.
    pub fn attach(&self) -> Option<(Parker, Unparker)> {
        let parker = self.parker.lock().take()?;
        self.ready.store(true, Ordering::Release);
        Some((parker, self.unparker.clone()))
    }

    pub fn set_waker(&self, waker: Arc<dyn LoopWaker>) {
        let _ = self.waker.set(waker);
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Ends its wait, wherever it waits. True when that is in its event loop.
    pub fn wake(&self) -> bool {
        self.unparker.unpark();
        // SeqCst: the worker sets `in_loop` before it looks for work a last time, see `sleep/README.md`.
        let in_loop = self.is_in_loop();
        if in_loop && let Some(waker) = self.waker.get() {
            waker.wake();
        }
        in_loop
    }

    pub fn is_in_loop(&self) -> bool {
        self.in_loop.load(Ordering::SeqCst)
    }

    /// Somebody is about to look whether it has come. False when that is so already.
    pub fn expect(&self) -> bool {
        !self.expected.swap(true, Ordering::Relaxed)
    }

    /// That look is made now.
    pub fn expected(&self) {
        self.expected.store(false, Ordering::Relaxed);
    }

    pub fn set_in_loop(&self, in_loop: bool) {
        self.in_loop.store(in_loop, Ordering::SeqCst);
    }

    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// Says whose task it runs; None: nobody's of this pool's workers. Its own thread only. Gives what was said before.
    pub fn serve(&self, id: Option<u32>) -> Option<u32> {
        let before = self.serves.load(Ordering::Relaxed);
        // Relaxed: a hint for where to look.
        self.serves.store(id.unwrap_or(NOBODY), Ordering::Relaxed);
        (before != NOBODY).then_some(before)
    }

    pub fn is_serving(&self, id: u32) -> bool {
        self.serves.load(Ordering::Relaxed) == id
    }

    /// Opens a job. Its own thread only.
    pub fn open_job(&self, job: u32) {
        self.flags.open(job);
        self.running
            .store(self.running.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Closes a job. Its own thread only. Afterwards it must not take another before [`Worker::is_doomed`] has been asked.
    pub fn close_job(&self, job: u32) {
        // SeqCst, or a lock: against `condemn`, which does its store and load the other way round: at least one of the two sees the other.
        self.flags.close(job);
        self.running
            .store(self.running.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    }

    /// None of the job's code runs from here on, or can run: it is no reason to stop the worker. Its own thread only.
    pub fn suspend_job(&self, job: u32) {
        self.flags.rename(job | SUSPENDED);
    }

    /// By so many more (or less) of its suspended jobs it does not wait for. Its own thread only.
    pub fn set_aside(&self, change: i32) {
        let count = self.aside.load(Ordering::Relaxed).saturating_add_signed(change);
        self.aside.store(count, Ordering::Relaxed);
    }

    /// A suspended job goes on. Its own thread only.
    ///
    /// `is_settled`: whether its task has been cancelled or has run out of time. Then it goes on only to clean up, and nobody else sees to it that this
    /// has an end: gives the number for which the worker is to be condemned after another grace period.
    pub fn resume_job(&self, job: u32, is_settled: impl Fn() -> bool) -> Option<u32> {
        if is_settled() {
            // It keeps the other number, so that a grace period that has begun before does not end this one.
            return Some(job | SUSPENDED);
        }
        self.flags.rename(job);
        // Against `Pool::cancel`, which settles and then, after its grace period, looks whether the job is open: at least one of the two sees the other. The other
        // fence is in `condemn`. A task's state alone is not in the total order.
        fence(Ordering::SeqCst);
        is_settled().then_some(job)
    }

    /// Suspended jobs beside which it takes others. Its own thread only.
    pub fn aside(&self) -> u32 {
        self.aside.load(Ordering::Relaxed)
    }

    /// Sets the flag that the job polls.
    pub fn flag_cancelled(&self, job: u32) {
        self.flags.cancel(job);
    }

    pub fn is_open(&self, job: u32) -> bool {
        self.flags.is_open(job)
    }

    /// Decides that the worker ends because of this job, unless the job has ended itself. True when it was decided now.
    pub fn condemn(&self, job: u32) -> bool {
        // Whoever asks has settled the job's task before: see `resume_job`.
        fence(Ordering::SeqCst);
        loop {
            if !self.is_open(job) {
                return false;
            }
            match self
                .doom
                .compare_exchange(SOUND, SUSPECT, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => break,
                Err(CONDEMNED) => return false,
                // Another job is being looked at, and may turn out to have ended: that says nothing of this one.
                Err(_) => yield_now(),
            }
        }
        let condemned = self.is_open(job);
        self.doom
            .store(if condemned { CONDEMNED } else { SOUND }, Ordering::SeqCst);
        condemned
    }

    /// Whether it must take no more jobs. Waits out the short moment in which that is being decided.
    pub fn is_doomed(&self) -> bool {
        loop {
            match self.doom.load(Ordering::SeqCst) {
                SOUND => return false,
                CONDEMNED => return true,
                _ => yield_now(),
            }
        }
    }

    /// Condemns it without a job as the reason.
    pub fn doom(&self) {
        self.doom.store(CONDEMNED, Ordering::SeqCst);
    }

    /// Nobody looks into its queues any more. Whoever has pushed there must ask [`Worker::has_left`] afterwards.
    pub fn leave(&self) {
        // SeqCst, as the pushes are: either the pusher sees this, or who empties the queues afterwards sees the push.
        self.left.store(true, Ordering::SeqCst);
    }

    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    pub fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::SeqCst);
    }

    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }

    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::job_flags::next_job;

    #[test]
    fn a_job_that_has_ended_condemns_nobody() {
        let worker = Worker::new(0);
        let job = next_job(0);
        worker.open_job(job);
        worker.close_job(job);
        worker.open_job(next_job(job));
        assert!(!worker.condemn(job) && !worker.is_doomed());
        assert!(worker.condemn(next_job(job)) && worker.is_doomed());
    }

    #[test]
    fn a_suspended_job_condemns_nobody_before_it_goes_on() {
        let worker = Worker::new(0);
        let job = next_job(0);
        worker.open_job(job);
        worker.suspend_job(job);
        assert!(!worker.condemn(job));
        assert_eq!(worker.resume_job(job, || false), None);
        assert!(worker.condemn(job));
    }

    #[test]
    fn a_job_that_was_cancelled_while_suspended_has_a_grace_period_of_its_own() {
        let worker = Worker::new(0);
        let job = next_job(0);
        worker.open_job(job);
        worker.suspend_job(job);
        let renamed = worker.resume_job(job, || true).unwrap();
        assert!(!worker.condemn(job) && worker.condemn(renamed));
    }
}
