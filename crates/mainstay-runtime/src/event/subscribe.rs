//! Subscribing: the events from now on, as something to await.
//!
//! The events wait in a `tokio::sync::broadcast`, which is read without waiting alone, so that sending wakes nobody.
//! Whom to wake is kept beside it: a waker is the user's, and is called on a thread of its own.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::hub::Hub;
use super::{Event, EventKind};

/// How many events may wait for a subscriber.
const WAITING: usize = 1024;

/// The events of a lifecycle from the moment of subscribing on: made by
/// [`Control::subscribe`](crate::Control::subscribe).
///
/// Every event comes once and in order. At most 1024 wait: a reader that is slower than that gets an
/// [`EventKind::Lost`] in the place of those that were dropped, with their number, and goes on with the oldest that is
/// left. It delays nobody, however slow it is.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::Registry;
/// use mainstay_runtime::{EventKind, RunContext, Runtime, Signals, runnable};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let registry: Registry<()> = Registry::new();
/// registry.insert(Arc::new(runnable("http", async |(), cx: RunContext| {
///     cx.shutdown_token().cancelled().await;
///     Ok(())
/// })));
/// let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
/// let mut events = running.control().subscribe();
/// running.control().shutdown("enough");
/// let mut last = None;
/// while let Some(event) = events.next().await {
///     last = Some(event);
/// }
/// assert!(matches!(last.unwrap().kind, EventKind::Finished { exit_code: 0, .. }));
/// # }
/// ```
pub struct Events {
    /// `None`: it was over before it began.
    receiver: Option<broadcast::Receiver<Arc<Event>>>,
    /// Comes next, behind the one that says how many are missing before it.
    ahead: Option<Arc<Event>>,
    waker: Arc<AtomicWaker>,
    hub: Weak<Hub>,
}

/// What a look at the channel found.
enum Found {
    Event(Arc<Event>),
    Nothing,
    End,
}

impl Events {
    pub(super) fn of(hub: &Arc<Hub>) -> Self {
        let Some(receiver) = hub.subscribe(WAITING) else { return Self::ended() };
        let waker = Arc::new(AtomicWaker::new());
        if !hub.listeners.start(hub) {
            return Self::ended();
        }
        hub.listeners.wakers().push(Arc::clone(&waker));
        Self { receiver: Some(receiver), ahead: None, waker, hub: Arc::downgrade(hub) }
    }

    pub(crate) fn ended() -> Self {
        Self { receiver: None, ahead: None, waker: Arc::default(), hub: Weak::new() }
    }

    /// The next event, or `None` once the lifecycle is over and everything was read.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event if it is there already: `None` when there is none now, or there will be none any more.
    pub fn try_next(&mut self) -> Option<Arc<Event>> {
        match self.look() {
            Found::Event(event) => Some(event),
            Found::Nothing | Found::End => None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        match self.look() {
            Found::Event(event) => return Poll::Ready(Some(event)),
            Found::End => return Poll::Ready(None),
            Found::Nothing => self.waker.register(cx.waker()),
        }
        // What came between the look and the registration has woken nobody.
        match self.look() {
            Found::Event(event) => Poll::Ready(Some(event)),
            Found::End => Poll::Ready(None),
            Found::Nothing => Poll::Pending,
        }
    }

    fn look(&mut self) -> Found {
        if let Some(event) = self.ahead.take() {
            return Found::Event(event);
        }
        let Some(receiver) = &mut self.receiver else { return Found::End };
        let mut lost = 0;
        loop {
            match receiver.try_recv() {
                Ok(event) if lost == 0 => return Found::Event(event),
                Ok(event) => {
                    let missing = Event::lost(lost, &event);
                    self.ahead = Some(event);
                    return Found::Event(Arc::new(missing));
                }
                // The oldest that is left comes next, unless it is dropped in between as well.
                Err(TryRecvError::Lagged(events)) => lost += events,
                Err(TryRecvError::Empty) => return Found::Nothing,
                Err(TryRecvError::Closed) => return Found::End,
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.listeners.wakers().retain(|waker| !Arc::ptr_eq(waker, &self.waker));
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// Those who wait for an event, and the thread that wakes them.
pub(super) struct Listeners {
    wakers: Mutex<Vec<Arc<AtomicWaker>>>,
    /// There was an event since they were woken.
    news: AtomicBool,
    waking: Mutex<Waking>,
    ring: Condvar,
}

#[derive(Default)]
struct Waking {
    mode: Mode,
    due: bool,
    over: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    /// A thread, which is not started yet.
    #[default]
    Idle,
    Thread,
    /// In the task that emits: for the inline supervisor.
    Direct,
}

impl Listeners {
    pub(super) fn new(threaded: bool) -> Self {
        let mode = if threaded { Mode::Idle } else { Mode::Direct };
        Self {
            wakers: Mutex::default(),
            news: AtomicBool::new(false),
            waking: Mutex::new(Waking { mode, ..Waking::default() }),
            ring: Condvar::new(),
        }
    }

    fn wakers(&self) -> MutexGuard<'_, Vec<Arc<AtomicWaker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waking(&self) -> MutexGuard<'_, Waking> {
        self.waking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that wakes, with the first subscriber. False: it could not be had.
    fn start(&self, hub: &Arc<Hub>) -> bool {
        let mut waking = self.waking();
        if waking.mode == Mode::Idle {
            let hub = Arc::clone(hub);
            let body = move || hub.listeners.wake_until_the_end();
            match std::thread::Builder::new().name("mainstay-wakers".to_owned()).spawn(body) {
                Ok(_) => waking.mode = Mode::Thread,
                Err(_) => return false,
            }
        }
        true
    }

    /// There is an event. Wakes nobody yet.
    pub(super) fn have_news(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    /// Has those who wait woken, if there is something for them.
    pub(super) fn call(&self) {
        if self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::Acquire) {
            self.have_woken(false);
        }
    }

    /// It is over: whoever waits is to learn it.
    pub(super) fn finish(&self) {
        self.have_woken(true);
    }

    fn have_woken(&self, over: bool) {
        let mut waking = self.waking();
        waking.over |= over;
        let asked = std::mem::replace(&mut waking.due, true);
        let mode = waking.mode;
        drop(waking);
        match mode {
            Mode::Direct => self.wake(),
            Mode::Thread if over || !asked => self.ring.notify_all(),
            Mode::Thread | Mode::Idle => {}
        }
    }

    fn wake_until_the_end(&self) {
        let mut over = false;
        while !over {
            let idle = |waking: &mut Waking| !waking.due && !waking.over;
            let waited = self.ring.wait_while(self.waking(), idle);
            let mut waking = waited.unwrap_or_else(PoisonError::into_inner);
            waking.due = false;
            over = waking.over;
            drop(waking);
            self.wake();
        }
    }

    fn wake(&self) {
        let wakers = self.wakers().clone();
        for waker in wakers {
            // Whoever has subscribed may be gone by now: then it is the waker's destructor that runs here.
            let woken = catch_unwind(AssertUnwindSafe(move || {
                waker.wake();
                drop(waker);
            }));
            if let Err(panic) = woken {
                std::mem::forget(panic);
            }
        }
    }
}

impl Event {
    /// In the place of so many events that were dropped before this one.
    pub(super) fn lost(events: u64, before: &Self) -> Self {
        Self { at: before.at, number: before.number.saturating_sub(1), kind: EventKind::Lost { events } }
    }
}
