//! Which entry a worker takes next, and from where.
//!
//! A worker without a job takes the entry of the highest priority; among equals its own nested ones come first, then other workers', then those from
//! outside: what has been begun is finished before something new is. A worker with a job that waits takes nested ones only: its own, then
//! those of workers that run its tasks (they come from what it waits for), then, where it may, any.

use std::sync::Arc;

use crate::fairness::{Epoch, Fairness};
use crate::levels::{NOTHING, Rank};
use crate::pool::Pool;
use crate::sleep::Reach;
use crate::task::Task;
use crate::worker::Worker;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Own,
    Others,
    Outside,
}

const SOURCES: [Source; 3] = [Source::Own, Source::Others, Source::Outside];

/// What one worker remembers of its takings, so that none of the sources is forgotten over the others (see `fairness.rs`).
pub struct Turns {
    fairness: Fairness,
    /// By source: epoch in which it was last empty or taken from.
    since: [Epoch; SOURCES.len()],
}

impl Default for Turns {
    fn default() -> Self {
        let fairness = Fairness::default();
        let since = [fairness.epoch(); SOURCES.len()];
        Self { fairness, since }
    }
}

impl Turns {
    fn touch(&mut self, source: Source) {
        self.since[source as usize] = self.fairness.epoch();
    }

    /// Counts a taking. Some: this source is next, whatever its priority.
    fn overdue(&mut self) -> Option<Source> {
        let epoch = self.fairness.count()?;
        let oldest = SOURCES.into_iter().min_by_key(|source| self.since[*source as usize])?;
        (self.since[oldest as usize] <= epoch).then_some(oldest)
    }
}

impl Pool {
    /// The next entry for a worker without a job. It may be stale.
    pub fn find_for_idle(&self, worker: &Worker, turns: &mut Turns) -> Option<Arc<Task>> {
        if let Some(task) = worker.pinned.pop() {
            return Some(task);
        }
        if self.nested.is_empty() {
            SOURCES.into_iter().for_each(|source| turns.touch(source));
            return self.injector.pop();
        }
        let mut tops = [
            (worker.nested.top(), Source::Own),
            (
                self.best_of_others(worker).map_or(NOTHING, |(top, _)| top),
                Source::Others,
            ),
            (self.injector.top(), Source::Outside),
        ];
        for (top, source) in tops {
            if top == NOTHING {
                turns.touch(source);
            }
        }
        // Stable, so equals stay in the order above.
        tops.sort_by_key(|(top, _)| *top);
        let first = turns.overdue();
        let order = first.into_iter().chain(tops.map(|(_, source)| source));
        for source in order {
            let task = match source {
                Source::Own => worker.nested.pop(),
                Source::Others => self.steal(worker),
                Source::Outside => self.injector.pop(),
            };
            if task.is_some() {
                turns.touch(source);
                return task;
            }
        }
        None
    }

    pub fn has_work_for_idle(&self, worker: &Worker) -> bool {
        !self.injector.is_empty() || self.has_nested() || !worker.pinned.is_empty()
    }

    /// Whether there is something in any worker's deque. Asks the deques themselves: the total alone is one too high for a moment after a taking, and
    /// who sees nothing but that would look for it in vain, again and again.
    pub fn has_nested(&self) -> bool {
        !self.nested.is_empty() && self.workers.read().iter().any(|worker| !worker.nested.is_empty())
    }

    /// The next entry for a worker that waits inside a job: nested tasks only, so that no stranger's time-out can take that job down.
    pub fn find_for_waiting(&self, worker: &Worker, reach: Reach) -> Option<Arc<Task>> {
        if reach == Reach::Nothing {
            return None;
        }
        worker
            .nested
            .pop()
            .or_else(|| self.steal_back(worker))
            .or_else(|| if reach == Reach::Any { self.steal(worker) } else { None })
    }

    /// Whether `find_for_waiting` has something to look for.
    pub fn has_work_for_waiting(&self, worker: &Worker, reach: Reach) -> bool {
        !self.nested.is_empty()
            && match reach {
                Reach::Nothing => false,
                Reach::Own => !worker.nested.is_empty() || self.has_work_to_steal_back(worker),
                Reach::Any => self.has_nested(),
            }
    }

    fn has_work_to_steal_back(&self, worker: &Worker) -> bool {
        let workers = self.workers.read();
        workers
            .iter()
            .any(|other| other.is_serving(worker.id) && !other.nested.is_empty())
    }

    /// From a worker that runs one of this worker's tasks ("leapfrogging": Wagner and Calder, PPoPP 1993): what is there has been pushed by the task
    /// that is waited for, so it brings the wait to its end, and the stack grows no higher than the tree of tasks is deep.
    fn steal_back(&self, thief: &Worker) -> Option<Arc<Task>> {
        if self.nested.is_empty() {
            return None;
        }
        let workers = self.workers.read();
        workers
            .iter()
            .filter(|other| other.is_serving(thief.id))
            .find_map(|other| other.nested.steal())
    }

    /// The highest rank in another worker's deque, and where the worker is. Of equals the one that comes first after this worker.
    fn best_of_others(&self, worker: &Worker) -> Option<(Rank, usize)> {
        if self.nested.is_empty() {
            return None;
        }
        let workers = self.workers.read();
        let start = workers.iter().position(|other| other.id == worker.id).unwrap_or(0);
        (1..workers.len())
            .map(|distance| (start + distance) % workers.len())
            .map(|at| (workers[at].nested.top(), at))
            .filter(|(top, _)| *top != NOTHING)
            .min_by_key(|(top, _)| *top)
    }

    fn steal(&self, thief: &Worker) -> Option<Arc<Task>> {
        let (_, best) = self.best_of_others(thief)?;
        let workers = self.workers.read();
        // The list may be another by now; then this is only another order.
        (0..workers.len())
            .map(|distance| &workers[(best + distance) % workers.len()])
            .filter(|other| other.id != thief.id)
            .find_map(|other| other.nested.steal())
    }

    /// Tells sleepers of what is queued: the last worker that was searching has ended its search, or one that had been told has other things to do.
    ///
    /// As many are told as there are tasks, since whoever pushed while somebody searched has told nobody, and who is told of the first may be busy with it for long.
    /// Where nobody sleeps and the pool may grow, one more worker is asked for: whoever pushed while somebody searched has not asked either.
    pub fn pass_on(&self) {
        let mut told = 0;
        loop {
            let from_outside = !self.injector.is_empty();
            let owner = self.owner_of_nested();
            if !from_outside && owner.is_none() {
                return;
            }
            let by_idle = from_outside && self.tell_idle();
            let by_any = owner.is_some_and(|owner| self.tell_any(&owner));
            told += 1;
            // The count is read after the telling's fence: it has what is in the queues.
            if !(by_idle || by_any) || told >= self.queued() {
                break;
            }
        }
        if self.wants_worker() {
            self.request_growth();
        }
    }

    /// A worker that has something in its deque.
    fn owner_of_nested(&self) -> Option<Arc<Worker>> {
        if self.nested.is_empty() {
            return None;
        }
        let workers = self.workers.read();
        workers.iter().find(|worker| !worker.nested.is_empty()).cloned()
    }
}
