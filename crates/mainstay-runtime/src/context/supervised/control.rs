//! What is asked of a supervised child from outside: by hand, by its set, by an alarm.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use super::answers::{Answers, Asked};
use super::entry::{End, Entry, Phase, Want};
use super::settle::wake;
use super::{ChildEnd, ChildError};
use crate::context::{Generation, Ring};
use crate::machine::{Input, describe};
use crate::outcome::{Cut, CutBy, Forced};
use crate::spec::GRACE;

/// How it is stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Asked,
    Aborted,
}

/// An answer that is here, or will come.
pub(super) enum Answer<T> {
    Now(T),
    Later(oneshot::Receiver<T>),
}

impl Entry {
    pub(super) fn stop(&self, how: How) -> Answer<Asked> {
        let (sender, receiver) = oneshot::channel();
        let mut answers = Answers::default();
        let mut state = self.state();
        match state.phase {
            Phase::Stopped | Phase::Failed | Phase::Gone(_) => return Answer::Now(Ok(())),
            Phase::Due | Phase::Backoff => {
                self.enter(&mut state, Phase::Stopped);
                state.by_hand = false;
                let (stopped, end) = (self.stopped(), state.end(End::Stopped));
                answers.asked(state.take(|waiting| &mut waiting.restarts), &Err(stopped));
                answers.ended(state.take(|waiting| &mut waiting.ends), &end);
                drop(state);
                answers.give();
                return Answer::Now(Ok(()));
            }
            Phase::Running | Phase::Over => {}
        }
        state.want = Want::Stop;
        answers.asked(state.take(|waiting| &mut waiting.restarts), &Err(self.stopped()));
        state.rare().waiting.stops.push(sender);
        let (later, number) = (state.later.clone(), state.number());
        let ask = !std::mem::replace(&mut state.asked, true) && !state.closing;
        let waker = if how == How::Aborted {
            self.aborted.store(true, Ordering::Release);
            state.waker.clone()
        } else {
            None
        };
        drop(state);
        answers.give();
        let generation = self.current(later.as_ref());
        if ask {
            generation.ask();
        }
        if how == How::Aborted {
            generation.abort_members();
            wake(waker);
            self.arm(Ring::Grace, number);
        } else if ask {
            self.arm(Ring::Deadline, number);
        }
        if self.is_inside() { Answer::Now(Err(self.busy())) } else { Answer::Later(receiver) }
    }

    pub(super) fn restart(&self) -> Answer<Asked> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        let name = || self.name().to_owned();
        match state.phase {
            Phase::Gone(_) if !state.closing => {
                return Answer::Now(Err(ChildError::Gone { name: name() }));
            }
            _ if state.closing => return Answer::Now(Err(ChildError::Closed { name: name() })),
            Phase::Due => state.rare().waiting.restarts.push(sender),
            Phase::Stopped | Phase::Failed | Phase::Backoff => {
                self.enter(&mut state, Phase::Due);
                state.by_hand = true;
                let rare = state.rare();
                rare.restarts.by_hand();
                rare.waiting.restarts.push(sender);
                let waker = state.waker.clone();
                drop(state);
                wake(waker);
            }
            _ => {
                state.want = Want::Restart;
                state.rare().waiting.restarts.push(sender);
                let (later, number) = (state.later.clone(), state.number());
                let asked = std::mem::replace(&mut state.asked, true);
                drop(state);
                if !asked {
                    self.current(later.as_ref()).ask();
                    self.arm(Ring::Deadline, number);
                }
            }
        }
        if self.is_inside() { Answer::Now(Err(self.busy())) } else { Answer::Later(receiver) }
    }

    pub(super) fn remove(&self) -> Asked {
        let mut state = self.state();
        let end = match state.phase {
            Phase::Stopped => End::Stopped,
            Phase::Failed => End::Failed,
            Phase::Gone(_) => return Ok(()),
            _ => return Err(ChildError::Running { name: self.name().to_owned() }),
        };
        self.enter(&mut state, Phase::Gone(end));
        let waker = state.waker.clone();
        drop(state);
        if let Some(members) = self.home().members() {
            members.unlist(self);
        }
        wake(waker);
        Ok(())
    }

    pub(super) fn wait(&self) -> Result<Answer<ChildEnd>, ChildError> {
        if self.is_inside() {
            return Err(self.busy());
        }
        let mut state = self.state();
        let end = match state.phase {
            Phase::Stopped => End::Stopped,
            Phase::Failed => End::Failed,
            Phase::Gone(end) if state.left => end,
            // One that is gone drops its body first, and with it what that holds.
            _ => {
                let (sender, receiver) = oneshot::channel();
                state.rare().waiting.ends.push(sender);
                return Ok(Answer::Later(receiver));
            }
        };
        Ok(Answer::Now(state.end(end)))
    }

    /// The generation that it belongs to is asked to stop: all of it ends, and nothing is started.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.closing, true) {
            return;
        }
        let answers = state.rare.is_some().then(|| {
            let mut answers = Answers::default();
            let closed = ChildError::Closed { name: self.name().to_owned() };
            answers.asked(state.take(|waiting| &mut waiting.restarts), &Err(closed));
            answers
        });
        if matches!(state.phase, Phase::Running) {
            let later = state.later.clone();
            drop(state);
            self.current(later.as_ref()).ask();
        } else {
            let waker = state.waker.clone();
            drop(state);
            wake(waker);
        }
        if let Some(answers) = answers {
            answers.give();
        }
    }

    /// Ends it at its next poll, and everything in it.
    pub(crate) fn cut(&self) {
        let (later, waker) = {
            let state = self.state();
            if !matches!(state.phase, Phase::Running) {
                return;
            }
            self.aborted.store(true, Ordering::Release);
            (state.later.clone(), state.waker.clone())
        };
        self.current(later.as_ref()).abort_members();
        wake(waker);
    }

    /// Sets the alarm of a generation that was asked to stop, or aborted.
    pub(super) fn arm(&self, ring: Ring, number: u64) {
        let root = self.home().root();
        let Some(host) = &root.host else { return };
        let after = if ring == Ring::Grace { GRACE } else { host.stop_limit(root.id) };
        let at = self.now() + after;
        if ring == Ring::Deadline {
            let mut state = self.state();
            if state.number() == number {
                state.rare().ends_by = Some(at);
            }
        }
        self.arm_at(ring, number, at);
    }

    pub(super) fn arm_at(&self, ring: Ring, number: u64, at: Instant) {
        let Some(host) = &self.home().root().host else { return };
        host.alarm(at, ring.key(number), self.as_alarm());
    }

    /// It is not waited for any longer: in the events, and in the report.
    fn name_cut(&self, generation: &Generation, now: Instant) {
        let root = self.home().root();
        let Some(host) = &root.host else { return };
        let own = generation.watch().seen(now);
        let seen = match generation.busiest_child(now) {
            Some((member, seen)) if seen.polling > own.polling || generation.has_ended() => {
                crate::cell::Seen { child: Some(member), ..seen }
            }
            _ => own,
        };
        let cut = Forced {
            provider: root.name.provider,
            task: Some(self.task_path()),
            what: Cut::Task,
            after: host.stop_limit(root.id),
            by: CutBy::Deadline,
            seen: describe(&seen),
        };
        Arc::clone(host).tell(Input::ChildCut(cut));
    }

    fn stopped(&self) -> ChildError {
        ChildError::Stopped { name: self.name().to_owned() }
    }

    fn busy(&self) -> ChildError {
        ChildError::Busy { name: self.name().to_owned() }
    }

    /// The alarm of this start of it rings, on the supervision thread.
    pub(crate) fn rings(&self, ring: Ring, number: u64, now: Instant) {
        let mut answers = Answers::default();
        let mut state = self.state();
        if state.number() != number || state.closing {
            return;
        }
        if ring == Ring::Backoff {
            let waker = if matches!(state.phase, Phase::Backoff) {
                self.enter(&mut state, Phase::Due);
                state.waker.clone()
            } else {
                None
            };
            drop(state);
            wake(waker);
            return;
        }
        if !matches!(state.phase, Phase::Running) {
            return;
        }
        let later = state.later.clone();
        if ring == Ring::Deadline {
            if self.aborted.load(Ordering::Relaxed) {
                // By hand, which has an alarm of its own.
                return;
            }
            drop(state);
            self.name_cut(self.current(later.as_ref()), now);
            self.cut();
            self.arm(Ring::Grace, number);
            return;
        }
        let stuck = Err(ChildError::Stuck { name: self.name().to_owned() });
        answers.asked(state.take(|waiting| &mut waiting.stops), &stuck);
        answers.asked(state.take(|waiting| &mut waiting.restarts), &stuck);
        drop(state);
        self.name_cut(self.current(later.as_ref()), now);
        if let (Some(host), false) = (&self.home().root().host, answers.is_empty()) {
            // Who waits may be a task of any executor, and this is the supervision thread.
            host.call(Box::new(move || answers.give()));
        }
    }
}
