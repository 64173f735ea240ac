//! The journal of systemd: it knows the time of each line itself, and reads its level from the first bytes of it.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Whether standard error is the journal: `JOURNAL_STREAM` says device and inode of what systemd has connected, so that
/// who inherits it and writes somewhere else is not taken in (systemd.exec(5)).
#[cfg(unix)]
pub(super) fn is_standard_error() -> bool {
    use std::fs::File;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;

    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let own = std::io::stderr().as_fd().try_clone_to_owned().and_then(|own| File::from(own).metadata());
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

/// Nowhere else is one.
#[cfg(not(unix))]
pub(super) fn is_standard_error() -> bool {
    false
}

/// Lines for the journal: without the time, and with their level before them (sd-daemon(3)), so that
/// `journalctl --priority=warning` finds them.
pub(super) struct JournalLines(Format<Full, ()>);

impl JournalLines {
    pub(super) fn new() -> Self {
        Self(Format::default().without_time().with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for JournalLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(to, "<{priority}>")?;
        self.0.format_event(cx, to, event)
    }
}
