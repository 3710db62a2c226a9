//! Small conversions between JavaScript values and Rust, on the raw interface: no strings, no serialisation, nothing allocated.
//!
//! All functions here need a `napi_env` that belongs to the current thread and is inside of a call from JavaScript (or a callback of its event
//! loop, with an open handle scope), and values of that environment. That is their common safety contract.

use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::sys;

use super::port::Port;

/// Why a callback cannot go on: a JavaScript exception is pending already, or one with this message is to be thrown.
pub enum Fault {
    Pending,
    Message(String),
}

pub type Outcome<T> = Result<T, Fault>;

/// Turns a status into a result.
pub fn check(status: sys::napi_status) -> Outcome<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        sys::Status::napi_pending_exception | sys::Status::napi_cannot_run_js => Err(Fault::Pending),
        other => Err(Fault::Message(format!("Node-API call failed with status {other}"))),
    }
}

/// Common frame of all raw callbacks: fetches the arguments and the port, and turns faults and panics into exceptions.
///
/// # Safety
/// To be called from a callback that was made by [`function`] with a pointer to a live `Port`, with that callback's own parameters.
pub unsafe fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Port, [sys::napi_value; N]) -> Outcome<sys::napi_value>,
) -> sys::napi_value {
    let mut count = N;
    let mut arguments = [ptr::null_mut(); N];
    let mut data = ptr::null_mut();
    // SAFETY: the parameters come from Node; the array has room for `count`; missing arguments are filled with undefined.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            arguments.as_mut_ptr(),
            ptr::null_mut(),
            &mut data,
        )
    };
    // SAFETY: `data` is the port that `function` was given; it lives until the environment's cleanup, after which no JavaScript runs.
    let port = unsafe { &*data.cast::<Port>() };
    let fault = match catch_unwind(AssertUnwindSafe(|| body(port, arguments))) {
        Ok(Ok(value)) => return value,
        Ok(Err(Fault::Pending)) => return ptr::null_mut(),
        Ok(Err(Fault::Message(message))) => message,
        Err(_) => "makeparallel: internal error in the native runtime".to_owned(),
    };
    // SAFETY: common contract of this module.
    unsafe { throw(env, &fault) };
    ptr::null_mut()
}

/// # Safety
/// Common contract of this module.
pub unsafe fn throw(env: sys::napi_env, message: &str) {
    let text: Vec<u8> = message.bytes().filter(|byte| *byte != 0).chain([0]).collect();
    // SAFETY: `text` ends with a NUL byte.
    unsafe { sys::napi_throw_error(env, ptr::null(), text.as_ptr().cast()) };
}

/// Sets a property to a new function whose callback gets `port`.
///
/// # Safety
/// Common contract; `port` must outlive the environment's JavaScript.
pub unsafe fn function(
    env: sys::napi_env,
    name: &CStr,
    port: *const Port,
    callback: sys::napi_callback,
) -> Outcome<sys::napi_value> {
    let mut value = ptr::null_mut();
    // SAFETY: common contract; the name is NUL-terminated.
    check(unsafe {
        sys::napi_create_function(
            env,
            name.as_ptr(),
            name.to_bytes().len() as isize,
            callback,
            port.cast_mut().cast::<c_void>(),
            &mut value,
        )
    })?;
    Ok(value)
}

macro_rules! conversions {
    ($($(#[$doc:meta])* $name:ident: $call:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// Common contract of this module.
        pub unsafe fn $name(env: sys::napi_env, value: sys::napi_value) -> Outcome<$type> {
            let mut result: $type = Default::default();
            // SAFETY: common contract.
            check(unsafe { sys::$call(env, value, &mut result) })?;
            Ok(result)
        }
    )*};
}

conversions! {
    /// A number as an integer; NaN and infinities give 0.
    int: napi_get_value_int32 -> i32;
    /// A number.
    number: napi_get_value_double -> f64;
    /// A boolean.
    boolean: napi_get_value_bool -> bool;
    /// Length of an array.
    array_length: napi_get_array_length -> u32;
}

/// A non-negative integer.
///
/// # Safety
/// Common contract of this module.
pub unsafe fn index(env: sys::napi_env, value: sys::napi_value) -> Outcome<usize> {
    // SAFETY: common contract.
    Ok(unsafe { int(env, value) }?.max(0) as usize)
}

/// # Safety
/// Common contract of this module.
pub unsafe fn from_int(env: sys::napi_env, value: i32) -> Outcome<sys::napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: common contract.
    check(unsafe { sys::napi_create_int32(env, value, &mut result) })?;
    Ok(result)
}

/// # Safety
/// Common contract of this module.
pub unsafe fn from_number(env: sys::napi_env, value: f64) -> Outcome<sys::napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: common contract.
    check(unsafe { sys::napi_create_double(env, value, &mut result) })?;
    Ok(result)
}

/// The value that a callback returns to give `undefined`.
pub fn nothing() -> sys::napi_value {
    ptr::null_mut()
}

/// Whether it is neither null nor undefined.
///
/// # Safety
/// Common contract of this module.
pub unsafe fn is_present(env: sys::napi_env, value: sys::napi_value) -> Outcome<bool> {
    let mut kind = sys::ValueType::napi_undefined;
    // SAFETY: common contract.
    check(unsafe { sys::napi_typeof(env, value, &mut kind) })?;
    Ok(kind != sys::ValueType::napi_undefined && kind != sys::ValueType::napi_null)
}

/// # Safety
/// Common contract of this module.
pub unsafe fn element(env: sys::napi_env, array: sys::napi_value, position: u32) -> Outcome<sys::napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: common contract.
    check(unsafe { sys::napi_get_element(env, array, position, &mut result) })?;
    Ok(result)
}

/// An array of integers, empty for null and undefined.
///
/// # Safety
/// Common contract of this module.
pub unsafe fn ints(env: sys::napi_env, array: sys::napi_value) -> Outcome<Vec<i32>> {
    // SAFETY: common contract, here and in the following calls.
    if !unsafe { is_present(env, array) }? {
        return Ok(Vec::new());
    }
    // SAFETY: as said above.
    let length = unsafe { array_length(env, array) }?;
    (0..length)
        // SAFETY: as said above.
        .map(|position| unsafe { int(env, element(env, array, position)?) })
        .collect()
}

/// # Safety
/// Common contract of this module.
pub unsafe fn new_array(env: sys::napi_env, values: &[sys::napi_value]) -> Outcome<sys::napi_value> {
    let mut array = ptr::null_mut();
    // SAFETY: common contract, here and below.
    check(unsafe { sys::napi_create_array_with_length(env, values.len(), &mut array) })?;
    for (position, value) in values.iter().enumerate() {
        // SAFETY: as said above.
        check(unsafe { sys::napi_set_element(env, array, position as u32, *value) })?;
    }
    Ok(array)
}

/// A new ArrayBuffer with these bytes.
///
/// # Safety
/// Common contract of this module.
pub unsafe fn new_array_buffer(env: sys::napi_env, bytes: &[u8]) -> Outcome<sys::napi_value> {
    let mut data = ptr::null_mut();
    let mut buffer = ptr::null_mut();
    // SAFETY: common contract.
    check(unsafe { sys::napi_create_arraybuffer(env, bytes.len(), &mut data, &mut buffer) })?;
    if !bytes.is_empty() {
        // SAFETY: the buffer is new and has that many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len()) };
    }
    Ok(buffer)
}

/// Memory that JavaScript sees as an ArrayBuffer for the life of the environment, or until it is released, and Rust as a pointer. It belongs to the
/// JavaScript engine, which never moves it; the strong reference keeps it alive, and nothing on the JavaScript side detaches it.
pub struct Area {
    pub start: *mut u8,
    pub length: usize,
    reference: sys::napi_ref,
}

impl Area {
    /// # Safety
    /// Common contract of this module.
    pub unsafe fn new(env: sys::napi_env, length: usize) -> Outcome<(Self, sys::napi_value)> {
        let mut data = ptr::null_mut();
        let mut buffer = ptr::null_mut();
        let mut reference = ptr::null_mut();
        // SAFETY: common contract, for both calls. The reference ends with the environment, or is deleted by `release`.
        check(unsafe { sys::napi_create_arraybuffer(env, length, &mut data, &mut buffer) })?;
        // SAFETY: as said above.
        check(unsafe { sys::napi_create_reference(env, buffer, 1, &mut reference) })?;
        Ok((
            Self {
                start: data.cast(),
                length,
                reference,
            },
            buffer,
        ))
    }

    /// The memory may go, as far as Rust is concerned.
    ///
    /// # Safety
    /// Common contract of this module; to be called once, and nobody uses `start` any more.
    pub unsafe fn release(&self, env: sys::napi_env) {
        // SAFETY: the caller's promise. A reference that can't be deleted is kept until the environment ends.
        unsafe { sys::napi_delete_reference(env, self.reference) };
    }
}
