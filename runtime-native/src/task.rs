//! The record of one task, shared by its owner, the queue, and whoever runs or cancels it.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::state::{Phase, Settlement, State, Word};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, UnsafeCell};

/// What is set when a task is made and never changes.
pub struct Plan {
    /// The owner's own number for the task.
    pub slot: u32,
    /// What to run: index of a registered task key, or, negative (`!index`), a chunk to load.
    pub index: i32,
    pub priority: f64,
    /// Time between a time-out of the running task and the stop of its worker.
    pub grace: Duration,
    /// Only this worker may run it (its id).
    pub pinned: Option<u32>,
    /// For a nested task: what pushed it, see `levels.rs`.
    pub frame: u64,
}

impl Plan {
    pub fn new(slot: u32, index: i32) -> Self {
        Self {
            slot,
            index,
            priority: 0.0,
            grace: Duration::ZERO,
            pinned: None,
            frame: 0,
        }
    }
}

/// What a task is called with.
#[derive(Default)]
pub struct Arguments {
    pub payload: Payload,
    /// Tasks whose outcomes are arguments.
    pub inputs: Vec<Arc<Task>>,
}

impl From<Payload> for Arguments {
    fn from(payload: Payload) -> Self {
        Self {
            payload,
            inputs: Vec::new(),
        }
    }
}

/// How a task ended, beside the settlement that its state holds.
#[derive(Default)]
pub struct Outcome {
    pub payload: Payload,
    /// Position of the failed dependency.
    pub detail: u32,
    /// None when it never ran.
    pub run: Option<Run>,
}

/// When and where a task ran. Times in ms; `started` is on [`clock`], as `clock()` of the binding gives it.
#[derive(Clone, Copy)]
pub struct Run {
    pub waited: f64,
    pub started: f64,
    pub elapsed: f64,
    /// Id of the worker.
    pub worker: u32,
}

pub struct Task {
    pub state: State,
    pub plan: Plan,
    pub owner: Arc<Mailbox>,
    /// Written before the task is shared; taken once, by the worker that has claimed it (or that settles it unclaimed).
    arguments: UnsafeCell<Arguments>,
    /// Written once, by the winner of `begin_settle`, before `finish_settle`. Read after Settled has been seen. Mutated after that by the owner's
    /// thread alone, and only when the task is no input of another.
    outcome: UnsafeCell<Outcome>,
    /// When it was put into a queue, on [`clock`].
    queued: AtomicU64,
    /// When it was claimed, on [`clock`].
    started: AtomicU64,
    /// Dependencies that have not fulfilled yet, plus one while the task is being made.
    missing: AtomicU32,
    /// Tasks that depend on this one, with its position among their dependencies.
    dependents: Mutex<Vec<(Arc<Task>, u32)>>,
    /// Next in the owner's outbox.
    pub(crate) next: AtomicPtr<Task>,
    /// Last reported progress, as the bits of an `f64`.
    progress: AtomicU64,
    progress_is_news: AtomicBool,
    /// The outcome is read by others than the owner, or may be later: never moved out. Only set by the owner's thread.
    shared_outcome: AtomicBool,
    /// A time limit was set, so the timer has to be told when it becomes moot.
    pub(crate) timed: AtomicBool,
}

// SAFETY: the two cells are the only fields that are not `Sync`. `arguments` is written before the task is shared and touched afterwards only by
// the one thread that has moved the state out of Waiting or Queued, which happens once; `outcome` is written only by the one winner of
// `begin_settle`, and read only after an acquiring load has seen Settled, which that winner's release published. All that they hold is `Send`.
unsafe impl Sync for Task {}
// SAFETY: see above; nothing in a task is bound to the thread that made it.
unsafe impl Send for Task {}

impl Task {
    pub fn new(owner: Arc<Mailbox>, plan: Plan, arguments: impl Into<Arguments>, phase: Phase) -> Self {
        Self {
            state: State::new(phase),
            plan,
            owner,
            arguments: UnsafeCell::new(arguments.into()),
            outcome: UnsafeCell::new(Outcome::default()),
            queued: AtomicU64::new(0),
            started: AtomicU64::new(0),
            missing: AtomicU32::new(1),
            dependents: Mutex::default(),
            next: AtomicPtr::new(ptr::null_mut()),
            progress: AtomicU64::new(0),
            progress_is_news: AtomicBool::new(false),
            shared_outcome: AtomicBool::new(false),
            timed: AtomicBool::new(false),
        }
    }

    /// It is about to be put into a queue: its wait begins.
    pub fn note_queued(&self) {
        // Relaxed: only used for a duration, and published by the push into the queue.
        self.queued.store(clock::now(), Ordering::Relaxed);
    }

    /// Claims a queued task for a worker. Who succeeds goes on with [`Task::start_clock`].
    pub fn claim(&self, worker: u32, job: u32) -> bool {
        self.state.claim(worker, job)
    }

    /// It has been claimed, and starts now (on [`clock`]).
    pub fn start_clock(&self, now: u64) {
        // Relaxed: only used for a duration; a canceller that comes in between reads 0 and reports 0 ms.
        self.started.store(now, Ordering::Relaxed);
    }

    /// The arguments. With them go the tasks that they come from, so that of a chain only what is still needed stays in memory.
    ///
    /// # Safety
    /// Only the thread whose `claim` succeeded may call it, once.
    pub unsafe fn take_arguments(&self) -> Arguments {
        // SAFETY: the caller is the only one that touches the cell (see the field).
        self.arguments
            .with_mut(|arguments| unsafe { std::mem::take(&mut *arguments) })
    }

    /// Tries to become the one that settles it, and settles it. `outcome` is only made when that succeeds.
    ///
    /// Gives the state before, and the state's marks at the moment of publication.
    pub fn settle(
        &self,
        settlement: Settlement,
        allowed: impl Fn(Phase) -> bool,
        outcome: impl FnOnce() -> (Payload, u32),
    ) -> Option<(Word, Word)> {
        let before = self.state.begin_settle(allowed)?;
        let (payload, detail) = outcome();
        let run = (before.phase() == Phase::Running).then(|| self.run(before.runner().0));
        if before.phase() != Phase::Running {
            // SAFETY: `begin_settle` has moved the task from Waiting or Queued, so nobody can claim it any more and nobody did.
            drop(unsafe { self.take_arguments() });
        }
        // SAFETY: this thread has won `begin_settle`, and Settled has not been published yet.
        self.outcome
            .with_mut(|place| unsafe { *place = Outcome { payload, detail, run } });
        Some((before, self.state.finish_settle(settlement)))
    }

    /// What is to be told of its run, which ends now.
    fn run(&self, worker: u32) -> Run {
        let (queued, claimed) = (
            self.queued.load(Ordering::Relaxed),
            self.started.load(Ordering::Relaxed),
        );
        let now = clock::note();
        // A canceller may come between the claim and the store of its time.
        let started = if claimed == 0 { now } else { claimed };
        Run {
            waited: clock::millis(started.saturating_sub(queued)),
            started: clock::millis(started),
            elapsed: clock::millis(now.saturating_sub(started)),
            worker,
        }
    }

    /// ms since it was claimed; 0 while it was not.
    pub fn elapsed(&self) -> f64 {
        match self.started.load(Ordering::Relaxed) {
            0 => 0.0,
            started => clock::millis_since(started),
        }
    }

    /// The outcome, or None while it is not settled.
    pub fn outcome(&self) -> Option<(Settlement, &Outcome)> {
        let word = self.state.load();
        if word.phase() != Phase::Settled {
            return None;
        }
        // SAFETY: Settled was seen with an acquiring load; from then on only `take_outcome` writes, under its own conditions.
        Some((word.settlement()?, self.outcome.with(|outcome| unsafe { &*outcome })))
    }

    /// Moves the outcome's payload out, for its one and only reader.
    ///
    /// # Safety
    /// Only on the owner's thread, with no reference from [`Task::outcome`] alive on it, and only when [`Task::is_shared`] is false.
    pub unsafe fn take_outcome(&self) -> Payload {
        debug_assert!(!self.is_shared() && self.state.load().phase() == Phase::Settled);
        // SAFETY: settled, and nobody else reads it: only inputs are read by other threads, and those are marked shared before.
        self.outcome
            .with_mut(|outcome| unsafe { std::mem::take(&mut (*outcome).payload) })
    }

    /// From now on its outcome stays readable for other tasks. Owner's thread only.
    pub fn share_outcome(&self) {
        // Relaxed: read on the same thread only.
        self.shared_outcome.store(true, Ordering::Relaxed);
    }

    pub fn is_shared(&self) -> bool {
        self.shared_outcome.load(Ordering::Relaxed)
    }

    /// Makes `dependent` wait for this task. When it is settled already, gives how.
    pub fn link(&self, dependent: &Arc<Task>, position: u32) -> Option<Settlement> {
        // The lock comes first: a settler that sees the mark waits for the entry.
        let mut dependents = self.dependents.lock();
        let word = self.state.mark_linked();
        if word.phase() == Phase::Settled {
            return word.settlement();
        }
        // Relaxed: the counter starts at one for the maker, who drops that one last.
        dependent.missing.fetch_add(1, Ordering::Relaxed);
        dependents.push((Arc::clone(dependent), position));
        None
    }

    pub fn take_dependents(&self) -> Vec<(Arc<Task>, u32)> {
        std::mem::take(&mut *self.dependents.lock())
    }

    /// One dependency less. True when it was the last.
    pub fn dependency_fulfilled(&self) -> bool {
        // AcqRel: the last one sees what all others did before, among it the outcomes that are arguments.
        self.missing.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Stores progress. True when the owner has to be told, false while an earlier report is still unread.
    pub fn report_progress(&self, fraction: f64) -> bool {
        self.progress.store(fraction.to_bits(), Ordering::Relaxed);
        // AcqRel: pairs with `take_progress`, so that the value read there is at least as new as the flag.
        !self.progress_is_news.swap(true, Ordering::AcqRel)
    }

    pub fn take_progress(&self) -> Option<f64> {
        if !self.progress_is_news.load(Ordering::Relaxed) {
            return None;
        }
        self.progress_is_news
            .swap(false, Ordering::AcqRel)
            .then(|| f64::from_bits(self.progress.load(Ordering::Relaxed)))
    }
}

impl Task {
    /// Moves the tasks that it holds to `held`: those that its arguments come from, and those that wait for it.
    fn let_go(&mut self, held: &mut Vec<Arc<Task>>) {
        // SAFETY: nobody else has the task any more.
        held.append(&mut unsafe { self.take_arguments() }.inputs);
        held.extend(self.dependents.get_mut().drain(..).map(|(task, _)| task));
    }
}

impl Drop for Task {
    /// A list instead of recursion: a chain of tasks that have not run may be long.
    fn drop(&mut self) {
        let mut held = Vec::new();
        self.let_go(&mut held);
        while let Some(task) = held.pop() {
            if let Some(mut task) = Arc::into_inner(task) {
                task.let_go(&mut held);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::sync::Parker;

    const LONG: u32 = 200_000;

    fn task(owner: &Arc<Mailbox>, inputs: Vec<Arc<Task>>) -> Arc<Task> {
        let arguments = Arguments {
            inputs,
            ..Arguments::default()
        };
        Arc::new(Task::new(Arc::clone(owner), Plan::new(0, 0), arguments, Phase::Waiting))
    }

    fn owner() -> Arc<Mailbox> {
        Arc::new(Mailbox::new(
            Arc::new(Pool::new(0, 1)),
            None,
            Parker::new().unparker().clone(),
        ))
    }

    #[test]
    fn a_long_chain_of_arguments_is_dropped_without_recursion() {
        let owner = owner();
        let mut last = task(&owner, Vec::new());
        for _ in 0..LONG {
            last = task(&owner, vec![last]);
        }
        drop(last);
        assert_eq!(Arc::strong_count(&owner), 1);
    }

    #[test]
    fn a_long_chain_of_dependents_is_dropped_without_recursion() {
        let owner = owner();
        let first = task(&owner, Vec::new());
        let mut last = Arc::clone(&first);
        for _ in 0..LONG {
            let next = task(&owner, Vec::new());
            assert!(last.link(&next, 0).is_none());
            last = next;
        }
        drop(last);
        drop(first);
        assert_eq!(Arc::strong_count(&owner), 1);
    }

    #[test]
    fn a_task_that_has_run_holds_none_of_those_that_its_arguments_came_from() {
        let owner = owner();
        let input = task(&owner, Vec::new());
        let ran = task(&owner, vec![Arc::clone(&input)]);
        assert!(ran.state.enqueue() && ran.claim(0, 0));
        // SAFETY: claimed by this thread.
        drop(unsafe { ran.take_arguments() });
        assert_eq!(Arc::strong_count(&input), 1);
    }
}
