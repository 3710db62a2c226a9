//! Payloads on their way into and out of an isolate.

use std::ptr;
use std::slice;

use napi::sys;

use super::engine::Engine;
use super::value::{
    Area, Fault, Outcome, array_length, check, element, is_present, new_array, new_array_buffer, number,
};
use crate::payload::{Attachment, BackingStore, Bytes, Payload, take_dead_stores};

/// From this many bytes on, a writer's own buffer is moved instead of copied.
const MOVE_FROM: usize = 16 * 1024;

/// # Safety
/// `value` must belong to `env`, on its thread.
unsafe fn is_array_buffer(env: sys::napi_env, value: sys::napi_value) -> bool {
    let mut result = false;
    // SAFETY: the caller's promise.
    unsafe { sys::napi_is_arraybuffer(env, value, &mut result) };
    result
}

/// # Safety
/// `buffer` must be an ArrayBuffer of `env`, on its thread; the slice must not outlive the call from JavaScript, nor a call to it.
unsafe fn buffer_bytes<'call>(env: sys::napi_env, buffer: sys::napi_value) -> Outcome<&'call [u8]> {
    let (mut data, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the caller's promise.
    check(unsafe { sys::napi_get_arraybuffer_info(env, buffer, &mut data, &mut length) })?;
    // SAFETY: `length` bytes at `data` belong to the buffer.
    Ok(if length == 0 {
        &[]
    } else {
        // SAFETY: as said above.
        unsafe { slice::from_raw_parts(data.cast(), length) }
    })
}

/// Takes an ArrayBuffer's memory away from this isolate. None when it can't be moved and should be copied.
///
/// # Safety
/// `buffer` must be an ArrayBuffer of `env`, on its thread.
unsafe fn take_store(env: sys::napi_env, buffer: sys::napi_value) -> Option<BackingStore> {
    let engine = Engine::get()?;
    // SAFETY: the caller's promise, for both.
    let store = unsafe { engine.store_of(buffer) };
    // SAFETY: as said above.
    if unsafe { sys::napi_detach_arraybuffer(env, buffer) } == sys::Status::napi_ok {
        return Some(store);
    }
    // Not detachable (a WebAssembly memory): the isolate goes on owning it, so this reference must not be used by another. Given back at
    // once: the new buffer of the same memory is garbage from the start.
    // SAFETY: as above; nothing ever writes through that buffer.
    unsafe { engine.buffer_of(store) };
    None
}

/// A writer's payload, and what travels beside: it is in the buffer that the writer has grown into, which is moved if that is worth it, or in `home`, the
/// area that the writer starts in, which stays this port's.
///
/// # Safety
/// The values must be those of `env`, on its thread: a Uint8Array that starts at its buffer's first byte, an array or null, an array or null.
pub unsafe fn payload_of(
    env: sys::napi_env,
    view: sys::napi_value,
    length: usize,
    attachments: sys::napi_value,
    transfers: sys::napi_value,
    home: &Area,
) -> Outcome<Payload> {
    let (mut kind, mut size, mut data, mut buffer, mut offset) = (0, 0, ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: the caller's promise, here and below.
    check(unsafe {
        sys::napi_get_typedarray_info(env, view, &mut kind, &mut size, &mut data, &mut buffer, &mut offset)
    })?;
    if length > size {
        return Err(Fault::Message(
            "makeparallel: a payload is longer than its buffer".into(),
        ));
    }
    // SAFETY: as said above.
    let attachments = unsafe { attachments_of(env, attachments, transfers) }?;
    let movable = length >= MOVE_FROM && offset == 0 && data.cast() != home.start;
    let bytes = match if movable {
        // SAFETY: as said above.
        unsafe { take_store(env, buffer) }
    } else {
        None
    } {
        Some(store) => Bytes::Store(store, length),
        // SAFETY: `size` bytes at `data`, which includes the view's offset, belong to the view.
        None if length > 0 => Bytes::copy_of(unsafe { slice::from_raw_parts(data.cast(), length) }),
        None => Bytes::Empty,
    };
    Ok(Payload { bytes, attachments })
}

// A payload holds a thin pointer to the rare attachments; the lint wants the list itself there, which is three words.
#[allow(clippy::box_collection)]
unsafe fn attachments_of(
    env: sys::napi_env,
    attachments: sys::napi_value,
    transfers: sys::napi_value,
) -> Outcome<Option<Box<Vec<Attachment>>>> {
    // SAFETY: `payload_of`'s contract, in the whole function.
    if !unsafe { is_present(env, attachments) }? {
        return Ok(None);
    }
    // SAFETY: as said above.
    let moved = if unsafe { is_present(env, transfers) }? {
        // SAFETY: as said above.
        let count = unsafe { array_length(env, transfers) }?;
        (0..count)
            // SAFETY: as said above.
            .map(|at| unsafe { element(env, transfers, at) })
            .collect::<Outcome<Vec<_>>>()?
    } else {
        Vec::new()
    };
    // SAFETY: as said above.
    let count = unsafe { array_length(env, attachments) }?;
    let mut result = Vec::with_capacity(count as usize);
    for at in 0..count {
        // SAFETY: as said above.
        let value = unsafe { element(env, attachments, at) }?;
        // SAFETY: as said above.
        result.push(if unsafe { is_array_buffer(env, value) } {
            let moves = moved.iter().any(|other| {
                let mut same = false;
                // SAFETY: as said above.
                unsafe { sys::napi_strict_equals(env, value, *other, &mut same) };
                same
            });
            // SAFETY: as said above.
            unsafe { array_buffer_attachment(env, value, moves) }?
        } else {
            let Some(engine) = Engine::get() else {
                return Err(Fault::Message(
                    "makeparallel: this runtime has no way to share a SharedArrayBuffer with the native backend".into(),
                ));
            };
            // The codec attaches nothing but buffers for this backend (`Writer.hostObjects`); anything else would be taken for one below.
            // SAFETY: as said above.
            if !unsafe { engine.is_shared_buffer(value) } {
                return Err(Fault::Message(
                    "makeparallel: only buffers can travel beside the bytes".into(),
                ));
            }
            // SAFETY: as said above.
            Attachment::Shared(unsafe { engine.shared_store_of(value) })
        });
    }
    Ok(Some(Box::new(result)))
}

unsafe fn array_buffer_attachment(env: sys::napi_env, buffer: sys::napi_value, moves: bool) -> Outcome<Attachment> {
    // SAFETY: `payload_of`'s contract, in the whole function.
    if moves && let Some(store) = unsafe { take_store(env, buffer) } {
        return Ok(Attachment::Moved(store));
    }
    // SAFETY: as said above.
    let copy = Attachment::Copied(unsafe { buffer_bytes(env, buffer) }?.into());
    if moves {
        // Same meaning without the means. One that can't be detached stays as it is.
        // SAFETY: as said above.
        unsafe { sys::napi_detach_arraybuffer(env, buffer) };
    }
    Ok(copy)
}

/// A payload as JavaScript gets it: `[buffer, length, attachments | null]`.
///
/// # Safety
/// `env` must belong to the current thread, inside of a call from JavaScript.
pub unsafe fn deliver(env: sys::napi_env, payload: Payload) -> Outcome<sys::napi_value> {
    let length = payload.bytes.len();
    // SAFETY: the caller's promise, in the whole function.
    let buffer = match payload.bytes {
        // SAFETY: as said above.
        Bytes::Store(store, _) => unsafe { own(store) }?,
        // SAFETY: as said above.
        bytes => unsafe { new_array_buffer(env, bytes.as_slice().unwrap_or_default()) }?,
    };
    let attachments = match payload.attachments {
        Some(attachments) => {
            let values: Outcome<Vec<_>> = attachments
                .into_iter()
                // SAFETY: as said above.
                .map(|attachment| unsafe { attachment_value(env, attachment) })
                .collect();
            // SAFETY: as said above.
            unsafe { new_array(env, &values?) }?
        }
        // SAFETY: as said above.
        None => unsafe { null(env) }?,
    };
    // SAFETY: as said above.
    unsafe {
        new_array(
            env,
            &[buffer, super::value::from_number(env, length as f64)?, attachments],
        )
    }
}

/// As [`deliver`], for a payload that others read too: everything but shared memory is copied.
///
/// # Safety
/// As for [`deliver`]; nobody may write to the payload meanwhile.
pub unsafe fn deliver_copy(env: sys::napi_env, payload: &Payload) -> Outcome<sys::napi_value> {
    // SAFETY: the caller's promise, in the whole function.
    let bytes = match &payload.bytes {
        // SAFETY: as said above.
        Bytes::Store(store, length) => &unsafe { stored(store) }?[..*length],
        bytes => bytes.as_slice().unwrap_or_default(),
    };
    // SAFETY: as said above.
    let buffer = unsafe { new_array_buffer(env, bytes) }?;
    let attachments = match &payload.attachments {
        Some(attachments) => {
            let values: Outcome<Vec<_>> = attachments
                .iter()
                .map(|attachment| match attachment {
                    // SAFETY: as said above.
                    Attachment::Moved(store) => unsafe { new_array_buffer(env, stored(store)?) },
                    // SAFETY: as said above.
                    Attachment::Copied(bytes) => unsafe { new_array_buffer(env, bytes) },
                    // SAFETY: as said above.
                    Attachment::Shared(store) => unsafe { share(store) },
                })
                .collect();
            // SAFETY: as said above.
            unsafe { new_array(env, &values?) }?
        }
        // SAFETY: as said above.
        None => unsafe { null(env) }?,
    };
    // SAFETY: as said above.
    unsafe {
        new_array(
            env,
            &[buffer, super::value::from_number(env, bytes.len() as f64)?, attachments],
        )
    }
}

/// Frees the memory of buffers that nobody has received, by making garbage of them in this isolate.
///
/// # Safety
/// `env` must belong to the current thread, inside of a call from JavaScript.
pub unsafe fn bury_dead_stores(env: sys::napi_env) {
    let Some(engine) = Engine::get() else { return };
    for store in take_dead_stores() {
        let mut scope = ptr::null_mut();
        // SAFETY: the caller's promise. A store from a SharedArrayBuffer becomes an object of the same kind.
        unsafe {
            if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
                return;
            }
            if engine.is_shared(&store) {
                engine.shared_buffer_of(store)
            } else {
                engine.buffer_of(store)
            };
            sys::napi_close_handle_scope(env, scope);
        }
    }
}

unsafe fn attachment_value(env: sys::napi_env, attachment: Attachment) -> Outcome<sys::napi_value> {
    // SAFETY: `deliver`'s contract, for all of them.
    match attachment {
        // SAFETY: as said above.
        Attachment::Moved(store) => unsafe { own(store) },
        // SAFETY: as said above.
        Attachment::Copied(bytes) => unsafe { new_array_buffer(env, &bytes) },
        Attachment::Shared(store) => {
            let engine = engine()?;
            // SAFETY: as said above.
            Ok(unsafe { engine.shared_buffer_of(store) })
        }
    }
}

unsafe fn own(store: BackingStore) -> Outcome<sys::napi_value> {
    let engine = engine()?;
    // SAFETY: `deliver`'s contract; the store was detached when it was taken.
    Ok(unsafe { engine.buffer_of(store) })
}

unsafe fn stored(store: &BackingStore) -> Outcome<&[u8]> {
    let engine = engine()?;
    // SAFETY: a detached store that is shared between tasks: all of them only read it.
    Ok(unsafe { engine.bytes_of(store) })
}

/// One more SharedArrayBuffer over memory that others will receive too.
unsafe fn share(store: &BackingStore) -> Outcome<sys::napi_value> {
    let engine = engine()?;
    // SAFETY: `deliver`'s contract. The engine has no exported way to copy a shared pointer, but takes one by value and moves out of it. A
    // buffer made from the very words, whose own pointer is fetched again at once, leaves two references where one was: the one that the
    // words still stand for was consumed by `New`, and the one fetched takes its place. Its two words are the same, so `store` stays valid.
    unsafe {
        let buffer = engine.shared_buffer_of(BackingStore(store.0));
        engine.shared_store_of(buffer).into_words();
        Ok(buffer)
    }
}

fn engine() -> Outcome<&'static Engine> {
    Engine::get().ok_or_else(|| Fault::Message("makeparallel: no way to receive a moved buffer".into()))
}

unsafe fn null(env: sys::napi_env) -> Outcome<sys::napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: `deliver`'s contract.
    check(unsafe { sys::napi_get_null(env, &mut result) })?;
    Ok(result)
}

/// A duration in ms, where Infinity (and what is no time at all) means none.
///
/// # Safety
/// `value` must belong to `env`, on its thread.
pub unsafe fn duration(env: sys::napi_env, value: sys::napi_value) -> Outcome<Option<std::time::Duration>> {
    // SAFETY: the caller's promise.
    let millis = unsafe { number(env, value) }?;
    Ok(std::time::Duration::try_from_secs_f64(millis.max(0.0) / 1000.0).ok())
}
