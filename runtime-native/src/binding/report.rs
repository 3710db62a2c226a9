//! Reporting settlements and progress to the JavaScript side.
//!
//! Records are written one after the other into an area that JavaScript reads directly, so that one call reports many:
//!
//! ```text
//! i32 slot · i32 kind · i32 detail · i32 length · f64 elapsed (or fraction) · f64 waited · f64 started · i32 worker · 4 unused · bytes, padded to 8
//! ```
//!
//! `worker` is -1, and the times are 0, for a task that never ran.

use std::rc::Rc;
use std::sync::Arc;

use napi::sys;

use super::port::{NO_ROOM, Port};
use super::transit;
use super::value::{Area, Fault, Outcome, enter, from_int, index, new_array_buffer, nothing};
use crate::payload::Payload;
use crate::state::{Phase, Settlement};
use crate::task::{Run, Task};

const HEADER: usize = 48;
/// Bits of `kind` beside the settlement.
const KEPT: i32 = 16;
const FETCH: i32 = 32;
const PROGRESS: i32 = 64;
const NO_RUN: Run = Run {
    waited: 0.0,
    started: 0.0,
    elapsed: 0.0,
    worker: u32::MAX,
};
/// Outcomes longer than this are fetched one by one.
const MAX_REPORTED: usize = 16 * 1024;

struct Writer {
    area: Rc<Area>,
    used: usize,
    count: i32,
}

impl Writer {
    fn new(port: &Port, depth: usize) -> Outcome<Self> {
        let area = port.reports.borrow().get(depth).cloned();
        let area = area.ok_or_else(|| Fault::Message("makeparallel: no such report area".into()))?;
        Ok(Self {
            area,
            used: 0,
            count: 0,
        })
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.used + HEADER + bytes + 8 <= self.area.length
    }

    fn write(&mut self, slot: u32, kind: i32, detail: u32, number: f64, run: &Run, bytes: &[u8]) {
        assert!(self.has_room(bytes.len()));
        // SAFETY: there is room for the header and the bytes; `used` is a multiple of 8, and so aligned; only this thread uses the area.
        unsafe {
            let start = self.area.start.add(self.used);
            start
                .cast::<[i32; 4]>()
                .write([slot as i32, kind, detail as i32, bytes.len() as i32]);
            start
                .add(16)
                .cast::<[f64; 3]>()
                .write([number, run.waited, run.started]);
            start.add(40).cast::<[i32; 2]>().write([run.worker as i32, 0]);
            start.add(HEADER).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.used += HEADER + bytes.len().next_multiple_of(8);
        self.count += 1;
    }

    fn progress(&mut self, task: &Task) {
        if let Some(fraction) = task.take_progress() {
            self.write(task.plan.slot, PROGRESS, 0, fraction, &NO_RUN, &[]);
        }
    }

    /// Reports a settled task, which then leaves its slot unless it is retained or its outcome is still to be fetched.
    fn settled(&mut self, port: &Port, task: &Task) {
        let Some((settlement, outcome)) = task.outcome() else {
            return;
        };
        let slot = task.plan.slot as usize;
        port.note_reported(slot);
        let plain = outcome.payload.plain().filter(|bytes| bytes.len() <= MAX_REPORTED);
        let kept = match plain {
            Some(_) => port.leave(slot),
            None => port.table.borrow().get(slot).is_some_and(|entry| entry.retained),
        };
        let kind = settlement as i32 | if kept { KEPT } else { 0 } | if plain.is_none() { FETCH } else { 0 };
        let run = outcome.run.as_ref().unwrap_or(&NO_RUN);
        self.write(
            task.plan.slot,
            kind,
            outcome.detail,
            run.elapsed,
            run,
            plain.unwrap_or_default(),
        );
    }
}

/// Reports one task at once, for a caller that takes its settlement itself.
pub fn report_one(port: &Port, depth: usize, task: &Arc<Task>) -> Outcome<i32> {
    let mut writer = Writer::new(port, depth)?;
    if port.owns(task) {
        writer.progress(task);
        writer.settled(port, task);
    }
    Ok(writer.count)
}

/// `drain(depth) → NO_ROOM`, or the number of records in that depth's area. 0: nothing more for the moment.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn drain(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [depth]: [_; 1]| {
            if port.closed.get() {
                return from_int(env, 0);
            }
            let Some(depth) = port.room_for_reports(index(env, depth)?) else {
                return from_int(env, NO_ROOM);
            };
            let mut writer = Writer::new(port, depth)?;
            port.mailbox.answer_wake();
            let mut progressed = port.progressed.borrow_mut();
            if progressed.is_empty() {
                *progressed = port.mailbox.take_progressed();
            }
            while writer.has_room(0) {
                let Some(task) = progressed.pop() else { break };
                if port.owns(&task) && task.state.load().phase() != Phase::Settled {
                    writer.progress(&task);
                }
            }
            drop(progressed);
            let mut backlog = port.backlog.borrow_mut();
            if backlog.is_empty() {
                port.mailbox.outbox.take(&mut backlog);
                // The stack gives the newest first, and the backlog is popped from its end.
            }
            while let Some(task) = backlog.last() {
                let length = task
                    .outcome()
                    .and_then(|(_, outcome)| outcome.payload.plain())
                    .map_or(0, <[u8]>::len);
                if !writer.has_room(HEADER + length.min(MAX_REPORTED)) {
                    break;
                }
                // One that its owner was blocked on has been reported already.
                if port.owns(task) {
                    writer.progress(task);
                    writer.settled(port, task);
                }
                backlog.pop();
            }
            transit::bury_dead_stores(env);
            from_int(env, writer.count)
        })
    }
}

/// `addReports(area)`: memory for one more depth of nested deliveries. → the ArrayBuffer.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn add_reports(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            if port.closed.get() {
                return new_array_buffer(env, &[]);
            }
            let (area, buffer) = Area::new(env, super::AREA_BYTES)?;
            port.reports.borrow_mut().push(Rc::new(area));
            Ok(buffer)
        })
    }
}

/// `take(slot) → [buffer, length, attachments | null]`: an outcome that was reported as to be fetched, and leaves its slot with that.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn take(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot]: [_; 1]| {
            let slot = index(env, slot)?;
            let Some(task) = port.task(slot) else {
                return Ok(nothing());
            };
            port.leave(slot);
            if task.is_shared() {
                let Some((_, outcome)) = task.outcome() else {
                    return Ok(nothing());
                };
                transit::deliver_copy(env, &outcome.payload)
            } else if task.state.load().phase() == Phase::Settled {
                // Settled, not shared, on the owner's thread, and no reference from `outcome` is alive.
                transit::deliver(env, task.take_outcome())
            } else {
                Ok(nothing())
            }
        })
    }
}

/// `cancel(slot, grace, depth) → NO_ROOM`, or 1 and one record, or 0 when it had been settled otherwise`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn cancel(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot, grace, depth]: [_; 3]| {
            let Some(depth) = port.room_for_reports(index(env, depth)?) else {
                return from_int(env, NO_ROOM);
            };
            let Some(task) = port.task(index(env, slot)?) else {
                return from_int(env, 0);
            };
            let grace = transit::duration(env, grace)?.unwrap_or(std::time::Duration::MAX);
            if port.pool.cancel(&task, grace).is_none() {
                return from_int(env, 0);
            }
            from_int(env, report_one(port, depth, &task)?)
        })
    }
}

/// `fail(length)`: settles all of this environment's tasks that are waiting or queued as crashed, with this payload.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn fail(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [length]: [_; 1]| {
            let out = port.out()?;
            let bytes = std::slice::from_raw_parts(out.start, index(env, length)?.min(out.length));
            let tasks: Vec<_> = port
                .table
                .borrow()
                .iter()
                .filter_map(|entry| entry.task.clone())
                .collect();
            for task in tasks {
                let waits = |phase| matches!(phase, Phase::Waiting | Phase::Queued);
                port.pool
                    .settle(task, Settlement::Crashed, waits, || Payload::copy_of(bytes));
            }
            Ok(nothing())
        })
    }
}

/// `failNested(length)`: settles all tasks that workers have queued as crashed, with this payload.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn fail_nested(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [length]: [_; 1]| {
            let out = port.out()?;
            let bytes = std::slice::from_raw_parts(out.start, index(env, length)?.min(out.length));
            port.pool.fail_nested(bytes);
            Ok(nothing())
        })
    }
}
