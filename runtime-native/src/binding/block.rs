//! Blocking until a task has settled.
//!
//! The root's thread spins a little and then parks. A worker's thread first helps: it runs the awaited task itself if that is still queued, then
//! nested tasks, and parks only when there is nothing that it may run.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use napi::sys;

use super::jobs::{Alive, Calls, execute};
use super::port::{NO_ROOM, Port};
use super::report::report_one;
use super::transit::{bury_dead_stores, duration};
use super::value::{Outcome, enter, from_int, index};
use super::worker_side::{MAX_HELP_DEPTH, WorkerSide};
use crate::clock;
use crate::sleep::{Patience, Reach, resting};
use crate::state::Phase;
use crate::task::Task;

/// How often the event loop is turned for asynchronous jobs that were started by helping.
const TURN: Duration = Duration::from_millis(1);

/// Result of `block`.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// It has settled; its record (if it was not reported before) is in the area.
    Settled = 0,
    /// The time is over.
    TimeOut = 1,
    /// The root has to start or stop a worker, and then to call again.
    Service = 2,
    /// This environment or its pool is ending.
    Ending = 3,
    /// The awaited task is queued, but this worker holds as many jobs as it can: the nested calls are too deep.
    TooDeep = 4,
    /// The awaited task goes on asynchronously on this very thread, where it can't while the thread is blocked.
    Never = 5,
    /// The thread is being terminated, but a call of ours has caught that: the request has to be made again.
    Terminated = 6,
}

/// Added to a result when there are other records to [`drain`](super::report::drain), so that who waits again and again need not ask.
const MORE: i32 = 8;

/// `block(slot, ms, depth) → NO_ROOM`, or `Waited`, plus `MORE`, plus 16 for each record that was written (the last progress, the settlement).
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn block(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [slot, ms, depth]: [_; 3]| {
            let Some(depth) = port.room_for_reports(index(env, depth)?) else {
                return from_int(env, NO_ROOM);
            };
            let Some(task) = port.task(index(env, slot)?) else {
                // A push that was made after the termination has come to nothing.
                let waited = if port.breathe() {
                    Waited::Settled
                } else {
                    Waited::Terminated
                };
                return from_int(env, waited as i32);
            };
            let deadline = duration(env, ms)?.and_then(|limit| Instant::now().checked_add(limit));
            let waited = if task.state.mark_awaited().phase() == Phase::Settled {
                Waited::Settled
            } else {
                let waited = wait(port, &task, deadline)?;
                if waited == Waited::Ending && !port.breathe() {
                    // What it waited for may have been settled by that very end: nobody is to hear of it.
                    Waited::Terminated
                // Settled in the last moment: then its settler has left it to us.
                } else if waited != Waited::Settled && task.state.unmark_awaited().phase() == Phase::Settled {
                    Waited::Settled
                } else {
                    waited
                }
            };
            let records = if waited == Waited::Settled {
                report_one(port, depth, &task)?
            } else {
                0
            };
            bury_dead_stores(env);
            let more = if port.has_news() { MORE } else { 0 };
            from_int(env, waited as i32 + more + 16 * records)
        })
    }
}

fn wait(port: &Port, task: &Arc<Task>, deadline: Option<Instant>) -> Outcome<Waited> {
    let helper = match &port.worker {
        // SAFETY: on the port's thread, inside of a call from JavaScript that lasts until this returns.
        Some(side) => Some((side, unsafe { Calls::new(port, side) }?)),
        None => None,
    };
    let mut chosen = false;
    let continuation = u32::from(helper.as_ref().is_some_and(|(side, _)| !side.calling.get()));
    if let Some((side, _)) = &helper {
        side.blocked.set(side.blocked.get() + continuation);
    }
    let outermost = helper.as_ref().is_some_and(|(side, _)| !side.stood_in_for.get());
    let waited = wait_until_left(port, helper.as_ref(), task, deadline, &mut chosen);
    if let Some((side, _)) = &helper {
        side.blocked.set(side.blocked.get() - continuation);
        if outermost && side.stood_in_for.replace(false) {
            port.pool.end_stand_in(&side.worker);
        }
    }
    if chosen {
        port.pool.pass_on();
    }
    Ok(waited)
}

/// `chosen`: a nested task was told to this worker, and it has not looked for one since.
fn wait_until_left(
    port: &Port,
    helper: Option<&(&WorkerSide, Calls)>,
    task: &Arc<Task>,
    deadline: Option<Instant>,
    chosen: &mut bool,
) -> Waited {
    let mut patience = Patience::default();
    loop {
        if let Some((side, calls)) = helper {
            match help(port, side, calls, task, chosen) {
                Helped::Yes => {
                    patience = Patience::default();
                    continue;
                }
                Helped::Stopped => return Waited::Ending,
                Helped::Full => return Waited::TooDeep,
                Helped::No => {}
            }
        }
        if is_settled(task) {
            return Waited::Settled;
        }
        if patience.wait() {
            continue;
        }
        if let Some((side, _)) = helper
            && side.is_stuck()
        {
            if deadline.is_none() && never_ends(side, task) {
                return Waited::Never;
            }
            if !side.stood_in_for.replace(true) {
                port.pool.ask_for_stand_in(&side.worker);
            }
        }
        if let Some(waited) = park(port, helper.map(|(side, _)| *side), task, deadline, chosen) {
            return waited;
        }
        patience = Patience::default();
    }
}

fn is_settled(task: &Task) -> bool {
    task.state.load().phase() == Phase::Settled
}

/// Whether only this thread could bring the task to its end, and can't.
fn never_ends(side: &WorkerSide, task: &Task) -> bool {
    let word = task.state.load();
    if word.phase() != Phase::Running || task.timed.load(Ordering::Relaxed) {
        return false;
    }
    let (worker, job) = word.runner();
    worker == side.worker.id && side.is_pending(job)
}

enum Helped {
    Yes,
    No,
    Stopped,
    Full,
}

fn help(port: &Port, side: &WorkerSide, calls: &Calls, awaited: &Arc<Task>, chosen: &mut bool) -> Helped {
    if is_settled(awaited) {
        return Helped::No;
    }
    if port.pool.is_closing() || side.worker.is_doomed() {
        return Helped::Stopped;
    }
    let next = if is_runnable(awaited, port, side) {
        if side.is_deep() {
            return Helped::Full;
        }
        if mem::take(chosen) {
            port.pool.pass_on();
        }
        // Its entry goes along, if that is at hand: what is claimed past its entry leaves that behind.
        side.worker.nested.take(awaited);
        Some(Arc::clone(awaited))
    } else {
        let reach = reach(side, awaited);
        if reach != Reach::Nothing {
            *chosen = false;
        }
        port.pool.find_for_waiting(&side.worker, reach)
    };
    match next.map(|task| execute(port, side, calls, task, clock::now())) {
        Some(Alive::Yes) => Helped::Yes,
        Some(Alive::No) => Helped::Stopped,
        None => Helped::No,
    }
}

fn is_runnable(awaited: &Task, port: &Port, side: &WorkerSide) -> bool {
    awaited.state.load().phase() == Phase::Queued
        && awaited.plan.pinned.is_none()
        && !(side.is_stuck()
            && u32::try_from(awaited.plan.index).is_ok_and(|index| port.pool.keys.is_asynchronous(index)))
}

/// What a blocked worker may run beside the awaited task.
///
/// Helping piles jobs up on the stack, so it has a bound. Two things must be helped at any depth, because what would bring them on may be in this
/// worker's own deque and nowhere else: what the awaited task depends on, and what asynchronous jobs wait for that were started on top of a
/// blocked one. Tasks of others are only run while the stack is flat: they are not what this wait is for.
fn reach(side: &WorkerSide, awaited: &Task) -> Reach {
    let depth = side.depth.get();
    if side.is_deep() || side.is_stuck() {
        // What it begins may turn out to be asynchronous. Another worker stands in for one that is stuck.
        Reach::Nothing
    } else if depth < MAX_HELP_DEPTH / 8 {
        Reach::Any
    } else if depth < MAX_HELP_DEPTH || awaited.state.load().phase() == Phase::Waiting || side.pending_inside.get() > 0
    {
        Reach::Own
    } else {
        Reach::Nothing
    }
}

/// Parks once. Some: why the wait is over.
fn park(
    port: &Port,
    side: Option<&WorkerSide>,
    task: &Arc<Task>,
    deadline: Option<Instant>,
    chosen: &mut bool,
) -> Option<Waited> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Some(Waited::TimeOut);
    }
    match side {
        None => {
            if port.pool.has_service() {
                return Some(Waited::Service);
            }
            if port.pool.is_closing() && port.pool.worker_count() == 0 {
                return Some(Waited::Ending);
            }
            let breath = port.pool.breath();
            port.parker.park_timeout(left.unwrap_or(breath).min(breath));
        }
        Some(side) => {
            let (pool, worker) = (&port.pool, &side.worker);
            let turning = side.needs_turns();
            if turning {
                // From here on the loop has to be woken for what those jobs wait for.
                port.mailbox.attend(false);
            }
            let reach = reach(side, task);
            let may_sleep =
                || !is_settled(task) && !is_runnable(task, port, side) && !pool.has_work_for_waiting(worker, reach);
            let breath = if turning { TURN } else { pool.breath() };
            let limit = left.unwrap_or(breath).min(breath);
            let park = || port.parker.park_timeout(limit);
            *chosen |= !resting::sleep_inside(pool, worker, reach, may_sleep, park);
            if turning && super::jobs::pump(port, side) == Alive::No {
                port.event_loop.stop();
                return Some(Waited::Ending);
            }
        }
    }
    if is_settled(task) {
        return Some(Waited::Settled);
    }
    if port.breathe() {
        return None;
    }
    port.event_loop.stop();
    Some(Waited::Ending)
}
