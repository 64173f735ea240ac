//! Ends: what follows when a task, a child or a whole generation ends, or does not end in its time.
//!
//! A generation has one verdict, decided at its first failure by the restart policy; what it means is carried out when
//! the generation is over, so that nothing of it is left when the next one starts.

use std::sync::Arc;
use std::time::Instant;

use mainstay_registry::{Override, Phase, RestartWhen};

use super::tasks::{End, Task, TaskState};
use super::{Look, Machine, Stage, TaskId, describe};
use crate::event::EventKind;
use crate::exit::{CauseKind, Exit};
use crate::outcome::{CutBy, Failure, Problem};
use crate::restart::Next;
use crate::spec::{GRACE, LONGEST};

impl Machine {
    /// Its main future has ended, children are left; they were asked to stop.
    pub(super) fn main_ended(&mut self, id: TaskId, exit: &Exit, now: Instant) {
        let until = now + self.spec.nodes[id.node].limits.stop;
        let Some(task) = self.tasks.get(id) else { return };
        if !matches!(task.state, TaskState::Starting { .. } | TaskState::Ready) {
            // It was asked to end: its exit comes again when all of it is over.
            return;
        }
        let done = matches!(exit, Exit::Ok | Exit::Disabled);
        task.said = true;
        task.enter(TaskState::Ending { since: now, until, done }, now);
        // In the stop its provider was asked, and has its time.
        task.ends_by.get_or_insert(until);
        self.watch(until);
        if !done {
            self.task_failed(id, None, exit, now);
        }
        self.settle_node(id.node, now);
    }

    /// A child has failed. Recoverable: it is said, and the task goes on.
    pub(super) fn child_failed(&mut self, id: TaskId, child: &str, exit: &Exit, now: Instant) {
        if self.tasks.get(id).is_none() {
            return;
        }
        let survives = matches!(exit, Exit::Failed(cause)
            if cause.override_of_policy() == Some(Override::NoRestart)
                || cause.kind() == CauseKind::Recoverable && cause.override_of_policy().is_none());
        if survives {
            if let Some(failure) = self.task_failure(id, Some(child), exit) {
                self.emit(EventKind::Recoverable(failure));
            }
            return;
        }
        self.task_failed(id, Some(child), exit, now);
        self.ends_by_failure(id, now);
    }

    /// A task and all of its children have ended.
    pub(super) fn task_over(&mut self, id: TaskId, exit: &Exit, now: Instant) {
        let Some(task) = self.tasks.get(id) else { return };
        if !task.state.is_live() {
            return;
        }
        let said = task.said;
        let done = matches!(exit, Exit::Ok | Exit::Disabled);
        if !done && !said && *exit != Exit::Aborted {
            self.task_failed(id, None, exit, now);
        }
        self.task_gone(id, exit, now);
    }

    /// Nothing of this generation is waited for any more: what was decided is carried out.
    fn task_gone(&mut self, id: TaskId, exit: &Exit, now: Instant) {
        let name = self.task_name(id);
        let ending = self.cause.is_some();
        let spec = Arc::clone(&self.spec);
        let policy = &spec.nodes[id.node].tasks[id.task].restart;
        let Some(task) = self.tasks.get(id) else { return };
        let must_end = task.must_end();
        let uptime = now.saturating_duration_since(task.started);
        task.tick_at = None;
        task.stuck = false;
        let verdict = task.verdict.take();
        let disabled = *exit == Exit::Disabled;
        let well = if disabled { End::Disabled } else { End::Completed };
        let (mut too_often, mut along) = (None, false);
        let (state, event) = match verdict {
            _ if ending => {
                let end = if must_end { End::Stopped } else { well };
                let ended = matches!(exit, Exit::Ok | Exit::Disabled);
                let end =
                    if verdict.is_some() || !ended && *exit != Exit::Aborted { End::Failed } else { end };
                (TaskState::Over(end), ended.then_some(EventKind::TaskEnded { task: name, disabled }))
            }
            _ if must_end && task.down => {
                (TaskState::Over(End::Stopped), Some(EventKind::TaskStopped { task: name }))
            }
            _ if must_end => (TaskState::Idle, Some(EventKind::TaskStopped { task: name })),
            Some(Next::Restart { attempt, delay }) => (backoff(attempt, delay, now), None),
            Some(Next::Degrade { .. } | Next::Escalate { .. }) => (TaskState::Over(End::Failed), None),
            Some(Next::Complete) | None => {
                // Cut after its main future had ended well, or ended so: its work is done.
                let exit = if *exit == Exit::Aborted { &Exit::Ok } else { exit };
                match task.restarts.decide(policy, exit, uptime) {
                    Next::Complete => {
                        (TaskState::Over(well), Some(EventKind::TaskEnded { task: name, disabled }))
                    }
                    Next::Restart { attempt, delay } => {
                        along = true;
                        let event = EventKind::Restarting { task: name, attempt, delay, failure: None };
                        (backoff(attempt, delay, now), Some(event))
                    }
                    Next::Degrade { restarts } | Next::Escalate { restarts } => {
                        too_often = Some(restarts);
                        (TaskState::Over(End::Failed), None)
                    }
                }
            }
        };
        task.enter(state, now);
        self.tasks.live -= 1;
        if let Some(event) = event {
            self.emit(event);
        }
        if let TaskState::Backoff { until, .. } = state {
            self.watch(until);
        }
        if let Some(restarts) = too_often {
            self.ended_too_often(id, restarts, now);
        }
        if self.stage == Stage::Stop {
            self.stop_task_over(id.node, now);
            self.answer_orders(now);
            return;
        }
        if along {
            self.take_along(id.node);
        }
        if state == TaskState::Idle {
            self.try_start(id.node, now);
        }
        self.settle_node(id.node, now);
    }

    /// A policy that always restarts, and a task that always ends at once: its `Ok` is the failure.
    fn ended_too_often(&mut self, id: TaskId, restarts: u32, now: Instant) {
        let node = &self.spec.nodes[id.node];
        let degrade = node.tasks[id.task].restart.at_limit() == mainstay_registry::AtLimit::Degrade;
        let failure = Failure::new(node.name, Phase::Run, Problem::Ended { times: restarts + 1 })
            .task(node.tasks[id.task].name.map(str::to_owned), id.generation)
            .at(node.site);
        if let Some(task) = self.tasks.get(id) {
            task.last_failure = Some(Arc::new(failure.clone()));
        }
        if degrade {
            self.emit(EventKind::Degraded(failure));
        } else {
            self.fail(failure, now);
        }
    }

    /// The failure that an end is, with the task's name and generation.
    fn task_failure(&self, id: TaskId, child: Option<&str>, exit: &Exit) -> Option<Failure> {
        let node = &self.spec.nodes[id.node];
        let failure = Failure::of(node.name, Phase::Run, exit.clone())?;
        let task = match (node.tasks[id.task].name, child) {
            (Some(task), Some(child)) => Some(format!("{task}/{child}")),
            (task, child) => task.or(child).map(str::to_owned),
        };
        Some(failure.task(task, id.generation).at(node.site))
    }

    fn task_failed(&mut self, id: TaskId, child: Option<&str>, exit: &Exit, now: Instant) {
        // A runtime that goes away while we stop takes its tasks along: that is an end, not a failure.
        if *exit == Exit::RuntimeGone && self.cause.is_some() {
            return;
        }
        if let Some(failure) = self.task_failure(id, child, exit) {
            self.judge(id, failure, exit, now);
        }
    }

    /// The present generation has failed: what follows, and who is told.
    fn judge(&mut self, id: TaskId, failure: Failure, exit: &Exit, now: Instant) {
        let recoverable =
            matches!(failure.problem(), Problem::Error(cause) if cause.kind() == CauseKind::Recoverable);
        if self.cause.is_some() {
            // Who was not asked yet, and would have been started again, has lost nothing by it.
            let restarts = self.spec.nodes[id.node].tasks[id.task].restart.when() != RestartWhen::Never;
            if recoverable || restarts && !self.was_asked(id.node) {
                self.emit(EventKind::Recoverable(failure));
            } else {
                // It failed while it stopped: listed, and a stop that lost something is not a success.
                self.stop_failures = true;
                self.note_failure(failure);
            }
            return;
        }
        let spec = Arc::clone(&self.spec);
        let policy = &spec.nodes[id.node].tasks[id.task].restart;
        let name = self.task_name(id);
        let Some(task) = self.tasks.get(id) else { return };
        if task.must_end() || task.verdict.is_some() {
            // It is on its way out, and what follows is decided.
            task.last_failure = Some(Arc::new(failure.clone()));
            self.emit(EventKind::Recoverable(failure));
            return;
        }
        let uptime = now.saturating_duration_since(task.started);
        let next = match exit {
            // On a runtime that is gone nothing can be started again.
            Exit::RuntimeGone => Next::Escalate { restarts: 0 },
            exit => task.restarts.decide(policy, exit, uptime),
        };
        task.verdict = Some(next);
        let shared = Arc::new(failure);
        task.last_failure = Some(Arc::clone(&shared));
        let failure = || Failure::clone(&shared);
        match next {
            Next::Escalate { restarts } => self.fail(given_up(failure(), restarts), now),
            Next::Degrade { restarts } if restarts == 0 && recoverable => {
                self.emit(EventKind::Recoverable(failure()));
            }
            Next::Degrade { restarts } => self.emit(EventKind::Degraded(given_up(failure(), restarts))),
            Next::Restart { attempt, delay } => {
                let failure = Some(shared);
                self.emit(EventKind::Restarting { task: name, attempt, delay, failure });
                self.take_along(id.node);
            }
            Next::Complete => {}
        }
    }

    /// The present generation has failed, and its main future lives: a child of it failed, or it is late.
    fn ends_by_failure(&mut self, id: TaskId, now: Instant) {
        // Who must end anyway is asked in its turn, when nobody needs it any more.
        let in_its_turn = self.tasks.get(id).is_none_or(|task| task.must_end());
        if self.cause.is_none() && !in_its_turn {
            self.ask_to_end(id, now);
        }
        self.settle_node(id.node, now);
    }

    pub(super) fn tasks_tick(&mut self, now: Instant, look: &dyn Look) {
        let due = |task: &Task| match task.state {
            TaskState::Starting { until } => until <= now && self.cause.is_none() && !task.must_end(),
            TaskState::Ending { until, .. }
            | TaskState::Aborting { until, .. }
            | TaskState::Backoff { until, .. } => until <= now,
            TaskState::Ready => task.tick_at.is_some_and(|at| at <= now),
            TaskState::Idle | TaskState::Over(_) => false,
        };
        let due: Vec<TaskId> = self.tasks.all().filter(|(_, task)| due(task)).map(|(id, _)| id).collect();
        for id in due {
            self.task_tick(id, now, look);
        }
    }

    fn task_tick(&mut self, id: TaskId, now: Instant, look: &dyn Look) {
        let Some(task) = self.tasks.get(id) else { return };
        match task.state {
            TaskState::Starting { .. } => self.not_ready_in_time(id, now, look),
            TaskState::Ready => self.look_for_progress(id, now, look),
            TaskState::Ending { since, .. } => {
                let until = now + GRACE;
                task.enter(TaskState::Aborting { since, until }, now);
                self.watch(until);
                self.cut_task(id, since, now, CutBy::Deadline, look);
                self.refresh_readiness(id.node, now);
            }
            TaskState::Aborting { since, .. } => {
                // The abort took no effect: it holds a thread. The next generation is not kept waiting by it.
                self.still_there(id, since, now, look);
                self.task_gone(id, &Exit::Aborted, now);
            }
            TaskState::Backoff { .. } => {
                task.enter(TaskState::Idle, now);
                self.try_start(id.node, now);
                self.settle_node(id.node, now);
            }
            TaskState::Idle | TaskState::Over(_) => {}
        }
    }

    fn not_ready_in_time(&mut self, id: TaskId, now: Instant, look: &dyn Look) {
        let node = &self.spec.nodes[id.node];
        let failure = Failure::new(node.name, Phase::Run, Problem::Deadline(node.limits.ready))
            .task(node.tasks[id.task].name.map(str::to_owned), id.generation)
            .at(node.site)
            .detail(describe(&look.task(id)));
        self.judge(id, failure, &Exit::Aborted, now);
        self.ends_by_failure(id, now);
    }

    /// Its interval is over: has it ticked since?
    fn look_for_progress(&mut self, id: TaskId, now: Instant, look: &dyn Look) {
        let Some(interval) = self.spec.nodes[id.node].limits.tick else { return };
        let restarts = self.spec.nodes[id.node].tasks[id.task].restart.when() != RestartWhen::Never;
        let seen = look.task(id);
        let name = self.task_name(id);
        let Some(task) = self.tasks.get(id) else { return };
        let last = seen.ticked.unwrap_or(task.since);
        let due = last + interval;
        let was_stuck = task.stuck;
        task.stuck = due <= now;
        // Of one that is stuck it is looked often, so that its next tick is seen soon.
        let next = if task.stuck { now + (interval / 4).max(GRACE) } else { due };
        task.tick_at = Some(next);
        if task.stuck && !was_stuck {
            let since = now.saturating_duration_since(last);
            let seen = describe(&seen);
            self.emit(EventKind::Stuck { task: name, since, seen: seen.clone() });
            if restarts {
                let node = &self.spec.nodes[id.node];
                let failure = Failure::new(node.name, Phase::Run, Problem::Stuck(since))
                    .task(node.tasks[id.task].name.map(str::to_owned), id.generation)
                    .at(node.site)
                    .detail(seen);
                self.judge(id, failure, &Exit::Aborted, now);
                self.watch(next);
                self.ends_by_failure(id, now);
                return;
            }
        } else if was_stuck && due > now {
            self.emit(EventKind::Unstuck { task: name });
        }
        self.watch(next);
        self.settle_node(id.node, now);
    }

    pub(super) fn tasks_wake(&self) -> Option<Instant> {
        let at = |(_, task): (_, &Task)| match task.state {
            TaskState::Starting { until } if self.cause.is_none() && !task.must_end() => Some(until),
            TaskState::Ending { until, .. }
            | TaskState::Aborting { until, .. }
            | TaskState::Backoff { until, .. } => Some(until),
            TaskState::Ready => task.tick_at,
            _ => None,
        };
        self.tasks.all().filter_map(at).min()
    }

    /// Nobody is started again: the process stops.
    pub(super) fn end_backoffs(&mut self, now: Instant) {
        for task in self.tasks.nodes.iter_mut().flatten() {
            if matches!(task.state, TaskState::Backoff { .. }) {
                task.enter(TaskState::Over(End::Failed), now);
            }
        }
    }
}

fn backoff(attempt: u32, delay: std::time::Duration, now: Instant) -> TaskState {
    // Without a delay it does not pass through a timer, whose floor is a millisecond.
    if delay.is_zero() {
        TaskState::Idle
    } else {
        TaskState::Backoff { until: now + delay.min(LONGEST), attempt }
    }
}

fn given_up(failure: Failure, restarts: u32) -> Failure {
    match restarts {
        0 => failure,
        1 => failure.also_seen("given up after 1 restart"),
        restarts => failure.also_seen(&format!("given up after {restarts} restarts in a row")),
    }
}
