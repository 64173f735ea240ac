//! What the task of a supervised child asks and is told: start, end, what follows from an end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use mainstay_registry::Override;

use super::ChildError;
use super::answers::Answers;
use super::entry::{End, Entry, Phase, Record, State, Want};
use crate::context::{Generation, Ring};
use crate::event::EventKind;
use crate::exit::{CauseKind, Exit};
use crate::outcome::Failure;
use crate::restart::Next;
use crate::spec::LONGEST;

/// What the task is to do when no future of its lives.
pub(super) enum Step {
    /// Call the body for this generation; somebody may wait to hear that it was.
    Start(Arc<Generation>, Heard),
    /// The last member of this one ended, after its main future had like this.
    Settle(Arc<Generation>, Exit),
    Wait,
    /// Drop the body, and end.
    End,
}

/// Whether anybody waits for the start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    ByNobody,
    Perhaps,
}

/// How the task goes on after an end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Ask again what to do.
    Go,
    /// The same, once others have had their turn.
    Yield,
    Wait,
    /// Drop the body, and end.
    End,
}

impl Entry {
    pub(super) fn next(&self, waker: &Waker) -> Step {
        let mut state = self.state();
        let state = &mut *state;
        if state.waker.is_none() {
            state.waker = Some(waker.clone());
        }
        let closing = self.is_closing(state);
        match state.phase {
            Phase::Due | Phase::Backoff | Phase::Stopped | Phase::Failed if closing => {
                let end = if state.phase == Phase::Failed { End::Failed } else { End::Stopped };
                self.enter(state, Phase::Gone(end));
                Step::End
            }
            Phase::Due => {
                let heard = state.by_hand || state.rare.is_some();
                Step::Start(self.start(state), if heard { Heard::Perhaps } else { Heard::ByNobody })
            }
            Phase::Over => {
                let exit = state.rare().over.take().unwrap_or(Exit::Ok);
                Step::Settle(Arc::clone(self.current(state.later.as_ref())), exit)
            }
            Phase::Gone(_) => Step::End,
            Phase::Running | Phase::Backoff | Phase::Stopped | Phase::Failed => Step::Wait,
        }
    }

    fn start(&self, state: &mut State) -> Arc<Generation> {
        if std::mem::replace(&mut state.begun, true) {
            state.later = Some(Generation::later(self, state.number() + 1));
        }
        state.asked = false;
        if let Some(rare) = &mut state.rare {
            rare.ends_by = None;
        }
        self.aborted.store(false, Ordering::Relaxed);
        let generation = self.current(state.later.as_ref());
        generation.begin(self.home().root().now_inside());
        let generation = Arc::clone(generation);
        self.enter(state, Phase::Running);
        generation
    }

    /// Its body was called, and has made a future.
    pub(super) fn started(&self, heard: Heard) {
        if heard == Heard::ByNobody {
            return;
        }
        let mut answers = Answers::default();
        {
            let mut state = self.state();
            state.by_hand = false;
            answers.asked(state.take(|waiting| &mut waiting.restarts), &Ok(()));
        }
        answers.give();
    }

    /// Its main future has ended and was dropped; members of it may be left.
    pub(super) fn main_ended(&self, generation: &Arc<Generation>, exit: Exit) -> Flow {
        let (exit, over) = generation.main_ended(exit);
        if !over {
            // It was asked already, and has its alarm.
            let asked = {
                let mut state = self.state();
                std::mem::replace(&mut state.asked, true) || self.is_closing(&state)
            };
            if !asked {
                self.arm(Ring::Deadline, generation.number());
            }
            return Flow::Wait;
        }
        // As it was asked to: a hundred thousand may end at once on this way, and `left` does the rest.
        if matches!(exit, Exit::Ok) && self.home().is_asked() {
            Flow::End
        } else {
            self.settle(generation, exit)
        }
    }

    /// Everything in a generation has ended: what follows.
    pub(super) fn settle(&self, generation: &Generation, own: Exit) -> Flow {
        let number = generation.number();
        let mut after = After::default();
        let mut state = self.state();
        let failed = state.rare.as_mut().and_then(|rare| rare.member_failure.take());
        let (member, exit, beside) = match failed {
            Some((member, exit)) => (Some(member), exit, Some(own)),
            None => (None, own, None),
        };
        let follows = self.follows(&mut state, &exit, generation);
        if matches!(follows, Follows::Closed | Follows::Next(Next::Escalate { .. })) {
            after.report = is_failure(&exit).then(|| (self.path_in_home(member.as_deref()), exit.clone()));
        }
        // A second failure beside the one that counts.
        after.beside = beside.and_then(|own| self.failure(None, own, number));
        let failure = self.failure(member.as_deref(), exit, number);
        if failure.is_some() {
            state.rare().failure.clone_from(&failure);
        }
        let flow = self.follow(&mut state, follows, failure, &mut after);
        state.want = Want::Policy;
        let restarts = state.restarts();
        drop(state);
        self.finish(after, number, restarts);
        flow
    }

    fn follows(&self, state: &mut State, exit: &Exit, generation: &Generation) -> Follows {
        if self.is_closing(state) {
            return Follows::Closed;
        }
        let by_hand = std::mem::take(&mut state.by_hand);
        match state.want {
            Want::Stop => Follows::Stop,
            Want::Restart => Follows::Restart,
            Want::Policy if by_hand => Follows::NotStarted,
            Want::Policy => {
                let uptime = self.now().saturating_duration_since(generation.watch().born());
                Follows::Next(state.rare().restarts.decide(&self.policy, exit, uptime))
            }
        }
    }

    fn follow(
        &self,
        state: &mut State,
        follows: Follows,
        failure: Option<Arc<Failure>>,
        after: &mut After,
    ) -> Flow {
        after.answers.asked(state.take(|waiting| &mut waiting.stops), &Ok(()));
        match follows {
            Follows::Closed => {
                let end = if failure.is_some() { End::Failed } else { End::Stopped };
                self.enter(state, Phase::Gone(end));
                return Flow::End;
            }
            Follows::Stop => {
                after.said = failure;
                self.park(state, Phase::Stopped, End::Stopped, after);
            }
            Follows::Restart => {
                after.said = failure;
                state.rare().restarts.by_hand();
                state.by_hand = true;
                self.enter(state, Phase::Due);
            }
            Follows::NotStarted => {
                let answer = match &failure {
                    Some(failure) => Err(ChildError::NotStarted(Box::new(Failure::clone(failure)))),
                    None => Ok(()),
                };
                after.answers.asked(state.take(|waiting| &mut waiting.restarts), &answer);
                if after.answers.is_empty() {
                    after.said = failure;
                }
                self.park(state, Phase::Stopped, End::Stopped, after);
            }
            Follows::Next(Next::Complete) => {
                let end = if self.current(state.later.as_ref()).is_disabled() {
                    End::Disabled
                } else {
                    End::Completed
                };
                self.enter(state, Phase::Gone(end));
                return Flow::End;
            }
            Follows::Next(Next::Restart { attempt, delay }) => {
                after.restarting = Some((attempt, delay, failure));
                if delay.is_zero() {
                    self.enter(state, Phase::Due);
                    return Flow::Yield;
                }
                let until = self.now() + delay.min(LONGEST);
                state.rare().backoff = Some((attempt, until));
                self.enter(state, Phase::Backoff);
                after.backoff = Some(until);
                return Flow::Wait;
            }
            Follows::Next(Next::Degrade { .. }) => {
                after.said = failure;
                self.park(state, Phase::Failed, End::Failed, after);
            }
            Follows::Next(Next::Escalate { .. }) => self.park(state, Phase::Failed, End::Failed, after),
        }
        Flow::Go
    }

    fn park(&self, state: &mut State, phase: Phase, end: End, after: &mut After) {
        self.enter(state, phase);
        let end = state.end(end);
        after.answers.ended(state.take(|waiting| &mut waiting.ends), &end);
    }

    fn path_in_home(&self, member: Option<&str>) -> String {
        match member {
            Some(member) => format!("{}/{member}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// What was decided under the lock is done without it.
    fn finish(&self, after: After, number: u64, restarts: u64) {
        if let Some(until) = after.backoff {
            self.arm_at(Ring::Backoff, number, until);
        }
        if let Some((path, exit)) = after.report {
            self.home().member_failed(path, exit);
        }
        for failure in [after.said, after.beside].into_iter().flatten() {
            self.say_failed(&failure, restarts);
        }
        if let Some((attempt, delay, failure)) = after.restarting {
            let (task, child) = (self.home().root().name, self.path());
            let failure = failure.as_deref().cloned();
            self.say(EventKind::ChildRestarting { task, child, attempt, delay, failure });
        }
        after.answers.give();
    }

    fn say_failed(&self, failure: &Failure, restarts: u64) {
        let (task, child, failure) = (self.home().root().name, self.path(), failure.clone());
        self.say(EventKind::ChildFailed { task, child, restarts, failure });
    }

    fn say(&self, event: EventKind) {
        if let Some(host) = &self.home().root().host {
            host.sink().emit(self.now(), event);
        }
    }

    /// A member of the generation that runs failed: that ends it. Of several the first one counts.
    pub(crate) fn member_failed(&self, path: String, exit: Exit) {
        let mut state = self.state();
        if self.is_closing(&state) {
            drop(state);
            self.home().member_failed(self.path_in_home(Some(&path)), exit);
            return;
        }
        let (number, restarts) = (state.number(), state.restarts());
        let survives = survives(&exit);
        if survives || state.left || state.want != Want::Policy || state.has_member_failure() {
            let failure = self.failure(Some(&path), exit, number);
            drop(state);
            let Some(failure) = failure else { return };
            if survives {
                self.say(EventKind::Recoverable(Failure::clone(&failure)));
            } else {
                self.say_failed(&failure, restarts);
            }
            return;
        }
        state.rare().member_failure = Some((path, exit));
        let asked = std::mem::replace(&mut state.asked, true);
        let later = state.later.clone();
        drop(state);
        if !asked {
            self.current(later.as_ref()).ask();
            self.arm(Ring::Deadline, number);
        }
    }

    /// Its future, or its body, was dropped by the runtime it ran on.
    pub(super) fn runtime_gone(&self, generation: Option<&Generation>, exit: Exit) {
        let over = generation.map(|generation| generation.main_ended(exit.clone()));
        let parked = {
            let mut state = self.state();
            let parked = !state.phase.is_active() && !matches!(state.phase, Phase::Backoff);
            if !matches!(state.phase, Phase::Gone(_)) {
                self.enter(&mut state, Phase::Gone(End::Stopped));
            }
            parked
        };
        if over.is_some() || !parked {
            self.home().member_failed(self.name().to_owned(), exit);
        }
    }

    /// Its task has ended, and its body was dropped.
    pub(super) fn left(&self, dropped: Exit) {
        let mut state = self.state();
        if state.left {
            return;
        }
        if !matches!(state.phase, Phase::Gone(_)) {
            // It ended well, as it was asked to. Where nobody ever heard of it, nobody is to be told.
            if state.rare.is_some() {
                let later = state.later.clone();
                drop(state);
                self.settle(self.current(later.as_ref()), Exit::Ok);
                state = self.state();
            } else {
                self.enter(&mut state, Phase::Gone(End::Stopped));
            }
        }
        if is_failure(&dropped) {
            drop(state);
            self.home().member_failed(self.name().to_owned(), dropped);
            state = self.state();
        }
        let Phase::Gone(end) = state.phase else { return };
        state.left = true;
        let answers = state.rare.is_some().then(|| self.last_answers(&mut state, end));
        let held = (state.waker.take(), state.later.take());
        drop(state);
        drop(held);
        if let Some(main) = self.home().members().and_then(|members| members.entry_left(self)) {
            self.home().members_over(main);
        }
        if let Some(answers) = answers {
            answers.give();
        }
    }

    fn last_answers(&self, state: &mut State, end: End) -> Answers {
        let mut answers = Answers::default();
        let end = state.end(end);
        answers.asked(state.take(|waiting| &mut waiting.stops), &Ok(()));
        let closed = ChildError::Closed { name: self.name().to_owned() };
        answers.asked(state.take(|waiting| &mut waiting.restarts), &Err(closed));
        answers.ended(state.take(|waiting| &mut waiting.ends), &end);
        answers
    }
}

impl Record {
    /// The last member left after the main future had ended.
    pub(crate) fn members_over(&self, number: u64, main: Exit) {
        let waker = {
            let mut state = self.state();
            if !matches!(state.phase, Phase::Running) || state.number() != number {
                return;
            }
            state.rare().over = Some(main);
            self.enter(&mut state, Phase::Over);
            state.waker.clone()
        };
        wake(waker);
    }
}

/// Which of the things that may follow from an end does.
#[derive(Clone, Copy)]
enum Follows {
    /// The generation that it belongs to ends.
    Closed,
    Stop,
    Restart,
    /// It was to be started by hand, and its body panicked.
    NotStarted,
    Next(Next),
}

/// What is to be done without the lock.
#[derive(Default)]
struct After {
    answers: Answers,
    backoff: Option<std::time::Instant>,
    /// To the generation that it belongs to.
    report: Option<(String, Exit)>,
    said: Option<Arc<Failure>>,
    beside: Option<Arc<Failure>>,
    restarting: Option<(u32, std::time::Duration, Option<Arc<Failure>>)>,
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn is_failure(exit: &Exit) -> bool {
    matches!(exit, Exit::Failed(_) | Exit::Panicked(_) | Exit::RuntimeGone)
}

/// Its generation goes on without it: so for a child of a task, too.
fn survives(exit: &Exit) -> bool {
    let Exit::Failed(cause) = exit else { return false };
    match cause.override_of_policy() {
        Some(said) => said == Override::NoRestart,
        None => cause.kind() == CauseKind::Recoverable,
    }
}
