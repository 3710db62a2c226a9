//! An environment that pushes tasks from outside and looks after them, as the root does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use super::oracle::Ledger;
use super::{Loop, PATIENCE, Random, drained};
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::pool::Pool;
use crate::state::Phase;
use crate::sync::Parker;
use crate::task::{Arguments, Plan, Task};
use crate::timer::{Action, TIMER};

struct Owner<'round> {
    pool: &'round Arc<Pool>,
    ledger: &'round Ledger,
    mailbox: Arc<Mailbox>,
    parker: Parker,
    event_loop: Arc<Loop>,
    /// Those that have not been told of, by slot.
    open: HashMap<u32, Arc<Task>>,
    random: Random,
}

impl Owner<'_> {
    fn push(&mut self, slot: u32) {
        let random = &mut self.random;
        let mut after = Vec::new();
        let slots: Vec<u32> = self.open.keys().copied().collect();
        while !slots.is_empty() && random.one_in(4) && after.len() < 5 {
            let other = slots[random.below(slots.len() as u64) as usize];
            after.push(self.open.get(&other).cloned());
        }
        let inputs: Vec<_> = after.iter().flatten().filter(|_| random.one_in(2)).cloned().collect();
        inputs.iter().for_each(|input| input.share_outcome());
        let plan = Plan {
            priority: [0.0, 0.0, 0.0, 1.0, -1.0][random.below(5) as usize],
            // Sometimes its worker is stopped at once when it is cancelled.
            grace: [Duration::MAX, Duration::from_millis(1), Duration::ZERO][random.below(3) as usize],
            ..Plan::new(slot, 0)
        };
        let phase = if after.is_empty() {
            Phase::Queued
        } else {
            Phase::Waiting
        };
        let bytes = [slot as u8; 100];
        let length = random.below(100) as usize;
        let arguments = Arguments {
            payload: Payload::copy_of(&bytes[..length]),
            inputs,
        };
        let task = Arc::new(Task::new(Arc::clone(&self.mailbox), plan, arguments, phase));
        self.ledger.note_made(&task);
        self.open.insert(slot, Arc::clone(&task));
        if random.one_in(6) {
            task.timed.store(true, Relaxed);
            let limit = Duration::from_micros(random.below(3_000));
            TIMER.after(limit, Action::Expire(Arc::downgrade(&task)));
        }
        if after.is_empty() {
            self.pool.submit(task);
        } else {
            self.pool.submit_after(task, &after);
        }
    }

    fn told(&mut self, task: &Arc<Task>) {
        let Some(open) = self.open.remove(&task.plan.slot) else {
            // One that it was blocked on and has taken itself, or has cancelled.
            return;
        };
        assert!(Arc::ptr_eq(&open, task));
        let (settlement, outcome) = task.outcome().expect("it was told of a task that has not ended");
        if let Some(bytes) = outcome.payload.plain() {
            assert!(
                bytes.iter().all(|byte| *byte == task.plan.slot as u8),
                "another task's outcome"
            );
        }
        self.ledger.note_told(settlement);
    }

    fn drain(&mut self) {
        let mut tasks = drained(&self.mailbox);
        while let Some(task) = tasks.pop() {
            self.told(&task);
        }
    }

    fn any(&mut self) -> Option<Arc<Task>> {
        let at = self.random.below(self.open.len().max(1) as u64) as usize;
        self.open.values().nth(at).cloned()
    }

    fn cancel(&mut self) {
        let Some(task) = self.any() else { return };
        if self.pool.cancel(&task, task.plan.grace).is_some() {
            self.ledger.cancelled.fetch_add(1, SeqCst);
            self.told(&task);
        }
    }

    /// Blocks on a task, for ever or until a time that is soon over.
    fn block(&mut self) {
        let Some(task) = self.any() else { return };
        let limit = self.random.one_in(2).then(|| Duration::from_micros(200));
        let started = Instant::now();
        let is_settled = |task: &Task| task.state.load().phase() == Phase::Settled;
        if task.state.mark_awaited().phase() != Phase::Settled {
            while !is_settled(&task) && limit.is_none_or(|limit| started.elapsed() < limit) {
                assert!(started.elapsed() < PATIENCE, "a task is never settled");
                self.parker.park_timeout(limit.unwrap_or(PATIENCE));
            }
            if !is_settled(&task) && task.state.unmark_awaited().phase() != Phase::Settled {
                return;
            }
        }
        self.told(&task);
    }
}

/// Pushes so many tasks, and ends when all have ended.
pub fn run(pool: &Arc<Pool>, ledger: &Ledger, random: Random, tasks: u32) {
    let (parker, event_loop) = (Parker::new(), Arc::new(Loop::default()));
    let mailbox = Arc::new(Mailbox::new(Arc::clone(pool), None, parker.unparker().clone()));
    mailbox.set_waker(event_loop.clone());
    let mut owner = Owner {
        pool,
        ledger,
        mailbox,
        parker,
        event_loop,
        open: HashMap::new(),
        random,
    };
    for slot in 0..tasks {
        owner.push(slot);
        match owner.random.below(12) {
            0 => owner.cancel(),
            1 => owner.block(),
            2 => owner.drain(),
            _ => {}
        }
    }
    owner.mailbox.listen(true);
    while !owner.open.is_empty() {
        let event_loop = Arc::clone(&owner.event_loop);
        event_loop.wait("a settled task");
        owner.drain();
    }
    owner.mailbox.close();
}
