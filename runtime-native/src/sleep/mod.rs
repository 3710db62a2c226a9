//! Who sleeps, and whom a new task wakes. The protocol is explained in `README.md` beside this file.

mod patience;
pub mod resting;

use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering, fence};
use crate::worker::Worker;

pub use patience::Patience;

#[derive(Default)]
struct Sleepers {
    /// Workers without a job. The last to fall asleep is woken first: its caches are warm, and the others may end for idleness.
    idle: Vec<Arc<Worker>>,
    /// Workers with an open job that waits.
    waiting: Vec<Waiting>,
}

/// Which nested tasks a worker that waits may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None: its stack is high.
    Nothing,
    /// What its own tasks have pushed, and what is in the deques of workers that run a task of its own.
    Own,
    /// Any.
    Any,
}

struct Waiting {
    worker: Arc<Worker>,
    reach: Reach,
}

impl Waiting {
    fn may_run_own(&self, owner: &Worker) -> bool {
        self.worker.id == owner.id && self.reach != Reach::Nothing
    }

    fn may_run_of(&self, owner: &Worker) -> bool {
        match self.reach {
            Reach::Nothing => false,
            Reach::Own => owner.is_serving(self.worker.id),
            Reach::Any => true,
        }
    }
}

/// Whom a new task has woken.
pub enum Told {
    Nobody,
    Somebody,
    /// This one, which waits in its event loop. It may not come: what a task has left there may keep its thread.
    InLoop(Arc<Worker>),
}

impl Told {
    fn wake(chosen: Option<Arc<Worker>>) -> Self {
        match chosen {
            None => Self::Nobody,
            Some(worker) if worker.wake() => Self::InLoop(worker),
            Some(_) => Self::Somebody,
        }
    }
}

#[derive(Default)]
pub struct Sleep {
    searching: AtomicU32,
    idle: AtomicU32,
    waiting: AtomicU32,
    sleepers: Mutex<Sleepers>,
}

impl Sleep {
    /// (1) A worker without a job starts to look for one.
    pub fn start_search(&self) {
        self.searching.fetch_add(1, Ordering::SeqCst);
    }

    /// (2) It has found one, or gives up. True when it was the last: then it passes on what is left.
    pub fn end_search(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// (3) An idle worker says that it is about to sleep. It must look for work once more before it does.
    pub fn announce_idle(&self, worker: &Arc<Worker>) {
        let mut sleepers = self.sleepers.lock();
        // One that holds suspended jobs is woken last: what it runs may end it, and them.
        let position = if worker.aside() > 0 { 0 } else { sleepers.idle.len() };
        sleepers.idle.insert(position, Arc::clone(worker));
        self.idle.store(sleepers.idle.len() as u32, Ordering::SeqCst);
        drop(sleepers);
        fence(Ordering::SeqCst);
    }

    /// Takes (3) back. False when somebody has chosen to wake it meanwhile.
    pub fn retract_idle(&self, worker: &Worker) -> bool {
        let mut sleepers = self.sleepers.lock();
        let position = sleepers.idle.iter().rposition(|entry| entry.id == worker.id);
        let found = position.map(|position| sleepers.idle.remove(position)).is_some();
        self.idle.store(sleepers.idle.len() as u32, Ordering::SeqCst);
        found
    }

    /// As (3), for a worker that waits inside a job. It is only chosen for what is within its reach.
    pub fn announce_waiting(&self, worker: &Arc<Worker>, reach: Reach) {
        let mut sleepers = self.sleepers.lock();
        sleepers.waiting.push(Waiting {
            worker: Arc::clone(worker),
            reach,
        });
        self.waiting.store(sleepers.waiting.len() as u32, Ordering::SeqCst);
        drop(sleepers);
        fence(Ordering::SeqCst);
    }

    /// As [`Sleep::retract_idle`].
    pub fn retract_waiting(&self, worker: &Worker) -> bool {
        let mut sleepers = self.sleepers.lock();
        let position = sleepers.waiting.iter().rposition(|entry| entry.worker.id == worker.id);
        let found = position.map(|position| sleepers.waiting.remove(position)).is_some();
        self.waiting.store(sleepers.waiting.len() as u32, Ordering::SeqCst);
        found
    }

    /// (4) A task from outside has been queued: only idle workers may run it.
    pub fn tell_idle(&self) -> Told {
        fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) == 0 && self.idle.load(Ordering::SeqCst) != 0 {
            return self.wake_idle();
        }
        Told::Nobody
    }

    /// (4) A nested task has been queued by a task of `owner`: an idle worker runs it, else one that waits, best its owner.
    pub fn tell_any(&self, owner: &Worker) -> Told {
        fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) != 0 {
            return Told::Nobody;
        }
        if self.idle.load(Ordering::SeqCst) != 0 {
            let told = self.wake_idle();
            if !matches!(told, Told::Nobody) {
                return told;
            }
        }
        if self.waiting.load(Ordering::SeqCst) != 0 {
            let mut sleepers = self.sleepers.lock();
            let waiting = &sleepers.waiting;
            let itself = waiting.iter().rposition(|entry| entry.may_run_own(owner));
            let position = itself.or_else(|| waiting.iter().rposition(|entry| entry.may_run_of(owner)));
            let chosen = position.map(|position| sleepers.waiting.remove(position).worker);
            self.waiting.store(sleepers.waiting.len() as u32, Ordering::SeqCst);
            drop(sleepers);
            return Told::wake(chosen);
        }
        Told::Nobody
    }

    /// Whether this worker has announced a sleep, and nobody has chosen it since.
    pub fn is_asleep(&self, worker: &Worker) -> bool {
        let sleepers = self.sleepers.lock();
        let mut waiting = sleepers.waiting.iter().map(|entry| &entry.worker);
        waiting.any(|entry| entry.id == worker.id) || sleepers.idle.iter().any(|entry| entry.id == worker.id)
    }

    pub fn idle_count(&self) -> u32 {
        self.idle.load(Ordering::Relaxed)
    }

    pub fn is_anybody_searching(&self) -> bool {
        self.searching.load(Ordering::Relaxed) != 0
    }

    fn wake_idle(&self) -> Told {
        let mut sleepers = self.sleepers.lock();
        let chosen = sleepers.idle.pop();
        self.idle.store(sleepers.idle.len() as u32, Ordering::SeqCst);
        drop(sleepers);
        Told::wake(chosen)
    }
}
