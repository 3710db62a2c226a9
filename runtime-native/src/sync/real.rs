//! The primitives themselves.

pub use std::hint::spin_loop;
pub use std::sync::atomic;
pub use std::thread::yield_now;

pub use crossbeam_deque::{Injector, Steal};
pub use crossbeam_utils::sync::{Parker, Unparker};
pub use parking_lot::{Mutex, RwLock};

/// A cell whose accesses have a beginning and an end, so that its model can see two that overlap.
#[derive(Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Reads through a pointer that is valid inside of `access`.
    pub fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// Writes through a pointer that is valid inside of `access`.
    pub fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
