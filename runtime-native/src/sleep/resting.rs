//! A worker's own steps: how it looks for work, and how it falls asleep. The other side, whom a task wakes, is in `sleep`.
//!
//! Nothing here calls into JavaScript: `park` is whatever lets the thread sleep until `Worker::wake`.

use std::sync::Arc;

use super::{Patience, Reach};
use crate::find::Turns;
use crate::pool::Pool;
use crate::task::Task;
use crate::worker::Worker;

/// Looks for work a little longer.
pub fn search(pool: &Pool, worker: &Worker, turns: &mut Turns) -> Option<Arc<Task>> {
    pool.sleep.start_search();
    let mut found = None;
    let mut patience = Patience::default();
    while patience.wait() {
        if pool.has_work_for_idle(worker) {
            found = pool.find_for_idle(worker, turns);
            if found.is_some() {
                break;
            }
        }
        if pool.is_closing() {
            break;
        }
    }
    // Whoever pushed while somebody searched has told nobody. Also when it gives up: it may find one of several tasks in its last look before it
    // sleeps, and would leave the others to sleepers that know of nothing.
    if pool.sleep.end_search() {
        pool.pass_on();
    }
    found
}

fn must_not_sleep(pool: &Pool, worker: &Worker) -> bool {
    pool.has_work_for_idle(worker) || pool.is_closing() || worker.is_doomed() || worker.is_retired()
}

/// An idle worker sleeps natively, unless there is something to do. True when nothing has come up all the while.
pub fn sleep_natively(pool: &Pool, worker: &Arc<Worker>, park: impl FnOnce()) -> bool {
    pool.sleep.announce_idle(worker);
    if must_not_sleep(pool, worker) {
        pool.sleep.retract_idle(worker);
        return false;
    }
    park();
    pool.sleep.retract_idle(worker) && !must_not_sleep(pool, worker)
}

/// An idle worker is about to sleep in its event loop. False when it must not, and has to [`wake_in_loop`] at once.
pub fn fall_asleep_in_loop(pool: &Pool, worker: &Arc<Worker>) -> bool {
    worker.set_in_loop(true);
    pool.sleep.announce_idle(worker);
    !must_not_sleep(pool, worker)
}

/// As [`fall_asleep_in_loop`], for a worker whose jobs are pending asynchronously: it runs what they wait for, and nothing else.
pub fn wait_in_loop(pool: &Pool, worker: &Arc<Worker>) -> bool {
    worker.set_in_loop(true);
    pool.sleep.announce_waiting(worker, Reach::Own);
    !pool.has_work_for_waiting(worker, Reach::Own) && !pool.is_closing() && !worker.is_doomed()
}

/// A worker that waits inside of a job sleeps, unless there is something to do. False when it has been chosen to run a nested task: then it must
/// look for one, or [`Pool::pass_on`].
pub fn sleep_inside(
    pool: &Pool,
    worker: &Arc<Worker>,
    reach: Reach,
    may_sleep: impl FnOnce() -> bool,
    park: impl FnOnce(),
) -> bool {
    pool.sleep.announce_waiting(worker, reach);
    // A last look: what was queued before the announcement was not told to this worker.
    if may_sleep() && !pool.is_closing() && !worker.is_doomed() {
        park();
    }
    pool.sleep.retract_waiting(worker)
}
