//! The addon's exports. An environment opens a port to a pool (the root) or attaches itself as one of its workers; what it gets is an object of
//! functions that know their port.
//!
//! The functions that are called for every task are raw Node-API callbacks: numbers in, numbers out, everything else through memory that both sides
//! see. Their types are declared on the two objects below.

mod block;
mod chunks;
mod control;
mod engine;
mod event_loop;
mod jobs;
mod memory;
mod pin;
mod port;
mod push;
mod report;
mod search;
mod transit;
mod value;
mod worker_side;

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crossbeam_utils::sync::Parker;
use napi::bindgen_prelude::{Env, FromNapiValue, Function, JsValue, Object, Result};
use napi::sys;
use napi_derive::napi;

use self::engine::Engine;
use self::event_loop::EventLoop;
use self::port::Port;
use self::value::{Area, Fault, Outcome};
use self::worker_side::{WorkerSide, header};
use crate::mailbox::Mailbox;
use crate::pool::Pool;
use crate::registry;
use crate::worker::Worker;

/// Size of the areas through which payloads pass.
pub const AREA_BYTES: usize = 64 * 1024;

impl From<Fault> for napi::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Pending => napi::Error::new(napi::Status::PendingException, String::new()),
            Fault::Message(message) => napi::Error::from_reason(message),
        }
    }
}

struct Parts {
    pool: Arc<Pool>,
    worker: Option<Arc<Worker>>,
    parker: Parker,
    unparker: crossbeam_utils::sync::Unparker,
}

/// Opens a port for the current environment and gives the object through which JavaScript uses it.
///
/// # Safety
/// `env` must belong to the current thread, inside of a call from JavaScript; the values must be functions of it.
unsafe fn open_port(
    env: sys::napi_env,
    parts: Parts,
    on_wake: sys::napi_value,
    breathe: sys::napi_value,
    run: Option<(sys::napi_value, sys::napi_value)>,
) -> Outcome<sys::napi_value> {
    let Parts {
        pool,
        worker,
        parker,
        unparker,
    } = parts;
    // SAFETY: the caller's promise, in the whole function.
    unsafe {
        let event_loop = EventLoop::open(env, on_wake)?;
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&pool), worker.clone(), unparker));
        mailbox.set_waker(event_loop.clone());
        let (out, out_buffer) = Area::new(env, AREA_BYTES)?;
        let mut properties = vec![(c"out", out_buffer)];
        let side = match (worker, run) {
            (Some(worker), Some((run, pump))) => {
                worker.set_waker(event_loop.clone());
                // While a worker waits in its loop it is this channel alone that keeps it from ending.
                event_loop.set_ref(env, true);
                let (header, header_buffer) = Area::new(env, header::WORDS * 4)?;
                let (job_area, job_buffer) = Area::new(env, AREA_BYTES)?;
                let (result, result_buffer) = Area::new(env, AREA_BYTES)?;
                properties.extend([
                    (c"header", header_buffer),
                    (c"jobArea", job_buffer),
                    (c"result", result_buffer),
                ]);
                if let Some(flags) = cancelled_flags(env, &worker) {
                    properties.push((c"cancelled", flags));
                }
                Some(WorkerSide::new(
                    worker,
                    header,
                    job_area,
                    result,
                    reference(env, run)?,
                    reference(env, pump)?,
                ))
            }
            _ => None,
        };
        if side.is_none() {
            pool.set_root(&mailbox);
        }
        let is_worker = side.is_some();
        properties.push((c"pool", value::from_int(env, pool.id as i32)?));
        let port = Box::into_raw(Box::new(Port {
            env,
            pool,
            mailbox,
            event_loop,
            parker,
            out_area: out,
            reports: RefCell::new(Vec::<Rc<Area>>::new()),
            table: RefCell::default(),
            backlog: RefCell::default(),
            progressed: RefCell::default(),
            breathe: reference(env, breathe)?,
            worker: side,
            closed: Cell::new(false),
            stack_top: Cell::new(port::stack_address()),
        }));
        // Runs when the environment ends, after its last JavaScript.
        value::check(sys::napi_add_env_cleanup_hook(env, Some(on_env_end), port.cast()))?;
        let mut object = ptr::null_mut();
        value::check(sys::napi_create_object(env, &mut object))?;
        for (name, callback) in if is_worker { WORKER_FUNCTIONS } else { ROOT_FUNCTIONS }
            .iter()
            .chain(FUNCTIONS)
        {
            properties.push((name, value::function(env, name, port, Some(*callback))?));
        }
        for (name, value) in properties {
            value::check(sys::napi_set_named_property(env, object, name.as_ptr(), value))?;
        }
        Ok(object)
    }
}

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const FUNCTIONS: &[(&CStr, Callback)] = &[
    (c"push", push::push),
    (c"pushWith", push::push_with),
    (c"phase", push::phase),
    (c"elapsed", push::elapsed),
    (c"retain", push::retain),
    (c"forget", push::forget),
    (c"drain", report::drain),
    (c"addReports", report::add_reports),
    (c"take", report::take),
    (c"cancel", report::cancel),
    (c"block", block::block),
    (c"listen", control::listen),
    (c"keepAlive", control::keep_alive),
    (c"backlog", control::backlog),
    (c"stats", control::stats),
    (c"queued", control::queued),
    (c"close", control::close),
];

const ROOT_FUNCTIONS: &[(&CStr, Callback)] = &[
    (c"fail", report::fail),
    (c"failNested", report::fail_nested),
    (c"isStuck", control::is_stuck),
    (c"hurry", control::hurry),
    (c"wantsWorker", control::wants_worker),
    (c"addWorker", control::add_worker),
    (c"removeWorker", control::remove_worker),
    (c"isReady", control::is_ready),
    (c"stop", control::stop),
    (c"service", control::service),
];

const WORKER_FUNCTIONS: &[(&CStr, Callback)] = &[
    (c"work", jobs::work),
    (c"payload", jobs::payload),
    (c"inputs", jobs::inputs),
    (c"stash", jobs::stash),
    (c"complete", jobs::complete),
    (c"progress", jobs::progress),
    (c"isCancelled", jobs::is_cancelled),
    (c"suspend", jobs::suspend),
    (c"setAside", jobs::set_aside),
    (c"resume", jobs::resume),
    (c"crash", jobs::crash),
    (c"retire", control::retire),
];

unsafe extern "C" fn on_env_end(port: *mut c_void) {
    // SAFETY: leaked in `open_port`; no JavaScript runs in this environment any more, and the hook runs once.
    let port = unsafe { Box::from_raw(port.cast::<Port>()) };
    port.close(None);
}

/// # Safety
/// As for [`open_port`].
unsafe fn reference(env: sys::napi_env, value: sys::napi_value) -> Outcome<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: the caller's promise.
    value::check(unsafe { sys::napi_create_reference(env, value, 1, &mut reference) })?;
    Ok(reference)
}

/// Refuses what is no function: it would only be noticed when it is called, where nobody can be told.
///
/// # Safety
/// As for [`open_port`].
unsafe fn check_functions(env: sys::napi_env, values: &[(&str, sys::napi_value)]) -> Outcome<()> {
    for (name, value) in values {
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: the caller's promise.
        value::check(unsafe { sys::napi_typeof(env, *value, &mut kind) })?;
        if kind != sys::ValueType::napi_function {
            return Err(Fault::Message(format!("makeparallel: {name} is not a function")));
        }
    }
    Ok(())
}

/// The worker's cancellation flags as an ArrayBuffer, so that a task's poll is a load; None where the runtime forbids buffers over foreign memory.
///
/// # Safety
/// As for [`open_port`].
unsafe fn cancelled_flags(env: sys::napi_env, worker: &Worker) -> Option<sys::napi_value> {
    unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, flags: *mut c_void) {
        // SAFETY: the reference that was given away below.
        drop(unsafe { Arc::from_raw(flags.cast::<crate::job_flags::JobFlags>()) });
    }
    let flags = Arc::into_raw(Arc::clone(&worker.flags));
    let mut buffer = ptr::null_mut();
    // SAFETY: the memory lives as long as the buffer, through the reference that its finalizer drops. Other threads write to it with atomic
    // operations, JavaScript reads it with `Atomics.load`.
    unsafe {
        let memory = (*flags).cancelled();
        let status = sys::napi_create_external_arraybuffer(
            env,
            memory.as_ptr().cast_mut().cast(),
            size_of_val(memory),
            Some(release),
            flags.cast_mut().cast(),
            &mut buffer,
        );
        if status != sys::Status::napi_ok {
            release(env, ptr::null_mut(), flags.cast_mut().cast());
            return None;
        }
    }
    Some(buffer)
}

/// Opens a pool whose root is the current environment.
///
/// @param threads most workers
/// @param isV8 whether the engine is V8, so that its own interface may be used
/// @param onWake called on the event loop when there is news: drain, and look for services
/// @param breathe a function that does nothing
#[napi(ts_return_type = "BindingRoot")]
pub fn open_pool<'env>(
    env: &'env Env,
    threads: u32,
    is_v8: bool,
    on_wake: Function<'env, (), ()>,
    breathe: Function<'env, (), ()>,
) -> Result<Object<'env>> {
    // SAFETY: called by JavaScript on this thread, with values of this environment.
    unsafe { check_functions(env.raw(), &[("onWake", on_wake.raw()), ("breathe", breathe.raw())]) }?;
    pin::pin_library();
    let pool = registry::open(threads);
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    // SAFETY: called by JavaScript on this thread, with functions of this environment.
    unsafe {
        if is_v8 {
            Engine::prepare(env.raw());
        }
        let object = open_port(
            env.raw(),
            Parts {
                pool,
                worker: None,
                parker,
                unparker,
            },
            on_wake.raw(),
            breathe.raw(),
            None,
        )?;
        Object::from_napi_value(env.raw(), object)
    }
}

/// Makes the current environment a worker of a pool. Null when the pool has gone, or the worker with that id.
///
/// @param run runs the job that the header describes
/// @param pump the event loop is about to turn inside of a wait (false), or has turned (true): then immediates, microtasks and ticks are run
/// @param onWake as for openPool; also when there is work for a worker that waits in its event loop
#[napi(ts_return_type = "BindingWorker | null")]
pub fn attach_worker<'env>(
    env: &'env Env,
    pool: u32,
    id: u32,
    run: Function<'env, (), i32>,
    pump: Function<'env, bool, ()>,
    on_wake: Function<'env, (), ()>,
    breathe: Function<'env, (), ()>,
) -> Result<Option<Object<'env>>> {
    let functions = [
        ("run", run.raw()),
        ("pump", pump.raw()),
        ("onWake", on_wake.raw()),
        ("breathe", breathe.raw()),
    ];
    // SAFETY: called by JavaScript on this thread, with values of this environment.
    unsafe { check_functions(env.raw(), &functions) }?;
    let Some((pool, worker)) = registry::find(pool).and_then(|pool| pool.worker(id).map(|worker| (pool, worker)))
    else {
        return Ok(None);
    };
    let Some((parker, unparker)) = worker.attach() else {
        return Ok(None);
    };
    // SAFETY: called by JavaScript on this thread, with functions of this environment.
    unsafe {
        let parts = Parts {
            pool,
            worker: Some(worker),
            parker,
            unparker,
        };
        let object = open_port(
            env.raw(),
            parts,
            on_wake.raw(),
            breathe.raw(),
            Some((run.raw(), pump.raw())),
        )?;
        Object::from_napi_value(env.raw(), object).map(Some)
    }
}

/// A task's key: the manifest's path, and the id in it.
#[napi(object)]
pub struct BindingTaskKey {
    pub manifest: String,
    pub id: String,
}

/// The index of a task in a pool; the same key gives the same index in all its environments.
#[napi]
pub fn register_task(pool: u32, manifest: String, id: String) -> Result<u32> {
    let pool =
        registry::find(pool).ok_or_else(|| napi::Error::from_reason("makeparallel: the pool has been closed"))?;
    Ok(pool.keys.register((manifest, id)))
}

/// Notes that the tasks of an index go on asynchronously after they have begun.
#[napi]
pub fn mark_asynchronous(pool: u32, index: u32) {
    if let Some(pool) = registry::find(pool) {
        pool.keys.mark_asynchronous(index);
    }
}

/// What an index stands for.
#[napi]
pub fn task_key(pool: u32, index: u32) -> Option<BindingTaskKey> {
    let (manifest, id) = registry::find(pool)?.keys.get(index)?;
    Some(BindingTaskKey { manifest, id })
}

/// The time in ms on the clock of the reports, which is the same in all threads of the process.
#[napi]
pub fn clock() -> f64 {
    crate::clock::millis(crate::clock::now())
}

/// Whether ArrayBuffers move between threads without a copy, and SharedArrayBuffers can be passed.
#[napi]
pub fn moves_buffers() -> bool {
    Engine::get().is_some()
}
