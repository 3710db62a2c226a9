//! A worker's thread: takes the steps of `binding::jobs` and `binding::block`, with jobs that are Rust.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::oracle::Ledger;
use super::{PATIENCE, Random, drained};
use crate::find::Turns;
use crate::job_flags::next_job;
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::pool::Pool;
use crate::sleep::{Reach, resting};
use crate::state::{Phase, Settlement};
use crate::sync::Parker;
use crate::task::{Arguments, Plan, Task};
use crate::worker::Worker;

/// Nested tasks that push no more of their kind are deeper than this.
const DEEPEST: usize = 3;

struct Side {
    pool: Arc<Pool>,
    worker: Arc<Worker>,
    mailbox: Arc<Mailbox>,
    parker: Parker,
    ledger: Arc<Ledger>,
    random: Random,
    /// Last job number of each slot in use; the stack of open jobs is as deep.
    jobs: Vec<u32>,
    depth: usize,
    slots: u32,
    nested: HashSet<u32>,
    turns: Turns,
}

/// Starts the thread of a worker that was announced.
pub fn start(pool: Arc<Pool>, worker: Arc<Worker>, ledger: Arc<Ledger>, seed: u64) -> JoinHandle<()> {
    thread::spawn(move || {
        let Some((parker, unparker)) = worker.attach() else {
            panic!("a worker has two threads");
        };
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&pool), Some(Arc::clone(&worker)), unparker));
        let mut side = Side {
            jobs: (0..16).collect(),
            random: Random::new(seed),
            pool,
            worker,
            mailbox,
            parker,
            ledger,
            depth: 0,
            slots: 0,
            nested: HashSet::new(),
            turns: Turns::default(),
        };
        side.work();
        side.end();
    })
}

impl Side {
    fn work(&mut self) {
        let (pool, worker) = (Arc::clone(&self.pool), Arc::clone(&self.worker));
        loop {
            if pool.is_closing() || worker.is_doomed() || worker.is_retired() {
                return;
            }
            self.drain();
            let found = pool
                .find_for_idle(&worker, &mut self.turns)
                .or_else(|| resting::search(&pool, &worker, &mut self.turns));
            match found {
                Some(task) => self.execute(task),
                None => {
                    let _ =
                        resting::sleep_natively(&pool, &worker, || self.parker.park_timeout(Duration::from_millis(50)));
                }
            }
        }
    }

    fn execute(&mut self, task: Arc<Task>) {
        let job = next_job(self.jobs[self.depth]);
        self.worker.open_job(job);
        if !task.claim(self.worker.id, job) {
            self.worker.close_job(job);
            return;
        }
        self.jobs[self.depth] = job;
        self.depth += 1;
        self.pool.note_dequeued();
        self.ledger.claimed.fetch_add(1, SeqCst);
        // SAFETY: claimed by this thread.
        let Arguments { payload, inputs } = unsafe { task.take_arguments() };
        let served = task.owner.worker.as_ref().map(|owner| owner.id);
        let before = self.worker.serve(served);
        let crashes = self.body(&task, inputs);
        self.worker.serve(before);
        self.depth -= 1;
        let settlement = if crashes {
            Settlement::Crashed
        } else if self.random.one_in(10) {
            Settlement::Rejected
        } else {
            Settlement::Fulfilled
        };
        if self
            .pool
            .settle(task, settlement, |phase| phase == Phase::Running, || payload)
            && !crashes
        {
            self.ledger.finished.fetch_add(1, SeqCst);
        }
        self.worker.close_job(job);
    }

    /// What a task does. True when its worker has died under it.
    fn body(&mut self, task: &Arc<Task>, inputs: Vec<Arc<Task>>) -> bool {
        for input in inputs {
            let (settlement, outcome) = input.outcome().expect("an argument has ended");
            assert_eq!(settlement, Settlement::Fulfilled);
            assert!(outcome.payload.plain().is_some());
        }
        if self.random.one_in(8) && task.report_progress(0.5) {
            Arc::clone(&task.owner).deliver_progress(Arc::clone(task));
        }
        if self.random.one_in(500) {
            self.worker.doom();
            return true;
        }
        if self.depth <= DEEPEST && self.random.one_in(4) {
            let children: Vec<_> = (0..=self.random.below(3)).map(|_| self.push_nested()).collect();
            for child in children {
                match self.random.below(8) {
                    0 => {
                        if self.pool.cancel(&child, Duration::MAX).is_some() {
                            self.ledger.cancelled.fetch_add(1, SeqCst);
                            self.told(&child);
                        }
                    }
                    // Dropped without being looked at.
                    1 => {}
                    _ => self.wait_for(&child),
                }
            }
        }
        if self.random.one_in(20) {
            thread::sleep(Duration::from_micros(self.random.below(300)));
        }
        false
    }

    fn push_nested(&mut self) -> Arc<Task> {
        self.slots += 1;
        let task = Arc::new(Task::new(
            Arc::clone(&self.mailbox),
            Plan::new(self.slots, 0),
            Payload::copy_of(&[self.slots as u8]),
            Phase::Queued,
        ));
        self.ledger.note_made(&task);
        self.ledger.nested.fetch_add(1, SeqCst);
        self.nested.insert(self.slots);
        self.pool.submit(Arc::clone(&task));
        task
    }

    fn told(&mut self, task: &Task) {
        assert!(task.outcome().is_some());
        if self.nested.remove(&task.plan.slot) {
            self.ledger.nested_told.fetch_add(1, SeqCst);
        }
    }

    fn drain(&mut self) {
        let mut tasks = drained(&self.mailbox);
        while let Some(task) = tasks.pop() {
            self.told(&task);
        }
    }

    /// `binding::block`, with its `chosen`.
    fn wait_for(&mut self, awaited: &Arc<Task>) {
        let (pool, worker) = (Arc::clone(&self.pool), Arc::clone(&self.worker));
        let is_settled = || awaited.state.load().phase() == Phase::Settled;
        if awaited.state.mark_awaited().phase() == Phase::Settled {
            self.told(awaited);
            return;
        }
        let started = Instant::now();
        let mut chosen = false;
        while !is_settled() {
            if pool.is_closing() || worker.is_doomed() {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "a nested task is never settled");
            if awaited.state.load().phase() == Phase::Queued {
                if std::mem::take(&mut chosen) {
                    pool.pass_on();
                }
                self.execute(Arc::clone(awaited));
                continue;
            }
            chosen = false;
            let reach = if self.depth < 8 { Reach::Any } else { Reach::Own };
            if let Some(task) = pool.find_for_waiting(&worker, reach) {
                self.execute(task);
                continue;
            }
            let may_sleep = || {
                let phase = awaited.state.load().phase();
                let may_run = phase == Phase::Queued || pool.has_work_for_waiting(&worker, reach);
                phase != Phase::Settled && !may_run
            };
            let park = || self.parker.park_timeout(Duration::from_millis(50));
            chosen |= !resting::sleep_inside(&pool, &worker, reach, may_sleep, park);
        }
        if chosen {
            pool.pass_on();
        }
        if is_settled() || awaited.state.unmark_awaited().phase() == Phase::Settled {
            self.told(awaited);
        }
    }

    /// As `Port::close` does it. What it has pushed and not heard of is nobody's any more.
    fn end(mut self) {
        self.pool.remove_worker(self.worker.id);
        self.mailbox.close();
        self.ledger
            .nested_told
            .fetch_add(self.nested.drain().count() as u64, SeqCst);
    }
}
