//! What loom tries out: programs of two to four threads over the real code, in every interleaving and with every value that a weakly ordered load
//! may give (`sync::modelled` says what stands for the primitives). Run by `npm run test:loom`.
//!
//! A thread that sleeps in a model sleeps until it is woken: a lost wake-up shows as a deadlock. Preemptions (switches away from a thread that could go
//! on) are bounded, which loom's authors and others before them found to lose next to nothing at three; `LOOM_MAX_PREEMPTIONS` sets another bound.

mod delivery;
mod settling;
mod sleeping;
mod stopping;
mod suspending;

use std::sync::Arc;

use crate::mailbox::{LoopWaker, Mailbox};
use crate::payload::Payload;
use crate::pool::Pool;
use crate::state::{Phase, Settlement};
use crate::sync::atomic::{KeptBy, Ordering, fence, set_order};
use crate::sync::{Parker, Unparker};
use crate::task::{Arguments, Plan, Task};

/// Explores `program`, with at most so many preemptions: under both total orders at the same time, since what loom explores it explores on one core.
fn explore(preemptions: usize, program: impl Fn() + Sync + Send + 'static) {
    let program = Arc::new(program);
    let explorations = [KeptBy::Loads, KeptBy::Stores].map(|kept_by| {
        let program = Arc::clone(&program);
        std::thread::spawn(move || {
            set_order(kept_by);
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound.get_or_insert(preemptions);
            builder.max_branches = 20_000;
            builder.check(move || {
                // The total order's own atomic is made now, by the thread that all others come from, so that its making orders nothing between them.
                fence(Ordering::SeqCst);
                program();
            });
        })
    });
    for exploration in explorations {
        if let Err(panic) = exploration.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// An event loop that does nothing but wait for wakes.
struct Loop(Unparker);

impl LoopWaker for Loop {
    fn wake(&self) {
        self.0.unpark();
    }
}

/// An environment without a worker, its blocking waits and its event loop.
struct Root {
    mailbox: Arc<Mailbox>,
    parker: Parker,
    event_loop: Parker,
}

impl Root {
    fn new(pool: &Arc<Pool>) -> Self {
        let (parker, event_loop) = (Parker::new(), Parker::new());
        let mailbox = Arc::new(Mailbox::new(Arc::clone(pool), None, parker.unparker().clone()));
        mailbox.set_waker(Arc::new(Loop(event_loop.unparker().clone())));
        pool.set_root(&mailbox);
        Self {
            mailbox,
            parker,
            event_loop,
        }
    }

    fn task(&self, slot: u32, phase: Phase) -> Arc<Task> {
        self.task_with(slot, phase, Vec::new())
    }

    fn task_with(&self, slot: u32, phase: Phase, inputs: Vec<Arc<Task>>) -> Arc<Task> {
        let arguments = Arguments {
            payload: payload(slot as u8),
            inputs,
        };
        Arc::new(Task::new(
            Arc::clone(&self.mailbox),
            Plan::new(slot, 0),
            arguments,
            phase,
        ))
    }

    /// What has been handed over since the last look, by slot, in the order of settling.
    fn delivered(&self) -> Vec<u32> {
        let mut tasks = Vec::new();
        self.mailbox.outbox.take(&mut tasks);
        tasks.iter().rev().map(|task| task.plan.slot).collect()
    }
}

fn payload(byte: u8) -> Payload {
    Payload::copy_of(&[byte])
}

/// How it ended, and the byte of its outcome.
fn ended(task: &Task) -> (Settlement, Option<u8>) {
    let (settlement, outcome) = task.outcome().expect("settled");
    (settlement, outcome.payload.plain().unwrap().first().copied())
}

fn is_settled(task: &Task) -> bool {
    task.state.load().phase() == Phase::Settled
}

/// What a model has made is freed with it: no task is kept alive by a queue, an outbox or another task.
fn assert_freed(task: &Arc<Task>) {
    assert_eq!(Arc::strong_count(task), 1, "a task is kept alive");
}
