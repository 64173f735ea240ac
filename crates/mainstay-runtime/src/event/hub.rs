//! The hub: where every event is put, in one order for all who read it.
//!
//! 1. One lock gives an event its number, records it, and puts it into the queue of everybody who reads: so all see
//!    the same order, and what was recorded is complete when a failure is.
//! 2. Under that lock runs nothing of the user's: no reader, no waker, no log line, no destructor.
//! 3. A queue is bounded. Who reads too slowly loses the oldest, and is told how many, in their place.
//! 4. Each reader has a thread of its own, so that none waits for another. They are woken after the lock is free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::record::Record;
use super::subscribe::Listeners;
use super::{Event, EventKind, log};

/// How many events may wait for a reader: of `on_event`, or the log.
pub(super) const QUEUE: usize = 4096;

/// The queue of the log; those behind it are of the program's readers.
pub(super) const LOG: usize = 0;

pub(super) struct Hub {
    state: Mutex<State>,
    /// Somebody idle has got something to do.
    rung: AtomicBool,
    bells: Vec<Bell>,
    /// Told when a reader has done what it had taken, while somebody waits for that.
    done: Condvar,
    pub(super) listeners: Listeners,
}

struct State {
    number: u64,
    record: Record,
    queues: Vec<Queue>,
    /// How many events a queue takes.
    room: usize,
    /// To the subscribers; made for the first one.
    sender: Option<broadcast::Sender<Arc<Event>>>,
    /// The queue of the log takes what no log wants as well: whoever calls the readers himself takes it from there.
    log_takes_all: bool,
    /// No reader or subscriber is given anything any more.
    over: bool,
    /// Waiting for `done`.
    flushing: usize,
}

/// What waits for one reader.
struct Queue {
    events: VecDeque<Arc<Event>>,
    /// Events that were dropped before the first one that waits.
    lost: u64,
    /// How many were put in, and how many of these its reader has done with.
    put: u64,
    done: u64,
    /// Its reader sleeps, and is to be woken.
    idle: bool,
    /// Nobody reads it any more, or will, once it is empty.
    over: bool,
}

#[derive(Default)]
struct Bell {
    due: AtomicBool,
    ring: Condvar,
}

impl Hub {
    pub(super) fn new(readers: usize, room: usize, threaded: bool) -> Self {
        let queue = || Queue { events: VecDeque::new(), lost: 0, put: 0, done: 0, idle: false, over: false };
        let queues = readers + 1;
        let state = State {
            number: 0,
            record: Record::new(),
            queues: (0..queues).map(|_| queue()).collect(),
            room,
            sender: None,
            log_takes_all: false,
            over: false,
            flushing: 0,
        };
        Self {
            state: Mutex::new(state),
            rung: AtomicBool::new(false),
            bells: (0..queues).map(|_| Bell::default()).collect(),
            done: Condvar::new(),
            listeners: Listeners::new(threaded),
        }
    }

    /// The readers are called from the queue of the log.
    pub(super) fn log_takes_all(self) -> Self {
        self.state().log_takes_all = true;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event, and puts it into the queue of everybody who reads it. What would only be a line that no log
    /// wants is left out there: it costs the boot of thousands of providers an allocation each, and a thread that is
    /// woken for it.
    pub(super) fn push(&self, at: Instant, kind: EventKind) {
        let logged = log::wants(&kind);
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if logged || state.is_read() {
            let shared = Arc::new(Event { at, number, kind: kind.clone() });
            self.share(&mut state, &shared, logged);
        }
        // Neither a value nor a destructor of the user's is in an event: the oldest may be dropped here.
        state.record.push(Event { at, number, kind });
    }

    #[cold]
    fn share(&self, state: &mut State, event: &Arc<Event>, logged: bool) {
        let (room, over) = (state.room, state.over);
        let logged = logged || state.log_takes_all;
        for (index, queue) in state.queues.iter_mut().enumerate() {
            let wanted = if index == LOG { logged } else { !over };
            if wanted && !queue.over {
                queue.put(event, room);
                if std::mem::take(&mut queue.idle) {
                    self.bells[index].due.store(true, Ordering::Relaxed);
                    self.rung.store(true, Ordering::Release);
                }
            }
        }
        if let Some(sender) = &state.sender {
            // Nobody awaits the channel itself, so this wakes nobody: see `subscribe`.
            if sender.send(Arc::clone(event)).is_ok() {
                self.listeners.have_news();
                self.rung.store(true, Ordering::Release);
            }
        }
    }

    /// Wakes those who have got something to do. Called by everyone who has pushed, once his locks are free.
    pub(super) fn ring(&self) {
        if self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire) {
            for bell in &self.bells {
                if bell.due.swap(false, Ordering::Relaxed) {
                    bell.ring.notify_all();
                }
            }
            self.listeners.call();
        }
    }

    /// Waits for events of one queue: moves them into `batch`, and says how many were lost before them. `None` once
    /// it is over. What was taken before counts as done.
    pub(super) fn wait(&self, index: usize, batch: &mut VecDeque<Arc<Event>>) -> Option<u64> {
        let mut state = self.state();
        loop {
            let flushing = state.flushing > 0;
            let queue = &mut state.queues[index];
            let before = queue.put - queue.events.len() as u64;
            if queue.done != before {
                queue.done = before;
                if flushing {
                    self.done.notify_all();
                }
            }
            if !queue.events.is_empty() {
                std::mem::swap(&mut queue.events, batch);
                return Some(std::mem::take(&mut queue.lost));
            }
            if queue.over {
                return None;
            }
            queue.idle = true;
            state = self.bells[index].ring.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next event of the log's queue, for who calls the readers himself.
    pub(super) fn next(&self) -> Option<Arc<Event>> {
        self.state().queues[LOG].events.pop_front()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.state().queues[LOG].events.is_empty()
    }

    /// Nobody reads this queue any more.
    pub(super) fn leave(&self, index: usize) {
        let mut state = self.state();
        let queue = &mut state.queues[index];
        queue.over = true;
        let old = std::mem::take(&mut queue.events);
        self.done.notify_all();
        drop(state);
        drop(old);
    }

    /// Waits until everything pushed so far was read, but not longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        self.ring();
        let mut state = self.state();
        let until: Vec<u64> = state.queues.iter().map(|queue| queue.put).collect();
        let behind = |state: &mut State| {
            state.queues.iter().zip(&until).any(|(queue, until)| queue.done < *until && !queue.over)
        };
        state.flushing += 1;
        let waited = self.done.wait_timeout_while(state, patience, behind);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.flushing -= 1;
    }

    /// The lifecycle is over: readers and subscribers get what waits for them, and then the end.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.over = true;
        state.log_takes_all = false;
        for queue in state.queues.iter_mut().skip(LOG + 1) {
            queue.over = true;
        }
        let sender = state.sender.take();
        drop(state);
        drop(sender);
        self.listeners.finish();
        self.ring_all();
    }

    /// Nobody is left who could push: the log ends as well.
    pub(super) fn close(&self) {
        self.finish();
        self.state().queues[LOG].over = true;
        self.ring_all();
    }

    fn ring_all(&self) {
        for bell in &self.bells {
            bell.ring.notify_all();
        }
    }

    /// A place in the sequence from which everything is received; `None` once it is over.
    pub(super) fn subscribe(&self, capacity: usize) -> Option<broadcast::Receiver<Arc<Event>>> {
        let mut state = self.state();
        if state.over {
            return None;
        }
        let sender = state.sender.get_or_insert_with(|| broadcast::Sender::new(capacity));
        Some(sender.subscribe())
    }

    pub(super) fn record(&self) -> Vec<Event> {
        self.state().record.to_vec()
    }
}

impl State {
    /// A program reads the events: then each of them counts.
    fn is_read(&self) -> bool {
        let readers = self.queues[LOG + 1..].iter().any(|queue| !queue.over);
        readers
            || self.log_takes_all
            || self.sender.as_ref().is_some_and(|sender| sender.receiver_count() > 0)
    }
}

impl Queue {
    fn put(&mut self, event: &Arc<Event>, room: usize) {
        if self.events.len() >= room {
            self.events.pop_front();
            self.lost += 1;
        }
        self.events.push_back(Arc::clone(event));
        self.put += 1;
    }
}
