//! The worker's loop, and how it calls into JavaScript.

use std::mem;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use napi::sys;

use super::port::Port;
use super::transit;
use super::value::{Fault, Outcome, check, enter, from_int, index, int, is_present, new_array, nothing, number};
use super::worker_side::{Asleep, WorkerSide, header};
use crate::clock;
use crate::payload::Payload;
use crate::sleep::{Reach, resting};
use crate::state::Settlement;
use crate::task::{Arguments, Task};

/// A worker without work sleeps natively for so long, because that is the fastest to wake from; then it goes to sleep in its event loop, where
/// it can be terminated and everything else that it has to do goes on.
const NATIVE_SLEEP: Duration = Duration::from_millis(50);
/// Without a pause for so many jobs or so long (ns), the event loop gets a turn.
const JOBS_WITHOUT_TURN: u32 = 512;
const TIME_WITHOUT_TURN: u64 = 20_000_000;
/// The same where suspended jobs may have to go on.
const JOBS_BESIDE_SUSPENDED: u32 = 16;
const TIME_BESIDE_SUSPENDED: u64 = 1_000_000;

/// Why the loop has returned to JavaScript, which acts accordingly.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Asynchronous jobs are pending: wait in the event loop; the waker calls when there is something to do.
    Pending = 1,
    /// Let the event loop turn once, then come back.
    Turn = 2,
    /// Nothing to do: as `Pending`.
    Idle = 3,
    /// End the worker.
    End = 4,
    /// Tasks that continuations here wait for have settled: tell them, let them go on, and come back at once.
    Deliver = 5,
    /// End the worker: it has stood in for another one.
    Leave = 6,
}

/// Whether JavaScript runs on, or the environment is being terminated.
#[derive(PartialEq, Eq)]
pub enum Alive {
    Yes,
    No,
}

fn side(port: &Port) -> Outcome<&WorkerSide> {
    port.worker
        .as_ref()
        .ok_or_else(|| Fault::Message("makeparallel: not a worker".into()))
}

/// Values that are the same for all jobs of one call of the loop.
pub struct Calls {
    run: sys::napi_value,
    receiver: sys::napi_value,
}

impl Calls {
    /// # Safety
    /// On the port's thread, inside of a call from JavaScript; to be used within the same.
    pub unsafe fn new(port: &Port, side: &WorkerSide) -> Outcome<Self> {
        let (mut run, mut receiver) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller's promise.
        unsafe {
            check(sys::napi_get_reference_value(port.env, side.run, &mut run))?;
            check(sys::napi_get_global(port.env, &mut receiver))?;
        }
        Ok(Self { run, receiver })
    }
}

/// Runs a queue entry, if it is not stale. `now`: on [`clock`].
pub fn execute(port: &Port, side: &WorkerSide, calls: &Calls, entry: Arc<Task>, now: u64) -> Alive {
    let Some((job, task)) = side.open(&port.pool, entry, now) else {
        return Alive::Yes;
    };
    // SAFETY: `open` has claimed it on this thread.
    let Arguments { payload, inputs } = unsafe { task.take_arguments() };
    let mut flags = 0;
    let mut length = 0;
    match payload.plain() {
        Some(bytes) if bytes.len() <= side.job_area.length => {
            length = bytes.len();
            // SAFETY: there is room for it; JavaScript has decoded the payload before, if any, by the time that it gives up control.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), side.job_area.start, length) };
        }
        _ => {
            flags |= header::FETCH_PAYLOAD;
            *side.fetchable.borrow_mut() = Some(payload);
        }
    }
    if !inputs.is_empty() {
        flags |= header::FETCH_INPUTS;
        *side.inputs.borrow_mut() = inputs;
    }
    side.set_header(header::JOB, job as i32);
    side.set_header(header::INDEX, task.plan.index);
    side.set_header(header::END, length as i32);
    side.set_header(header::FLAGS, flags);
    // Whose task this is. An own one goes on with what is being done for another.
    let outer_service = match &task.owner.worker {
        Some(owner) if owner.id == side.worker.id => None,
        owner => Some(side.worker.serve(owner.as_ref().map(|owner| owner.id))),
    };
    drop(task);

    let depth = side.depth.get();
    side.depth.set(depth + 1);
    let outer_frame = side.enter_frame();
    let outer_call = side.calling.replace(true);
    let mut scope = ptr::null_mut();
    let mut result = ptr::null_mut();
    let mut settlement = -1;
    // SAFETY: on the port's thread inside of a call from JavaScript; the values are of that call.
    unsafe {
        if sys::napi_open_handle_scope(port.env, &mut scope) == sys::Status::napi_ok {
            let status = sys::napi_call_function(port.env, calls.receiver, calls.run, 0, ptr::null(), &mut result);
            if status == sys::Status::napi_ok {
                sys::napi_get_value_int32(port.env, result, &mut settlement);
            }
            sys::napi_close_handle_scope(port.env, scope);
        }
    }
    side.depth.set(depth);
    side.leave_frame(outer_frame);
    side.calling.set(outer_call);
    // A pending job goes on being served.
    if let (Some(outer), 1..) = (outer_service, settlement) {
        side.worker.serve(outer);
    }
    side.jobs_since_turn.set(side.jobs_since_turn.get() + 1);

    match settlement {
        0 => {
            side.set_pending(job, depth > 0);
            if let Ok(index) = u32::try_from(side.header(header::INDEX)) {
                port.pool.keys.mark_asynchronous(index);
            }
        }
        1 | 2 => {
            let payload = take_result(side);
            let settlement = if settlement == 1 {
                Settlement::Fulfilled
            } else {
                Settlement::Rejected
            };
            side.settle(&port.pool, job, settlement, payload);
        }
        // The executor never throws, so JavaScript has been stopped; if it goes on nevertheless, the job is lost but the worker is not.
        _ => {
            // SAFETY: on the port's thread; clears what was thrown, if anything was.
            unsafe { sys::napi_get_and_clear_last_exception(port.env, &mut result) };
            if !port.breathe() {
                return Alive::No;
            }
            side.settle(&port.pool, job, Settlement::Crashed, Payload::default());
        }
    }
    Alive::Yes
}

/// The result that JavaScript has just encoded.
fn take_result(side: &WorkerSide) -> Payload {
    if let Some(payload) = side.stash.borrow_mut().take() {
        return payload;
    }
    let length = (side.header(header::LENGTH).max(0) as usize).min(side.result.length);
    // SAFETY: the area has at least that many bytes, and only this thread uses it.
    Payload::copy_of(unsafe { std::slice::from_raw_parts(side.result.start, length) })
}

/// `work() → Left`: runs jobs until there is a reason to return.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn work(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            let side = side(port)?;
            let calls = Calls::new(port, side)?;
            if !side.delivering.replace(false) {
                side.turned_at.set(clock::now());
                side.jobs_since_turn.set(0);
            }
            port.mailbox.attend(true);
            let left = work_until_left(port, side, &calls);
            if left == Left::Deliver {
                side.delivering.set(true);
            } else {
                port.mailbox.attend(false);
            }
            // What continuations push from here on.
            side.enter_frame();
            from_int(env, left as i32)
        })
    }
}

fn work_until_left(port: &Port, side: &WorkerSide, calls: &Calls) -> Left {
    let (pool, worker) = (&port.pool, &side.worker);
    wake_up(port, side);
    // When the last job ended, if there has been nothing since.
    let mut just_ended = None;
    // It has said that it sleeps, and does not. Who wanted to know meanwhile whether one more worker would help has counted on it, and has told it nothing.
    let mut counted_on = false;
    loop {
        if pool.is_closing() || worker.is_doomed() || worker.is_retired() {
            return Left::End;
        }
        if side.held() > 0 {
            just_ended = None;
            // The event loop belongs to the pending jobs; nested tasks, which they may be waiting for, run in between.
            match pool.find_for_waiting(worker, Reach::Own) {
                Some(task) => {
                    if execute(port, side, calls, task, clock::now()) == Alive::No {
                        return Left::End;
                    }
                    if over_time(side, clock::now()) {
                        return Left::Turn;
                    }
                }
                None if port.event_loop.is_native() && !port.mailbox.outbox.is_empty() => {
                    // Without a turn of the event loop, which costs some µs. But not for ever: others wait for one.
                    return if over_time(side, clock::now()) {
                        Left::Turn
                    } else {
                        Left::Deliver
                    };
                }
                None => {
                    side.asleep_in_loop.set(Some(Asleep::Waiting));
                    if resting::wait_in_loop(pool, worker) {
                        return Left::Pending;
                    }
                    wake_up(port, side);
                }
            }
            continue;
        }
        if pool.has_too_many(worker) {
            return Left::Leave;
        }
        let mut next = pool.find_for_idle(worker, &mut side.turns.borrow_mut());
        if next.is_none() {
            just_ended = None;
            next = resting::search(pool, worker, &mut side.turns.borrow_mut());
        }
        if let Some(task) = next {
            if mem::take(&mut counted_on) {
                pool.pass_on();
            }
            let before = clock::noted();
            if execute(port, side, calls, task, just_ended.unwrap_or_else(clock::now)) == Alive::No {
                return Left::End;
            }
            // Nothing has been noted if the entry was stale, or the job goes on asynchronously, or was given up.
            let now = if clock::noted() == before {
                clock::now()
            } else {
                clock::noted()
            };
            just_ended = Some(now);
            if side.held() == 0 && over_time(side, now) {
                return Left::Turn;
            }
            continue;
        }
        if side.jobs_since_turn.get() > 0 {
            // Before sleeping, whatever the jobs have left in the event loop is seen: unhandled rejections, timers, microtasks.
            return Left::Turn;
        }
        if let Some(left) = sleep(port, side) {
            return left;
        }
        counted_on = true;
    }
}

fn over_time(side: &WorkerSide, now: u64) -> bool {
    let (jobs, time) = if side.worker.aside() == 0 {
        (JOBS_WITHOUT_TURN, TIME_WITHOUT_TURN)
    } else {
        (JOBS_BESIDE_SUSPENDED, TIME_BESIDE_SUSPENDED)
    };
    side.jobs_since_turn.get() >= jobs || now.saturating_sub(side.turned_at.get()) >= time
}

/// Ends a sleep in the event loop, if there was one.
fn wake_up(port: &Port, side: &WorkerSide) {
    match side.asleep_in_loop.take() {
        Some(Asleep::Idle) => drop(port.pool.sleep.retract_idle(&side.worker)),
        Some(Asleep::Waiting) => drop(port.pool.sleep.retract_waiting(&side.worker)),
        None => return,
    }
    side.worker.set_in_loop(false);
}

/// Sleeps until there is something to do, natively at first. Some: it is to go on sleeping in the event loop.
fn sleep(port: &Port, side: &WorkerSide) -> Option<Left> {
    let (pool, worker) = (&port.pool, &side.worker);
    // Timers and sockets that a task has left need the loop at once, and so does what suspended jobs wait for.
    let in_loop_at_once = side.pending.get() > 0 || port.event_loop.has_other_work(true);
    let park = || port.parker.park_timeout(NATIVE_SLEEP.min(pool.breath()));
    if !in_loop_at_once && !resting::sleep_natively(pool, worker, park) {
        return None;
    }
    if !port.event_loop.is_native() {
        // No way to be woken in the loop: let it turn now and then.
        return Some(Left::Turn);
    }
    side.asleep_in_loop.set(Some(Asleep::Idle));
    if !resting::fall_asleep_in_loop(pool, worker) {
        wake_up(port, side);
        return None;
    }
    Some(Left::Idle)
}

/// `payload() → [buffer, length, attachments | null]`: the payload of the job that is being started, when its header says to fetch it.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn payload(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            let payload = side(port)?.fetchable.borrow_mut().take().unwrap_or_default();
            transit::deliver(env, payload)
        })
    }
}

/// `inputs() → array of [buffer, length, attachments | null]`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn inputs(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            let inputs = side(port)?.inputs.take();
            let mut values = Vec::new();
            for input in &inputs {
                // All inputs were fulfilled before the task was queued.
                if let Some((_, outcome)) = input.outcome() {
                    values.push(transit::deliver_copy(env, &outcome.payload)?);
                }
            }
            new_array(env, &values)
        })
    }
}

/// `stash(bytes, length, attachments, transfers)`: the result about to be returned, or completed with, is not in the result area.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn stash(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [bytes, length, attachments, transfers]: [_; 4]| {
            let side = side(port)?;
            let payload = transit::payload_of(env, bytes, index(env, length)?, attachments, transfers, &side.result)?;
            *side.stash.borrow_mut() = Some(payload);
            Ok(nothing())
        })
    }
}

/// `complete(job, settlement)`: the outcome of a job that was pending. The result is where `run` would have left it.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn complete(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job, settlement]: [_; 2]| {
            let side = side(port)?;
            let payload = take_result(side);
            let job = int(env, job)? as u32;
            let settlement = if int(env, settlement)? == 1 {
                Settlement::Fulfilled
            } else {
                Settlement::Rejected
            };
            side.settle(&port.pool, job, settlement, payload);
            Ok(nothing())
        })
    }
}

/// `suspend(job)`: no code of this job runs until `resume`, so the worker is not stopped for it.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn suspend(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job]: [_; 1]| {
            side(port)?.suspend(int(env, job)? as u32);
            Ok(nothing())
        })
    }
}

/// `setAside(job)`: the worker takes other jobs while this one is suspended.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn set_aside(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job]: [_; 1]| {
            side(port)?.set_aside(int(env, job)? as u32);
            Ok(nothing())
        })
    }
}

/// `resume(job) → 1 when the loop has to be entered again afterwards`: a suspended job goes on now.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn resume(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job]: [_; 1]| {
            let side = side(port)?;
            if let Some((task, overdue)) = side.resume(int(env, job)? as u32) {
                port.pool.stop_after(task.plan.grace, Arc::clone(&side.worker), overdue);
            }
            // Others must not count on this worker while it runs the job: whoever has chosen it from the idle is to choose another.
            let idle = side.asleep_in_loop.get() == Some(Asleep::Idle);
            if idle {
                side.asleep_in_loop.set(None);
                let chosen = !port.pool.sleep.retract_idle(&side.worker);
                side.worker.set_in_loop(false);
                if chosen {
                    port.pool.pass_on();
                }
            }
            from_int(env, i32::from(idle))
        })
    }
}

/// `progress(job, fraction)`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn progress(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job, fraction]: [_; 2]| {
            if let Some(task) = side(port)?.find(int(env, job)? as u32)
                && task.report_progress(number(env, fraction)?)
            {
                let owner = Arc::clone(&task.owner);
                owner.deliver_progress(task);
            }
            Ok(nothing())
        })
    }
}

/// `isCancelled(job) → 0 | 1`, for environments that cannot see the flags directly.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn is_cancelled(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [job]: [_; 1]| {
            let task = side(port)?.find(int(env, job)? as u32);
            from_int(
                env,
                i32::from(task.is_some_and(|task| task.state.load().settlement().is_some())),
            )
        })
    }
}

/// `crash(bytes | null, length)`: the environment is about to end; its open jobs have crashed with this payload. → how many there were; -1 for none, in a pool that is
/// being closed.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn crash(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [bytes, length]: [_; 2]| {
            let side = side(port)?;
            let count = side.open_count();
            let mut copy = Vec::new();
            if is_present(env, bytes)? {
                let (mut kind, mut size, mut data, mut buffer, mut offset) =
                    (0, 0, ptr::null_mut(), ptr::null_mut(), 0);
                check(sys::napi_get_typedarray_info(
                    env,
                    bytes,
                    &mut kind,
                    &mut size,
                    &mut data,
                    &mut buffer,
                    &mut offset,
                ))?;
                let length = index(env, length)?.min(size);
                if length > 0 {
                    copy.extend_from_slice(std::slice::from_raw_parts(data.cast::<u8>(), length));
                }
            }
            // From here on it takes no more jobs.
            side.worker.doom();
            side.crash_open_jobs(&port.pool, || Payload::copy_of(&copy));
            let told = if count == 0 && port.pool.is_closing() {
                -1
            } else {
                count as i32
            };
            from_int(env, told)
        })
    }
}

/// Lets asynchronous jobs go on while another job of this worker is blocked. Gives whether the environment is still alive; where it is not, the turn may have
/// used up the request that ends its loop.
pub fn pump(port: &Port, side: &WorkerSide) -> Alive {
    // A turn must not begin in an environment that is being terminated, see `runtime-ts/src/worker/immediates.ts`.
    if !port.breathe() {
        return Alive::No;
    }
    // What runs in the turn is not part of the job that is blocked.
    let calling = side.calling.replace(false);
    tell_turn(port, side, false);
    port.event_loop.turn();
    tell_turn(port, side, true);
    side.calling.set(calling);
    if port.breathe() { Alive::Yes } else { Alive::No }
}

/// Tells JavaScript that the event loop is about to turn inside of a wait, or has turned.
fn tell_turn(port: &Port, side: &WorkerSide, turned: bool) {
    let (mut scope, mut function, mut receiver, mut argument, mut result) = (
        ptr::null_mut(),
        ptr::null_mut(),
        ptr::null_mut(),
        ptr::null_mut(),
        ptr::null_mut(),
    );
    // SAFETY: on the port's thread, inside of a call from JavaScript.
    unsafe {
        if sys::napi_open_handle_scope(port.env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        if sys::napi_get_reference_value(port.env, side.pump, &mut function) == sys::Status::napi_ok
            && sys::napi_get_global(port.env, &mut receiver) == sys::Status::napi_ok
            && sys::napi_get_boolean(port.env, turned, &mut argument) == sys::Status::napi_ok
        {
            sys::napi_call_function(port.env, receiver, function, 1, &argument, &mut result);
        }
        sys::napi_close_handle_scope(port.env, scope);
    }
}
