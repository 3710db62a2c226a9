//! What is called rarely: listening, keeping the process alive, workers, services, figures.

use napi::sys;

use super::port::Port;
use super::value::{boolean, enter, from_int, from_number, index, int, new_array, nothing, number};
use crate::pool::Service;

/// `listen(on)`: whether settlements wake the event loop.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn listen(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [on]: [_; 1]| {
            port.mailbox.listen(boolean(env, on)?);
            Ok(nothing())
        })
    }
}

/// `keepAlive(on)`: whether the event loop stays alive for wakes to come.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn keep_alive(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [on]: [_; 1]| {
            port.event_loop.set_ref(env, boolean(env, on)?);
            Ok(nothing())
        })
    }
}

/// `backlog() → settled tasks that have not been reported, roughly`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn backlog(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_number(env, f64::from(port.mailbox.outbox.len()))
        })
    }
}

/// `stats() → [threads, busy, queued, running]`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn stats(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            // Read first: a task that is claimed meanwhile is seen twice, and never as neither queued nor running.
            let queued = port.pool.queued();
            let workers = port.pool.workers();
            let running: Vec<u32> = workers.iter().map(|worker| worker.running()).collect();
            let busy = running.iter().filter(|count| **count > 0).count();
            let figures = [
                workers.len() as f64,
                busy as f64,
                f64::from(queued),
                running.iter().sum::<u32>().into(),
            ];
            let mut values = Vec::with_capacity(figures.len());
            for figure in figures {
                values.push(from_number(env, figure)?);
            }
            new_array(env, &values)
        })
    }
}

/// `queued() → tasks in queues`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn queued(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_number(env, f64::from(port.pool.queued()))
        })
    }
}

/// `wantsWorker() → 1 when one more worker would help`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn wants_worker(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_int(env, i32::from(port.pool.wants_worker()))
        })
    }
}

/// `isStuck() → 1 when all workers are blocked and only one more could run what they wait for`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn is_stuck(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_int(env, i32::from(port.pool.is_stuck()))
        })
    }
}

/// `addWorker() → id of a worker that is about to be started, or -1`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn add_worker(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_int(env, port.pool.add_worker().map_or(-1, |worker| worker.id as i32))
        })
    }
}

/// `removeWorker(id) → 1 when it was there and never arrived at its work, else 0`: its thread has ended, was not started, or is being stopped.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn remove_worker(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [id]: [_; 1]| {
            let removed = port.pool.remove_worker(index(env, id)? as u32);
            from_int(env, i32::from(removed.is_some_and(|worker| !worker.is_ready())))
        })
    }
}

/// `service() → 4 * worker id + kind, or -1 when nothing is asked for`. Kinds: 1 stop and replace, 2 gone, 3 grow.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn service(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            from_number(
                env,
                match port.pool.take_service() {
                    None => -1.0,
                    Some(Service::Stop(id)) => f64::from(id) * 4.0 + 1.0,
                    Some(Service::Gone(id)) => f64::from(id) * 4.0 + 2.0,
                    Some(Service::Grow) => 3.0,
                },
            )
        })
    }
}

/// `retire(least) → 1 when this idle worker should end because more than `least` are there`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn retire(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port: &Port, [least]: [_; 1]| {
            let least = number(env, least)?;
            let retires = port
                .worker
                .as_ref()
                .is_some_and(|side| port.pool.retire(&side.worker, least));
            from_int(env, i32::from(retires))
        })
    }
}

/// `close(final)`: the pool takes no more work; all workers end when they are between jobs. `final`: and this environment lets go of it.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn close(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [last]: [_; 1]| {
            if port.worker.is_none() {
                port.pool.close();
            }
            if boolean(env, last)? {
                port.close(Some(env));
            }
            Ok(nothing())
        })
    }
}

/// `hurry()`: the process is about to end. Workers go on, and look often whether they are to end.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn hurry(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`.
    unsafe {
        enter(env, info, |port, []: [_; 0]| {
            port.pool.hurry();
            Ok(nothing())
        })
    }
}

/// `isReady(id) → 1 when that worker has arrived at its work`.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn is_ready(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [id]: [_; 1]| {
            let worker = port.pool.worker(index(env, id)? as u32);
            from_int(env, i32::from(worker.is_some_and(|worker| worker.is_ready())))
        })
    }
}

/// `stop(id)`: this worker takes no more jobs and leaves whatever wait it is in.
///
/// # Safety
/// A callback for `value::function`.
pub unsafe extern "C" fn stop(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: a callback made by `function`; all values are its arguments.
    unsafe {
        enter(env, info, |port, [id]: [_; 1]| {
            if let Some(worker) = port.pool.worker(int(env, id)?.max(0) as u32) {
                worker.doom();
                worker.wake();
            }
            Ok(nothing())
        })
    }
}
