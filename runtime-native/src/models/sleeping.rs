//! The sleep protocol: a queued task never waits while a worker sleeps that may run it, whatever happens at the moment of its push. The workers
//! are threads that take the steps of `sleep::resting` as `binding::jobs` and `binding::block` do, with one difference: a worker that has found a task
//! never comes back from it, so nobody can mend a lost wake-up by looking again later.

use std::cell::RefCell;
use std::sync::Arc;

use loom::thread;

use super::{Loop, Root, explore};
use crate::find::Turns;
use crate::mailbox::Mailbox;
use crate::payload::Payload;
use crate::pool::Pool;
use crate::sleep::{Reach, resting};
use crate::state::{Phase, Settlement};
use crate::sync::Parker;
use crate::task::{Plan, Task};
use crate::worker::Worker;

pub(super) struct Crew {
    pub(super) worker: Arc<Worker>,
    parker: Parker,
    mailbox: Arc<Mailbox>,
    turns: RefCell<Turns>,
}

impl Crew {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        let worker = pool.add_worker().unwrap();
        let (parker, unparker) = worker.attach().unwrap();
        let mailbox = Arc::new(Mailbox::new(Arc::clone(pool), Some(Arc::clone(&worker)), unparker));
        Self {
            worker,
            parker,
            mailbox,
            turns: RefCell::default(),
        }
    }

    /// A task that one of this worker's tasks pushes.
    pub(super) fn nested(&self, slot: u32) -> Arc<Task> {
        Arc::new(Task::new(
            Arc::clone(&self.mailbox),
            Plan::new(slot, 0),
            Payload::default(),
            Phase::Queued,
        ))
    }

    fn find(&self, pool: &Pool) -> Option<Arc<Task>> {
        pool.find_for_idle(&self.worker, &mut self.turns.borrow_mut())
    }

    /// An idle worker's loop, up to the first task that it claims. None: it ends instead.
    fn work(&self, pool: &Pool) -> Option<u32> {
        let worker = &self.worker;
        loop {
            if pool.is_closing() || worker.is_doomed() || worker.is_retired() {
                return None;
            }
            let entry = self
                .find(pool)
                .or_else(|| resting::search(pool, worker, &mut self.turns.borrow_mut()));
            match entry {
                Some(task) if task.claim(worker.id, 2) => {
                    pool.note_dequeued();
                    return Some(task.plan.slot);
                }
                Some(_) => {}
                None => drop(resting::sleep_natively(pool, worker, || self.parker.park())),
            }
        }
    }

    /// As [`Crew::work`], for a worker that sleeps in its event loop.
    fn work_in_loop(&self, pool: &Pool, event_loop: &Parker) -> u32 {
        let worker = &self.worker;
        loop {
            match self.find(pool) {
                Some(task) if task.claim(worker.id, 2) => return task.plan.slot,
                Some(_) => {}
                None => {
                    if resting::fall_asleep_in_loop(pool, worker) {
                        event_loop.park();
                    }
                    pool.sleep.retract_idle(worker);
                    worker.set_in_loop(false);
                }
            }
        }
    }

    /// Waits inside of a job for `awaited`, helping until then. True when it has run another's task, which it never comes back from.
    fn wait_for(&self, pool: &Pool, awaited: &Task, reach: Reach) -> bool {
        let worker = &self.worker;
        let is_settled = || awaited.state.load().phase() == Phase::Settled;
        let mut chosen = false;
        awaited.state.mark_awaited();
        while !is_settled() {
            if let Some(task) = pool.find_for_waiting(worker, reach)
                && task.claim(worker.id, 2)
            {
                return true;
            }
            let may_sleep = || !is_settled() && !pool.has_work_for_waiting(worker, reach);
            chosen = !resting::sleep_inside(pool, worker, reach, may_sleep, || self.parker.park());
        }
        if chosen {
            pool.pass_on();
        }
        false
    }
}

#[test]
fn a_task_that_is_pushed_while_the_only_worker_falls_asleep_is_run() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let crew = Crew::new(&pool);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool))
        };
        pool.submit(root.task(1, Phase::Queued));
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}

#[test]
fn an_urgent_task_that_is_pushed_while_the_only_worker_falls_asleep_is_run() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let crew = Crew::new(&pool);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool))
        };
        let mut task = root.task(1, Phase::Queued);
        Arc::get_mut(&mut task).unwrap().plan.priority = 1.0;
        pool.submit(task);
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}

#[test]
fn a_worker_that_falls_asleep_in_its_event_loop_is_woken_there() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let crew = Crew::new(&pool);
        let event_loop = Parker::new();
        crew.worker.set_waker(Arc::new(Loop(event_loop.unparker().clone())));
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work_in_loop(&pool, &event_loop))
        };
        pool.submit(root.task(1, Phase::Queued));
        assert_eq!(worker.join().unwrap(), 1);
    });
}

#[test]
fn two_tasks_reach_two_workers_although_one_searches_and_takes_only_one() {
    explore(2, || {
        let pool = Arc::new(Pool::new(0, 2));
        let root = Root::new(&pool);
        let workers = [Crew::new(&pool), Crew::new(&pool)].map(|crew| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool).unwrap())
        });
        pool.submit(root.task(1, Phase::Queued));
        pool.submit(root.task(2, Phase::Queued));
        let mut ran = workers.map(|worker| worker.join().unwrap());
        ran.sort_unstable();
        assert_eq!(ran, [1, 2]);
    });
}

#[test]
fn three_tasks_reach_three_workers_although_one_searches_and_takes_only_one() {
    explore(2, || {
        let pool = Arc::new(Pool::new(0, 3));
        let root = Root::new(&pool);
        let workers = [Crew::new(&pool), Crew::new(&pool), Crew::new(&pool)].map(|crew| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool).unwrap())
        });
        for slot in 1..=3 {
            pool.submit(root.task(slot, Phase::Queued));
        }
        let mut ran = workers.map(|worker| worker.join().unwrap());
        ran.sort_unstable();
        assert_eq!(ran, [1, 2, 3]);
    });
}

#[test]
fn a_nested_task_reaches_an_idle_worker_while_its_owner_is_busy() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 2));
        let _root = Root::new(&pool);
        let (busy, crew) = (Crew::new(&pool), Crew::new(&pool));
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool))
        };
        pool.submit(busy.nested(1));
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}

#[test]
fn a_nested_task_reaches_a_worker_that_waits_while_its_owner_is_busy() {
    explore(3, || {
        let pool = Arc::new(Pool::new(0, 2));
        let root = Root::new(&pool);
        let (busy, crew) = (Crew::new(&pool), Crew::new(&pool));
        let never = root.task(9, Phase::Running);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.wait_for(&pool, &never, Reach::Any))
        };
        pool.submit(busy.nested(1));
        assert!(worker.join().unwrap());
    });
}

/// One of two that wait is chosen for a nested task, and what it waits for is settled at that moment.
#[test]
fn a_worker_that_is_chosen_but_leaves_its_wait_passes_the_task_on() {
    explore(2, || {
        let pool = Arc::new(Pool::new(0, 3));
        let root = Root::new(&pool);
        let (busy, leaves, stays) = (Crew::new(&pool), Crew::new(&pool), Crew::new(&pool));
        let awaited = Arc::new(Task::new(
            Arc::clone(&leaves.mailbox),
            Plan::new(8, 0),
            Payload::default(),
            Phase::Running,
        ));
        let never = root.task(9, Phase::Running);
        let task = busy.nested(1);
        let first = {
            let (pool, awaited) = (Arc::clone(&pool), Arc::clone(&awaited));
            // It may also have run the nested task before, and then never comes back.
            thread::spawn(move || leaves.wait_for(&pool, &awaited, Reach::Any))
        };
        let second = {
            let (pool, task) = (Arc::clone(&pool), Arc::clone(&task));
            thread::spawn(move || {
                // Ends with the nested task: by running it, or told by the one that has.
                stays.wait_for(&pool, &never, Reach::Any);
                assert_eq!(task.state.load().phase(), Phase::Running);
            })
        };
        pool.submit(Arc::clone(&task));
        pool.settle(awaited, Settlement::Fulfilled, |_| true, Payload::default);
        if first.join().unwrap() {
            pool.submit(busy.nested(2));
        }
        second.join().unwrap();
    });
}

#[test]
fn a_worker_that_may_not_help_others_is_not_chosen_in_place_of_one_that_may() {
    explore(2, || {
        let pool = Arc::new(Pool::new(0, 3));
        let root = Root::new(&pool);
        let (busy, deep, flat) = (Crew::new(&pool), Crew::new(&pool), Crew::new(&pool));
        let awaited = root.task(8, Phase::Running);
        let never = root.task(9, Phase::Running);
        // It waits already, and only for its own.
        pool.sleep.announce_waiting(&deep.worker, Reach::Own);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || flat.wait_for(&pool, &never, Reach::Any))
        };
        pool.submit(busy.nested(1));
        assert!(worker.join().unwrap());
        drop(awaited);
    });
}

#[test]
fn a_worker_that_was_chosen_and_is_removed_leaves_the_task_to_another() {
    explore(2, || {
        let pool = Arc::new(Pool::new(0, 2));
        let root = Root::new(&pool);
        let (ends, stays) = (Crew::new(&pool), Crew::new(&pool));
        let first = {
            let pool = Arc::clone(&pool);
            let worker = Arc::clone(&ends.worker);
            thread::spawn(move || {
                // Its thread is stopped while it sleeps, or on its way there, or awake again.
                pool.sleep.announce_idle(&worker);
                pool.remove_worker(worker.id);
            })
        };
        let second = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || stays.work(&pool))
        };
        pool.submit(root.task(1, Phase::Queued));
        first.join().unwrap();
        assert_eq!(second.join().unwrap(), Some(1));
        drop(ends);
    });
}

#[test]
fn a_pool_that_closes_wakes_a_worker_that_falls_asleep() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let _root = Root::new(&pool);
        let crew = Crew::new(&pool);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || crew.work(&pool))
        };
        pool.close();
        assert_eq!(worker.join().unwrap(), None);
    });
}

#[test]
fn a_service_that_is_asked_for_reaches_a_root_that_is_about_to_block() {
    explore(4, || {
        let pool = Arc::new(Pool::new(0, 1));
        let root = Root::new(&pool);
        let asking = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.request_growth())
        };
        // As `binding::block` does it for the root.
        while !pool.has_service() {
            root.parker.park();
        }
        assert!(pool.take_service().is_some());
        asking.join().unwrap();
    });
}
