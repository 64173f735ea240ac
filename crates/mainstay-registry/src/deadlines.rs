//! How long a provider's hooks may take: data of the provider, enforced by the runtime.

use std::time::Duration;

/// A provider's own deadlines; `None` means the runtime's default.
///
/// The registry's own walk has no clock and enforces none of them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use mainstay_registry::Deadlines;
///
/// let deadlines = Deadlines::new().boot(Duration::from_secs(90)).stop(Duration::from_secs(15));
/// assert_eq!(deadlines.boot, Some(Duration::from_secs(90)));
/// assert_eq!(deadlines.reload, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadlines {
    /// Of the `boot` hook.
    pub boot: Option<Duration>,
    /// Of the `validate` hook.
    pub validate: Option<Duration>,
    /// From the start of a runnable until it says that it is ready.
    pub ready: Option<Duration>,
    /// Of the `reload` hook.
    pub reload: Option<Duration>,
    /// From asking a runnable to stop until it is aborted.
    pub stop: Option<Duration>,
    /// Of the `shutdown` hook.
    pub shutdown: Option<Duration>,
    /// From one sign of progress of a task to the next. `None`, which is also the runtime's default, means that its
    /// progress is not watched.
    pub tick: Option<Duration>,
}

impl Deadlines {
    /// Makes deadlines that leave everything to the runtime.
    pub const fn new() -> Self {
        Deadlines {
            boot: None,
            validate: None,
            ready: None,
            reload: None,
            stop: None,
            shutdown: None,
            tick: None,
        }
    }

    /// Sets the deadline of the `boot` hook.
    #[must_use]
    pub const fn boot(mut self, deadline: Duration) -> Self {
        self.boot = Some(deadline);
        self
    }

    /// Sets the deadline of the `validate` hook.
    #[must_use]
    pub const fn validate(mut self, deadline: Duration) -> Self {
        self.validate = Some(deadline);
        self
    }

    /// Sets how long a runnable may take to become ready.
    #[must_use]
    pub const fn ready(mut self, deadline: Duration) -> Self {
        self.ready = Some(deadline);
        self
    }

    /// Sets the deadline of the `reload` hook.
    #[must_use]
    pub const fn reload(mut self, deadline: Duration) -> Self {
        self.reload = Some(deadline);
        self
    }

    /// Sets how long a runnable may take to end when it was asked to.
    #[must_use]
    pub const fn stop(mut self, deadline: Duration) -> Self {
        self.stop = Some(deadline);
        self
    }

    /// Sets the deadline of the `shutdown` hook.
    #[must_use]
    pub const fn shutdown(mut self, deadline: Duration) -> Self {
        self.shutdown = Some(deadline);
        self
    }

    /// Sets the longest time from one `cx.tick()` of a task to the next: not watched when nobody sets it.
    ///
    /// A task that awaits something for ever is no different from one that has nothing to do, until it says how often
    /// it comes by. systemd's `WatchdogSec=` is the same for a process as a whole.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstay_registry::Deadlines;
    ///
    /// assert_eq!(Deadlines::new().tick, None);
    /// assert_eq!(Deadlines::new().tick(Duration::from_secs(30)).tick, Some(Duration::from_secs(30)));
    /// ```
    #[must_use]
    pub const fn tick(mut self, longest: Duration) -> Self {
        self.tick = Some(longest);
        self
    }
}
