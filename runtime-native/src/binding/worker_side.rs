//! What a worker's own thread keeps of its jobs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use napi::sys;

use super::value::Area;
use crate::find::Turns;
use crate::job_flags::{SLOTS, has_slot, job_slot, next_job, next_job_without_slot};
use crate::payload::Payload;
use crate::pool::{Pool, is_open};
use crate::state::{Phase, Settlement};
use crate::task::Task;
use crate::worker::Worker;

/// Jobs that one worker can have on its stack. Below this, the stack itself may end first.
pub const MAX_DEPTH: u32 = 2048;
/// Up to this depth a blocked job helps with tasks other than the one that it awaits, so that helping never uses up the stack.
pub const MAX_HELP_DEPTH: u32 = 256;

struct OpenJob {
    job: u32,
    task: Arc<Task>,
    /// It goes on asynchronously; `Some(true)` when it was started while another job was blocked.
    pending: Option<bool>,
    suspended: Suspended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Suspended {
    No,
    /// None of its code runs.
    Yes,
    /// And the worker takes other jobs.
    Aside,
}

/// Words of the header area: how a job is passed to JavaScript, and its outcome back, without a single argument.
pub mod header {
    pub const JOB: usize = 0;
    pub const INDEX: usize = 1;
    pub const END: usize = 2;
    pub const FLAGS: usize = 3;
    pub const LENGTH: usize = 4;
    pub const WORDS: usize = 8;

    /// The payload did not fit into the area, or has attachments: to be fetched.
    pub const FETCH_PAYLOAD: i32 = 1;
    /// Values of other tasks are arguments: to be fetched.
    pub const FETCH_INPUTS: i32 = 2;
}

pub struct WorkerSide {
    pub worker: Arc<Worker>,
    pub header: Area,
    /// Where payloads of jobs are put.
    pub job_area: Area,
    /// Where results are encoded into.
    pub result: Area,
    pub run: sys::napi_ref,
    pub pump: sys::napi_ref,
    /// By slot.
    open: RefCell<Vec<Option<OpenJob>>>,
    free: RefCell<Vec<u32>>,
    /// When all slots are taken, by job number.
    without_slot: RefCell<HashMap<u32, OpenJob>>,
    last_without_slot: Cell<u32>,
    /// Payload of a job that JavaScript is to fetch.
    pub fetchable: RefCell<Option<Payload>>,
    /// Tasks whose outcomes are arguments of a job, for JavaScript to fetch.
    pub inputs: RefCell<Vec<Arc<Task>>>,
    /// A result that did not fit into the area.
    pub stash: RefCell<Option<Payload>>,
    /// Jobs that go on asynchronously.
    pub pending: Cell<u32>,
    /// Those of them that were started while another job was blocked.
    pub pending_inside: Cell<u32>,
    /// Jobs that run on the stack now.
    pub depth: Cell<u32>,
    /// The code that runs now is a job's synchronous part. False in continuations.
    pub calling: Cell<bool>,
    /// Continuations that are blocked on the stack now: their jobs are pending, and nothing but the end of their wait brings them on.
    pub blocked: Cell<u32>,
    /// Another worker may stand in for this one.
    pub stood_in_for: Cell<bool>,
    /// The frame that is pushed into now (see `levels.rs`), and the newest number.
    frame: Cell<u64>,
    newest_frame: Cell<u64>,
    pub turns: RefCell<Turns>,
    /// Jobs since the event loop turned, and when it last did (on [`crate::clock`]).
    pub jobs_since_turn: Cell<u32>,
    pub turned_at: Cell<u64>,
    /// JavaScript is about to deliver and to come back, without a turn of the event loop.
    pub delivering: Cell<bool>,
    /// It has announced itself as a sleeper and has gone to its event loop.
    pub asleep_in_loop: Cell<Option<Asleep>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asleep {
    Idle,
    Waiting,
}

impl WorkerSide {
    pub fn new(
        worker: Arc<Worker>,
        header: Area,
        job_area: Area,
        result: Area,
        run: sys::napi_ref,
        pump: sys::napi_ref,
    ) -> Self {
        Self {
            worker,
            header,
            job_area,
            result,
            run,
            pump,
            open: RefCell::new((0..SLOTS).map(|_| None).collect()),
            // Numbers that have been used up; the next in the same slot is taken when it is opened.
            free: RefCell::new((0..SLOTS as u32).rev().collect()),
            without_slot: RefCell::default(),
            last_without_slot: Cell::new(0),
            fetchable: RefCell::default(),
            inputs: RefCell::default(),
            stash: RefCell::default(),
            pending: Cell::new(0),
            pending_inside: Cell::new(0),
            depth: Cell::new(0),
            calling: Cell::new(false),
            blocked: Cell::new(0),
            stood_in_for: Cell::new(false),
            frame: Cell::new(0),
            newest_frame: Cell::new(0),
            turns: RefCell::default(),
            jobs_since_turn: Cell::new(0),
            turned_at: Cell::new(0),
            delivering: Cell::new(false),
            asleep_in_loop: Cell::new(None),
        }
    }

    /// Claims a queue entry and opens a job for it, which starts at `now`. None when the entry is stale.
    pub fn open(&self, pool: &Pool, task: Arc<Task>, now: u64) -> Option<(u32, Arc<Task>)> {
        let slot = self.free.borrow().last().copied();
        let job = match slot {
            Some(last) => next_job(last),
            None => next_job_without_slot(self.last_without_slot.get()),
        };
        // Opened before it is claimed, so that a canceller who sees it running finds it open.
        self.worker.open_job(job);
        if !task.claim(self.worker.id, job) {
            self.worker.close_job(job);
            return None;
        }
        task.start_clock(now);
        pool.note_dequeued();
        let open = OpenJob {
            job,
            task: Arc::clone(&task),
            pending: None,
            suspended: Suspended::No,
        };
        if slot.is_some() {
            self.free.borrow_mut().pop();
            self.open.borrow_mut()[job_slot(job)] = Some(open);
        } else {
            self.last_without_slot.set(job);
            self.without_slot.borrow_mut().insert(job, open);
        }
        Some((job, task))
    }

    pub fn find(&self, job: u32) -> Option<Arc<Task>> {
        self.with_open(job, |open| Arc::clone(&open.task))
    }

    fn with_open<R>(&self, job: u32, access: impl FnOnce(&mut OpenJob) -> R) -> Option<R> {
        if has_slot(job) {
            let mut open = self.open.borrow_mut();
            open[job_slot(job)].as_mut().filter(|open| open.job == job).map(access)
        } else {
            self.without_slot.borrow_mut().get_mut(&job).map(access)
        }
    }

    fn take_open(&self, job: u32) -> Option<OpenJob> {
        if has_slot(job) {
            self.open.borrow_mut()[job_slot(job)].take_if(|open| open.job == job)
        } else {
            self.without_slot.borrow_mut().remove(&job)
        }
    }

    fn closed(&self, job: u32) {
        self.worker.close_job(job);
        if has_slot(job) {
            self.free.borrow_mut().push(job);
        }
    }

    /// An open job goes on asynchronously.
    pub fn set_pending(&self, job: u32, inside: bool) {
        if self.with_open(job, |open| open.pending = Some(inside)).is_some() {
            self.pending.set(self.pending.get() + 1);
            self.pending_inside.set(self.pending_inside.get() + u32::from(inside));
        }
    }

    /// An open job waits for something outside of the pool, and no code of it runs until it is resumed.
    pub fn suspend(&self, job: u32) {
        let suspends = self.with_open(job, |open| {
            mem::replace(&mut open.suspended, Suspended::Yes) == Suspended::No
        });
        if suspends == Some(true) {
            self.worker.suspend_job(job);
        }
    }

    /// The worker takes other jobs while this one is suspended.
    pub fn set_aside(&self, job: u32) {
        let sets = self.with_open(job, |open| {
            let sets = open.suspended == Suspended::Yes;
            if sets {
                open.suspended = Suspended::Aside;
            }
            sets
        });
        if sets == Some(true) {
            self.worker.set_aside(1);
        }
    }

    /// As [`Worker::resume_job`].
    pub fn resume(&self, job: u32) -> Option<(Arc<Task>, u32)> {
        let (task, before) = self.with_open(job, |open| {
            (Arc::clone(&open.task), mem::replace(&mut open.suspended, Suspended::No))
        })?;
        let overdue = self.take_up(job, before, || task.state.load().settlement().is_some())?;
        Some((task, overdue))
    }

    fn take_up(&self, job: u32, before: Suspended, is_settled: impl Fn() -> bool) -> Option<u32> {
        match before {
            Suspended::No => return None,
            Suspended::Yes => {}
            Suspended::Aside => self.worker.set_aside(-1),
        }
        self.worker.resume_job(job, is_settled)
    }

    /// A continuation is blocked somewhere on the stack. It came from a microtask, and none of those runs before it ends: asynchronous jobs that have begun
    /// here can't go on.
    pub fn is_stuck(&self) -> bool {
        self.blocked.get() > 0
    }

    /// Whether this job goes on asynchronously here.
    pub fn is_pending(&self, job: u32) -> bool {
        self.with_open(job, |open| open.pending.is_some()) == Some(true)
    }

    /// Whether there are jobs that a turn of the event loop would bring on.
    pub fn needs_turns(&self) -> bool {
        self.pending.get() > 0 && !self.is_stuck()
    }

    /// Pending jobs whose worker waits for them.
    pub fn held(&self) -> u32 {
        self.pending.get().saturating_sub(self.worker.aside())
    }

    /// Settles an open job and closes it. Whoever cancelled it before has won: then the outcome is dropped.
    pub fn settle(&self, pool: &Pool, job: u32, settlement: Settlement, payload: Payload) {
        let Some(OpenJob {
            task,
            pending,
            suspended,
            ..
        }) = self.take_open(job)
        else {
            return;
        };
        self.take_up(job, suspended, || false);
        if let Some(inside) = pending {
            self.pending.set(self.pending.get() - 1);
            self.pending_inside.set(self.pending_inside.get() - u32::from(inside));
        }
        pool.settle(task, settlement, |phase| phase == Phase::Running, || payload);
        self.closed(job);
    }

    /// The environment ends: all its open jobs have crashed.
    pub fn crash_open_jobs(&self, pool: &Pool, payload: impl Fn() -> Payload) {
        let mut open: Vec<OpenJob> = self.open.borrow_mut().iter_mut().filter_map(Option::take).collect();
        open.extend(self.without_slot.borrow_mut().drain().map(|(_, open)| open));
        for OpenJob { job, task, .. } in open {
            pool.settle(task, Settlement::Crashed, is_open, &payload);
            self.closed(job);
        }
    }

    pub fn open_count(&self) -> usize {
        SLOTS - self.free.borrow().len() + self.without_slot.borrow().len()
    }

    /// No further job can be opened on top of the present ones.
    pub fn is_deep(&self) -> bool {
        self.depth.get() >= MAX_DEPTH
    }

    /// What is pushed now belongs to this frame.
    pub fn frame(&self) -> u64 {
        self.frame.get()
    }

    /// From now on what is pushed belongs to a frame of its own. Gives the frame before, to go back to.
    pub fn enter_frame(&self) -> u64 {
        self.newest_frame.set(self.newest_frame.get() + 1);
        self.frame.replace(self.newest_frame.get())
    }

    pub fn leave_frame(&self, outer: u64) {
        self.frame.set(outer);
    }

    pub fn set_header(&self, word: usize, value: i32) {
        debug_assert!(word < header::WORDS);
        // SAFETY: the area has `WORDS` words, is aligned as all array buffers are, and only this thread uses it.
        unsafe { self.header.start.cast::<i32>().add(word).write(value) };
    }

    pub fn header(&self, word: usize) -> i32 {
        debug_assert!(word < header::WORDS);
        // SAFETY: as above.
        unsafe { self.header.start.cast::<i32>().add(word).read() }
    }
}
