//! Settled tasks on their way to the environment that pushed them: many threads push, the owner takes all at once.
//!
//! A Treiber stack linked through the tasks themselves: a push is one compare-and-swap and allocates nothing. Nobody ever pops a single
//! entry, so the ABA problem cannot arise.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::task::Task;

pub struct Outbox {
    head: AtomicPtr<Task>,
    /// Entries, roughly; for deciding when to drain early.
    length: AtomicU32,
}

/// The head of an outbox whose owner has gone. Never dereferenced.
fn closed() -> *mut Task {
    ptr::without_provenance_mut(1)
}

impl Outbox {
    pub fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), length: AtomicU32::new(0) }
    }

    /// Hands a settled task over. A closed outbox drops it.
    ///
    /// SeqCst: the pusher goes on to load whether the owner listens, while the owner first says that it listens and then looks here. In the
    /// total order of these four operations at least one of the two sees the other (`Mailbox::listen`).
    pub fn push(&self, task: Arc<Task>) {
        let raw = Arc::into_raw(task).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                // SAFETY: `raw` came from `into_raw` above and was not published.
                drop(unsafe { Arc::from_raw(raw) });
                return;
            }
            // SAFETY: `raw` is alive: its reference has not been given away yet.
            unsafe { (*raw).next.store(head, Ordering::Relaxed) };
            match self.head.compare_exchange_weak(head, raw, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(seen) => head = seen,
            }
        }
        self.length.fetch_add(1, Ordering::Relaxed);
    }

    pub fn is_empty(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        head.is_null() || head == closed()
    }

    pub fn len(&self) -> u32 {
        self.length.load(Ordering::Relaxed)
    }

    /// All entries, the oldest last (so that the owner pops them in the order of settling). Owner only.
    pub fn take(&self, into: &mut Vec<Arc<Task>>) {
        if self.head.load(Ordering::Relaxed).is_null() {
            return;
        }
        let head = self.head.swap(ptr::null_mut(), Ordering::SeqCst);
        if head == closed() {
            self.head.store(closed(), Ordering::SeqCst);
            return;
        }
        let count = Self::unlink(head, into);
        self.length.fetch_sub(count, Ordering::Relaxed);
    }

    /// No more entries: drops what is there and what will come.
    pub fn close(&self) {
        let head = self.head.swap(closed(), Ordering::SeqCst);
        if head != closed() {
            Self::unlink(head, &mut Vec::new());
        }
    }

    fn unlink(mut head: *mut Task, into: &mut Vec<Arc<Task>>) -> u32 {
        let mut count = 0;
        while !head.is_null() {
            // SAFETY: every entry is a pointer from `Arc::into_raw` whose reference the stack owned; the swap gave it to this thread alone, and
            // its acquire made `next` visible.
            let task = unsafe { Arc::from_raw(head) };
            head = task.next.load(Ordering::Relaxed);
            into.push(task);
            count += 1;
        }
        count
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.close();
    }
}
