//! Jobs that are suspended while they wait for something outside of the pool, and workers that stand in for one that is stuck: whoever is cancelled at the moment at
//! which it goes on is stopped all the same, nobody is stopped for what does not run, and what a stuck worker waits for reaches a worker.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::sleeping::Crew;
use super::{Root, assert_freed, explore, payload};
use crate::pool::{Pool, Service};
use crate::state::{Phase, Settlement};
use crate::task::Task;
use crate::worker::Worker;

const JOB: u32 = 2;

/// A worker that runs a task of the root's as `JOB`.
fn running(pool: &Arc<Pool>, root: &Root) -> (Arc<Worker>, Arc<Task>) {
    let worker = pool.add_worker().unwrap();
    let task = root.task(1, Phase::Queued);
    pool.note_queued();
    worker.open_job(JOB);
    assert!(task.claim(worker.id, JOB));
    pool.note_dequeued();
    (worker, task)
}

/// The job goes on, as `WorkerSide::resume` and `binding::jobs::resume` do it, with a grace period that is over at once.
fn resume(pool: &Pool, worker: &Worker, task: &Task) {
    if let Some(overdue) = worker.resume_job(JOB, || task.state.load().settlement().is_some()) {
        pool.stop_overdue(worker, overdue);
    }
}

/// The job goes on, in a thread of its own, while it is cancelled. `suspends`: it is suspended there, too, and not before.
fn assert_stopped(suspends: bool) {
    let pool = Arc::new(Pool::new(0, 1));
    let root = Root::new(&pool);
    let (worker, task) = running(&pool, &root);
    if !suspends {
        worker.suspend_job(JOB);
    }
    let goes_on = {
        let (pool, worker, task) = (Arc::clone(&pool), Arc::clone(&worker), Arc::clone(&task));
        thread::spawn(move || {
            if suspends {
                worker.suspend_job(JOB);
            }
            resume(&pool, &worker, &task);
        })
    };
    assert!(pool.cancel(&task, Duration::ZERO).is_some());
    goes_on.join().unwrap();
    assert!(worker.is_doomed(), "it goes on, and nobody sees to it that it ends");
    assert_eq!(pool.take_service(), Some(Service::Stop(worker.id)));
    assert_eq!(pool.take_service(), None);
    assert_freed(&task);
}

#[test]
fn a_job_that_goes_on_while_it_is_cancelled_is_stopped() {
    explore(4, || assert_stopped(false));
}

#[test]
fn a_job_that_is_suspended_and_goes_on_while_it_is_cancelled_is_stopped() {
    explore(3, || assert_stopped(true));
}

#[test]
fn a_job_that_is_cancelled_while_it_is_suspended_stops_nobody() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let (worker, task) = running(&pool, &root);
        worker.suspend_job(JOB);
        let cancels = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || pool.cancel(&task, Duration::ZERO).is_some())
        };
        // Meanwhile another job begins and ends there.
        worker.open_job(JOB + 1);
        worker.close_job(JOB + 1);
        assert!(!worker.is_doomed(), "stopped for a job that does not run");
        assert!(cancels.join().unwrap());
        assert_eq!(pool.take_service(), None);
        assert_freed(&task);
    });
}

#[test]
fn a_suspended_job_that_ends_while_it_is_cancelled_stops_nobody() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let (worker, task) = running(&pool, &root);
        worker.suspend_job(JOB);
        let ends = {
            let (pool, worker, task) = (Arc::clone(&pool), Arc::clone(&worker), Arc::clone(&task));
            thread::spawn(move || {
                // As `WorkerSide::settle` does it: it is taken up, but no code of it runs any more.
                worker.resume_job(JOB, || false);
                let won = pool.settle(
                    Arc::clone(&task),
                    Settlement::Fulfilled,
                    |phase| phase == Phase::Running,
                    || payload(100),
                );
                worker.close_job(JOB);
                (won, worker.is_doomed())
            })
        };
        let cancelled = pool.cancel(&task, Duration::ZERO).is_some();
        let (won, doomed) = ends.join().unwrap();
        assert_ne!(won, cancelled);
        assert!(!doomed || cancelled);
        assert_eq!(pool.take_service(), doomed.then_some(Service::Stop(worker.id)));
        root.delivered();
        assert_freed(&task);
    });
}

/// A task of the worker pushes another, as `binding::push` does it.
fn push(pool: &Pool, busy: &Crew) {
    pool.submit(busy.nested(1));
    if pool.wants_worker() {
        pool.request_growth();
    }
}

#[test]
fn a_nested_task_that_is_pushed_while_another_worker_gets_stuck_gets_a_worker_to_stand_in() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 2));
        let _root = Root::new(&pool);
        let (pushes, stuck) = (Crew::new(&pool), Crew::new(&pool));
        let gets_stuck = {
            let (pool, worker) = (Arc::clone(&pool), Arc::clone(&stuck.worker));
            thread::spawn(move || pool.ask_for_stand_in(&worker))
        };
        push(&pool, &pushes);
        gets_stuck.join().unwrap();
        assert_eq!(pool.take_service(), Some(Service::Grow), "nobody runs it");
        assert!(pool.wants_worker());
        pool.end_stand_in(&stuck.worker);
        // Without one that is stuck the pool is as large as it may be.
        assert!(!pool.wants_worker());
    });
}

#[test]
fn of_two_workers_that_get_stuck_at_the_same_time_both_are_stood_in_for() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 2));
        let _root = Root::new(&pool);
        let (first, second) = (Crew::new(&pool), Crew::new(&pool));
        push(&pool, &first);
        push(&pool, &second);
        assert_eq!(pool.take_service(), None, "the pool is as large as it may be");
        let gets_stuck = {
            let (pool, worker) = (Arc::clone(&pool), Arc::clone(&first.worker));
            thread::spawn(move || pool.ask_for_stand_in(&worker))
        };
        pool.ask_for_stand_in(&second.worker);
        gets_stuck.join().unwrap();
        // The root looks again after each start whether more are wanted, as `serve` in native.ts does.
        assert_eq!(pool.take_service(), Some(Service::Grow));
        for _ in 0..2 {
            assert!(pool.wants_worker());
            pool.add_worker();
        }
        assert!(!pool.wants_worker());
    });
}
