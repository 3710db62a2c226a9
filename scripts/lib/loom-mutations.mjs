/**
 * Faults that are put into the runtime on purpose, one at a time: the models must find each of them. A mutation whose text is not there any more
 * fails the run, so that this list follows the code.
 *
 * `file` is in runtime-native/src; `model` is the test that must fail.
 */
export const mutations = [
  // The slot's state machine
  {
    name: "publishing the outcome does not release it",
    file: "state.rs",
    find: `Phase::Settled as u64 | ((settlement as u64) << SETTLEMENT_SHIFT),
            Ordering::AcqRel,`,
    replace: `Phase::Settled as u64 | ((settlement as u64) << SETTLEMENT_SHIFT),
            Ordering::Relaxed,`,
    model: "settling::a_task_that_is_run_and_cancelled_and_times_out_ends_once",
  },
  {
    name: "looking at the state does not acquire the outcome",
    file: "state.rs",
    find: "Word(self.0.load(Ordering::Acquire))",
    replace: "Word(self.0.load(Ordering::Relaxed))",
    model: "settling::a_blocked_owner_is_woken_and_takes_the_outcome_itself",
  },
  {
    name: "a task can be settled while another settles it",
    file: "pool.rs",
    find: "matches!(phase, Phase::Waiting | Phase::Queued | Phase::Running)",
    replace: "phase != Phase::Settled",
    model: "settling::a_task_that_is_run_and_cancelled_and_times_out_ends_once",
  },
  {
    name: "the mark of a blocked owner gets lost when settling begins",
    file: "state.rs",
    find: "allowed(word.phase()).then_some((word.0 & MARKS) | Phase::Settling as u64)",
    replace: "allowed(word.phase()).then_some(Phase::Settling as u64)",
    model: "settling::a_blocked_owner_is_woken_and_takes_the_outcome_itself",
  },
  {
    name: "the mark of a blocked owner gets lost when the task is claimed",
    file: "state.rs",
    find: "(word.0 & MARKS) | Phase::Running as u64 | runner",
    replace: "Phase::Running as u64 | runner",
    model: "settling::a_blocked_owner_is_woken_and_takes_the_outcome_itself",
  },
  {
    name: "a dependent is listed after the mark, without the lock",
    file: "task.rs",
    find: `let mut dependents = self.dependents.lock();
        let word = self.state.mark_linked();`,
    replace: `let word = self.state.mark_linked();
        let mut dependents = self.dependents.lock();`,
    model: "settling::a_task_is_queued_once_when_both_that_it_waits_for_are_fulfilled_while_it_is_linked",
  },
  {
    name: "the maker has no share in the count of missing dependencies",
    file: "task.rs",
    find: "missing: AtomicU32::new(1)",
    replace: "missing: AtomicU32::new(0)",
    model: "settling::a_task_is_queued_once_when_both_that_it_waits_for_are_fulfilled_while_it_is_linked",
  },
  {
    name: "progress is announced before it is stored",
    file: "task.rs",
    find: `self.progress.store(fraction.to_bits(), Ordering::Relaxed);
        // AcqRel: pairs with \`take_progress\`, so that the value read there is at least as new as the flag.
        !self.progress_is_news.swap(true, Ordering::AcqRel)`,
    replace: `let told = !self.progress_is_news.swap(true, Ordering::AcqRel);
        self.progress.store(fraction.to_bits(), Ordering::Relaxed);
        told`,
    model: "settling::the_last_progress_that_was_reported_is_seen_by_an_owner_that_was_told",
  },
  {
    name: "a report of progress does not release its value",
    file: "task.rs",
    find: "!self.progress_is_news.swap(true, Ordering::AcqRel)",
    replace: "!self.progress_is_news.swap(true, Ordering::Relaxed)",
    model: "settling::the_last_progress_that_was_reported_is_seen_by_an_owner_that_was_told",
  },

  // Outbox and mailbox
  {
    name: "a push to the outbox is not in the total order",
    file: "outbox.rs",
    find: ".compare_exchange_weak(head, newest, Ordering::SeqCst, Ordering::Relaxed)",
    replace: ".compare_exchange_weak(head, newest, Ordering::AcqRel, Ordering::Relaxed)",
    model: "delivery::an_owner_that_starts_to_listen_hears_what_is_settled_at_that_moment",
  },
  {
    name: "the owner's look at the outbox after it listens is not in the total order",
    file: "outbox.rs",
    find: `let head = self.head.load(Ordering::SeqCst);
        head.is_null()`,
    replace: `let head = self.head.load(Ordering::Acquire);
        head.is_null()`,
    model: "delivery::an_owner_that_starts_to_listen_hears_what_is_settled_at_that_moment",
  },
  {
    name: "listening is not in the total order",
    file: "mailbox.rs",
    find: "self.listening.store(listening, Ordering::SeqCst);",
    replace: "self.listening.store(listening, Ordering::Release);",
    model: "delivery::an_owner_that_starts_to_listen_hears_what_is_settled_at_that_moment",
  },
  {
    name: "the look whether the owner listens is not in the total order",
    file: "mailbox.rs",
    find: "if self.listening.load(Ordering::SeqCst) || settlement != Settlement::Fulfilled {",
    replace: "if self.listening.load(Ordering::Acquire) || settlement != Settlement::Fulfilled {",
    model: "delivery::an_owner_that_starts_to_listen_hears_what_is_settled_at_that_moment",
  },
  {
    name: "an owner that stops attending does not look at what came meanwhile",
    file: "mailbox.rs",
    find: "if !attending && (!self.outbox.is_empty()",
    replace: "if false && (!self.outbox.is_empty()",
    model: "delivery::what_is_settled_while_the_owner_attends_is_heard_when_it_stops",
  },
  {
    name: "that an owner stops attending is not in the total order",
    file: "mailbox.rs",
    find: "self.attending.store(attending, Ordering::SeqCst);",
    replace: "self.attending.store(attending, Ordering::Release);",
    model: "delivery::what_is_settled_while_the_owner_attends_is_heard_when_it_stops",
  },
  {
    name: "the answer to a wake is not in the total order",
    file: "mailbox.rs",
    find: "self.wake_pending.swap(false, Ordering::SeqCst);",
    replace: "self.wake_pending.swap(false, Ordering::Release);",
    model: "delivery::what_is_settled_between_a_look_at_the_outbox",
  },
  {
    name: "the owner is woken before the entry is there",
    file: "mailbox.rs",
    find: `self.outbox.push([task]);
        // Failures wake the loop in any case: an unhandled one must be reported.
        if self.listening.load(Ordering::SeqCst) || settlement != Settlement::Fulfilled {
            self.wake_unless_attending();
        }`,
    replace: `if self.listening.load(Ordering::SeqCst) || settlement != Settlement::Fulfilled {
            self.wake_unless_attending();
        }
        self.outbox.push([task]);`,
    model: "delivery::a_failure_wakes_an_owner_that_does_not_listen",
  },
  {
    name: "an outbox that closes forgets what is in it",
    file: "outbox.rs",
    find: `if head != closed() {
            Self::unlink(head, &mut Vec::new());
        }`,
    replace: "let _ = head;",
    model: "delivery::an_outbox_that_closes_keeps_nothing_that_is_pushed_at_that_moment",
  },
  {
    name: "tasks that fail together are handed over one by one",
    file: "mailbox.rs",
    find: "self.outbox.push(tasks);",
    replace: "tasks.into_iter().for_each(|task| self.outbox.push([task]));",
    model: "delivery::tasks_that_fail_together_are_heard_of_together",
  },

  // Sleeping
  {
    name: "a worker looks for work a last time before it announces its sleep",
    file: "sleep/resting.rs",
    find: `pool.sleep.announce_idle(worker);
    if must_not_sleep(pool, worker) {`,
    replace: `let stays_awake = must_not_sleep(pool, worker);
    pool.sleep.announce_idle(worker);
    if stays_awake {`,
    model: "sleeping::a_task_that_is_pushed_while_the_only_worker_falls_asleep_is_run",
  },
  {
    name: "a worker says that it is in its event loop after it has announced its sleep",
    file: "sleep/resting.rs",
    find: `worker.set_in_loop(true);
    pool.sleep.announce_idle(worker);
    !must_not_sleep(pool, worker)`,
    replace: `pool.sleep.announce_idle(worker);
    let sleeps = !must_not_sleep(pool, worker);
    worker.set_in_loop(true);
    sleeps`,
    model: "sleeping::a_worker_that_falls_asleep_in_its_event_loop_is_woken_there",
  },
  {
    name: "a search that ends without a task passes nothing on",
    file: "sleep/resting.rs",
    find: "if pool.sleep.end_search() {",
    replace: "if pool.sleep.end_search() && found.is_some() {",
    model: "sleeping::two_tasks_reach_two_workers_although_one_searches_and_takes_only_one",
  },
  {
    name: "a search that ends with a task passes nothing on",
    file: "sleep/resting.rs",
    find: "if pool.sleep.end_search() {",
    replace: "if pool.sleep.end_search() && found.is_none() {",
    model: "sleeping::two_tasks_reach_two_workers_although_one_searches_and_takes_only_one",
  },
  {
    name: "what is left after a search is told to one sleeper only",
    file: "find.rs",
    find: "if !(by_idle || by_any) || told >= self.queued() {",
    replace: "if !(by_idle || by_any) || told >= 1 {",
    model: "sleeping::three_tasks_reach_three_workers_although_one_searches_and_takes_only_one",
  },
  {
    name: "the announcement of a sleep is not in the total order",
    file: "sleep/mod.rs",
    find: `self.idle.store(sleepers.idle.len() as u32, Ordering::SeqCst);
        drop(sleepers);
        fence(Ordering::SeqCst);`,
    replace: `self.idle.store(sleepers.idle.len() as u32, Ordering::Release);
        drop(sleepers);`,
    model: "sleeping::a_task_that_is_pushed_while_the_only_worker_falls_asleep_is_run",
  },
  {
    name: "the look for sleepers is not in the total order",
    file: "sleep/mod.rs",
    find: `fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) == 0 && self.idle.load(Ordering::SeqCst) != 0 {`,
    replace: "if self.searching.load(Ordering::Acquire) == 0 && self.idle.load(Ordering::Acquire) != 0 {",
    model: "sleeping::a_task_that_is_pushed_while_the_only_worker_falls_asleep_is_run",
  },
  {
    name: "a nested task is told to idle workers only",
    file: "sleep/mod.rs",
    find: "if self.waiting.load(Ordering::SeqCst) != 0 {",
    replace: "if false {",
    model: "sleeping::a_nested_task_reaches_a_worker_that_waits_while_its_owner_is_busy",
  },
  {
    name: "a worker that may only run its own nested tasks is chosen for others'",
    file: "sleep/mod.rs",
    find: ".rposition(|entry| entry.may_run_of(owner))",
    replace: ".position(|_| true)",
    model: "sleeping::a_worker_that_may_not_help_others_is_not_chosen_in_place_of_one_that_may",
  },
  {
    name: "a worker that is removed passes nothing on",
    file: "pool.rs",
    find: `self.pass_on();
        self.request(Service::Gone(id));`,
    replace: "self.request(Service::Gone(id));",
    model: "sleeping::a_worker_that_was_chosen_and_is_removed_leaves_the_task_to_another",
  },
  {
    name: "workers are woken before the pool says that it closes",
    file: "pool.rs",
    find: `self.closing.store(true, Ordering::SeqCst);
        for worker in self.workers() {
            worker.wake();
        }`,
    replace: `for worker in self.workers() {
            worker.wake();
        }
        self.closing.store(true, Ordering::SeqCst);`,
    model: "sleeping::a_pool_that_closes_wakes_a_worker_that_falls_asleep",
  },
  {
    name: "the root is woken before it can see what is asked of it",
    file: "pool.rs",
    find: `self.services.lock().push_back(service);
        self.has_service.store(true, Ordering::SeqCst);
        if let Some(root) = self.root.get().and_then(Weak::upgrade) {
            root.unpark();
            root.wake_loop();
        }`,
    replace: `if let Some(root) = self.root.get().and_then(Weak::upgrade) {
            root.unpark();
            root.wake_loop();
        }
        self.services.lock().push_back(service);
        self.has_service.store(true, Ordering::SeqCst);`,
    model: "sleeping::a_service_that_is_asked_for_reaches_a_root_that_is_about_to_block",
  },

  // Stopping
  {
    name: "a worker is condemned without a second look at the job",
    file: "worker.rs",
    find: "let condemned = self.is_open(job);",
    replace: "let condemned = true;",
    model: "stopping::a_worker_that_is_condemned_for_a_job_takes_no_other_and_one_that_is_not_goes_on",
  },
  {
    name: "closing a job is not in the total order",
    file: "job_flags.rs",
    find: "self.open[job_slot(job)].store(0, Ordering::SeqCst);",
    replace: "self.open[job_slot(job)].store(0, Ordering::Release);",
    model: "stopping::a_worker_that_is_condemned_for_a_job_takes_no_other_and_one_that_is_not_goes_on",
  },
  {
    name: "the look whether the worker is doomed is not in the total order",
    file: "worker.rs",
    find: "match self.doom.load(Ordering::SeqCst) {",
    replace: "match self.doom.load(Ordering::Acquire) {",
    model: "stopping::a_worker_that_is_condemned_for_a_job_takes_no_other_and_one_that_is_not_goes_on",
  },
  {
    name: "a stop is given up because another job is just being looked at",
    file: "worker.rs",
    find: "Err(CONDEMNED) => return false,",
    replace: "Err(_) if true => return false,",
    model: "stopping::a_job_that_is_to_be_stopped_is_although_another_is_just_being_found_to_have_ended",
  },
  {
    name: "a chunk load that is pinned to a worker that goes is forgotten",
    file: "pool.rs",
    find: `worker.wake();
                    self.settle_if_left(&worker);`,
    replace: "worker.wake();",
    model: "stopping::what_is_pinned_to_a_worker_that_goes_at_that_moment_is_settled",
  },
  {
    name: "a nested task of a worker that goes is forgotten",
    file: "pool.rs",
    find: `self.sleep.tell_any(&worker);
            self.settle_if_left(&worker);`,
    replace: "self.sleep.tell_any(&worker);",
    model: "stopping::what_is_pushed_for_a_worker_that_goes_at_that_moment_is_not_kept",
  },
  {
    name: "a worker says that it has left after its queues were emptied",
    file: "pool.rs",
    find: `worker.leave();
        self.settle_if_left(&worker);`,
    replace: `self.settle_if_left(&worker);
        worker.leave();`,
    model: "stopping::what_is_pushed_for_a_worker_that_goes_at_that_moment_is_not_kept",
  },

  // Suspended jobs and stand-ins
  {
    name: "a job goes on and looks whether it was cancelled without a fence between",
    file: "worker.rs",
    find: `fence(Ordering::SeqCst);
        is_settled().then_some(job)`,
    replace: "is_settled().then_some(job)",
    model: "suspending::a_job_that_goes_on_while_it_is_cancelled_is_stopped",
  },
  {
    name: "a worker is condemned without a fence after the settlement",
    file: "worker.rs",
    find: `fence(Ordering::SeqCst);
        loop {`,
    replace: "loop {",
    model: "suspending::a_job_that_goes_on_while_it_is_cancelled_is_stopped",
  },
  {
    name: "a job that goes on does not look whether it was cancelled",
    file: "worker.rs",
    find: "is_settled().then_some(job)",
    replace: "None",
    model: "suspending::a_job_that_is_suspended_and_goes_on_while_it_is_cancelled_is_stopped",
  },
  {
    name: "a suspended job is a reason to stop its worker",
    file: "worker.rs",
    find: "self.flags.rename(job | SUSPENDED);",
    replace: "self.flags.rename(job);",
    model: "suspending::a_job_that_is_cancelled_while_it_is_suspended_stops_nobody",
  },
  {
    name: "a worker that gets stuck looks for nested tasks before it says so",
    file: "pool.rs",
    find: `self.stuck.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.has_nested() {
            self.pass_on();
        }`,
    replace: `let wanted = self.has_nested();
        self.stuck.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if wanted {
            self.pass_on();
        }`,
    model: "suspending::a_nested_task_that_is_pushed_while_another_worker_gets_stuck_gets_a_worker_to_stand_in",
  },
];
