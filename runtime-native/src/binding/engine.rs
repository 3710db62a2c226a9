//! Moving the memory of ArrayBuffers between isolates, which Node-API has no call for.
//!
//! The engine's own C++ interface does it: `GetBackingStore` gives a `std::shared_ptr<v8::BackingStore>`, `New` makes a buffer of one. Node exports
//! these functions from its executable on all platforms with the Itanium C++ ABI; they are looked up by name when the first pool opens, and
//! tried out once before anything depends on them. Where they are missing, bytes are copied instead.
//!
//! What is relied on of the ABI:
//! * a `napi_value` is a `v8::Local`, one pointer, which is also the `this` of the methods (Node's own headers assert the size);
//! * a class with a destructor is returned through a hidden pointer. Rust does the same for a struct of more than two words, on x86-64 and on
//!   arm64 alike, so the functions are declared to return three words, of which the callee writes two;
//! * a class with a destructor is passed as a pointer to a temporary of the caller, which the caller destroys. `ArrayBuffer::New` moves out of it and leaves
//!   null behind; `SharedArrayBuffer::New` copies it, so there is a reference left to give up;
//! * the control block of a shared pointer begins with a pointer and then the count of the references (libstdc++) or that less one (libc++). A reference
//!   that is not the last one is given up by counting down. `try_out` sees that the count is there.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use napi::sys;

use super::value::{Outcome, check};
use crate::payload::BackingStore;

/// Two words and one that only makes the struct large enough to be returned through memory.
#[repr(C)]
struct Returned {
    store: [MaybeUninit<usize>; 2],
    _unused: MaybeUninit<usize>,
}

type GetStore = unsafe extern "C" fn(this: sys::napi_value) -> Returned;
type MakeBuffer = unsafe extern "C" fn(isolate: *mut c_void, store: *mut [usize; 2]) -> sys::napi_value;

pub struct Engine {
    current_isolate: unsafe extern "C" fn() -> *mut c_void,
    get_store: GetStore,
    make_buffer: MakeBuffer,
    get_shared_store: GetStore,
    make_shared_buffer: MakeBuffer,
    data: unsafe extern "C" fn(store: usize) -> *const u8,
    byte_length: unsafe extern "C" fn(store: usize) -> usize,
    is_shared: unsafe extern "C" fn(store: usize) -> bool,
    is_shared_buffer: unsafe extern "C" fn(value: sys::napi_value) -> bool,
}

static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();

/// Mangled names, by the two standard libraries in use: `std::shared_ptr` and `std::__1::shared_ptr`.
const MAKE_BUFFER: [&str; 2] = [
    "_ZN2v811ArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE",
    "_ZN2v811ArrayBuffer3NewEPNS_7IsolateENSt3__110shared_ptrINS_12BackingStoreEEE",
];
const MAKE_SHARED_BUFFER: [&str; 2] = [
    "_ZN2v817SharedArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE",
    "_ZN2v817SharedArrayBuffer3NewEPNS_7IsolateENSt3__110shared_ptrINS_12BackingStoreEEE",
];

impl Engine {
    #[cfg(unix)]
    fn find() -> Option<Self> {
        let process = libloading::os::unix::Library::this();
        macro_rules! symbol {
            ($type:ty, $names:expr) => {
                $names.iter().find_map(|name: &&str| {
                    // SAFETY: the mangled name fixes the C++ signature, which the declared type mirrors as explained at the top of this file.
                    unsafe { process.get::<$type>(name.as_bytes()) }.ok().map(|symbol| *symbol)
                })?
            };
        }
        Some(Self {
            current_isolate: symbol!(unsafe extern "C" fn() -> *mut c_void, ["_ZN2v87Isolate10GetCurrentEv"]),
            get_store: symbol!(GetStore, ["_ZN2v811ArrayBuffer15GetBackingStoreEv"]),
            make_buffer: symbol!(MakeBuffer, MAKE_BUFFER),
            get_shared_store: symbol!(GetStore, ["_ZN2v817SharedArrayBuffer15GetBackingStoreEv"]),
            make_shared_buffer: symbol!(MakeBuffer, MAKE_SHARED_BUFFER),
            data: symbol!(
                unsafe extern "C" fn(usize) -> *const u8,
                ["_ZNK2v812BackingStore4DataEv"]
            ),
            byte_length: symbol!(
                unsafe extern "C" fn(usize) -> usize,
                ["_ZNK2v812BackingStore10ByteLengthEv"]
            ),
            is_shared_buffer: symbol!(
                unsafe extern "C" fn(sys::napi_value) -> bool,
                ["_ZNK2v85Value19IsSharedArrayBufferEv"]
            ),
            is_shared: symbol!(
                unsafe extern "C" fn(usize) -> bool,
                ["_ZNK2v812BackingStore8IsSharedEv"]
            ),
        })
    }

    #[cfg(not(unix))]
    fn find() -> Option<Self> {
        None
    }

    /// The functions, if this process has them and they have passed [`Engine::prepare`].
    pub fn get() -> Option<&'static Self> {
        ENGINE.get().and_then(Option::as_ref)
    }

    /// Looks the functions up and moves a buffer to and fro.
    ///
    /// # Safety
    /// `env` must belong to the current thread, inside of a call from JavaScript, in a process whose engine is V8.
    pub unsafe fn prepare(env: sys::napi_env) {
        ENGINE.get_or_init(|| {
            // SAFETY: the caller's promise.
            Self::find().filter(|engine| unsafe { engine.try_out(env) }.unwrap_or(false))
        });
    }

    /// # Safety
    /// As for [`Engine::prepare`].
    unsafe fn try_out(&self, env: sys::napi_env) -> Outcome<bool> {
        let mut data = ptr::null_mut();
        let mut buffer = ptr::null_mut();
        // SAFETY: the caller's promise; `buffer` is an ArrayBuffer, here and below.
        check(unsafe { sys::napi_create_arraybuffer(env, 32, &mut data, &mut buffer) })?;
        // SAFETY: as said above.
        let store = unsafe { self.store_of(buffer) };
        let before = Self::count(store.0).load(Ordering::SeqCst);
        // SAFETY: as said above.
        let second = unsafe { self.store_of(buffer) }.into_words();
        let counts = Self::count(second).load(Ordering::SeqCst) == before.wrapping_add(1) && second == store.0;
        if counts {
            Self::give_up(second);
        }
        // SAFETY: a store that was just given out.
        let (address, length) = unsafe { ((self.data)(store.0[0]), (self.byte_length)(store.0[0])) };
        if !counts || address.cast_mut().cast() != data || length != 32 {
            // Words of unknown meaning: leaked rather than kept.
            store.into_words();
            return Ok(false);
        }
        // SAFETY: as said above.
        check(unsafe { sys::napi_detach_arraybuffer(env, buffer) })?;
        // SAFETY: as said above.
        let moved = unsafe { self.buffer_of(store) };
        let (mut moved_data, mut moved_length) = (ptr::null_mut(), 0);
        // SAFETY: as said above.
        check(unsafe { sys::napi_get_arraybuffer_info(env, moved, &mut moved_data, &mut moved_length) })?;
        Ok(moved_data == data && moved_length == 32)
    }

    /// The count of references in a shared pointer's control block. Its low half in libc++, where it is 64 bits wide: it never gets that large.
    fn count<'store>(words: [usize; 2]) -> &'store AtomicU32 {
        // SAFETY: the second word of a pointer that owns something is the address of its control block, which lives as long as the pointer does; see the
        // top of this file for its layout.
        unsafe { &*((words[1] + size_of::<usize>()) as *const AtomicU32) }
    }

    /// Gives up a reference that is not the last one: the buffer that was just made of it has another. Nothing, if it has been moved out of.
    fn give_up(words: [usize; 2]) {
        if words[1] != 0 {
            // Release: as the destructor would. Nobody frees anything here, so there is nothing to acquire.
            Self::count(words).fetch_sub(1, Ordering::Release);
        }
    }

    fn received(returned: Returned) -> BackingStore {
        // SAFETY: the callee has constructed a `std::shared_ptr`, two words, in place.
        BackingStore(returned.store.map(|word| unsafe { word.assume_init() }))
    }

    /// The memory of an ArrayBuffer, which stays attached until the caller detaches it.
    ///
    /// # Safety
    /// `buffer` must be an ArrayBuffer in the current thread's isolate.
    pub unsafe fn store_of(&self, buffer: sys::napi_value) -> BackingStore {
        // SAFETY: the caller's promise; the ABI is explained at the top.
        Self::received(unsafe { (self.get_store)(buffer) })
    }

    /// The memory of a SharedArrayBuffer.
    ///
    /// # Safety
    /// `buffer` must be a SharedArrayBuffer in the current thread's isolate.
    pub unsafe fn shared_store_of(&self, buffer: sys::napi_value) -> BackingStore {
        // SAFETY: as above.
        Self::received(unsafe { (self.get_shared_store)(buffer) })
    }

    /// A new ArrayBuffer in the current isolate that owns this memory.
    ///
    /// # Safety
    /// An isolate must be entered with an open handle scope; the store must be that of an ArrayBuffer which has been detached.
    pub unsafe fn buffer_of(&self, store: BackingStore) -> sys::napi_value {
        let mut words = store.into_words();
        // SAFETY: the caller's promise.
        let buffer = unsafe { (self.make_buffer)((self.current_isolate)(), &mut words) };
        Self::give_up(words);
        buffer
    }

    /// A new SharedArrayBuffer in the current isolate over this memory.
    ///
    /// # Safety
    /// An isolate must be entered with an open handle scope; the store must be that of a SharedArrayBuffer.
    pub unsafe fn shared_buffer_of(&self, store: BackingStore) -> sys::napi_value {
        let mut words = store.into_words();
        // SAFETY: as above.
        let buffer = unsafe { (self.make_shared_buffer)((self.current_isolate)(), &mut words) };
        Self::give_up(words);
        buffer
    }

    /// Whether a value is a SharedArrayBuffer.
    ///
    /// # Safety
    /// `value` must be one of the current thread's isolate.
    pub unsafe fn is_shared_buffer(&self, value: sys::napi_value) -> bool {
        // SAFETY: the caller's promise; as for the other methods, `this` is what the `Local` holds.
        unsafe { (self.is_shared_buffer)(value) }
    }

    /// Whether it is the memory of a SharedArrayBuffer.
    pub fn is_shared(&self, store: &BackingStore) -> bool {
        // SAFETY: the first word is the `BackingStore*`, alive as long as `store`.
        unsafe { (self.is_shared)(store.0[0]) }
    }

    /// The bytes of a store, for copying.
    ///
    /// # Safety
    /// The store must be that of an ArrayBuffer which no isolate owns at the moment, and stay so while the slice lives.
    pub unsafe fn bytes_of<'store>(&self, store: &'store BackingStore) -> &'store [u8] {
        // SAFETY: the first word of the shared pointer is the `BackingStore*`; nobody writes to memory that no isolate owns.
        unsafe {
            let (data, length) = ((self.data)(store.0[0]), (self.byte_length)(store.0[0]));
            if length == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(data, length)
            }
        }
    }
}
