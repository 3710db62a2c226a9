//! The part of an environment (the root's or a worker's) that other threads reach: where its settled tasks go, and how it is woken.

use std::sync::{Arc, OnceLock};

use crate::outbox::Outbox;
use crate::pool::Pool;
use crate::state::Settlement;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Unparker};
use crate::task::Task;
use crate::worker::Worker;

/// Makes an event loop call back soon; from any thread, any number of times, also after the loop has ended.
pub trait LoopWaker: Send + Sync {
    fn wake(&self);
}

pub struct Mailbox {
    pub pool: Arc<Pool>,
    /// The worker that it belongs to; None for the root.
    pub worker: Option<Arc<Worker>>,
    pub outbox: Outbox,
    /// Tasks whose progress is news. None when the owner has gone.
    progressed: Mutex<Option<Vec<Arc<Task>>>>,
    has_progress: AtomicBool,
    unparker: Unparker,
    waker: OnceLock<Arc<dyn LoopWaker>>,
    /// Somebody waits on the event loop for at least one of its tasks.
    listening: AtomicBool,
    /// The owner's thread looks at the outbox by itself before it waits, so its loop need not be woken.
    attending: AtomicBool,
    /// A wake of the loop is under way that has not been answered yet.
    wake_pending: AtomicBool,
}

impl Mailbox {
    pub fn new(pool: Arc<Pool>, worker: Option<Arc<Worker>>, unparker: Unparker) -> Self {
        Self {
            pool,
            worker,
            outbox: Outbox::new(),
            progressed: Mutex::new(Some(Vec::new())),
            has_progress: AtomicBool::new(false),
            unparker,
            waker: OnceLock::new(),
            listening: AtomicBool::new(false),
            attending: AtomicBool::new(false),
            wake_pending: AtomicBool::new(false),
        }
    }

    #[cfg(test)]
    pub fn for_tests() -> Arc<Self> {
        let parker = crate::sync::Parker::new();
        Arc::new(Self::new(Arc::new(Pool::new(0, 1)), None, parker.unparker().clone()))
    }

    pub fn set_waker(&self, waker: Arc<dyn LoopWaker>) {
        // Only ever set once, when the environment opens.
        let _ = self.waker.set(waker);
    }

    /// Says whether somebody waits on the event loop. When there are entries already, the loop is woken for them.
    pub fn listen(&self, listening: bool) {
        // SeqCst store, then a SeqCst load of the outbox: the other half of the argument in `Outbox::push`.
        self.listening.store(listening, Ordering::SeqCst);
        if listening && self.has_news() {
            self.wake_loop();
        }
    }

    /// Says whether the owner's thread will look at the outbox by itself. Owner only. When it says no and there are entries, the loop is woken.
    pub fn attend(&self, attending: bool) {
        // Only the owner writes it.
        if self.attending.load(Ordering::Relaxed) == attending {
            return;
        }
        // SeqCst: as in `listen`, the other way round.
        self.attending.store(attending, Ordering::SeqCst);
        if !attending && self.has_news() {
            self.wake_loop();
        }
    }

    /// Hands over a settled task whose owner is not blocked on it.
    pub fn deliver(&self, task: Arc<Task>, settlement: Settlement) {
        self.outbox.push([task]);
        // Failures wake the loop in any case: an unhandled one must be reported.
        if self.listening.load(Ordering::SeqCst) || settlement != Settlement::Fulfilled {
            self.wake_unless_attending();
        }
    }

    /// Hands over tasks that have failed together, the first cause first.
    pub fn deliver_failed(&self, tasks: Vec<Arc<Task>>) {
        if !tasks.is_empty() {
            self.outbox.push(tasks);
            self.wake_unless_attending();
        }
    }

    pub fn deliver_progress(&self, task: Arc<Task>) {
        if let Some(progressed) = &mut *self.progressed.lock() {
            progressed.push(task);
        }
        self.has_progress.store(true, Ordering::SeqCst);
        if self.listening.load(Ordering::SeqCst) {
            self.wake_unless_attending();
        }
    }

    /// SeqCst loads: halves of the argument in [`Mailbox::listen`].
    pub fn has_news(&self) -> bool {
        !self.outbox.is_empty() || self.has_progress.load(Ordering::SeqCst)
    }

    pub fn take_progressed(&self) -> Vec<Arc<Task>> {
        if !self.has_progress.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut progressed = self.progressed.lock();
        self.has_progress.store(false, Ordering::SeqCst);
        progressed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The owner has gone: drops what is there and what will come. The tasks in here keep this mailbox, so it would never end by itself.
    pub fn close(&self) {
        self.outbox.close();
        let progressed = self.progressed.lock().take();
        drop(progressed);
    }

    fn wake_unless_attending(&self) {
        if !self.attending.load(Ordering::SeqCst) {
            self.wake_loop();
        }
    }

    /// One wake for however many reasons come before it is answered.
    pub fn wake_loop(&self) {
        if !self.wake_pending.swap(true, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// The owner is about to look at everything; what comes after this wakes again.
    pub fn answer_wake(&self) {
        if self.wake_pending.load(Ordering::Relaxed) {
            // SeqCst: before the owner's looks at the outbox in the total order, so a push that it misses sees `false` and wakes.
            // A swap, so that it has its place among the others' swaps.
            self.wake_pending.swap(false, Ordering::SeqCst);
        }
    }

    /// Ends a blocking wait of the owner's thread, now or the next one.
    pub fn unpark(&self) {
        self.unparker.unpark();
    }
}
