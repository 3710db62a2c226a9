//! The slot's state machine: whoever settles, cancels, times out, claims or drops a task at the same time, it ends exactly once, its arguments go to
//! one, and whoever waits for it is told once.

use std::sync::Arc;

use loom::thread;

use super::{Root, assert_freed, ended, explore, is_settled, payload};
use crate::pool::{Pool, is_open};
use crate::state::{Phase, Settlement};
use crate::task::{Arguments, Task};

/// What a worker does with a queue entry. True when it was the one that settled it.
fn run(pool: &Pool, task: &Arc<Task>, job: u32, settlement: Settlement) -> bool {
    if !task.claim(7, job) {
        return false;
    }
    pool.note_dequeued();
    // SAFETY: claimed by this thread.
    let Arguments { payload: given, inputs } = unsafe { task.take_arguments() };
    assert_eq!(
        given.plain(),
        Some(&[task.plan.slot as u8][..]),
        "the arguments are taken once"
    );
    // What the tasks have left that these come from is there for whoever runs it.
    for input in inputs {
        assert_eq!(ended(&input).1, Some(100));
    }
    pool.settle(
        Arc::clone(task),
        settlement,
        |phase| phase == Phase::Running,
        || payload(100),
    )
}

#[test]
fn a_task_that_is_run_and_cancelled_and_times_out_ends_once() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Queued);
        let runner = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || run(&pool, &task, 3, Settlement::Fulfilled))
        };
        let clock = {
            let task = Arc::clone(&task);
            thread::spawn(move || {
                let won = task.settle(Settlement::TimedOut, is_open, || (payload(101), 0));
                won.inspect(|(before, _)| {
                    // Whoever ends a running task knows whom to stop.
                    assert!(before.phase() != Phase::Running || before.runner() == (7, 3));
                })
                .is_some()
            })
        };
        let cancelled = task
            .settle(Settlement::Cancelled, is_open, || (payload(102), 0))
            .is_some();
        // Whoever has lost may look at once; it is settled, or about to be by the winner.
        if is_settled(&task) {
            ended(&task);
        }
        let (ran, expired) = (runner.join().unwrap(), clock.join().unwrap());
        let expected = match (ran, expired, cancelled) {
            (true, false, false) => (Settlement::Fulfilled, Some(100)),
            (false, true, false) => (Settlement::TimedOut, Some(101)),
            (false, false, true) => (Settlement::Cancelled, Some(102)),
            winners => panic!("not one winner: {winners:?}"),
        };
        assert_eq!(ended(&task), expected);
        assert_eq!(root.delivered(), if ran { vec![1] } else { vec![] });
        assert_freed(&task);
    });
}

#[test]
fn two_that_claim_an_entry_do_not_both_run_it() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Queued);
        let other = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || run(&pool, &task, 1, Settlement::Fulfilled))
        };
        let mine = run(&pool, &task, 2, Settlement::Rejected);
        assert_ne!(mine, other.join().unwrap());
        assert_eq!(
            ended(&task).0,
            if mine {
                Settlement::Rejected
            } else {
                Settlement::Fulfilled
            }
        );
        assert_eq!(root.delivered(), [1]);
        assert_freed(&task);
    });
}

#[test]
fn a_blocked_owner_is_woken_and_takes_the_outcome_itself() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Queued);
        let runner = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || assert!(run(&pool, &task, 1, Settlement::Fulfilled)))
        };
        // As `binding::block` does it.
        let in_time = task.state.mark_awaited().phase() != Phase::Settled;
        while in_time && !is_settled(&task) {
            root.parker.park();
        }
        assert_eq!(ended(&task), (Settlement::Fulfilled, Some(100)));
        runner.join().unwrap();
        // Handed over only when the mark came too late.
        assert_eq!(root.delivered(), if in_time { vec![] } else { vec![1] });
        assert_freed(&task);
    });
}

#[test]
fn an_owner_that_gives_up_waiting_gets_the_outcome_from_exactly_one_side() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Queued);
        let runner = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || assert!(run(&pool, &task, 1, Settlement::Fulfilled)))
        };
        let mut mine = false;
        if task.state.mark_awaited().phase() != Phase::Settled {
            // Its time is over at once.
            mine = task.state.unmark_awaited().phase() == Phase::Settled;
            if mine {
                assert_eq!(ended(&task), (Settlement::Fulfilled, Some(100)));
            }
        }
        runner.join().unwrap();
        assert_eq!(root.delivered(), if mine { vec![] } else { vec![1] });
        assert_freed(&task);
    });
}

/// What became of a task that waited for two others.
fn assert_followed(root: &Root, pool: &Pool, dependent: &Arc<Task>, failed_at: Option<u32>) {
    match failed_at {
        None => {
            let entry = pool
                .injector
                .pop()
                .expect("queued when the last dependency was fulfilled");
            assert!(Arc::ptr_eq(&entry, dependent) && pool.injector.pop().is_none());
            assert!(run(pool, &entry, 1, Settlement::Fulfilled));
        }
        Some(position) => {
            assert!(pool.injector.pop().is_none(), "a task that has failed is not queued");
            assert_eq!(ended(dependent).0, Settlement::DependencyFailed);
            assert_eq!(dependent.outcome().unwrap().1.detail, position);
        }
    }
    let delivered = root.delivered();
    assert_eq!(
        delivered.iter().filter(|slot| **slot == 3).count(),
        1,
        "told once: {delivered:?}"
    );
    assert_eq!(pool.queued(), 0);
    assert_freed(dependent);
}

fn dependencies_settle(ends: [Settlement; 2]) {
    explore(2, move || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let dependencies = [root.task(1, Phase::Queued), root.task(2, Phase::Queued)];
        for _ in &dependencies {
            // As if submitted.
            pool.note_queued();
        }
        let runners = [0, 1].map(|at| {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&dependencies[at]));
            thread::spawn(move || assert!(run(&pool, &task, at as u32 + 1, ends[at])))
        });
        let dependent = root.task_with(3, Phase::Waiting, dependencies.to_vec());
        pool.submit_after(
            Arc::clone(&dependent),
            &dependencies.each_ref().map(|task| Some(Arc::clone(task))),
        );
        for runner in runners {
            runner.join().unwrap();
        }
        let failed_at = match ends.map(|end| end == Settlement::Fulfilled) {
            [true, true] => None,
            [true, false] => Some(1),
            [false, true] => Some(0),
            // Whichever came first.
            [false, false] => Some(dependent.outcome().unwrap().1.detail),
        };
        assert_followed(&root, &pool, &dependent, failed_at);
    });
}

#[test]
fn a_task_is_queued_once_when_both_that_it_waits_for_are_fulfilled_while_it_is_linked() {
    dependencies_settle([Settlement::Fulfilled; 2]);
}

#[test]
fn a_task_fails_once_when_one_that_it_waits_for_fails_while_it_is_linked() {
    dependencies_settle([Settlement::Fulfilled, Settlement::Rejected]);
}

#[test]
fn a_task_fails_once_when_both_that_it_waits_for_fail_at_once() {
    dependencies_settle([Settlement::Rejected; 2]);
}

#[test]
fn a_waiting_task_that_is_cancelled_while_its_dependency_is_fulfilled_runs_or_ends_but_not_both() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let dependency = root.task(1, Phase::Queued);
        pool.note_queued();
        let dependent = root.task(2, Phase::Waiting);
        pool.submit_after(Arc::clone(&dependent), &[Some(Arc::clone(&dependency))]);
        let runner = {
            let (pool, dependency) = (Arc::clone(&pool), Arc::clone(&dependency));
            thread::spawn(move || {
                assert!(run(&pool, &dependency, 1, Settlement::Fulfilled));
                pool.injector
                    .pop()
                    .is_some_and(|entry| run(&pool, &entry, 2, Settlement::Fulfilled))
            })
        };
        let cancelled = pool.cancel(&dependent, std::time::Duration::MAX).is_some();
        let ran = runner.join().unwrap();
        assert_ne!(ran, cancelled);
        assert_eq!(pool.queued(), 0);
        assert_eq!(root.delivered(), if ran { vec![1, 2] } else { vec![1] });
        drop(dependency);
        assert_freed(&dependent);
    });
}

#[test]
fn the_last_progress_that_was_reported_is_seen_by_an_owner_that_was_told() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let task = root.task(1, Phase::Running);
        root.mailbox.listen(true);
        let reporter = {
            let task = Arc::clone(&task);
            thread::spawn(move || {
                for fraction in [0.25, 1.0] {
                    if task.report_progress(fraction) {
                        Arc::clone(&task.owner).deliver_progress(Arc::clone(&task));
                    }
                }
            })
        };
        let mut seen = 0.0;
        while seen < 1.0 {
            root.event_loop.park();
            root.mailbox.answer_wake();
            for told in root.mailbox.take_progressed() {
                seen = told.take_progress().unwrap_or(seen);
            }
        }
        reporter.join().unwrap();
        drop(root.mailbox.take_progressed());
        assert_freed(&task);
    });
}
