//! Keeps this library loaded for the life of the process: Node unloads an addon with the last environment that loaded it, but the timer's thread
//! and other environments' callbacks run on.

use std::sync::Once;

static PINNED: Once = Once::new();

/// Idempotent.
pub fn pin_library() {
    PINNED.call_once(|| {
        #[cfg(unix)]
        pin();
    });
}

#[cfg(unix)]
fn pin() {
    use std::ffi::CStr;
    use std::mem::MaybeUninit;

    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: the address is inside of this library; `info` is only read when the call has filled it in.
    unsafe {
        if libc::dladdr(pin as *const libc::c_void, info.as_mut_ptr()) != 0 && !(*info.as_ptr()).dli_fname.is_null() {
            let name = CStr::from_ptr((*info.as_ptr()).dli_fname);
            // One more reference to the same library, never given back.
            libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        }
    }
}
