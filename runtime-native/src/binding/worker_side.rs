//! What a worker's own thread keeps of its jobs.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use napi::sys;

use super::value::Area;
use crate::payload::Payload;
use crate::pool::{Pool, is_open};
use crate::state::{Phase, Settlement};
use crate::task::Task;
use crate::worker::{MAX_OPEN_JOBS, Worker, job_slot, next_job};

/// Of these open jobs some are kept for what a blocked job awaits itself, so that helping never uses up the last.
pub const MAX_HELP_DEPTH: u32 = 256;

struct OpenJob {
    job: u32,
    task: Arc<Task>,
    /// It goes on asynchronously; `Some(true)` when it was started while another job was blocked.
    pending: Option<bool>,
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
    open: RefCell<Vec<Option<OpenJob>>>,
    free: RefCell<Vec<u32>>,
    /// Payload of a job that JavaScript is to fetch.
    pub fetchable: RefCell<Option<Payload>>,
    /// A result that did not fit into the area.
    pub stash: RefCell<Option<Payload>>,
    /// Jobs that go on asynchronously.
    pub pending: Cell<u32>,
    /// Those of them that were started while another job was blocked.
    pub pending_inside: Cell<u32>,
    /// Jobs that run on the stack now.
    pub depth: Cell<u32>,
    /// Jobs since the event loop turned, and when it last did (on [`crate::clock`]).
    pub jobs_since_turn: Cell<u32>,
    pub turned_at: Cell<u64>,
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
            open: RefCell::new((0..MAX_OPEN_JOBS).map(|_| None).collect()),
            // Numbers that have been used up; the next in the same slot is taken when it is opened.
            free: RefCell::new((0..MAX_OPEN_JOBS as u32).rev().collect()),
            fetchable: RefCell::default(),
            stash: RefCell::default(),
            pending: Cell::new(0),
            pending_inside: Cell::new(0),
            depth: Cell::new(0),
            jobs_since_turn: Cell::new(0),
            turned_at: Cell::new(0),
            asleep_in_loop: Cell::new(None),
        }
    }

    /// Claims a queue entry and opens a job for it. None when the entry is stale (or too many jobs are open, which the bounds on helping and
    /// on pending jobs prevent).
    pub fn open(&self, pool: &Pool, task: Arc<Task>) -> Option<(u32, Arc<Task>)> {
        let job = next_job(*self.free.borrow().last()?);
        // Opened before it is claimed, so that a canceller who sees it running finds it open.
        self.worker.open_job(job);
        if !task.claim(self.worker.id, job) {
            self.worker.close_job(job);
            return None;
        }
        pool.note_dequeued();
        self.free.borrow_mut().pop();
        self.open.borrow_mut()[job_slot(job)] = Some(OpenJob {
            job,
            task: Arc::clone(&task),
            pending: None,
        });
        Some((job, task))
    }

    pub fn find(&self, job: u32) -> Option<Arc<Task>> {
        self.open.borrow()[job_slot(job)]
            .as_ref()
            .filter(|open| open.job == job)
            .map(|open| Arc::clone(&open.task))
    }

    /// An open job goes on asynchronously.
    pub fn set_pending(&self, job: u32, inside: bool) {
        if let Some(open) = self.open.borrow_mut()[job_slot(job)]
            .as_mut()
            .filter(|open| open.job == job)
        {
            open.pending = Some(inside);
            self.pending.set(self.pending.get() + 1);
            self.pending_inside.set(self.pending_inside.get() + u32::from(inside));
        }
    }

    /// Settles an open job and closes it. Whoever cancelled it before has won: then the outcome is dropped.
    pub fn settle(&self, pool: &Pool, job: u32, settlement: Settlement, payload: Payload) {
        let taken = {
            let mut open = self.open.borrow_mut();
            let entry = &mut open[job_slot(job)];
            if entry.as_ref().is_none_or(|open| open.job != job) {
                return;
            }
            entry.take()
        };
        if let Some(OpenJob { task, pending, .. }) = taken {
            if let Some(inside) = pending {
                self.pending.set(self.pending.get() - 1);
                self.pending_inside.set(self.pending_inside.get() - u32::from(inside));
            }
            pool.settle(task, settlement, |phase| phase == Phase::Running, || payload);
            self.worker.close_job(job);
            self.free.borrow_mut().push(job);
        }
    }

    /// The environment ends: all its open jobs have crashed.
    pub fn crash_open_jobs(&self, pool: &Pool, payload: impl Fn() -> Payload) {
        let open: Vec<OpenJob> = self.open.borrow_mut().iter_mut().filter_map(Option::take).collect();
        for OpenJob { job, task, .. } in open {
            pool.settle(task, Settlement::Crashed, is_open, &payload);
            self.worker.close_job(job);
            self.free.borrow_mut().push(job);
        }
    }

    pub fn open_count(&self) -> usize {
        MAX_OPEN_JOBS - self.free.borrow().len()
    }

    /// No further job can be opened; nothing must be taken from a queue then.
    pub fn is_full(&self) -> bool {
        self.free.borrow().is_empty()
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
