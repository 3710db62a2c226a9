//! Waking an environment's event loop from any thread.
//!
//! A `uv_async_t` of our own, found through `napi_get_uv_event_loop` and the libuv functions that Node's executable exports: a thread-safe function
//! costs more, and in a worker's environment its teardown has had use-after-free faults in several Node versions. Where libuv is
//! missing (other runtimes), a thread-safe function is used, and workers cannot wait in their loop.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock};

use napi::sys;
use parking_lot::Mutex;

use super::value::{Outcome, check};
use crate::mailbox::LoopWaker;

type Handle = *mut c_void;
type Loop = *mut sys::uv_loop_s;

/// `UV_ASYNC` in `uv_handle_type`, stable since libuv 1.0.
const UV_ASYNC: c_int = 1;
/// `UV_RUN_NOWAIT` in `uv_run_mode`.
const UV_RUN_NOWAIT: c_int = 2;

struct Libuv {
    async_init: unsafe extern "C" fn(Loop, Handle, unsafe extern "C" fn(Handle)) -> c_int,
    async_send: unsafe extern "C" fn(Handle) -> c_int,
    close: unsafe extern "C" fn(Handle, unsafe extern "C" fn(Handle)),
    make_ref: unsafe extern "C" fn(Handle),
    make_unref: unsafe extern "C" fn(Handle),
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    loop_alive: unsafe extern "C" fn(Loop) -> c_int,
    run: unsafe extern "C" fn(Loop, c_int) -> c_int,
    stop: unsafe extern "C" fn(Loop),
}

static LIBUV: LazyLock<Option<Libuv>> = LazyLock::new(|| {
    #[cfg(unix)]
    let process = libloading::os::unix::Library::this();
    #[cfg(windows)]
    let process = libloading::os::windows::Library::this().ok()?;
    macro_rules! symbol {
        ($name:literal) => {
            // SAFETY: libuv's public functions, declared above as in uv.h, whose ABI is stable within major version 1.
            *unsafe { process.get($name) }.ok()?
        };
    }
    Some(Libuv {
        async_init: symbol!(b"uv_async_init"),
        async_send: symbol!(b"uv_async_send"),
        close: symbol!(b"uv_close"),
        make_ref: symbol!(b"uv_ref"),
        make_unref: symbol!(b"uv_unref"),
        handle_size: symbol!(b"uv_handle_size"),
        loop_alive: symbol!(b"uv_loop_alive"),
        run: symbol!(b"uv_run"),
        stop: symbol!(b"uv_stop"),
    })
});

enum Channel {
    Open(Handle),
    /// A thread-safe function.
    Fallback(sys::napi_threadsafe_function),
    Closed,
}

/// What is behind a handle's `data` pointer. Freed when the handle has been closed.
struct Context {
    env: sys::napi_env,
    callback: sys::napi_ref,
    waker: Arc<EventLoop>,
    cleanup: Mutex<sys::napi_async_cleanup_hook_handle>,
}

pub struct EventLoop {
    /// The lock is held while sending, so that a handle is never closed under a sender.
    channel: Mutex<Channel>,
    uv_loop: Loop,
}

// SAFETY: the pointers are only used under the lock (`uv_async_send` may be called from any thread while the handle is open), or, where a method
// says so, on the loop's own thread.
unsafe impl Send for EventLoop {}
// SAFETY: see above.
unsafe impl Sync for EventLoop {}

impl LoopWaker for EventLoop {
    fn wake(&self) {
        match (&*self.channel.lock(), &*LIBUV) {
            // SAFETY: the handle is open as long as the channel says so, and closing needs the lock.
            (Channel::Open(handle), Some(uv)) => drop(unsafe { (uv.async_send)(*handle) }),
            // SAFETY: as above; a full queue or a closing function only loses a wake that nobody waits for.
            (Channel::Fallback(function), _) => unsafe {
                sys::napi_call_threadsafe_function(
                    *function,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            },
            _ => {}
        }
    }
}

impl EventLoop {
    /// Opens a channel to the current environment's loop; `callback` is called, without arguments, once or more after each wake. It does not
    /// keep the process alive until [`EventLoop::set_ref`].
    ///
    /// # Safety
    /// `env` must belong to the current thread, inside of a call from JavaScript, and `callback` must be a function.
    pub unsafe fn open(env: sys::napi_env, callback: sys::napi_value) -> Outcome<Arc<Self>> {
        let mut uv_loop = ptr::null_mut();
        // SAFETY: the caller's promise.
        let status = unsafe { sys::napi_get_uv_event_loop(env, &mut uv_loop) };
        match &*LIBUV {
            // SAFETY: the caller's promise, for both.
            Some(uv) if status == sys::Status::napi_ok => unsafe { Self::open_async(env, callback, uv, uv_loop) },
            // SAFETY: as said above.
            _ => unsafe { Self::open_fallback(env, callback) },
        }
    }

    unsafe fn open_async(
        env: sys::napi_env,
        callback: sys::napi_value,
        uv: &Libuv,
        uv_loop: Loop,
    ) -> Outcome<Arc<Self>> {
        let mut reference = ptr::null_mut();
        // SAFETY: `open`'s contract.
        check(unsafe { sys::napi_create_reference(env, callback, 1, &mut reference) })?;
        let waker = Arc::new(Self {
            channel: Mutex::new(Channel::Closed),
            uv_loop,
        });
        // SAFETY: libuv tells the size of its own handle type; `u64`s are as aligned as any of its fields.
        let words = unsafe { (uv.handle_size)(UV_ASYNC) }.div_ceil(8);
        let handle: Handle = Box::into_raw(vec![0_u64; words].into_boxed_slice()).cast();
        // SAFETY: the loop is that of the current thread, and the handle's memory lives until its close callback.
        let failed = unsafe { (uv.async_init)(uv_loop, handle, on_wake) } != 0;
        if failed {
            return Err(super::value::Fault::Message("libuv refuses one more handle".into()));
        }
        let context = Box::new(Context {
            env,
            callback: reference,
            waker: Arc::clone(&waker),
            cleanup: Mutex::new(ptr::null_mut()),
        });
        let context = Box::into_raw(context);
        // SAFETY: `void* data` is the first field of every libuv handle.
        unsafe { *handle.cast::<*mut Context>() = context };
        // SAFETY: an open handle on its own thread.
        unsafe { (uv.make_unref)(handle) };
        *waker.channel.lock() = Channel::Open(handle);
        let mut hook = ptr::null_mut();
        // SAFETY: `context` lives until the close callback, which removes the hook.
        check(unsafe { sys::napi_add_async_cleanup_hook(env, Some(on_cleanup), context.cast(), &mut hook) })?;
        // SAFETY: just made; nobody else has it.
        unsafe { *(*context).cleanup.lock() = hook };
        Ok(waker)
    }

    unsafe fn open_fallback(env: sys::napi_env, callback: sys::napi_value) -> Outcome<Arc<Self>> {
        let mut name = ptr::null_mut();
        let text = "makeparallel";
        let mut function = ptr::null_mut();
        // SAFETY: `open`'s contract, for all three calls.
        check(unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut name) })?;
        // SAFETY: as said above.
        check(unsafe {
            sys::napi_create_threadsafe_function(
                env,
                callback,
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
                None,
                &mut function,
            )
        })?;
        // SAFETY: as said above.
        check(unsafe { sys::napi_unref_threadsafe_function(env, function) })?;
        Ok(Arc::new(Self {
            channel: Mutex::new(Channel::Fallback(function)),
            uv_loop: ptr::null_mut(),
        }))
    }

    /// Whether the pending wakes keep the process alive. On the loop's own thread only.
    pub fn set_ref(&self, env: sys::napi_env, keep_alive: bool) {
        match (&*self.channel.lock(), &*LIBUV) {
            // SAFETY: an open handle, on its own thread.
            (Channel::Open(handle), Some(uv)) => unsafe {
                if keep_alive {
                    (uv.make_ref)(*handle)
                } else {
                    (uv.make_unref)(*handle)
                }
            },
            // SAFETY: as above.
            (Channel::Fallback(function), _) => unsafe {
                if keep_alive {
                    sys::napi_ref_threadsafe_function(env, *function)
                } else {
                    sys::napi_unref_threadsafe_function(env, *function)
                };
            },
            _ => {}
        }
    }

    /// Whether something other than this channel keeps the loop alive: timers, sockets, whatever tasks have left. On the loop's own thread only.
    /// `kept` says whether the channel itself is currently made to.
    pub fn has_other_work(&self, kept: bool) -> bool {
        let (Channel::Open(handle), Some(uv)) = (&*self.channel.lock(), &*LIBUV) else {
            return false;
        };
        // SAFETY: an open handle and its loop, on their own thread.
        unsafe {
            (uv.make_unref)(*handle);
            let alive = (uv.loop_alive)(self.uv_loop) != 0;
            if kept {
                (uv.make_ref)(*handle);
            }
            alive
        }
    }

    /// Whether a worker can wait in its event loop, to be woken through this channel.
    pub fn is_native(&self) -> bool {
        !self.uv_loop.is_null()
    }

    /// Lets the loop do what it has to do at the moment, from within a call that came from it. On the loop's own thread only.
    pub fn turn(&self) {
        if let (false, Some(uv)) = (self.uv_loop.is_null(), &*LIBUV) {
            // SAFETY: the loop of this thread. libuv does not promise that nested turns work, but its loop keeps no state across callbacks that
            // a nested, non-waiting turn would spoil; it is only used where the alternative is a deadlock.
            unsafe { (uv.run)(self.uv_loop, UV_RUN_NOWAIT) };
        }
    }

    /// Makes the loop end its present turn. On the loop's own thread only.
    ///
    /// Node ends an environment by asking its loop to stop, once; a nested turn ([`EventLoop::turn`]) may have used that request up, after which
    /// the outer loop would wait for ever.
    pub fn stop(&self) {
        if let (false, Some(uv)) = (self.uv_loop.is_null(), &*LIBUV) {
            // SAFETY: the loop of this thread.
            unsafe { (uv.stop)(self.uv_loop) };
        }
    }

    /// No more wakes. On the loop's own thread only. Repeatable. With its living environment, the callback is let go as well; else it ends with that.
    pub fn close(&self, alive: Option<sys::napi_env>) {
        let channel = std::mem::replace(&mut *self.channel.lock(), Channel::Closed);
        match (channel, &*LIBUV) {
            // SAFETY: open until now and nobody else can close it; `on_closed` frees it and its context, in a later phase of the loop. libuv calls `on_wake` no more, so the
            // reference is used no more.
            (Channel::Open(handle), Some(uv)) => unsafe {
                if let Some(env) = alive {
                    sys::napi_delete_reference(env, (**handle.cast::<*mut Context>()).callback);
                }
                (uv.close)(handle, on_closed);
            },
            // SAFETY: as above.
            (Channel::Fallback(function), _) => unsafe {
                sys::napi_release_threadsafe_function(function, sys::ThreadsafeFunctionReleaseMode::abort);
            },
            _ => {}
        }
    }
}

unsafe extern "C" fn on_wake(handle: Handle) {
    // SAFETY: set in `open_async`; alive until the handle is closed, after which libuv calls no more.
    let context = unsafe { &**handle.cast::<*mut Context>() };
    let env = context.env;
    let (mut scope, mut receiver, mut callback, mut result) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: called by the environment's own loop, on its thread. While it is being torn down the calls fail and nothing happens.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        if sys::napi_get_global(env, &mut receiver) == sys::Status::napi_ok
            && sys::napi_get_reference_value(env, context.callback, &mut callback) == sys::Status::napi_ok
            && !callback.is_null()
            && sys::napi_make_callback(env, ptr::null_mut(), receiver, callback, 0, ptr::null(), &mut result)
                == sys::Status::napi_pending_exception
        {
            let mut error = ptr::null_mut();
            if sys::napi_get_and_clear_last_exception(env, &mut error) == sys::Status::napi_ok {
                sys::napi_fatal_exception(env, error);
            }
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

unsafe extern "C" fn on_cleanup(_hook: sys::napi_async_cleanup_hook_handle, data: *mut c_void) {
    // SAFETY: the context lives until `on_closed`, and the hook is removed there.
    unsafe { (*data.cast::<Context>()).waker.close(None) };
}

unsafe extern "C" fn on_closed(handle: Handle) {
    // SAFETY: both were leaked in `open_async`; libuv has let go of the handle and calls this once. Removing the hook tells Node, if it is
    // waiting for that, that the environment may go on ending.
    unsafe {
        let context = Box::from_raw(*handle.cast::<*mut Context>());
        let hook = *context.cleanup.lock();
        if !hook.is_null() {
            sys::napi_remove_async_cleanup_hook(hook);
        }
        if let Some(uv) = &*LIBUV {
            let words = (uv.handle_size)(UV_ASYNC).div_ceil(8);
            drop(Box::from_raw(ptr::slice_from_raw_parts_mut(
                handle.cast::<u64>(),
                words,
            )));
        }
    }
}
