//! A pool: its queue, its workers, and what happens when a task settles.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::deque::Totals;
use crate::keys::Keys;
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::queue::Queue;
use crate::sleep::{Sleep, Told};
use crate::state::{MAX_WORKERS, Phase, Settlement, Word};
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering, fence};
use crate::sync::{Mutex, RwLock};
use crate::task::Task;
use crate::timer::{Action, TIMER};
use crate::worker::Worker;

/// What only the root environment can do, because threads are started and stopped through its `Worker` objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Terminate this worker, and replace it.
    Stop(u32),
    /// This worker has ended; replace it if there is need.
    Gone(u32),
    /// A worker waits for what nobody can run at present: start one more if fewer than the limit are there.
    Grow,
}

pub struct Pool {
    pub id: u32,
    /// Most workers to have at a time.
    threads: u32,
    /// What the indices of tasks stand for.
    pub keys: Keys,
    /// Tasks from the root.
    pub injector: Queue,
    /// How many there are in the workers' own deques.
    pub nested: Arc<Totals>,
    pub sleep: Sleep,
    pub(crate) workers: RwLock<Vec<Arc<Worker>>>,
    /// Workers that are blocked where neither their event loop nor new asynchronous jobs can go on: each may be stood in for by one more.
    stuck: AtomicU32,
    /// Mirrors the length of `workers`.
    worker_count: AtomicU32,
    next_worker: AtomicU32,
    /// Tasks in the Queued phase, in all queues.
    queued: AtomicI64,
    root: OnceLock<Weak<Mailbox>>,
    services: Mutex<VecDeque<Service>>,
    has_service: AtomicBool,
    growing: AtomicBool,
    closing: AtomicBool,
    hurrying: AtomicBool,
}

/// A worker that is woken in its event loop comes within this time, unless something else keeps its thread.
const TIME_TO_COME: Duration = Duration::from_millis(50);

/// While a thread that can be terminated sleeps outside of its event loop, it lets the engine look for such a request this often: nothing else would end the sleep.
const BREATH: Duration = Duration::from_millis(50);
/// The same when the process is about to end: it terminates one thread after the other.
const LAST_BREATH: Duration = Duration::from_millis(1);

/// Detail of a crash: the task has not run, since the worker whose task had pushed it was about to end.
pub const NOT_RUN: u32 = 1;

pub fn is_open(phase: Phase) -> bool {
    matches!(phase, Phase::Waiting | Phase::Queued | Phase::Running)
}

impl Pool {
    pub fn new(id: u32, threads: u32) -> Self {
        Self {
            id,
            threads,
            keys: Keys::default(),
            injector: Queue::new(),
            nested: Arc::default(),
            sleep: Sleep::default(),
            workers: RwLock::default(),
            stuck: AtomicU32::new(0),
            worker_count: AtomicU32::new(0),
            next_worker: AtomicU32::new(0),
            queued: AtomicI64::new(0),
            root: OnceLock::new(),
            services: Mutex::default(),
            has_service: AtomicBool::new(false),
            growing: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            hurrying: AtomicBool::new(false),
        }
    }

    pub fn set_root(&self, root: &Arc<Mailbox>) {
        let _ = self.root.set(Arc::downgrade(root));
    }

    // Queueing

    /// Queues a task that is in the Queued phase.
    pub fn submit(&self, task: Arc<Task>) {
        self.note_queued();
        task.note_queued();
        if let Some(id) = task.plan.pinned {
            match self.worker(id) {
                Some(worker) => {
                    worker.pinned.push(task);
                    worker.wake();
                    self.settle_if_left(&worker);
                }
                None => drop(self.settle(task, Settlement::Crashed, is_open, Payload::default)),
            }
        } else if let Some(worker) = task.owner.worker.clone() {
            worker.nested.push(task);
            self.tell_any(&worker);
            self.settle_if_left(&worker);
        } else {
            self.injector.push(task);
            self.tell_idle();
        }
    }

    /// As [`Sleep::tell_idle`]. True when one has been woken.
    pub fn tell_idle(&self) -> bool {
        self.expect(self.sleep.tell_idle())
    }

    /// As [`Sleep::tell_any`]. True when one has been woken.
    pub fn tell_any(&self, owner: &Worker) -> bool {
        self.expect(self.sleep.tell_any(owner))
    }

    /// Sees that somebody looks later whether a worker has come that was woken in its event loop.
    fn expect(&self, told: Told) -> bool {
        let worker = match told {
            Told::Nobody => return false,
            Told::Somebody => return true,
            Told::InLoop(worker) => worker,
        };
        if let Some(root) = self.root.get().and_then(Weak::upgrade)
            && worker.expect()
        {
            let pool = Arc::downgrade(&root.pool);
            TIMER.after(TIME_TO_COME, Action::Expected { pool, worker });
        }
        true
    }

    /// A worker was woken in its event loop a while ago. Where it is there still, what a task has left behind keeps it from the task that it was chosen for, and others are
    /// told of that. If it comes just now, they are told for nothing.
    pub fn doubt(&self, worker: &Worker) {
        worker.expected();
        if worker.is_in_loop() && !worker.has_left() && !self.sleep.is_asleep(worker) {
            self.pass_on();
        }
    }

    /// Links a new task, which is in the Waiting phase, to those that it waits for, and queues it if none is missing.
    pub fn submit_after(&self, task: Arc<Task>, dependencies: &[Option<Arc<Task>>]) {
        for (position, dependency) in dependencies.iter().enumerate() {
            let Some(dependency) = dependency else { continue };
            match dependency.link(&task, position as u32) {
                None | Some(Settlement::Fulfilled) => {}
                Some(_) => {
                    self.fail_dependent(task, position as u32);
                    return;
                }
            }
        }
        // The maker's own share of the count.
        if task.dependency_fulfilled() && task.state.enqueue() {
            self.submit(task);
        }
    }

    /// A task has come to the Queued phase.
    pub fn note_queued(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    /// A task has left the Queued phase. Release: whoever reads the lower count also sees the job that was opened for it.
    pub fn note_dequeued(&self) {
        self.queued.fetch_sub(1, Ordering::Release);
    }

    pub fn queued(&self) -> u32 {
        self.queued.load(Ordering::Acquire).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Whether one more worker would help: there is queued work, nobody is free for it, and the limit is not reached.
    pub fn wants_worker(&self) -> bool {
        let count = self.worker_count.load(Ordering::Relaxed);
        // Who stands in for another one is needed for nested tasks only.
        if count >= self.threads && (count >= self.limit() || !self.has_nested())
            || self.sleep.idle_count() != 0
            || self.sleep.is_anybody_searching()
        {
            return false;
        }
        let starting = self.workers.read().iter().filter(|worker| !worker.is_ready()).count();
        self.queued() as usize > starting
    }

    /// Most workers to have now.
    fn limit(&self) -> u32 {
        self.threads + self.stuck.load(Ordering::SeqCst)
    }

    /// A worker is blocked and can't help: another one may stand in for it until [`Pool::end_stand_in`].
    pub fn ask_for_stand_in(&self, worker: &Worker) {
        worker.set_stuck(true);
        // As in a push and a sleep: this writes the limit and then reads the queues, who pushes does it the other way round. One of the two sees the other.
        self.stuck.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.has_nested() {
            self.pass_on();
        }
    }

    /// Whether a worker without a job is to end, because it stood in for one that goes on again.
    pub fn has_too_many(&self, worker: &Worker) -> bool {
        self.worker_count() > self.limit() && self.retire(worker, f64::from(self.threads))
    }

    pub fn end_stand_in(&self, worker: &Worker) {
        worker.set_stuck(false);
        self.stuck.fetch_sub(1, Ordering::SeqCst);
        if self.worker_count() > self.limit() {
            // Whoever wakes up finds that there is one too many.
            self.tell_idle();
        }
    }

    /// Whether all workers are blocked and can't help, so that only one more could run what they wait for. Asked when none can be started: one that is about to
    /// leave its wait still counts, so who asks after an attempt has given it the time for that.
    pub fn is_stuck(&self) -> bool {
        let workers = self.workers.read();
        !workers.is_empty() && workers.iter().all(|worker| worker.is_stuck())
    }

    /// Settles all that workers have queued as crashed, with this reason: nobody can run it.
    pub fn fail_nested(&self, reason: &[u8]) {
        // All of it first: whoever is settled wakes somebody who may push anew.
        let mut queued = Vec::new();
        for worker in self.workers() {
            queued.extend(std::iter::from_fn(|| worker.nested.pop()));
        }
        for task in queued {
            self.settle(
                task,
                Settlement::Crashed,
                |phase| phase == Phase::Queued,
                || Payload::copy_of(reason),
            );
        }
    }

    // Settling

    /// Settles a task if `allowed` accepts its phase, and tells whom it concerns. False when another was faster.
    pub fn settle(
        &self,
        task: Arc<Task>,
        settlement: Settlement,
        allowed: impl Fn(Phase) -> bool,
        payload: impl FnOnce() -> Payload,
    ) -> bool {
        let Some((before, marks)) = task.settle(settlement, allowed, || (payload(), 0)) else {
            return false;
        };
        self.announce(task, settlement, before, marks, true);
        true
    }

    /// Cancels a task for its owner, who takes the settlement itself. Gives the state before, or None when it was settled otherwise.
    pub fn cancel(self: &Arc<Self>, task: &Arc<Task>, grace: Duration) -> Option<Word> {
        let (before, marks) = task.settle(Settlement::Cancelled, is_open, Default::default)?;
        self.announce(Arc::clone(task), Settlement::Cancelled, before, marks, false);
        self.stop_runner(before, grace);
        Some(before)
    }

    /// The owner of a task has died, so nobody will see what becomes of it: if it runs, it is told. It is not settled, since its time limit goes on to hold.
    pub fn orphan(&self, task: &Arc<Task>) {
        self.tell_runner(task.state.load());
    }

    /// Tells the job of a running task that nobody wants its result; gives its worker and number.
    fn tell_runner(&self, word: Word) -> Option<(Arc<Worker>, u32)> {
        if word.phase() != Phase::Running {
            return None;
        }
        let (id, job) = word.runner();
        let worker = self.worker(id)?;
        worker.flag_cancelled(job);
        Some((worker, job))
    }

    /// A task's time limit has passed.
    pub fn expire(task: &Arc<Task>) {
        let pool = &task.owner.pool;
        if let Some((before, marks)) = task.settle(Settlement::TimedOut, is_open, Default::default) {
            pool.announce(Arc::clone(task), Settlement::TimedOut, before, marks, true);
            pool.stop_runner(before, task.plan.grace);
        }
    }

    /// A task that waits for others does so in vain.
    pub fn fail_dependent(&self, task: Arc<Task>, position: u32) {
        let outcome = || (Payload::default(), position);
        if let Some((before, marks)) =
            task.settle(Settlement::DependencyFailed, |phase| phase == Phase::Waiting, outcome)
        {
            self.announce(task, Settlement::DependencyFailed, before, marks, true);
        }
    }

    /// Everything that follows from a settlement: dependents, the owner, the timer.
    ///
    /// Tasks that fail because this one did are handed over together with it, in one step: whoever waits for them only takes its error into account
    /// if nobody has been told of it before.
    fn announce(&self, task: Arc<Task>, settlement: Settlement, before: Word, marks: Word, deliver: bool) {
        let owner = Arc::clone(&task.owner);
        let mut failed = Vec::new();
        self.follow_up(&task, settlement, before, marks, &mut failed);
        let mut awaited = marks.is_awaited();
        let mut batch = Vec::new();
        if deliver && !awaited {
            if failed.is_empty() {
                // Nearly always.
                owner.deliver(task, settlement);
                return;
            }
            batch.push(task);
        } else {
            drop(task);
        }
        // A list instead of recursion: a chain of dependents may be long.
        while let Some((dependent, position)) = failed.pop() {
            let outcome = || (Payload::default(), position);
            if let Some((before, marks)) =
                dependent.settle(Settlement::DependencyFailed, |phase| phase == Phase::Waiting, outcome)
            {
                self.follow_up(&dependent, Settlement::DependencyFailed, before, marks, &mut failed);
                awaited |= marks.is_awaited();
                if !marks.is_awaited() {
                    batch.push(dependent);
                }
            }
        }
        // Dependents have the same owner: a task can only wait for tasks of its own environment.
        owner.deliver_failed(batch);
        if awaited {
            owner.unpark();
        }
    }

    /// What concerns others than the owner.
    fn follow_up(
        &self,
        task: &Task,
        settlement: Settlement,
        before: Word,
        marks: Word,
        failed: &mut Vec<(Arc<Task>, u32)>,
    ) {
        if before.phase() == Phase::Queued {
            self.note_dequeued();
        }
        if task.timed.load(Ordering::Relaxed) {
            TIMER.note_moot();
        }
        if marks.is_linked() {
            for (dependent, position) in task.take_dependents() {
                if settlement != Settlement::Fulfilled {
                    failed.push((dependent, position));
                } else if dependent.dependency_fulfilled() && dependent.state.enqueue() {
                    self.submit(dependent);
                }
            }
        }
    }

    // Stopping

    /// Asks the job that ran a task to stop, and stops its worker when it still runs after `grace`.
    fn stop_runner(self: &Arc<Self>, before: Word, grace: Duration) {
        if let Some((worker, job)) = self.tell_runner(before) {
            self.stop_after(grace, worker, job);
        }
    }

    /// Stops a worker if this job of its is still open after `grace`.
    pub fn stop_after(self: &Arc<Self>, grace: Duration, worker: Arc<Worker>, job: u32) {
        if grace.is_zero() {
            self.stop_overdue(&worker, job);
        } else {
            let pool = Arc::downgrade(self);
            TIMER.after(grace, Action::Overdue { pool, worker, job });
        }
    }

    pub fn stop_overdue(&self, worker: &Worker, job: u32) {
        if worker.condemn(job) {
            worker.wake();
            self.request(Service::Stop(worker.id));
        }
    }

    /// Asks the root environment for a service, waking it wherever it is.
    pub fn request(&self, service: Service) {
        self.services.lock().push_back(service);
        self.has_service.store(true, Ordering::SeqCst);
        if let Some(root) = self.root.get().and_then(Weak::upgrade) {
            root.unpark();
            root.wake_loop();
        }
    }

    /// Asks for one more worker, if nobody has done so already.
    pub fn request_growth(&self) {
        // AcqRel: whoever finds that it has been asked for already has its reason seen by the root, which takes the mark back before it looks.
        if !self.growing.swap(true, Ordering::AcqRel) {
            self.request(Service::Grow);
        }
    }

    pub fn has_service(&self) -> bool {
        self.has_service.load(Ordering::SeqCst)
    }

    pub fn take_service(&self) -> Option<Service> {
        if !self.has_service() {
            return None;
        }
        let mut services = self.services.lock();
        let service = services.pop_front();
        if service == Some(Service::Grow) {
            self.growing.swap(false, Ordering::AcqRel);
        }
        self.has_service.store(!services.is_empty(), Ordering::SeqCst);
        service
    }

    // Workers

    pub fn add_worker(&self) -> Option<Arc<Worker>> {
        let id = self.next_worker.fetch_add(1, Ordering::Relaxed);
        if id >= MAX_WORKERS {
            return None;
        }
        let worker = Arc::new(Worker::in_pool(id, Arc::clone(&self.nested)));
        let mut workers = self.workers.write();
        workers.push(Arc::clone(&worker));
        self.worker_count.store(workers.len() as u32, Ordering::Relaxed);
        Some(worker)
    }

    pub fn worker(&self, id: u32) -> Option<Arc<Worker>> {
        self.workers.read().iter().find(|worker| worker.id == id).cloned()
    }

    pub fn workers(&self) -> Vec<Arc<Worker>> {
        self.workers.read().clone()
    }

    pub fn worker_count(&self) -> u32 {
        self.worker_count.load(Ordering::Relaxed)
    }

    /// A worker has ended, or never started, or is being stopped. What is left in its own queues is settled. Gives it, the first time.
    pub fn remove_worker(&self, id: u32) -> Option<Arc<Worker>> {
        let removed = {
            let mut workers = self.workers.write();
            let position = workers.iter().position(|worker| worker.id == id);
            let removed = position.map(|position| workers.remove(position));
            self.worker_count.store(workers.len() as u32, Ordering::Relaxed);
            removed
        };
        let worker = removed?;
        self.sleep.retract_idle(&worker);
        self.sleep.retract_waiting(&worker);
        worker.leave();
        self.settle_if_left(&worker);
        // It may have been the one that was to take what is queued.
        self.pass_on();
        self.request(Service::Gone(id));
        Some(worker)
    }

    /// Settles what is in the queues of a worker that has left. Asked after every push to them, since nobody else may come by again.
    fn settle_if_left(&self, worker: &Worker) {
        if !worker.has_left() {
            return;
        }
        while let Some(task) = worker.pinned.pop() {
            self.settle(task, Settlement::Crashed, is_open, Payload::default);
        }
        // A worker that is being stopped may still be in JavaScript, so that its tasks see what becomes of these: nobody has cancelled them.
        while let Some(task) = worker.nested.pop() {
            let outcome = || (Payload::default(), NOT_RUN);
            if let Some((before, marks)) = task.settle(Settlement::Crashed, |phase| phase == Phase::Queued, outcome) {
                self.announce(task, Settlement::Crashed, before, marks, true);
            }
        }
    }

    /// Whether an idle worker may end because more than `least` are there; if so it takes no more jobs.
    pub fn retire(&self, worker: &Worker, least: f64) -> bool {
        // Under the lock, so that two do not both leave for the last place.
        let workers = self.workers.write();
        let staying = workers.iter().filter(|worker| !worker.is_retired()).count();
        let least = least + f64::from(self.stuck.load(Ordering::SeqCst));
        if staying as f64 <= least || worker.running() > 0 {
            return false;
        }
        worker.retire();
        true
    }

    /// Longest sleep outside of an event loop.
    pub fn breath(&self) -> Duration {
        // Relaxed: `hurry` wakes whoever has seen the old value.
        if self.hurrying.load(Ordering::Relaxed) {
            LAST_BREATH
        } else {
            BREATH
        }
    }

    /// The process is about to end, but some of its code may still want tasks: workers go on, and are terminated at any moment.
    pub fn hurry(&self) {
        self.hurrying.store(true, Ordering::Relaxed);
        for worker in self.workers() {
            worker.wake();
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// All workers leave their loops as soon as they are between jobs; whoever waits is woken.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for worker in self.workers() {
            worker.wake();
        }
        if let Some(root) = self.root.get().and_then(Weak::upgrade) {
            root.unpark();
        }
    }

    /// Breaks the references from queued tasks to their owners and so to the pool. For when nobody will look any more.
    pub fn abandon(&self) {
        while let Some(task) = self.injector.pop() {
            drop(task);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::task::Plan;

    #[test]
    fn a_task_that_is_pushed_after_its_dependency_has_failed_names_that_one() {
        let owner = Mailbox::for_tests();
        let pool = Arc::clone(&owner.pool);
        let task = |slot, phase| {
            Arc::new(Task::new(
                Arc::clone(&owner),
                Plan::new(slot, 0),
                Payload::default(),
                phase,
            ))
        };
        let (pending, failed) = (task(0, Phase::Queued), task(1, Phase::Queued));
        assert!(pool.settle(Arc::clone(&failed), Settlement::Rejected, is_open, Payload::default));
        let dependent = task(2, Phase::Waiting);
        pool.submit_after(Arc::clone(&dependent), &[Some(pending), None, Some(failed)]);
        let (settlement, outcome) = dependent.outcome().unwrap();
        assert_eq!(
            (settlement as i32, outcome.detail),
            (Settlement::DependencyFailed as i32, 2)
        );
    }
}
