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
    /// Workers with an open job that waits: they may run nested tasks, and those that help others also what others' tasks have pushed.
    waiting: Vec<Waiting>,
}

struct Waiting {
    worker: Arc<Worker>,
    helps_others: bool,
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
        sleepers.idle.push(Arc::clone(worker));
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

    /// As (3), for a worker that waits inside a job. Only one that helps others is chosen for what is not its own.
    pub fn announce_waiting(&self, worker: &Arc<Worker>, helps_others: bool) {
        let mut sleepers = self.sleepers.lock();
        sleepers.waiting.push(Waiting {
            worker: Arc::clone(worker),
            helps_others,
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
    pub fn tell_idle(&self) {
        fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) == 0 && self.idle.load(Ordering::SeqCst) != 0 {
            self.wake_idle();
        }
    }

    /// (4) A nested task has been queued by a task of `owner`: an idle worker runs it, else one that waits, best its owner.
    pub fn tell_any(&self, owner: &Worker) {
        fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) != 0 {
            return;
        }
        if self.idle.load(Ordering::SeqCst) != 0 && self.wake_idle() {
            return;
        }
        if self.waiting.load(Ordering::SeqCst) != 0 {
            let mut sleepers = self.sleepers.lock();
            let owners = sleepers.waiting.iter().rposition(|entry| entry.worker.id == owner.id);
            let position = owners.or_else(|| sleepers.waiting.iter().rposition(|entry| entry.helps_others));
            let chosen = position.map(|position| sleepers.waiting.remove(position).worker);
            self.waiting.store(sleepers.waiting.len() as u32, Ordering::SeqCst);
            drop(sleepers);
            if let Some(worker) = chosen {
                worker.wake();
            }
        }
    }

    pub fn idle_count(&self) -> u32 {
        self.idle.load(Ordering::Relaxed)
    }

    pub fn is_anybody_searching(&self) -> bool {
        self.searching.load(Ordering::Relaxed) != 0
    }

    fn wake_idle(&self) -> bool {
        let mut sleepers = self.sleepers.lock();
        let chosen = sleepers.idle.pop();
        self.idle.store(sleepers.idle.len() as u32, Ordering::SeqCst);
        drop(sleepers);
        chosen.map(|worker| worker.wake()).is_some()
    }
}
