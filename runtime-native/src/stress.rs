//! The scheduler under load, without Node: threads that push, cancel, block, drop and let tasks depend on each other against threads that work, sleep,
//! help and are stopped, while the timer expires tasks. An oracle checks that every task ends once, that its owner hears of it once and in time, that
//! what is counted comes out even, and that nothing is left in memory.
//!
//! `STRESS_SECONDS` (default: ten rounds) and `STRESS_SEED` in the environment. Each round prints its seed when it fails; threads are not replayed, but
//! what they do is.

mod oracle;
mod owner;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::mailbox::{LoopWaker, Mailbox};
use crate::pool::{Pool, Service};
use crate::sync::Parker;
use crate::task::Task;

/// Longest that anything may take before the run counts as hung. Generous: sanitizers and loaded machines are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rounds that are run at least.
const ROUNDS: u32 = 10;

/// What an owner does when it looks: everything that has settled, oldest last; progress is taken note of.
fn drained(mailbox: &Mailbox) -> Vec<Arc<Task>> {
    mailbox.answer_wake();
    for task in mailbox.take_progressed() {
        task.take_progress();
    }
    let mut tasks = Vec::new();
    mailbox.outbox.take(&mut tasks);
    tasks
}

/// xorshift: what a thread does is decided by its seed alone.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// True once in so many times.
    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// An event loop: it can be woken, and that is all.
#[derive(Default)]
struct Loop {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl LoopWaker for Loop {
    fn wake(&self) {
        *self.woken.lock() = true;
        self.changed.notify_all();
    }
}

impl Loop {
    /// Waits for a wake.
    ///
    /// # Panics
    /// When none comes.
    fn wait(&self, what: &str) {
        let started = Instant::now();
        let mut woken = self.woken.lock();
        while !*woken {
            assert!(started.elapsed() < PATIENCE, "no wake-up for {what}");
            self.changed.wait_for(&mut woken, Duration::from_secs(1));
        }
        *woken = false;
    }
}

/// For what the timer's thread may still hold for a moment.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    workers: u32,
    /// Environments that push from outside.
    owners: u32,
    /// Tasks that each of them pushes.
    tasks: u32,
}

/// One round: a pool from its beginning to its end.
fn round(plan: Plan) {
    let pool = Arc::new(Pool::new(1, plan.workers));
    let root_loop = Arc::new(Loop::default());
    let parker = Parker::new();
    let root = Arc::new(Mailbox::new(Arc::clone(&pool), None, parker.unparker().clone()));
    root.set_waker(root_loop.clone());
    pool.set_root(&root);
    let ended = Arc::new(AtomicBool::new(false));
    let ledger = Arc::new(oracle::Ledger::default());

    // The root environment: starts workers, replaces those that have gone.
    let keeper = {
        let (pool, ended, ledger) = (Arc::clone(&pool), Arc::clone(&ended), Arc::clone(&ledger));
        thread::spawn(move || {
            let mut threads = Vec::new();
            let mut seed = plan.seed;
            let mut start = |pool: &Arc<Pool>| {
                seed += 1;
                let worker = pool.add_worker().unwrap();
                threads.push(worker::start(Arc::clone(pool), worker, Arc::clone(&ledger), seed));
            };
            (0..plan.workers).for_each(|_| start(&pool));
            while !ended.load(Ordering::SeqCst) {
                match pool.take_service() {
                    Some(Service::Stop(id)) => drop(pool.remove_worker(id)),
                    Some(Service::Gone(_) | Service::Grow) if pool.worker_count() < plan.workers => start(&pool),
                    Some(_) => {}
                    None => parker.park_timeout(Duration::from_millis(20)),
                }
            }
            pool.close();
            for thread in threads {
                thread.join().unwrap();
            }
        })
    };

    let owners: Vec<_> = (0..plan.owners)
        .map(|number| {
            let (pool, ledger) = (Arc::clone(&pool), Arc::clone(&ledger));
            let seed = plan.seed ^ (u64::from(number) + 1) << 32;
            thread::spawn(move || owner::run(&pool, &ledger, Random::new(seed), plan.tasks))
        })
        .collect();
    for owner in owners {
        owner.join().unwrap();
    }
    ended.store(true, Ordering::SeqCst);
    root.unpark();
    keeper.join().unwrap();
    while pool.take_service().is_some() {}
    root.close();
    // As `Port::close` does it for the root.
    pool.abandon();
    ledger.check(&pool, plan.owners * plan.tasks);
    drop(root);
    wait_until("the pool is let go", || Arc::strong_count(&pool) == 1);
}

#[test]
fn every_task_ends_once_and_nothing_is_left() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let ends = Instant::now() + Duration::from_secs(number("STRESS_SECONDS").unwrap_or(0));
    let mut seed = number("STRESS_SEED").unwrap_or(1);
    let mut rounds = 0;
    loop {
        let mut random = Random::new(seed);
        let plan = Plan {
            seed,
            workers: 1 + random.below(4) as u32,
            owners: 1 + random.below(3) as u32,
            tasks: 2_000,
        };
        let result = thread::spawn(move || round(plan)).join();
        assert!(result.is_ok(), "the round with STRESS_SEED={seed} failed, see above");
        seed += 1;
        rounds += 1;
        if rounds >= ROUNDS && Instant::now() >= ends {
            break;
        }
    }
}
