//! Models of the primitives, on loom.
//!
//! * `SeqCst` accesses: loom takes them for acquire and release only, which makes correct code look wrong. Here one more atomic stands for their single
//!   total order, in two ways, and models are explored in both (`atomic::set_order`). One: a store releases into it, and a load acquires
//!   from it. The other, for a load that is done before the store that precedes it can be seen: a store releases and acquires, a load does nothing. A
//!   read-modify-write is both, and so is a fence. A store that is not `SeqCst` is found in one of them, a load that is not in the other.
//! * A time-out never passes: a wake-up that is lost becomes a deadlock, which loom reports.
//! * The injector is the real one's two indices with the real one's orderings; what it stores is in a map that loom does not see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use loom::thread::yield_now;
pub use loom::thread::yield_now as spin_loop;

pub use crossbeam_deque::Steal;
pub use loom::cell::UnsafeCell;

pub mod atomic {
    use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

    use loom::sync::atomic as real;
    pub use std::sync::atomic::Ordering;

    loom::lazy_static! {
        static ref TOTAL_ORDER: real::AtomicU32 = real::AtomicU32::new(0);
    }

    /// Who keeps up the total order.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum KeptBy {
        Loads,
        Stores,
    }

    // Not modelled: the same for all threads of an exploration.
    thread_local! {
        static KEPT_BY: std::cell::Cell<KeptBy> = const { std::cell::Cell::new(KeptBy::Loads) };
    }

    /// For the explorations that this thread starts from now on.
    pub fn set_order(kept_by: KeptBy) {
        KEPT_BY.set(kept_by);
    }

    fn in_total_order(ordering: Ordering, effect: Ordering) {
        if ordering != Ordering::SeqCst {
            return;
        }
        match (KEPT_BY.get(), effect) {
            (KeptBy::Loads, effect) => drop(TOTAL_ORDER.fetch_add(0, effect)),
            (KeptBy::Stores, Acquire) => {}
            (KeptBy::Stores, _) => drop(TOTAL_ORDER.fetch_add(0, AcqRel)),
        }
    }

    /// What loom itself is told: it would take the order in which it happens to run things for the total order.
    fn without_order(ordering: Ordering, instead: Ordering) -> Ordering {
        if ordering == Ordering::SeqCst {
            instead
        } else {
            ordering
        }
    }

    pub fn fence(ordering: Ordering) {
        assert_eq!(ordering, Ordering::SeqCst, "only such fences are modelled");
        TOTAL_ORDER.fetch_add(0, AcqRel);
    }

    macro_rules! modelled {
        ($name:ident $(<$parameter:ident>)? : $value:ty $(, $operation:ident)*) => {
            #[derive(Debug)]
            pub struct $name $(<$parameter>)? (real::$name $(<$parameter>)?);

            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn new(value: $value) -> Self {
                    Self(real::$name::new(value))
                }

                #[track_caller]
                pub fn load(&self, ordering: Ordering) -> $value {
                    in_total_order(ordering, Acquire);
                    self.0.load(without_order(ordering, Acquire))
                }

                #[track_caller]
                pub fn store(&self, value: $value, ordering: Ordering) {
                    self.0.store(value, without_order(ordering, Release));
                    in_total_order(ordering, Release);
                }

                #[track_caller]
                pub fn swap(&self, value: $value, ordering: Ordering) -> $value {
                    in_total_order(ordering, Acquire);
                    let before = self.0.swap(value, without_order(ordering, AcqRel));
                    in_total_order(ordering, Release);
                    before
                }

                #[track_caller]
                pub fn compare_exchange(
                    &self, current: $value, new: $value, success: Ordering, failure: Ordering,
                ) -> Result<$value, $value> {
                    in_total_order(success, Acquire);
                    let result = self.0.compare_exchange(current, new, without_order(success, AcqRel), without_order(failure, Acquire));
                    if result.is_ok() {
                        in_total_order(success, Release);
                    }
                    result
                }

                #[track_caller]
                pub fn compare_exchange_weak(
                    &self, current: $value, new: $value, success: Ordering, failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(current, new, success, failure)
                }

                $(#[track_caller]
                pub fn $operation(&self, value: $value, ordering: Ordering) -> $value {
                    in_total_order(ordering, Acquire);
                    let before = self.0.$operation(value, without_order(ordering, AcqRel));
                    in_total_order(ordering, Release);
                    before
                })*
            }
        };
    }

    modelled!(AtomicBool: bool);
    modelled!(AtomicU8: u8);
    modelled!(AtomicU32: u32, fetch_add, fetch_sub);
    modelled!(AtomicU64: u64, fetch_add, fetch_or, fetch_and);
    modelled!(AtomicI64: i64, fetch_add, fetch_sub);
    modelled!(AtomicUsize: usize, fetch_add, fetch_sub);
    modelled!(AtomicPtr<T>: *mut T);

    impl Default for AtomicU32 {
        fn default() -> Self {
            Self::new(0)
        }
    }
}

use atomic::{AtomicUsize, Ordering, fence};

/// As parking_lot's: not poisoned.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    #[track_caller]
    pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap()
    }

    /// Waits: whoever fails here tries again until it succeeds, and loom would explore the number of times.
    #[track_caller]
    pub fn try_lock(&self) -> Option<loom::sync::MutexGuard<'_, T>> {
        Some(self.lock())
    }
}

/// As parking_lot's: not poisoned.
#[derive(Debug, Default)]
pub struct RwLock<T>(loom::sync::RwLock<T>);

impl<T> RwLock<T> {
    #[track_caller]
    pub fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
        self.0.read().unwrap()
    }

    #[track_caller]
    pub fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap()
    }
}

struct Token {
    given: loom::sync::Mutex<bool>,
    changed: loom::sync::Condvar,
}

pub struct Parker(Unparker);

#[derive(Clone)]
pub struct Unparker(Arc<Token>);

impl Parker {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Unparker(Arc::new(Token {
            given: loom::sync::Mutex::new(false),
            changed: loom::sync::Condvar::new(),
        })))
    }

    pub fn unparker(&self) -> &Unparker {
        &self.0
    }

    #[track_caller]
    pub fn park(&self) {
        let token = &*self.0.0;
        let mut given = token.given.lock().unwrap();
        while !*given {
            given = token.changed.wait(given).unwrap();
        }
        *given = false;
    }

    #[track_caller]
    pub fn park_timeout(&self, _never_passes: Duration) {
        self.park();
    }
}

impl Unparker {
    pub fn unpark(&self) {
        *self.0.given.lock().unwrap() = true;
        self.0.changed.notify_one();
    }
}

/// crossbeam's queue. Its blocks and slots are left out: they are crossbeam's own to prove.
pub struct Injector<T> {
    /// By index. Only one modelled thread runs at a time, and none is preempted while it holds this: synchronises nothing in the model.
    slots: std::sync::Mutex<BTreeMap<usize, T>>,
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl<T> Injector<T> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            slots: std::sync::Mutex::default(),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    pub fn push(&self, entry: T) {
        let mut tail = self.tail.load(Ordering::Acquire);
        while let Err(seen) = self
            .tail
            .compare_exchange_weak(tail, tail + 1, Ordering::SeqCst, Ordering::Acquire)
        {
            tail = seen;
        }
        self.slots.lock().unwrap().insert(tail, entry);
    }

    pub fn steal(&self) -> Steal<T> {
        let head = self.head.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        if self.tail.load(Ordering::Relaxed) == head {
            return Steal::Empty;
        }
        if self
            .head
            .compare_exchange_weak(head, head + 1, Ordering::SeqCst, Ordering::Acquire)
            .is_err()
        {
            return Steal::Retry;
        }
        // In place of the slot's own flag: what the pusher did before is seen by the taker.
        self.tail.load(Ordering::Acquire);
        loop {
            let entry = self.slots.lock().unwrap().remove(&head);
            match entry {
                Some(entry) => return Steal::Success(entry),
                // Its pusher has not stored it yet.
                None => yield_now(),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        let tail = self.tail.load(Ordering::SeqCst);
        head == tail
    }
}
