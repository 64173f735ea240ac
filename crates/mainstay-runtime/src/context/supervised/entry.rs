//! The record of a supervised child: its name, its policy, its state, and how it is seen.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use mainstay_registry::{Phase as At, RestartPolicy};

use super::answers::Waiting;
use super::{ChildEnd, ChildState, ChildStatus};
use crate::cell::Seen;
use crate::context::{AMBIENT, Generation};
use crate::exit::Exit;
use crate::outcome::Failure;
use crate::restart::Restarts;

/// One supervised child. It holds nothing of the user's but a name, so that an alarm may hold it for a moment.
pub(crate) struct Entry {
    /// The generation that it belongs to.
    home: Arc<Generation>,
    name: Cow<'static, str>,
    pub(super) policy: Arc<RestartPolicy>,
    /// The task is to drop its future at its next poll. Written under the lock, read without it at every poll.
    pub(super) aborted: AtomicBool,
    /// On the list of its members, and changed under their lock; the greatest number: on none.
    pub(crate) place: AtomicUsize,
    state: Mutex<State>,
}

#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct State {
    pub(super) phase: Phase,
    /// What somebody wants to follow from the end of this generation.
    pub(super) want: Want,
    /// The generation that it belongs to ends.
    pub(super) closing: bool,
    /// Its task has ended.
    pub(super) left: bool,
    /// This generation was asked to stop.
    pub(super) asked: bool,
    /// This start is by hand, and whether it can be started is not known yet.
    pub(super) by_hand: bool,
    pub(super) number: u64,
    pub(super) restarts: Restarts,
    /// The one that runs, or the last one.
    pub(super) generation: Option<Arc<Generation>>,
    /// What most children never have.
    pub(super) rare: Option<Box<Rare>>,
    /// Of its task, which is always the same.
    pub(super) waker: Option<Waker>,
}

#[derive(Default)]
pub(super) struct Rare {
    /// The last one.
    pub(super) failure: Option<Arc<Failure>>,
    /// Until when this generation is waited for, once it was asked to stop by itself.
    pub(super) ends_by: Option<Instant>,
    /// What ends this generation: a member of it that failed, by its path.
    pub(super) member_failure: Option<(String, Exit)>,
    pub(super) waiting: Waiting,
}

pub(super) enum Phase {
    /// To be started at the next poll.
    Due,
    /// Its main future lives, or members of it do.
    Running,
    /// Everything in it has ended; its task has not looked yet.
    Over(Box<Exit>),
    Backoff {
        attempt: u32,
        until: Instant,
    },
    Stopped,
    Failed,
    /// No longer listed, or about to be: its task ends.
    Gone(End),
}

impl Phase {
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::Due | Self::Running | Self::Over(_))
    }
}

/// A [`ChildEnd`] whose failure is beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Disabled,
    Stopped,
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// What its policy says.
    Policy,
    Stop,
    Restart,
}

impl State {
    pub(super) fn end(&self, end: End) -> ChildEnd {
        match (end, self.failure()) {
            (End::Completed, _) => ChildEnd::Completed,
            (End::Disabled, _) => ChildEnd::Disabled,
            (End::Failed, Some(failure)) => ChildEnd::Failed(Failure::clone(failure)),
            (End::Stopped | End::Failed, _) => ChildEnd::Stopped,
        }
    }

    pub(super) fn failure(&self) -> Option<&Arc<Failure>> {
        self.rare.as_ref()?.failure.as_ref()
    }

    pub(super) fn has_member_failure(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.member_failure.is_some())
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Who waits, taken out.
    pub(super) fn take<T>(&mut self, of: impl FnOnce(&mut Waiting) -> &mut Vec<T>) -> Vec<T> {
        match &mut self.rare {
            Some(rare) => std::mem::take(of(&mut rare.waiting)),
            None => Vec::new(),
        }
    }
}

impl Entry {
    pub(crate) fn new(
        home: &Arc<Generation>,
        name: Cow<'static, str>,
        policy: Arc<RestartPolicy>,
        seed: u64,
    ) -> Arc<Self> {
        let state = State {
            phase: Phase::Due,
            want: Want::Policy,
            closing: false,
            left: false,
            asked: false,
            by_hand: false,
            number: 0,
            restarts: Restarts::new(seed),
            generation: None,
            rare: None,
            waker: None,
        };
        let (home, state) = (Arc::clone(home), Mutex::new(state));
        let (aborted, place) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX));
        Arc::new(Self { home, name, policy, aborted, place, state })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the phase, and with it the count of those that are active.
    pub(super) fn enter(&self, state: &mut State, phase: Phase) {
        let (before, after) = (state.phase.is_active(), phase.is_active());
        state.phase = phase;
        // Those that end with their generation are all counted as one.
        if before != after
            && !state.closing
            && let Some(members) = self.home.members()
        {
            // Modulo: a decrement is the addition of the greatest number.
            members.active.fetch_add(if after { 1 } else { usize::MAX }, Ordering::Relaxed);
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn home(&self) -> &Arc<Generation> {
        &self.home
    }

    /// The generation that it belongs to ends, whether or not this child was told already.
    pub(super) fn is_closing(&self, state: &State) -> bool {
        state.closing || self.home.is_asked()
    }

    pub(super) fn now(&self) -> Instant {
        self.home.root().now()
    }

    /// `peer`, or `peer/connection`.
    pub(super) fn path(&self) -> String {
        match self.home.entry() {
            Some(parent) => format!("{}/{}", parent.path(), self.name),
            None => self.name.clone().into_owned(),
        }
    }

    /// The path with the name of the runnable before it, if that has one.
    pub(super) fn task_path(&self) -> String {
        match self.home.root().name.task {
            Some(task) => format!("{task}/{}", self.path()),
            None => self.path(),
        }
    }

    /// The failure that an exit of this child, or of a member with this path inside of it, is.
    pub(super) fn failure(&self, member: Option<&str>, exit: Exit, number: u64) -> Option<Arc<Failure>> {
        let failure = Failure::of(self.home.root().name.provider, At::Run, exit)?;
        let path = match member {
            Some(member) => format!("{}/{member}", self.task_path()),
            None => self.task_path(),
        };
        Some(Arc::new(failure.task(Some(path), number)))
    }

    /// The caller runs inside of this child, and would wait for itself.
    pub(super) fn is_inside(self: &Arc<Self>) -> bool {
        let look = |ambient: &crate::context::Ambient| {
            let mut generation = ambient.context().map(|cx| Arc::clone(&cx.generation));
            while let Some(inner) = generation {
                let Some(entry) = inner.entry() else { return false };
                if Arc::ptr_eq(entry, self) {
                    return true;
                }
                generation = Some(Arc::clone(entry.home()));
            }
            false
        };
        AMBIENT.try_with(look).unwrap_or(false)
    }

    /// `None`: it is no longer listed.
    pub(crate) fn status(&self, now: Instant) -> Option<ChildStatus> {
        let state = self.state();
        let child = match &state.phase {
            Phase::Due => ChildState::Running,
            Phase::Running | Phase::Over(_) => {
                let winding = state.generation.as_ref().is_some_and(|generation| generation.has_ended());
                if state.asked || self.is_closing(&state) || winding {
                    ChildState::Stopping
                } else {
                    ChildState::Running
                }
            }
            Phase::Backoff { attempt, until } => {
                ChildState::Backoff { attempt: *attempt, next_in: until.saturating_duration_since(now) }
            }
            Phase::Stopped => ChildState::Stopped,
            Phase::Failed => ChildState::Failed,
            Phase::Gone(_) => return None,
        };
        let running = matches!(state.phase, Phase::Running | Phase::Over(_));
        let watch = state.generation.as_ref().map(|generation| generation.watch());
        let uptime = watch.filter(|_| running).map(|watch| now.saturating_duration_since(watch.born()));
        Some(ChildStatus {
            name: self.name.clone().into_owned(),
            generation: state.number,
            state: child,
            uptime,
            restarts: state.restarts.total(),
            last_failure: state.failure().map(|failure| Failure::clone(failure)),
            note: watch.and_then(crate::cell::Watch::last_note),
        })
    }

    /// Until when this start of it is waited for: by its own alarm, or as long as the generation that it ends with.
    pub(crate) fn stop_deadline(&self, number: u64) -> Option<Instant> {
        let (current, closing, own) = {
            let state = self.state();
            (
                state.number == number,
                self.is_closing(&state),
                state.rare.as_ref().and_then(|rare| rare.ends_by),
            )
        };
        match (current, closing) {
            (false, _) => Some(self.now()),
            (true, true) => self.home.stop_deadline(),
            (true, false) => own,
        }
    }

    /// The generation that runs, if one does.
    pub(super) fn running(&self) -> Option<Arc<Generation>> {
        let state = self.state();
        matches!(state.phase, Phase::Running).then(|| state.generation.clone()).flatten()
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state().phase, Phase::Running)
    }

    /// How long it, or a member of it, has been inside of one poll.
    pub(crate) fn polling(&self, now: Instant) -> Option<Duration> {
        let generation = self.running()?;
        let members = generation.members().and_then(|members| members.polling(now));
        generation.watch().polling(now).max(members)
    }

    /// Itself, or the member of it that has been inside of one poll for longer.
    pub(crate) fn busiest(&self, now: Instant) -> Option<(String, Seen)> {
        let generation = self.running()?;
        let own = generation.watch().seen(now);
        match generation.busiest_child(now) {
            Some((member, seen)) if seen.polling > own.polling || generation.has_ended() => {
                Some((format!("{}/{member}", self.name), seen))
            }
            _ => Some((self.name.clone().into_owned(), own)),
        }
    }
}
