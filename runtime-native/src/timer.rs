//! One thread for all deadlines of the process: time limits of tasks, and grace periods of cancelled ones. It is started with the first
//! deadline and sleeps until the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::pool::Pool;
use crate::state::Phase;
use crate::task::Task;
use crate::worker::Worker;

/// Below this many entries the moot ones are not swept out.
const SWEEP_FROM: usize = 1024;

pub enum Action {
    /// The task's time limit.
    Expire(Weak<Task>),
    /// The end of a cancelled job's grace.
    Overdue {
        pool: Weak<Pool>,
        worker: Arc<Worker>,
        job: u32,
    },
    /// A worker that was woken in its event loop should have come by now.
    Expected { pool: Weak<Pool>, worker: Arc<Worker> },
}

impl Action {
    fn is_moot(&self) -> bool {
        match self {
            Self::Expire(task) => task
                .upgrade()
                .is_none_or(|task| task.state.load().phase() == Phase::Settled),
            Self::Overdue { worker, job, .. } => !worker.is_open(*job),
            Self::Expected { worker, .. } => worker.has_left(),
        }
    }

    fn run(self) {
        match self {
            Self::Expire(task) => {
                if let Some(task) = task.upgrade() {
                    Pool::expire(&task);
                }
            }
            Self::Overdue { pool, worker, job } => {
                if let Some(pool) = pool.upgrade() {
                    pool.stop_overdue(&worker, job);
                }
            }
            Self::Expected { pool, worker } => {
                if let Some(pool) = pool.upgrade() {
                    pool.doubt(&worker);
                }
            }
        }
    }
}

struct Entry {
    at: Instant,
    order: u64,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

struct Schedule {
    entries: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
    /// Entries whose task has settled before its deadline.
    moot: usize,
    started: bool,
}

pub struct Timer {
    schedule: Mutex<Schedule>,
    changed: Condvar,
}

pub static TIMER: Timer = Timer {
    schedule: Mutex::new(Schedule {
        entries: BinaryHeap::new(),
        pushed: 0,
        moot: 0,
        started: false,
    }),
    changed: Condvar::new(),
};

impl Timer {
    pub fn after(&'static self, delay: Duration, action: Action) {
        // A deadline beyond what the clock can express is none.
        let Some(at) = Instant::now().checked_add(delay) else {
            return;
        };
        let mut schedule = self.schedule.lock();
        let order = schedule.pushed;
        schedule.pushed += 1;
        let is_next = schedule.entries.peek().is_none_or(|Reverse(next)| at < next.at);
        schedule.entries.push(Reverse(Entry { at, order, action }));
        if !schedule.started {
            // A process that cannot start one more thread keeps its tasks without time limits; the next deadline tries again.
            schedule.started = thread::Builder::new()
                .name("makeparallel-timer".into())
                .spawn(|| self.run())
                .is_ok();
        }
        drop(schedule);
        if is_next {
            self.changed.notify_one();
        }
    }

    /// A task with a deadline has settled. Entries are swept out when half of them are moot, so that many short tasks with a long limit do
    /// not pile up.
    pub fn note_moot(&self) {
        let mut schedule = self.schedule.lock();
        schedule.moot += 1;
        if schedule.moot * 2 > schedule.entries.len() && schedule.entries.len() >= SWEEP_FROM {
            schedule.entries.retain(|Reverse(entry)| !entry.action.is_moot());
            schedule.moot = 0;
        }
    }

    fn run(&self) {
        let mut schedule = self.schedule.lock();
        loop {
            let now = Instant::now();
            match schedule.entries.peek() {
                None => self.changed.wait(&mut schedule),
                Some(Reverse(next)) if next.at > now => {
                    let at = next.at;
                    self.changed.wait_until(&mut schedule, at);
                }
                Some(_) => {
                    if let Some(Reverse(entry)) = schedule.entries.pop() {
                        parking_lot::MutexGuard::unlocked(&mut schedule, || entry.action.run());
                    }
                }
            }
        }
    }
}
