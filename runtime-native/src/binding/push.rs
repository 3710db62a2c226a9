//! Pushing tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use napi::sys;

use super::port::Port;
use super::transit;
use super::value::{enter, from_int, index, int, ints, is_present, nothing, number};
use crate::payload::Payload;
use crate::state::Phase;
use crate::task::{Arguments, Plan, Task};
use crate::timer::{Action, TIMER};

/// `push(slot, index, length) → 1 when one more worker would help`. The payload is in the out-area.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn push(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot, task, length]: [_; 3]| {
            let (slot, task, length) = (index(env, slot)?, int(env, task)?, index(env, length)?);
            port.check_slot(slot)?;
            let out = port.out()?;
            let length = length.min(out.length);
            // The out-area has at least `length` bytes and is only written to by this thread.
            let payload = Payload::copy_of(std::slice::from_raw_parts(out.start, length));
            let task = Arc::new(Task::new(
                Arc::clone(&port.mailbox),
                Plan {
                    frame: frame(port),
                    ..Plan::new(slot as u32, task)
                },
                payload,
                Phase::Queued,
            ));
            port.enter(slot, Arc::clone(&task));
            port.pool.submit(task);
            from_int(env, wants_worker(port))
        })
    }
}

/// What a task that is pushed now belongs to.
fn frame(port: &Port) -> u64 {
    port.worker.as_ref().map_or(0, |side| side.frame())
}

/// 1 when the root should start one more worker. A worker asks the root itself.
fn wants_worker(port: &Port) -> i32 {
    if !port.pool.wants_worker() {
        return 0;
    }
    if port.worker.is_some() {
        port.pool.request_growth();
        return 0;
    }
    1
}

/// `pushWith(slot, index, bytes, length, attachments, transfers, priority, timeout, grace, after, inputs, pinned) → as push`.
///
/// `after` has slots, where -1 stands for a task that has been fulfilled and forgotten; `inputs` has positions in `after`; `pinned` is a
/// worker id or -1.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn push_with(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(
            env,
            info,
            |port,
             [
                slot,
                task,
                bytes,
                length,
                attachments,
                transfers,
                priority,
                timeout,
                grace,
                after,
                inputs,
                pinned,
            ]: [_; 12]| {
                let slot = index(env, slot)?;
                port.check_slot(slot)?;
                let payload = if is_present(env, bytes)? {
                    transit::payload_of(env, bytes, index(env, length)?, attachments, transfers, port.out()?)?
                } else {
                    Payload::default()
                };
                let priority = number(env, priority)?;
                let timeout = transit::duration(env, timeout)?;
                let pinned = int(env, pinned)?;
                let after: Vec<_> = ints(env, after)?
                    .into_iter()
                    .map(|slot| usize::try_from(slot).ok().and_then(|slot| port.task(slot)))
                    .collect();
                let mut arguments = Arguments::from(payload);
                for position in ints(env, inputs)? {
                    if let Some(Some(input)) = after.get(position.max(0) as usize) {
                        input.share_outcome();
                        arguments.inputs.push(Arc::clone(input));
                    }
                }
                let plan = Plan {
                    priority: if priority.is_nan() { 0.0 } else { priority },
                    grace: transit::duration(env, grace)?.unwrap_or(Duration::MAX),
                    pinned: u32::try_from(pinned).ok(),
                    frame: frame(port),
                    ..Plan::new(slot as u32, int(env, task)?)
                };
                let waits = after.iter().any(Option::is_some);
                let phase = if waits { Phase::Waiting } else { Phase::Queued };
                let task = Arc::new(Task::new(Arc::clone(&port.mailbox), plan, arguments, phase));
                task.timed.store(timeout.is_some(), Ordering::Relaxed);
                port.enter(slot, Arc::clone(&task));
                if let Some(timeout) = timeout {
                    TIMER.after(timeout, Action::Expire(Arc::downgrade(&task)));
                }
                if waits {
                    port.pool.submit_after(task, &after)
                } else {
                    port.pool.submit(task)
                }
                from_int(env, wants_worker(port))
            },
        )
    }
}

/// `phase(slot) → Phase`, Settled for a slot that is not in use.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn phase(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot]: [_; 1]| {
            let phase = port
                .task(index(env, slot)?)
                .map_or(Phase::Settled, |task| task.state.load().phase());
            from_int(
                env,
                if phase == Phase::Settling {
                    Phase::Running
                } else {
                    phase
                } as i32,
            )
        })
    }
}

/// `elapsed(slot) → ms for which it has run so far`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn elapsed(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot]: [_; 1]| {
            super::value::from_number(env, port.task(index(env, slot)?).map_or(0.0, |task| task.elapsed()))
        })
    }
}

/// `retain(slot, keep)`: whether the outcome stays after it was reported. → 1 when the slot has become free.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn retain(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot, keep]: [_; 2]| {
            let keep = super::value::boolean(env, keep)?;
            if let Some(entry) = port.table.borrow_mut().get_mut(index(env, slot)?) {
                entry.retained = keep;
                if let (true, Some(task)) = (keep, &entry.task) {
                    task.share_outcome();
                }
            }
            Ok(nothing())
        })
    }
}

/// `forget(slot)`: a retained task that has been reported is not needed any more.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn forget(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot]: [_; 1]| {
            port.leave(index(env, slot)?);
            Ok(nothing())
        })
    }
}
