//! Outbox and mailbox: whoever settles a task for an owner that is about to sleep in its event loop, or is being woken, or is going away, the owner
//! hears of every task, once.

use std::sync::Arc;

use loom::thread;

use super::{Root, assert_freed, explore};
use crate::pool::Pool;
use crate::state::{Phase, Settlement};
use crate::task::Task;

fn deliver(task: &Arc<Task>, settlement: Settlement) {
    Arc::clone(&task.owner).deliver(Arc::clone(task), settlement);
}

/// The owner's loop: it sleeps until it is woken, and drains when it is.
fn drain_until(root: &Root, count: usize) -> Vec<u32> {
    let mut seen = Vec::new();
    while seen.len() < count {
        root.event_loop.park();
        root.mailbox.answer_wake();
        seen.extend(root.delivered());
    }
    seen
}

#[test]
fn an_owner_that_starts_to_listen_hears_what_is_settled_at_that_moment() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Running);
        let settler = {
            let task = Arc::clone(&task);
            thread::spawn(move || deliver(&task, Settlement::Fulfilled))
        };
        root.mailbox.listen(true);
        assert_eq!(drain_until(&root, 1), [1]);
        settler.join().unwrap();
        assert_freed(&task);
    });
}

#[test]
fn what_is_settled_while_the_owner_attends_is_heard_when_it_stops() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        root.mailbox.listen(true);
        root.mailbox.attend(true);
        let task = root.task(1, Phase::Running);
        let settler = {
            let task = Arc::clone(&task);
            thread::spawn(move || deliver(&task, Settlement::Fulfilled))
        };
        root.mailbox.attend(false);
        assert_eq!(drain_until(&root, 1), [1]);
        settler.join().unwrap();
        assert_freed(&task);
    });
}

#[test]
fn two_that_settle_while_the_owner_answers_a_wake_are_both_heard() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        root.mailbox.listen(true);
        let settlers = [1, 2].map(|slot| {
            let task = root.task(slot, Phase::Running);
            thread::spawn(move || deliver(&task, Settlement::Fulfilled))
        });
        let mut seen = drain_until(&root, 2);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        settlers.into_iter().for_each(|settler| settler.join().unwrap());
    });
}

#[test]
fn one_that_settles_two_in_a_row_is_heard_in_that_order() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        root.mailbox.listen(true);
        let tasks = [root.task(1, Phase::Running), root.task(2, Phase::Running)];
        let settler = thread::spawn(move || tasks.iter().for_each(|task| deliver(task, Settlement::Fulfilled)));
        assert_eq!(drain_until(&root, 2), [1, 2]);
        settler.join().unwrap();
    });
}

#[test]
fn what_is_settled_between_a_look_at_the_outbox_and_the_answer_to_the_next_wake_is_heard() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        root.mailbox.listen(true);
        let tasks = [2, 3].map(|slot| root.task(slot, Phase::Running));
        deliver(&root.task(1, Phase::Running), Settlement::Fulfilled);
        let settler = thread::spawn(move || tasks.iter().for_each(|task| deliver(task, Settlement::Fulfilled)));
        assert_eq!(drain_until(&root, 3), [1, 2, 3]);
        settler.join().unwrap();
    });
}

#[test]
fn a_failure_wakes_an_owner_that_does_not_listen() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Running);
        let settler = thread::spawn(move || deliver(&task, Settlement::Crashed));
        assert_eq!(drain_until(&root, 1), [1]);
        settler.join().unwrap();
    });
}

#[test]
fn tasks_that_fail_together_are_heard_of_together() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        root.mailbox.listen(true);
        let alone = root.task(3, Phase::Running);
        let together = vec![root.task(1, Phase::Running), root.task(2, Phase::Running)];
        let first = thread::spawn(move || {
            let owner = Arc::clone(&together[0].owner);
            owner.deliver_failed(together);
        });
        let second = thread::spawn(move || deliver(&alone, Settlement::Fulfilled));
        let mut seen = Vec::new();
        while seen.len() < 3 {
            root.event_loop.park();
            root.mailbox.answer_wake();
            let now = root.delivered();
            assert_eq!(now.contains(&1), now.contains(&2), "one without the other");
            seen.extend(now);
        }
        let place = |slot| seen.iter().position(|entry| *entry == slot).unwrap();
        assert_eq!(place(2), place(1) + 1);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn an_outbox_that_closes_keeps_nothing_that_is_pushed_at_that_moment() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let tasks = [root.task(1, Phase::Running), root.task(2, Phase::Running)];
        let settlers = tasks.each_ref().map(|task| {
            let task = Arc::clone(task);
            thread::spawn(move || deliver(&task, Settlement::Fulfilled))
        });
        root.mailbox.outbox.close();
        settlers.into_iter().for_each(|settler| settler.join().unwrap());
        assert!(root.delivered().is_empty() && root.mailbox.outbox.is_empty());
        tasks.iter().for_each(assert_freed);
    });
}
