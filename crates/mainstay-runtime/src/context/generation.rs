//! One generation: its token, its main future, its children, and the rule that they end together.
//!
//! 1. A child's entry exists before its task is spawned, so that its end always finds it.
//! 2. The generation is over when its main future and every child have ended; this is reported once.
//! 3. Nothing of the user's is dropped under the lock.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use mainstay_registry::{Phase, Result};
use mainstay_sync::{Epochs, Pinned};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Child, RunContext};
use crate::cell::{Cell, Done, Label, Seen, Work};
use crate::clock::Clock;
use crate::control::{ControlError, OrderAnswer, ReloadAnswer};
use crate::event::{Operation, ReloadReport, Sink, TaskName};
use crate::exit::Exit;
use crate::lints::{Lint, Lints};
use crate::machine::{Input, TaskId};
use crate::status::Status;

/// The runtime, as a generation sees it: not generic over the state.
pub(crate) trait Host: Send + Sync {
    fn tell(self: Arc<Self>, input: Input);
    fn handle(&self) -> &Handle;
    fn clock(&self) -> Clock;
    fn reopened(&self) -> watch::Receiver<u64>;
    fn epochs(&self) -> Epochs;
    fn order(
        self: Arc<Self>,
        operation: Operation,
        name: &str,
    ) -> std::result::Result<oneshot::Receiver<OrderAnswer>, ControlError>;
    fn request_reload(
        self: Arc<Self>,
        name: Option<&str>,
    ) -> std::result::Result<oneshot::Receiver<ReloadAnswer>, ControlError>;
    /// Asks for the end; answered when everything is over.
    fn shutdown(self: Arc<Self>, reason: String) -> oneshot::Receiver<OrderAnswer>;
    fn status(self: Arc<Self>) -> Status;
    fn last_reload(&self) -> Option<Arc<ReloadReport>>;
    fn sink(&self) -> &Sink;
    /// Whether breaches of the rules of the phases are looked for.
    fn lints(&self) -> Lints;
    fn found(&self, lint: Lint);
}

pub(crate) struct Generation {
    id: TaskId,
    name: TaskName,
    token: CancellationToken,
    disabled: AtomicBool,
    reopened: AtomicU64,
    /// Microseconds from `born` to the last tick, plus one.
    ticked: AtomicU64,
    born: Instant,
    /// `None` outside of a runtime.
    host: Option<Arc<dyn Host>>,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    next: u64,
    children: HashMap<u64, (Cow<'static, str>, Arc<Cell>)>,
    /// How the main future ended.
    main: Option<Exit>,
    over: bool,
}

impl Generation {
    pub(crate) fn new(id: TaskId, name: TaskName, host: Arc<dyn Host>) -> Arc<Self> {
        let seen = *host.reopened().borrow();
        Arc::new(Self {
            id,
            name,
            token: CancellationToken::new(),
            disabled: AtomicBool::new(false),
            reopened: AtomicU64::new(seen),
            ticked: AtomicU64::new(0),
            born: host.clock().now(),
            host: Some(host),
            members: Mutex::default(),
        })
    }

    pub(crate) fn detached() -> Arc<Self> {
        let name = TaskName { provider: "detached", task: None, generation: 1 };
        Arc::new(Self {
            id: TaskId { node: usize::MAX, task: 0, generation: 1 },
            name,
            token: CancellationToken::new(),
            disabled: AtomicBool::new(false),
            reopened: AtomicU64::new(0),
            ticked: AtomicU64::new(0),
            born: Clock::Real.now(),
            host: None,
            members: Mutex::default(),
        })
    }

    /// Which start of its runnable this is.
    pub(crate) fn number(&self) -> u64 {
        self.id.generation
    }

    pub(super) fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.clone()
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// Progress. One store: it may be called in a hot loop.
    pub(super) fn tick(&self) {
        if let Some(host) = &self.host {
            let since = host.clock().now().saturating_duration_since(self.born).as_micros();
            self.ticked.store(u64::try_from(since).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
        }
    }

    /// When it ticked last.
    pub(crate) fn ticked(&self) -> Option<Instant> {
        match self.ticked.load(Ordering::Relaxed) {
            0 => None,
            since => Some(self.born + Duration::from_micros(since - 1)),
        }
    }

    pub(crate) fn name(&self) -> TaskName {
        self.name
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(super) fn ready(&self) {
        if let Some(host) = &self.host {
            Arc::clone(host).tell(Input::TaskReady(self.id));
        }
    }

    pub(super) fn disable(&self) {
        self.disabled.store(true, Ordering::Release);
    }

    pub(super) async fn reopen(&self) {
        let Some(host) = &self.host else { return std::future::pending().await };
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
        self.host.as_ref().map(|host| host.epochs()).unwrap_or_default().pin()
    }

    fn measures(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.lints().are_on())
    }

    /// A poll of the task, or of that child, took so long.
    fn polled(&self, child: Option<&str>, took: Duration) {
        let who = match (self.name.task, child) {
            (Some(task), Some(child)) => Some(format!("{task}/{child}")),
            (task, child) => task.or(child).map(str::to_owned),
        };
        let lint = Lint::of_poll(self.name.provider, Phase::Run, who.as_deref(), took);
        if let (Some(host), Some(lint)) = (&self.host, lint) {
            host.found(lint);
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spawn(
        this: &Arc<Self>,
        name: Cow<'static, str>,
        future: BoxFuture<'static, Result<()>>,
    ) -> Child {
        let (ended, wait) = oneshot::channel();
        let (handle, clock) = match &this.host {
            Some(host) => (host.handle().clone(), host.clock()),
            None => (Handle::current(), Clock::Real),
        };
        let provider = this.name.provider;
        let epochs = this.host.as_ref().map(|host| host.epochs()).unwrap_or_default();
        let future = async move { future.await.map_err(|error| error.in_phase(Phase::Run, provider)) };
        let future = Box::pin(async move { epochs.scope(provider, future).await });
        let label = Label::Child { provider, child: name.clone(), generation: this.name.generation };
        let context = RunContext::new(Arc::clone(this));
        let mut members = this.members();
        if members.over {
            drop(members);
            // The future is dropped here, on the thread of whoever spawned it too late.
            return Child { ended: wait, cell: None };
        }
        members.next += 1;
        let number = members.next;
        let shown = name.clone();
        let done = ChildDone { generation: Arc::clone(this), number, name, ended: Some(ended) };
        let cell = Cell::new(Work { future, done: Box::new(done) }, Some(context), label, clock);
        members.children.insert(number, (shown, Arc::clone(&cell)));
        drop(members);
        handle.spawn(cell.isolated());
        Child { ended: wait, cell: Some(Arc::downgrade(&cell)) }
    }

    /// Asks the task and its children to stop.
    pub(crate) fn ask(&self) {
        self.token.cancel();
    }

    /// Its main future has ended.
    pub(crate) fn is_winding(&self) -> bool {
        self.members().main.is_some()
    }

    /// The child that is worth a word: the one that has been inside of one poll for the longest.
    pub(crate) fn busiest_child(&self, now: Instant) -> Option<(String, Seen)> {
        let members = self.members();
        let seen = members.children.values().map(|(name, cell)| (name, cell.seen(now)));
        let busiest = seen.max_by_key(|(_, seen)| seen.polling);
        busiest.map(|(name, seen)| (name.clone().into_owned(), seen))
    }

    /// Aborts the children; the main future's cell is the engine's to abort.
    pub(crate) fn abort_children(&self) {
        let children: Vec<Arc<Cell>> =
            self.members().children.values().map(|(_, cell)| Arc::clone(cell)).collect();
        // Never taken out of its cell: its future is the user's, and is dropped in its own task alone.
        for child in children {
            child.abort();
        }
    }

    fn main_ended(&self, exit: Exit) {
        let exit = match exit {
            Exit::Ok if self.disabled.load(Ordering::Acquire) => Exit::Disabled,
            exit => exit,
        };
        let mut members = self.members();
        members.over = members.children.is_empty();
        let over = members.over;
        members.main = Some(exit.clone());
        drop(members);
        // Nobody may start something new for a task that has ended.
        self.token.cancel();
        let input = if over { Input::TaskOver(self.id, exit) } else { Input::MainEnded(self.id, exit) };
        if let Some(host) = &self.host {
            Arc::clone(host).tell(input);
        }
    }

    fn child_ended(&self, number: u64, name: &str, exit: Exit) {
        // Before it leaves, so that the generation is not over before its last failure was told.
        if let (Some(host), Exit::Failed(_) | Exit::Panicked(_) | Exit::RuntimeGone) = (&self.host, &exit) {
            Arc::clone(host).tell(Input::ChildFailed(self.id, name.to_owned(), exit));
        }
        let mut members = self.members();
        let cell = members.children.remove(&number);
        let main = if members.children.is_empty() && !members.over { members.main.clone() } else { None };
        members.over |= main.is_some();
        drop(members);
        drop(cell);
        let Some(host) = &self.host else { return };
        if let Some(main) = main {
            Arc::clone(host).tell(Input::TaskOver(self.id, main));
        }
    }
}

/// Told of the end of a generation's main future.
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
        if let Some(host) = &self.generation.host {
            Arc::clone(host).tell(Input::TaskBegan(self.generation.id));
        }
    }

    fn measures(&self) -> bool {
        self.generation.measures()
    }

    fn polled(&mut self, took: Duration) {
        self.generation.polled(None, took);
    }

    fn ended(self: Box<Self>, exit: Exit) {
        self.generation.main_ended(exit);
    }
}

struct ChildDone {
    generation: Arc<Generation>,
    number: u64,
    name: Cow<'static, str>,
    ended: Option<oneshot::Sender<()>>,
}

impl Done for ChildDone {
    fn measures(&self) -> bool {
        self.generation.measures()
    }

    fn polled(&mut self, took: Duration) {
        self.generation.polled(Some(&self.name), took);
    }

    fn ended(mut self: Box<Self>, exit: Exit) {
        self.generation.child_ended(self.number, &self.name, exit);
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(());
        }
    }
}
