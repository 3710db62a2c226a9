//! One environment's end of a pool: what its thread alone touches. The part that other threads reach is its mailbox.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crossbeam_utils::sync::Parker;
use napi::sys;

use super::event_loop::EventLoop;
use super::value::{Area, Fault, Outcome};
use super::worker_side::WorkerSide;
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::pool::Pool;
use crate::task::Task;

/// By so many the table of tasks may grow at a time.
const MAX_SLOTS_AT_ONCE: usize = 1 << 20;

/// A task of this environment, by the slot that the JavaScript side has chosen for it.
#[derive(Default)]
pub struct Entry {
    pub task: Option<Arc<Task>>,
    /// Kept after it was delivered.
    pub retained: bool,
    /// Its settlement has been reported. One that stays nevertheless may still be in the outbox, since who is blocked on a task does not wait for that.
    pub reported: bool,
}

pub struct Port {
    pub env: sys::napi_env,
    pub pool: Arc<Pool>,
    pub mailbox: Arc<Mailbox>,
    pub event_loop: Arc<EventLoop>,
    pub parker: Parker,
    /// Where arguments are encoded into, while the port is open: see [`Port::out`].
    pub out_area: Area,
    /// Where settlements are reported, one area for each depth of nested deliveries.
    pub reports: RefCell<Vec<Rc<Area>>>,
    pub table: RefCell<Vec<Entry>>,
    /// Settled tasks that are still to be reported, the next one last.
    pub backlog: RefCell<Vec<Arc<Task>>>,
    pub progressed: RefCell<Vec<Arc<Task>>>,
    /// A function that does nothing, and holds nothing, since it stays for good: calling it lets the engine act on a termination request.
    pub breathe: sys::napi_ref,
    /// Present in a worker.
    pub worker: Option<WorkerSide>,
    pub closed: Cell<bool>,
    /// The highest address of this thread's stack that a call has been seen at: as good as its beginning.
    pub stack_top: Cell<usize>,
}

/// From so many bytes of stack on, who takes a record makes sure first that there is room for telling it. V8's own limit is not to be had, and is nearly 1 MB
/// on a main thread.
const HIGH_STACK: usize = 128 * 1024;
/// Added to the depth by who has made sure. Without it, and on a high stack, the call comes back with [`NO_ROOM`].
const WITH_ROOM: usize = 1 << 20;
pub const NO_ROOM: i32 = -1;

/// Where the stack is now, roughly.
pub fn stack_address() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}

impl Port {
    /// Whether the stack may be near its end. (It grows downwards on every platform that Node runs on.)
    pub fn is_high(&self) -> bool {
        let (top, here) = (self.stack_top.get(), stack_address());
        if here > top {
            self.stack_top.set(here);
        }
        top.saturating_sub(here) > HIGH_STACK
    }

    /// What the `depth` of a call that reports stands for. None: the stack is high and nobody has looked whether there is room, so that nothing is to be taken.
    pub fn room_for_reports(&self, depth: usize) -> Option<usize> {
        if depth >= WITH_ROOM {
            Some(depth - WITH_ROOM)
        } else if self.is_high() {
            None
        } else {
            Some(depth)
        }
    }

    pub fn out(&self) -> Outcome<&Area> {
        if self.closed.get() {
            return Err(Fault::Message("makeparallel: the pool has been closed".into()));
        }
        Ok(&self.out_area)
    }

    pub fn task(&self, slot: usize) -> Option<Arc<Task>> {
        self.table.borrow().get(slot).and_then(|entry| entry.task.clone())
    }

    /// Whether a slot can be used. They are handed out densely, so one that is far off is a mistake, which must not cost gigabytes.
    pub fn check_slot(&self, slot: usize) -> Outcome<()> {
        if slot < self.table.borrow().len() + MAX_SLOTS_AT_ONCE {
            Ok(())
        } else {
            Err(Fault::Message(format!("makeparallel: slot {slot} is out of reach")))
        }
    }

    pub fn enter(&self, slot: usize, task: Arc<Task>) {
        let mut table = self.table.borrow_mut();
        if slot >= table.len() {
            table.resize_with(slot + 1, Entry::default);
        }
        table[slot] = Entry {
            task: Some(task),
            retained: false,
            reported: false,
        };
    }

    /// Whether `task` still occupies its slot, so that its settlement has not been reported.
    pub fn owns(&self, task: &Arc<Task>) -> bool {
        let table = self.table.borrow();
        table
            .get(task.plan.slot as usize)
            .filter(|entry| !entry.reported)
            .and_then(|entry| entry.task.as_ref())
            .is_some_and(|entry| Arc::ptr_eq(entry, task))
    }

    /// The settlement of the task in this slot is being reported.
    pub fn note_reported(&self, slot: usize) {
        if let Some(entry) = self.table.borrow_mut().get_mut(slot) {
            entry.reported = true;
        }
    }

    /// Forgets a reported task unless it is retained. True when the slot stays occupied.
    pub fn leave(&self, slot: usize) -> bool {
        let mut table = self.table.borrow_mut();
        match table.get_mut(slot) {
            Some(entry) if entry.retained => true,
            Some(entry) => {
                entry.task = None;
                false
            }
            None => false,
        }
    }

    /// Whether there is something to report.
    pub fn has_news(&self) -> bool {
        !self.backlog.borrow().is_empty() || !self.progressed.borrow().is_empty() || self.mailbox.has_news()
    }

    /// Whether JavaScript can still run here. False when the environment is being terminated.
    pub fn breathe(&self) -> bool {
        let (mut scope, mut function, mut receiver, mut result) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: on the environment's own thread, inside of a call from JavaScript.
        unsafe {
            if sys::napi_open_handle_scope(self.env, &mut scope) != sys::Status::napi_ok {
                return false;
            }
            let alive = sys::napi_get_reference_value(self.env, self.breathe, &mut function) == sys::Status::napi_ok
                && sys::napi_get_global(self.env, &mut receiver) == sys::Status::napi_ok
                && sys::napi_call_function(self.env, receiver, function, 0, ptr::null(), &mut result)
                    == sys::Status::napi_ok;
            // A plain exception (the stack is nearly full, say) is no end: only a stopped isolate throws without a value.
            let alive = alive || {
                let mut kind = 0;
                sys::napi_get_and_clear_last_exception(self.env, &mut result) == sys::Status::napi_ok
                    && sys::napi_typeof(self.env, result, &mut kind) == sys::Status::napi_ok
                    && kind == sys::ValueType::napi_object
            };
            sys::napi_close_handle_scope(self.env, scope);
            alive
        }
    }

    /// Ends this environment's part in the pool. For a worker: its open jobs have crashed. For the root: its pool has no owner any more.
    /// Repeatable.
    ///
    /// With the environment, from a call that JavaScript makes, it also lets go of what it holds there, so that a pool that has been shut down is collected although
    /// its environment lives on.
    pub fn close(&self, alive: Option<sys::napi_env>) {
        if self.closed.replace(true) {
            return;
        }
        if let Some(side) = &self.worker {
            side.crash_open_jobs(&self.pool, Payload::default);
            drop(self.pool.remove_worker(side.worker.id));
        } else {
            self.pool.close();
            crate::registry::forget(self.pool.id);
        }
        self.mailbox.close();
        let table = std::mem::take(&mut *self.table.borrow_mut());
        if self.worker.as_ref().is_some_and(|side| !side.worker.is_retired()) && !self.pool.is_closing() {
            // It has died under its tasks.
            for task in table.iter().filter_map(|entry| entry.task.as_ref()) {
                self.pool.orphan(task);
            }
        }
        drop(table);
        self.backlog.borrow_mut().clear();
        if self.worker.is_none() {
            self.pool.abandon();
        }
        self.event_loop.close(alive);
        self.progressed.borrow_mut().clear();
        let reports = std::mem::take(&mut *self.reports.borrow_mut());
        if let (Some(env), None) = (alive, &self.worker) {
            // SAFETY: inside of a call from JavaScript, which a root's port never makes in the middle of using an area; `out` gives none from now on, and there are
            // no others.
            unsafe {
                self.out_area.release(env);
                for area in reports {
                    area.release(env);
                }
            }
        }
    }
}
