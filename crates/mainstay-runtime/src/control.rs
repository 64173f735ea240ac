//! Control: the handle to ask a running lifecycle for its status, and to tell it what to do.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::context::{Ambient, Host};
use crate::event::{Event, Events, Operation, ReloadReport};
use crate::machine::Input;
use crate::status::Status;

/// Asks a running lifecycle how it is, and tells it what to do: to start, stop or restart single providers, to reload,
/// to reopen its logs, to stop.
///
/// Callable from every hook, task and thread, in every phase. Each call is accepted or refused at once and never waits;
/// what it returns can be awaited for the completion, which is bounded by the deadlines on the way, or dropped, which
/// changes nothing. A hook or task that would wait for itself is answered [`ControlError::Busy`], and its request
/// stands.
///
/// `start`, `stop` and `restart` concern runnables: boot and `shutdown` happen once in a process. A provider is named
/// as in the plan (`http`), one of several runnables with it (`http/public`).
///
/// The default one belongs to no lifecycle: its status has no providers, and it refuses everything.
///
/// # Examples
///
/// ```
/// use mainstay_registry::Registry;
/// use mainstay_runtime::{RunContext, Runtime, Signals, runnable};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry: Registry<()> = Registry::new();
/// registry.insert(Arc::new(runnable("http", async |(), cx: RunContext| {
///     cx.shutdown_token().cancelled().await;
///     Ok(())
/// })));
/// let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
///
/// let control = running.control();
/// control.restart("http").await?;
/// assert_eq!(control.status().runnable("http").unwrap().generation, 2);
/// let unknown = control.stop("htpp").await.unwrap_err();
/// assert_eq!(unknown.to_string(), "there is no provider 'htpp'; did you mean 'http'?");
/// control.shutdown("done");
/// assert_eq!(running.wait().await.exit_code(), 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Control {
    /// `None`: there is no lifecycle yet, or the supervisor could not be started, and the outcome says so.
    host: Option<Arc<dyn Host>>,
}

/// What came of a start, stop or restart that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// Who was started, stopped or restarted as well, because of who requires whom.
    pub also: Vec<&'static str>,
    /// From the request.
    pub took: Duration,
}

pub(crate) type OrderAnswer = Result<Done, ControlError>;
/// `None`: the reload was given up.
pub(crate) type ReloadAnswer = Option<Arc<ReloadReport>>;

impl Control {
    pub(crate) fn new(host: Option<Arc<dyn Host>>) -> Self {
        Self { host }
    }

    /// Returns how everything is at this moment. In every phase, also while a hook hangs.
    pub fn status(&self) -> Status {
        self.host.as_ref().map_or_else(Status::none, |host| Arc::clone(host).status())
    }

    /// Starts the runnables of a provider that do not run, after those of whom it requires.
    ///
    /// One that is in backoff is started at once, and its row of restarts begins anew. Of a provider that runs nothing
    /// changes. Completes when all of them are ready.
    pub fn start(&self, name: &str) -> Request {
        self.order(Operation::Start, name)
    }

    /// Stops the runnables of a provider, after those of everybody who requires it.
    ///
    /// Each is asked, and has its stop deadline. They stay down until they are started again: a process of which
    /// something was stopped by hand does not end by itself. Completes when all of them are gone.
    pub fn stop(&self, name: &str) -> Request {
        self.order(Operation::Stop, name)
    }

    /// Restarts the runnables of a provider, and those of everybody who requires it: these end first, and start again
    /// when it is ready.
    ///
    /// One operation: no other request falls between its two halves, a later one overrules the whole of it. The row
    /// of restarts that the policy counts begins anew. Completes when the provider's own are ready.
    pub fn restart(&self, name: &str) -> Request {
        self.order(Operation::Restart, name)
    }

    fn order(&self, operation: Operation, name: &str) -> Request {
        let Some(host) = &self.host else { return Request(Answer::Refused(ControlError::Closed)) };
        Request(match Arc::clone(host).order(operation, name) {
            Ok(answer) => Answer::Waits(answer),
            Err(error) => Answer::Refused(error),
        })
    }

    /// Stops the process in good order. The first reason is kept; asking again changes nothing.
    ///
    /// Completes when everything is stopped.
    pub fn shutdown(&self, reason: impl Into<String>) -> Request {
        let Some(host) = &self.host else { return Request(Answer::Refused(ControlError::Closed)) };
        let waits = Arc::clone(host).shutdown(reason.into());
        // Whoever is part of what is stopped would wait for itself.
        let inside = Ambient::look(|_| ()).is_some();
        Request(if inside { Answer::Refused(ControlError::Busy) } else { Answer::Waits(waits) })
    }

    /// Reloads, as SIGHUP does: one transaction over the state's own reload and every reloadable provider.
    ///
    /// Accepted at once; await the answer for the report, or drop it: that gives up the answer and nothing else.
    /// Equal requests during a reload are answered by one more reload after it.
    pub fn reload(&self) -> Reloading {
        self.reload_of(None)
    }

    /// Reloads one provider alone, in a transaction of its own; the state's own reload is no part of it.
    pub fn reload_one(&self, name: &str) -> Reloading {
        self.reload_of(Some(name))
    }

    fn reload_of(&self, name: Option<&str>) -> Reloading {
        let Some(host) = &self.host else { return Reloading(Answer::Refused(ControlError::Closed)) };
        let asked = Arc::clone(host).request_reload(name);
        // A hook that waited for the reload that it is part of would wait for itself.
        let in_hook = Ambient::look(|ambient| ambient.context().is_none()).unwrap_or(false);
        Reloading(match asked {
            Err(error) => Answer::Refused(error),
            Ok(_) if in_hook => Answer::Refused(ControlError::Busy),
            Ok(answer) => Answer::Waits(answer),
        })
    }

    /// Returns the report of the last reload that was committed or refused.
    pub fn last_reload(&self) -> Option<Arc<ReloadReport>> {
        self.host.as_ref().and_then(|host| host.last_reload())
    }

    /// The events from now on, as something to await.
    ///
    /// # Phase
    ///
    /// Any, before the boot and after the end included, from any thread: who comes later sees what comes after. After
    /// the end there is nothing, and that at once; likewise where the operating system refuses the thread that wakes
    /// subscribers.
    pub fn subscribe(&self) -> Events {
        self.host.as_ref().map_or_else(Events::ended, |host| host.sink().subscribe())
    }

    /// What the flight recorder holds: the last 256 events, oldest first, the details that no log wanted included.
    ///
    /// # Phase
    ///
    /// Any, after the end included. [`Outcome::events`](crate::Outcome::events) is the same at the end.
    pub fn flight_record(&self) -> Vec<Event> {
        self.host.as_ref().map(|host| host.sink().record()).unwrap_or_default()
    }

    /// Asks every task that waits for it to reopen its log files, as SIGUSR1 does.
    pub fn reopen(&self) {
        if let Some(host) = &self.host {
            Arc::clone(host).tell(Input::Reopen);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

/// Why a request was refused, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nobody is called so.
    #[error("there is no provider '{name}'{}", or_near(.near))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Names that come near.
        near: Vec<String>,
    },
    /// The provider has no runnable: there is nothing to start or stop.
    #[error("provider '{provider}' has no runnable: there is nothing to start, stop or restart")]
    NotRunnable {
        /// Which.
        provider: &'static str,
    },
    /// The provider cannot be reloaded.
    #[error("provider '{provider}' is not reloadable: its `as_reloadable` gives nothing")]
    NotReloadable {
        /// Which.
        provider: &'static str,
    },
    /// The provider was registered after the plan was made, and takes no part in this run.
    #[error("provider '{name}' was registered after the registry was sealed, and takes no part in this run")]
    Sealed {
        /// Which.
        name: String,
    },
    /// The process stops, or has stopped.
    #[error("the lifecycle is stopping, or over")]
    Closed,
    /// It boots: a reload has to wait until it runs.
    #[error("nothing can be reloaded now: the lifecycle is not in its run phase yet")]
    NotRunning,
    /// Asked from inside what it would wait for. The request stands.
    #[error("this hook or task would wait for itself: the request stands, what comes of it is in the events")]
    Busy,
    /// A later request wants the opposite.
    #[error("a later request about '{provider}' has overruled this one")]
    Overruled {
        /// Whom.
        provider: &'static str,
    },
    /// The new generation has failed; what follows is for its restart policy.
    #[error("'{provider}' failed: {cause}")]
    Failed {
        /// Who.
        provider: &'static str,
        /// Why.
        cause: String,
    },
    /// It did not come to its end within all the deadlines on the way. The request stands.
    #[error("the request for '{provider}' is not carried out within its deadlines; it stands")]
    TimedOut {
        /// Who.
        provider: &'static str,
    },
    /// The process stops: the reload was given up before its commit.
    #[error("the reload was given up before its commit, because the process stops")]
    Aborted,
}

impl ControlError {
    /// Returns the code of the page that explains it.
    pub fn code(&self) -> mainstay_registry::Code {
        crate::codes::CONTROL_REFUSED
    }
}

fn or_near(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [one] => format!("; did you mean '{one}'?"),
        many => format!("; did you mean one of '{}'?", many.join("', '")),
    }
}

enum Answer<T> {
    Refused(ControlError),
    Waits(oneshot::Receiver<T>),
}

/// A request to start, stop or restart, or for the end: awaited for what came of it.
///
/// # Cancel safety
///
/// Dropping it, or its future, gives up the answer; the request stands.
pub struct Request(Answer<OrderAnswer>);

impl Request {
    /// Returns why it was refused, without waiting; `None`: it was accepted.
    pub fn refused(&self) -> Option<&ControlError> {
        match &self.0 {
            Answer::Refused(error) => Some(error),
            Answer::Waits(_) => None,
        }
    }
}

impl IntoFuture for Request {
    type Output = OrderAnswer;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.0 {
                Answer::Refused(error) => Err(error),
                Answer::Waits(answer) => answer.await.unwrap_or(Err(ControlError::Closed)),
            }
        })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.refused()).finish()
    }
}

/// An accepted request to reload: made by [`Control::reload`], awaited for its report.
///
/// # Cancel safety
///
/// Dropping it, or its future, gives up the answer; the reload goes on.
pub struct Reloading(Answer<ReloadAnswer>);

impl IntoFuture for Reloading {
    type Output = Result<Arc<ReloadReport>, ControlError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.0 {
                Answer::Refused(error) => Err(error),
                Answer::Waits(answer) => answer.await.ok().flatten().ok_or(ControlError::Aborted),
            }
        })
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloading")
    }
}
