//! The record of a supervised child: its name, its policy, its state, and how it is seen.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use mainstay_registry::{Phase as At, RestartPolicy};

use super::answers::Waiting;
use super::{ChildEnd, ChildState, ChildStatus};
use crate::cell::Seen;
use crate::context::members::NOWHERE;
use crate::context::{Alarm, Ambient, Generation};
use crate::exit::Exit;
use crate::outcome::Failure;
use crate::restart::Restarts;

/// One supervised child: its record, which is inside of its first generation, so that most children are one allocation.
#[derive(Clone)]
pub(crate) struct Entry(Arc<Generation>);

/// What is known of a child. It holds nothing of the user's but its name, and its first generation nothing but a note
/// and the names of members, so that an alarm may hold them for a moment.
pub(crate) struct Record {
    /// The generation that it belongs to.
    home: Arc<Generation>,
    name: Cow<'static, str>,
    pub(super) policy: Arc<RestartPolicy>,
    /// The task is to drop its future at its next poll. Written under the lock, read without it at every poll.
    pub(super) aborted: AtomicBool,
    /// On the list of its members, and changed under their lock.
    pub(crate) place: AtomicU32,
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
    /// The first generation has begun.
    pub(super) begun: bool,
    /// The one that runs, or the last one, when that is not the first.
    pub(super) later: Option<Arc<Generation>>,
    /// What most children never have.
    pub(super) rare: Option<Box<Rare>>,
    /// Of its task, which is always the same.
    pub(super) waker: Option<Waker>,
}

pub(super) struct Rare {
    pub(super) restarts: Restarts,
    /// The last one.
    pub(super) failure: Option<Arc<Failure>>,
    /// Until when this generation is waited for, once it was asked to stop by itself.
    pub(super) ends_by: Option<Instant>,
    /// How the main future ended, of a generation that is over.
    pub(super) over: Option<Exit>,
    /// For which attempt it waits, and until when.
    pub(super) backoff: Option<(u32, Instant)>,
    /// What ends this generation: a member of it that failed, by its path.
    pub(super) member_failure: Option<(String, Exit)>,
    pub(super) waiting: Waiting,
}

impl Default for Rare {
    fn default() -> Self {
        // Of each child another one, so that those that lose one broker do not come back together.
        let seed = RandomState::new().hash_one(0u8);
        Self {
            restarts: Restarts::new(seed),
            failure: None,
            ends_by: None,
            over: None,
            backoff: None,
            member_failure: None,
            waiting: Waiting::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be started at the next poll.
    Due,
    /// Its main future lives, or members of it do.
    Running,
    /// Everything in it has ended; its task has not looked yet.
    Over,
    Backoff,
    Stopped,
    Failed,
    /// No longer listed, or about to be: its task ends.
    Gone(End),
}

impl Phase {
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Due | Self::Running | Self::Over)
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

    /// Of the generation that runs, or the last one: 0 before the first one has begun.
    pub(super) fn number(&self) -> u64 {
        self.later.as_ref().map_or(u64::from(self.begun), |later| later.number())
    }

    /// How often it was restarted.
    pub(super) fn restarts(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.restarts.total())
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
    pub(crate) fn new(home: &Arc<Generation>, name: Cow<'static, str>, policy: Arc<RestartPolicy>) -> Self {
        let state = State {
            phase: Phase::Due,
            want: Want::Policy,
            closing: false,
            left: false,
            asked: false,
            by_hand: false,
            begun: false,
            later: None,
            rare: None,
            waker: None,
        };
        let record = Record {
            home: Arc::clone(home),
            name,
            policy,
            aborted: AtomicBool::new(false),
            place: AtomicU32::new(NOWHERE),
            state: Mutex::new(state),
        };
        Self(Generation::first(record))
    }

    /// The child whose first generation this is.
    pub(crate) fn of(first: Arc<Generation>) -> Self {
        debug_assert!(first.record().is_some(), "the record is inside of the first generation");
        Self(first)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn as_alarm(&self) -> Weak<dyn Alarm> {
        let who: Arc<dyn Alarm> = Arc::<Generation>::clone(&self.0);
        Arc::downgrade(&who)
    }

    /// The generation that runs, or the last one.
    pub(super) fn current<'a>(&'a self, later: Option<&'a Arc<Generation>>) -> &'a Arc<Generation> {
        later.unwrap_or(&self.0)
    }

    /// The generation that runs, if one does.
    pub(super) fn running(&self) -> Option<Arc<Generation>> {
        let state = self.state();
        matches!(state.phase, Phase::Running).then(|| Arc::clone(self.current(state.later.as_ref())))
    }

    /// The caller runs inside of this child, and would wait for itself.
    pub(super) fn is_inside(&self) -> bool {
        let inner = |ambient: &Ambient| Some(Arc::clone(&ambient.context()?.generation));
        let mut generation = Ambient::look(inner).flatten();
        while let Some(inner) = generation {
            let Some(entry) = inner.entry() else { return false };
            if entry.is(self) {
                return true;
            }
            generation = Some(Arc::clone(entry.home()));
        }
        false
    }

    /// `None`: it is no longer listed.
    pub(crate) fn status(&self, now: Instant) -> Option<ChildStatus> {
        let state = self.state();
        let current = self.current(state.later.as_ref());
        let child = match state.phase {
            Phase::Due => ChildState::Running,
            Phase::Running | Phase::Over => {
                if state.asked || self.is_closing(&state) || current.has_ended() {
                    ChildState::Stopping
                } else {
                    ChildState::Running
                }
            }
            Phase::Backoff => {
                let (attempt, until) = state.rare.as_ref()?.backoff?;
                ChildState::Backoff { attempt, next_in: until.saturating_duration_since(now) }
            }
            Phase::Stopped => ChildState::Stopped,
            Phase::Failed => ChildState::Failed,
            Phase::Gone(_) => return None,
        };
        let running = matches!(state.phase, Phase::Running | Phase::Over);
        let watch = current.watch();
        Some(ChildStatus {
            name: self.name.clone().into_owned(),
            generation: state.number(),
            state: child,
            uptime: running.then(|| now.saturating_duration_since(watch.born())),
            restarts: state.restarts(),
            last_failure: state.failure().map(|failure| Failure::clone(failure)),
            note: watch.last_note(),
        })
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

impl Deref for Entry {
    type Target = Record;

    fn deref(&self) -> &Record {
        self.0.record().expect("the record is inside of the first generation")
    }
}

impl Record {
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
        match self.home.child() {
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

    /// Until when this start of it is waited for: by its own alarm, or as long as the generation that it ends with.
    pub(crate) fn stop_deadline(&self, number: u64) -> Option<Instant> {
        let (current, closing, own) = {
            let state = self.state();
            let own = state.rare.as_ref().and_then(|rare| rare.ends_by);
            (!state.left && state.number() == number, self.is_closing(&state), own)
        };
        match (current, closing) {
            (false, _) => Some(self.now()),
            (true, true) => self.home.stop_deadline(),
            (true, false) => own,
        }
    }
}
