//! The doors: await the outcome, hold a running lifecycle, or wait for it from a plain thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::Runtime;
use super::linger::{Active, Lingering};
use crate::caught::watch_panics;
use crate::clock::Clock;
use crate::codes;
use crate::context::Host;
use crate::control::Control;
use crate::engine::{Engine, EngineParts};
use crate::event::Sink;
use crate::machine::{Input, Machine};
use crate::outcome::{Outcome, StopCause};
use crate::signals::{Listening, Signals};
use crate::supervise::Supervisor;

/// How long the readers of events may take to catch up before the outcome is given.
const FLUSH: Duration = Duration::from_millis(100);

type Deliver = Box<dyn FnOnce(Outcome) + Send>;

impl<S: Clone + Send + Sync + 'static> Runtime<S> {
    /// Runs the whole lifecycle and returns how it ended: door 2, inside anybody's tokio `main`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future asks for the stop, which then completes as long as the process lives; its report goes to
    /// standard error.
    pub async fn run(self) -> Outcome {
        let (running, _) = self.launch(Handle::current());
        running.wait().await
    }

    /// Starts, and returns when everything is ready: door 3. When the start fails, the outcome of its rollback.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future asks for the stop, as for [`run`](Self::run).
    pub async fn start(self) -> Result<Running, Outcome> {
        let (running, ready) = self.launch(Handle::current());
        let ready = tokio::select! {
            biased;
            ready = ready => ready.is_ok(),
            () = running.over() => false,
        };
        // Ready, and over already: whoever starts a job that ends at once holds its outcome in `wait`.
        if ready { Ok(running) } else { Err(running.wait().await) }
    }

    /// Starts, and returns at once, before anything has booted: for whoever wants to ask for the stop during the boot.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn begin(self) -> Running {
        self.launch(Handle::current()).0
    }

    /// Starts on that runtime; the outcome is waited for from a plain thread: what door 1 is made of.
    ///
    /// Unlike [`run`](Self::run), nothing of the waiting depends on the application's runtime, whose threads may all
    /// be blocked.
    pub fn run_on(self, handle: Handle) -> RunOn {
        let (sender, receiver) = mpsc::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let deliver: Deliver = Box::new(move |outcome| {
            let _ = sender.send(outcome);
        });
        let host = self.spawn(handle, deliver, Arc::clone(&taken), None);
        RunOn { control: Control::new(host), receiver, taken }
    }

    fn launch(self, handle: Handle) -> (Running, oneshot::Receiver<()>) {
        let (sender, outcome) = watch::channel(None);
        let (ready, is_ready) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let deliver: Deliver = Box::new(move |outcome| {
            sender.send_replace(Some(outcome));
        });
        let host = self.spawn(handle, deliver, Arc::clone(&taken), Some(ready));
        (Running { host, outcome, taken }, is_ready)
    }

    /// Starts the supervisor: a thread, or a task of that runtime.
    fn spawn(
        self,
        handle: Handle,
        deliver: Deliver,
        taken: Arc<AtomicBool>,
        ready: Option<oneshot::Sender<()>>,
    ) -> Option<Arc<dyn Host>> {
        watch_panics();
        let limits = self.limits();
        let clock = if self.inline { Clock::Ambient } else { Clock::Real };
        let sink = if self.inline { Ok(Sink::direct(self.readers)) } else { Sink::threaded(self.readers) };
        let sink = match sink {
            Ok(sink) => sink,
            Err(error) => {
                deliver(lost(&format!("the thread that writes events could not be started: {error}")));
                return None;
            }
        };
        let engine = Engine::new(EngineParts {
            machine: Machine::new(limits, clock.now()),
            state: self.state,
            registry: self.registry,
            state_reload: self.state_reload,
            handle,
            clock,
            sink,
            ready,
            stop_token: self.stop_token,
            rescues: !self.inline,
            intercept: self.intercept,
            lints: self.lints,
            early: self.early,
        });
        let host: Arc<dyn Host> = Arc::<Engine<S>>::clone(&engine);
        for take in self.control_to {
            take(Control::new(Some(Arc::clone(&host))));
        }
        let (signals, shutdown_on) = (self.signals, self.shutdown_on);
        let own_signals = signals.are_the_process_own() && !self.inline;
        let stuck = self.exit_when_stuck;
        let over = engine.sink.finish_at_drop();
        if self.inline {
            let supervise = async move {
                let (listening, deaf) = listen(signals);
                let sink = engine.sink.clone();
                let mut supervisor = Supervisor { engine, listening, limits, shutdown_on };
                let outcome = match deaf {
                    None => supervisor.lifecycle().await,
                    Some(deaf) => supervisor.refuse(deaf).await,
                };
                drop(over);
                deliver(outcome.with_events(sink.record()));
            };
            host.handle().spawn(supervise);
            return Some(host);
        }
        // On failure the closure is dropped with `deliver` inside it: the waiting side sees the supervisor lost.
        let thread = std::thread::Builder::new().name("mainstay".to_owned()).spawn(move || {
            let active = own_signals.then(Active::new);
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    drop(over);
                    return deliver(lost(&format!("its own runtime could not be built: {error}")));
                }
            };
            runtime.block_on(async move {
                let (listening, deaf) = listen(signals);
                let sink = engine.sink.clone();
                let mut supervisor = Supervisor { engine, listening, limits, shutdown_on };
                let outcome = match deaf {
                    None => supervisor.lifecycle().await,
                    Some(deaf) => supervisor.refuse(deaf).await,
                };
                let outcome = outcome.with_events(sink.record());
                if outcome.forced_by().is_some() && own_signals {
                    super::linger::exit_now(&outcome);
                }
                sink.flush(FLUSH);
                drop(over);
                // The log goes with the last sink, not with the thread that stays.
                drop(sink);
                let Supervisor { engine, listening, .. } = supervisor;
                drop(engine);
                let report = outcome.clone();
                deliver(outcome);
                drop(active);
                Lingering { report, taken, listening, own_signals, stuck }.linger().await;
            });
        });
        thread.is_ok().then_some(host)
    }
}

/// Captures the signals; when that is refused, nothing may be begun.
fn listen(signals: Signals) -> (Listening, Option<Outcome>) {
    match signals.listen() {
        Ok(listening) => (listening, None),
        Err(error) => (Listening::None, Some(lost(&format!("signals cannot be heard: {error}")))),
    }
}

/// The supervisor could not do its work: not a failure of the program's.
fn lost(why: &str) -> Outcome {
    Outcome::refused(format!("error[{}]: the supervisor was lost: {why}", codes::SUPERVISOR_LOST.id), 1)
}

/// A lifecycle that was started: door 3, made by [`Runtime::start`].
///
/// Dropping it asks for the stop.
#[must_use = "dropping it asks for the stop"]
pub struct Running {
    host: Option<Arc<dyn Host>>,
    outcome: watch::Receiver<Option<Outcome>>,
    taken: Arc<AtomicBool>,
}

impl Running {
    /// The handle to ask it to reload or to stop.
    pub fn control(&self) -> Control {
        Control::new(self.host.clone())
    }

    /// Waits for the end. Any number of waiters get the same outcome, late ones included.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropping the future changes nothing.
    pub async fn wait(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        let outcome = match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        self.taken.store(true, Ordering::Release);
        outcome.unwrap_or_else(|| lost("it ended without an outcome"))
    }

    async fn over(&self) {
        let _ = self.outcome.clone().wait_for(Option::is_some).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            host.tell(Input::Stop(StopCause::Dropped));
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

/// A lifecycle on another runtime, waited for from a plain thread: made by [`Runtime::run_on`].
#[must_use = "the outcome is waited for by `wait`"]
pub struct RunOn {
    control: Control,
    receiver: mpsc::Receiver<Outcome>,
    taken: Arc<AtomicBool>,
}

impl RunOn {
    /// The handle to ask it to reload or to stop.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Blocks the thread until the end.
    pub fn wait(self) -> Outcome {
        let outcome = self.receiver.recv();
        self.taken.store(true, Ordering::Release);
        outcome.unwrap_or_else(|_| lost("it ended without an outcome"))
    }
}

impl fmt::Debug for RunOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunOn")
    }
}
