//! Settled tasks on their way to the environment that pushed them: many threads push, the owner takes all at once.
//!
//! A Treiber stack linked through the tasks themselves: a push is one compare-and-swap and allocates nothing. Nobody ever pops a single
//! entry, so the ABA problem cannot arise.

use std::ptr;
use std::sync::Arc;

use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
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

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    pub fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
            length: AtomicU32::new(0),
        }
    }

    /// Hands settled tasks over, in one step: the owner sees all of them or none. A closed outbox drops them.
    ///
    /// SeqCst: the pusher goes on to load whether the owner listens, while the owner first says that it listens and then looks here. In the
    /// total order of these four operations at least one of the two sees the other (`Mailbox::listen`).
    pub fn push(&self, tasks: impl IntoIterator<Item = Arc<Task>>) {
        // The chain to be put in front: from the newest to the oldest.
        let (mut newest, mut oldest, mut count) = (ptr::null_mut::<Task>(), ptr::null_mut::<Task>(), 0);
        for task in tasks {
            let raw = Arc::into_raw(task).cast_mut();
            // SAFETY: `raw` is alive: its reference has not been given away yet.
            unsafe { (*raw).next.store(newest, Ordering::Relaxed) };
            newest = raw;
            if oldest.is_null() {
                oldest = raw;
            }
            count += 1;
        }
        if oldest.is_null() {
            return;
        }
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                Self::unlink(newest, &mut Vec::new());
                return;
            }
            // SAFETY: as above; the chain has not been published.
            unsafe { (*oldest).next.store(head, Ordering::Relaxed) };
            match self
                .head
                .compare_exchange_weak(head, newest, Ordering::SeqCst, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(seen) => {
                    head = seen;
                    if head == closed() {
                        // SAFETY: as above; ends the chain again for `unlink`.
                        unsafe { (*oldest).next.store(ptr::null_mut(), Ordering::Relaxed) };
                    }
                }
            }
        }
        self.length.fetch_add(count, Ordering::Relaxed);
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
        // SeqCst: after `Mailbox::answer_wake`, whose argument needs this look to come later in the total order.
        if self.head.load(Ordering::SeqCst).is_null() {
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

    /// Takes ownership of a chain.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::mailbox::Mailbox;
    use crate::payload::Payload;
    use crate::state::Phase;
    use crate::task::Plan;

    fn task(owner: &Arc<Mailbox>, slot: u32) -> Arc<Task> {
        Arc::new(Task::new(
            Arc::clone(owner),
            Plan::new(slot, 0),
            Payload::default(),
            Phase::Queued,
        ))
    }

    fn slots(outbox: &Outbox) -> Vec<u32> {
        let mut tasks = Vec::new();
        outbox.take(&mut tasks);
        tasks.iter().rev().map(|task| task.plan.slot).collect()
    }

    #[test]
    fn entries_come_out_in_the_order_of_settling() {
        let owner = Mailbox::for_tests();
        let outbox = Outbox::new();
        outbox.push([task(&owner, 1)]);
        outbox.push([task(&owner, 2), task(&owner, 3)]);
        outbox.push(Vec::new());
        outbox.push([task(&owner, 4)]);
        assert_eq!(
            (outbox.len(), slots(&outbox), slots(&outbox), outbox.len()),
            (4, vec![1, 2, 3, 4], vec![], 0)
        );
    }

    #[test]
    fn nothing_is_lost_or_doubled_between_many_pushers_and_the_taker() {
        const PUSHERS: u32 = 3;
        const EACH: u32 = 20_000;
        let outbox = Arc::new(Outbox::new());
        let threads: Vec<_> = (0..PUSHERS)
            .map(|pusher| {
                let outbox = Arc::clone(&outbox);
                std::thread::spawn(move || {
                    let owner = Mailbox::for_tests();
                    for slot in 0..EACH {
                        outbox.push([task(&owner, pusher * EACH + slot)]);
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < (PUSHERS * EACH) as usize {
            seen.extend(slots(&outbox));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for pusher in 0..PUSHERS {
            let of_one: Vec<u32> = seen.iter().copied().filter(|slot| slot / EACH == pusher).collect();
            assert_eq!(of_one, (pusher * EACH..(pusher + 1) * EACH).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_closed_outbox_drops_what_was_there_and_what_comes() {
        let owner = Mailbox::for_tests();
        let outbox = Outbox::new();
        let (before, after) = (task(&owner, 1), task(&owner, 2));
        outbox.push([Arc::clone(&before)]);
        outbox.close();
        outbox.push([Arc::clone(&after), task(&owner, 3)]);
        assert_eq!(
            (
                Arc::strong_count(&before),
                Arc::strong_count(&after),
                slots(&outbox),
                outbox.is_empty()
            ),
            (1, 1, vec![], true)
        );
    }
}
