//! Stopping a worker for the sake of one job: it ends because of a job that still runs, never because of one that has just ended, and takes no more
//! jobs once that is decided. And what is pushed to a worker that goes away is not forgotten in its queues.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::{Root, assert_freed, ended, explore, payload};
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::pool::{Pool, Service};
use crate::state::{Phase, Settlement};
use crate::sync::yield_now;
use crate::task::{Plan, Task};
use crate::worker::Worker;

const FIRST: u32 = 2;
const SECOND: u32 = 3;

#[test]
fn a_worker_that_is_condemned_for_a_job_takes_no_other_and_one_that_is_not_goes_on() {
    explore(4, || {
        let worker = Arc::new(Worker::new(0));
        worker.open_job(FIRST);
        let runs = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || {
                worker.close_job(FIRST);
                // Between jobs, as in `binding::jobs`.
                !worker.is_doomed()
            })
        };
        let condemned = worker.condemn(FIRST);
        assert_ne!(condemned, runs.join().unwrap());
        assert_eq!(condemned, worker.is_doomed());
    });
}

#[test]
fn a_job_that_is_to_be_stopped_is_although_another_is_just_being_found_to_have_ended() {
    explore(4, || {
        let worker = Arc::new(Worker::new(0));
        worker.open_job(FIRST);
        worker.open_job(SECOND);
        let first = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.condemn(FIRST))
        };
        let ends = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.close_job(FIRST))
        };
        let second = worker.condemn(SECOND);
        let first = first.join().unwrap();
        ends.join().unwrap();
        assert!(
            first != second && worker.is_doomed(),
            "condemned once: {first} {second}"
        );
    });
}

#[test]
fn a_running_task_that_is_cancelled_without_grace_stops_its_worker_or_has_ended() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let worker = pool.add_worker().unwrap();
        let task = root.task(1, Phase::Queued);
        pool.note_queued();
        let runner = {
            let (pool, task, worker) = (Arc::clone(&pool), Arc::clone(&task), Arc::clone(&worker));
            thread::spawn(move || {
                // As `WorkerSide::open` and `WorkerSide::settle` do it.
                worker.open_job(FIRST);
                let claimed = task.claim(worker.id, FIRST);
                let won = claimed
                    && pool.settle(
                        Arc::clone(&task),
                        Settlement::Fulfilled,
                        |phase| phase == Phase::Running,
                        || payload(100),
                    );
                worker.close_job(FIRST);
                (claimed, won, worker.is_doomed())
            })
        };
        let before = pool.cancel(&task, Duration::ZERO);
        let (claimed, won, doomed) = runner.join().unwrap();
        assert_ne!(won, before.is_some());
        assert_eq!(
            ended(&task).0,
            if won {
                Settlement::Fulfilled
            } else {
                Settlement::Cancelled
            }
        );
        assert!(!doomed || (claimed && !won), "stopped for a task that it does not run");
        assert_eq!(pool.take_service(), doomed.then_some(Service::Stop(worker.id)));
        root.delivered();
        assert_freed(&task);
    });
}

#[test]
fn what_is_pinned_to_a_worker_that_goes_at_that_moment_is_settled() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let worker = pool.add_worker().unwrap();
        let mut task = root.task(1, Phase::Queued);
        Arc::get_mut(&mut task).unwrap().plan.pinned = Some(worker.id);
        let goes = {
            let (pool, id) = (Arc::clone(&pool), worker.id);
            thread::spawn(move || drop(pool.remove_worker(id)))
        };
        pool.submit(Arc::clone(&task));
        goes.join().unwrap();
        assert_eq!((ended(&task).0, pool.queued()), (Settlement::Crashed, 0));
        assert_eq!(root.delivered(), [1]);
        assert_freed(&task);
    });
}

#[test]
fn what_is_pushed_for_a_worker_that_goes_at_that_moment_is_not_kept() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let _root = Root::new(&pool);
        let worker = pool.add_worker().unwrap();
        let (_parker, unparker) = worker.attach().unwrap();
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&pool), Some(Arc::clone(&worker)), unparker));
        let task = Arc::new(Task::new(
            Arc::clone(&mailbox),
            Plan::new(1, 0),
            Payload::default(),
            Phase::Queued,
        ));
        let goes = {
            let (pool, mailbox) = (Arc::clone(&pool), Arc::clone(&mailbox));
            thread::spawn(move || {
                // As `Port::close` does it.
                pool.remove_worker(mailbox.worker.as_ref().unwrap().id);
                mailbox.close();
            })
        };
        pool.submit(Arc::clone(&task));
        goes.join().unwrap();
        assert_eq!((ended(&task).0, pool.queued()), (Settlement::Crashed, 0));
        assert_freed(&task);
    });
}

#[test]
fn one_thread_becomes_a_worker() {
    explore(3, || {
        let worker = Arc::new(Worker::new(0));
        let other = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.attach().is_some())
        };
        let mine = worker.attach().is_some();
        assert_ne!(mine, other.join().unwrap());
        while !worker.is_ready() {
            yield_now();
        }
    });
}
