//! One generation of a task or of a supervised child: its token, its main future, and the rule that it ends with
//! everything in it.
//!
//! 1. The generation is over when its main future and every member have ended; this is reported once.
//! 2. Who has no members does not pay for them: they are made at their first use.
//! 3. Nothing of the user's is called or dropped under a lock.

mod asking;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mainstay_registry::Phase;
use mainstay_sync::{Epochs, Pinned};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::Host;
use super::members::Members;
use super::spawned::Spawned;
use super::supervised::{ChildStatus, Entry, Record};
use crate::cell::{Done, Seen, Watch};
use crate::clock::Clock;
use crate::event::TaskName;
use crate::exit::Exit;
use crate::lints::Lint;
use crate::machine::{Input, TaskId};

pub(crate) struct Generation {
    owner: Owner,
    /// From 1.
    number: u64,
    token: CancellationToken,
    members: OnceLock<Box<Members>>,
    /// It was asked to stop.
    asked: AtomicBool,
    /// Its main future has ended.
    ended: AtomicBool,
    disabled: AtomicBool,
    reopened: AtomicU64,
    /// Of a child; a task has a cell.
    watch: Watch,
}

/// Whose start it is.
enum Owner {
    Task(Root),
    /// The first of a child, whose record is inside of it: most children have no other.
    First(Record),
    Later(Entry),
}

/// What a task's generation knows, and every child inside of it asks for.
pub(crate) struct Root {
    pub(super) id: TaskId,
    pub(super) name: TaskName,
    pub(super) epochs: Epochs,
    /// `None` outside of a runtime.
    pub(super) host: Option<Arc<dyn Host>>,
    /// Microseconds from its birth to its last tick, plus one.
    ticked: AtomicU64,
}

impl Root {
    /// The time, in a task of the runtime.
    pub(super) fn now_inside(&self) -> Instant {
        self.host.as_ref().map_or(Clock::Real, |host| host.clock()).now()
    }

    /// The time, anywhere.
    pub(super) fn now(&self) -> Instant {
        let clock = self.host.as_ref().map_or(Clock::Real, |host| host.clock());
        // Also on a thread that knows nothing of the runtime whose paused clock it is.
        let inside = match &self.host {
            Some(host) if clock == Clock::Ambient && Handle::try_current().is_err() => {
                Some(host.handle().enter())
            }
            _ => None,
        };
        let now = clock.now();
        drop(inside);
        now
    }
}

impl Generation {
    pub(crate) fn new(id: TaskId, name: TaskName, host: Arc<dyn Host>) -> Arc<Self> {
        let (seen, epochs, now) = (host.reopen_count(), host.epochs(), host.clock().now());
        let root = Root { id, name, epochs, host: Some(host), ticked: AtomicU64::new(0) };
        Arc::new(Self::of(Owner::Task(root), id.generation, seen, Watch::new(now)))
    }

    pub(crate) fn detached() -> Arc<Self> {
        let name = TaskName { provider: "detached", task: None, generation: 1 };
        let id = TaskId { node: usize::MAX, task: 0, generation: 1 };
        let root = Root { id, name, epochs: Epochs::default(), host: None, ticked: AtomicU64::new(0) };
        Arc::new(Self::of(Owner::Task(root), 1, 0, Watch::new(Clock::Real.now())))
    }

    /// The first generation of a child, before it begins.
    pub(super) fn first(record: Record) -> Arc<Self> {
        Arc::new(Self::of(Owner::First(record), 1, 0, Watch::unborn()))
    }

    /// A later one.
    pub(super) fn later(entry: &Entry, number: u64) -> Arc<Self> {
        Arc::new(Self::of(Owner::Later(entry.clone()), number, 0, Watch::unborn()))
    }

    /// It begins: what happened before is nothing to it.
    pub(super) fn begin(&self, now: Instant) {
        self.watch.begin(now);
        let seen = self.host().map_or(0, |host| host.reopen_count());
        self.reopened.store(seen, Ordering::Relaxed);
    }

    fn of(owner: Owner, number: u64, reopened: u64, watch: Watch) -> Self {
        Self {
            owner,
            number,
            token: CancellationToken::new(),
            members: OnceLock::new(),
            asked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            disabled: AtomicBool::new(false),
            reopened: AtomicU64::new(reopened),
            watch,
        }
    }

    /// Which start of its runnable, or child, this is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn root(&self) -> &Root {
        let mut generation = self;
        loop {
            generation = match &generation.owner {
                Owner::Task(root) => return root,
                Owner::First(record) => record.home(),
                Owner::Later(entry) => entry.home(),
            }
        }
    }

    /// The supervised child that this is a generation of.
    pub(super) fn entry(self: &Arc<Self>) -> Option<Entry> {
        match &self.owner {
            Owner::Task(_) => None,
            Owner::First(_) => Some(Entry::of(Arc::clone(self))),
            Owner::Later(entry) => Some(entry.clone()),
        }
    }

    /// The record of that child.
    pub(super) fn child(&self) -> Option<&Record> {
        match &self.owner {
            Owner::Task(_) => None,
            Owner::First(record) => Some(record),
            Owner::Later(entry) => Some(entry),
        }
    }

    /// The same, if it is inside of this generation.
    pub(super) fn record(&self) -> Option<&Record> {
        match &self.owner {
            Owner::First(record) => Some(record),
            Owner::Task(_) | Owner::Later(_) => None,
        }
    }

    /// The task that it is, or is inside of.
    pub(crate) fn id(&self) -> TaskId {
        self.root().id
    }

    /// Progress of the task; that of a supervised child is nobody's. One store: it may be called in a hot loop.
    pub(super) fn tick(&self) {
        if let (Owner::Task(root), Some(host)) = (&self.owner, self.host()) {
            let since = host.clock().now().saturating_duration_since(self.watch.born()).as_micros();
            root.ticked.store(u64::try_from(since).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
        }
    }

    /// When it ticked last.
    pub(crate) fn ticked(&self) -> Option<Instant> {
        match self.root().ticked.load(Ordering::Relaxed) {
            0 => None,
            since => Some(self.watch.born() + Duration::from_micros(since - 1)),
        }
    }

    pub(crate) fn name(&self) -> TaskName {
        TaskName { generation: self.number, ..self.root().name }
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(super) fn host(&self) -> Option<&Arc<dyn Host>> {
        self.root().host.as_ref()
    }

    /// Its members, made at the first use.
    pub(super) fn make_members(&self) -> &Members {
        self.members.get_or_init(Box::default)
    }

    /// Its members, if it ever had one.
    pub(super) fn members(&self) -> Option<&Members> {
        self.members.get().map(Box::as_ref)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Until when it is waited for; `None` as long as it was not asked to stop.
    pub(super) fn stop_deadline(&self) -> Option<Instant> {
        if !self.is_asked() {
            return None;
        }
        let root = self.root();
        let host = root.host.as_ref()?;
        let told = match self.child() {
            None => host.stop_deadline(root.id),
            Some(record) => record.stop_deadline(self.number),
        };
        // Where its main future has just ended, its members are asked a moment before anybody counts the time.
        Some(told.unwrap_or_else(|| root.now() + host.stop_limit(root.id)))
    }

    pub(super) fn ready(&self) {
        if let (Owner::Task(root), Some(host)) = (&self.owner, self.host()) {
            Arc::clone(host).tell(Input::TaskReady(root.id));
        }
    }

    pub(super) fn disable(&self) {
        self.disabled.store(true, Ordering::Release);
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.disabled.load(Ordering::Acquire)
    }

    /// What its supervised children do, by name. Cheap when there are none.
    pub(crate) fn children_status(&self) -> Vec<ChildStatus> {
        let Some(members) = self.members() else { return Vec::new() };
        let now = self.root().now();
        let mut list: Vec<ChildStatus> =
            members.entries().iter().filter_map(|entry| entry.status(now)).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// How many of its supervised children are active, and how many there are. Cheap when there are none.
    pub(crate) fn children_counts(&self) -> (usize, usize) {
        self.members().map_or((0, 0), Members::counts)
    }

    pub(super) async fn reopen(&self) {
        let Some(host) = self.host() else { return std::future::pending().await };
        let mut reopened = host.reopened();
        loop {
            let count = *reopened.borrow_and_update();
            if self.reopened.swap(count, Ordering::AcqRel) != count {
                return;
            }
            if reopened.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn pin(&self) -> Pinned {
        self.root().epochs.pin()
    }

    pub(super) fn measures(&self) -> bool {
        self.host().is_some_and(|host| host.lints().are_on())
    }

    /// A poll of the task, or of that child, took so long.
    pub(super) fn polled(&self, child: Option<&str>, took: Duration) {
        let name = self.name();
        let who = match (name.task, child) {
            (Some(task), Some(child)) => Some(format!("{task}/{child}")),
            (task, child) => task.or(child).map(str::to_owned),
        };
        let lint = Lint::of_poll(name.provider, Phase::Run, who.as_deref(), took);
        if let (Some(host), Some(lint)) = (self.host(), lint) {
            host.found(lint);
        }
    }

    /// Asks the task and everything in it to stop.
    pub(crate) fn ask(&self) {
        // The look alone is the cheaper one, and most are asked twice.
        if self.is_asked() || self.asked.swap(true, Ordering::Relaxed) {
            return;
        }
        fence(Ordering::SeqCst);
        quietly(|| self.token.cancel());
        if let Some(members) = self.members() {
            members.close();
            if let Some(this) = members.ask_some() {
                this.ask_the_others();
            }
        }
    }

    /// Its main future has ended.
    pub(crate) fn is_winding(&self) -> bool {
        self.has_ended()
    }

    /// The child that is worth a word: the one that has been inside of one poll for the longest.
    pub(crate) fn busiest_child(&self, now: Instant) -> Option<(String, Seen)> {
        self.members().and_then(|members| members.busiest(now))
    }

    /// Aborts the members; the main future is for who polls it to drop.
    pub(crate) fn abort_members(&self) {
        if let Some(members) = self.members() {
            let (spawned, entries) = members.all();
            for child in spawned {
                child.abort();
            }
            for entry in entries {
                entry.cut();
            }
        }
    }

    /// How its main future ended, and whether that was the end of all.
    pub(super) fn main_ended(&self, exit: Exit) -> (Exit, bool) {
        let exit = match exit {
            Exit::Ok if self.is_disabled() => Exit::Disabled,
            exit => exit,
        };
        self.ended.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let over = self.members().is_none_or(|members| members.main_ended(&exit));
        // Nobody may start something new for a task that has ended.
        self.ask();
        (exit, over)
    }

    /// A member failed: that is the failure of this generation.
    pub(super) fn member_failed(self: &Arc<Self>, path: String, exit: Exit) {
        match (self.entry(), self.host()) {
            (Some(entry), _) => entry.member_failed(path, exit),
            (None, Some(host)) => Arc::clone(host).tell(Input::ChildFailed(self.id(), path, exit)),
            (None, None) => {}
        }
    }

    /// The last member left, after the main future had ended like this.
    pub(super) fn members_over(&self, main: Exit) {
        match (self.child(), self.host()) {
            (Some(record), _) => record.members_over(self.number, main),
            (None, Some(host)) => Arc::clone(host).tell(Input::TaskOver(self.id(), main)),
            (None, None) => {}
        }
    }

    pub(super) fn child_ended(self: &Arc<Self>, child: &Spawned, exit: Exit) {
        // Before it leaves, so that the generation is not over before its last failure was told.
        if let Exit::Failed(_) | Exit::Panicked(_) | Exit::RuntimeGone = &exit {
            self.member_failed(child.name().to_owned(), exit);
        }
        if let Some(main) = self.make_members().child_left(child) {
            self.members_over(main);
        }
    }
}

/// Does what may end in a waker of the user's, whose panic is nobody's business here.
pub(super) fn quietly(f: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        std::mem::forget(panic);
    }
}

/// Told of the end of a task's main future.
pub(crate) struct MainDone {
    generation: Arc<Generation>,
}

impl MainDone {
    pub(crate) fn new(generation: &Arc<Generation>) -> Self {
        Self { generation: Arc::clone(generation) }
    }
}

impl Done for MainDone {
    fn began(&mut self) {
        let root = self.generation.root();
        if let Some(host) = &root.host {
            Arc::clone(host).tell(Input::TaskBegan(root.id));
        }
    }

    fn measures(&self) -> bool {
        self.generation.measures()
    }

    fn polled(&mut self, took: Duration) {
        self.generation.polled(None, took);
    }

    fn ended(self: Box<Self>, exit: Exit) {
        let (exit, over) = self.generation.main_ended(exit);
        let root = self.generation.root();
        let input = if over { Input::TaskOver(root.id, exit) } else { Input::MainEnded(root.id, exit) };
        if let Some(host) = &root.host {
            Arc::clone(host).tell(input);
        }
    }
}
