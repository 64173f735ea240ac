//! The log of a daemon: lines on standard error, for people or for programs, unless the application has its
//! own.

use std::io::IsTerminal;

use mainstay_cli::{CliError, Flags, LogFormat, RunMode};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry, registry};

use super::journal::{self, JournalLines};

/// A layer of the application's, beside the one that writes the lines.
pub(super) type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Installs a subscriber, unless there is one: the application's layers, and the log's lines. Text for the journal of systemd
/// has no time, which would be there twice, and its level as the journal reads it.
pub(super) fn install(flags: &Flags, mut layers: Vec<LogLayer>) -> Result<(), CliError> {
    let targets = targets(flags.log())?;
    if tracing::dispatcher::has_been_set() {
        return Ok(());
    }
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if flags.log_format() == LogFormat::Json {
        layer.json().boxed()
    } else if flags.run_mode() == RunMode::Development {
        let colours = std::io::stderr().is_terminal() && no_color_is_unset();
        layer.with_ansi(colours).with_target(false).with_timer(fmt::time::uptime()).boxed()
    } else if journal::is_standard_error() {
        layer.with_ansi(false).event_format(JournalLines::new()).boxed()
    } else {
        layer.with_ansi(false).boxed()
    };
    layers.push(layer.with_filter(targets).boxed());
    // Somebody may have been faster: then theirs stays.
    let _ = tracing::subscriber::set_global_default(registry().with(layers));
    Ok(())
}

/// <https://no-color.org>: set, and not empty.
fn no_color_is_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A level, or pairs of target and level. `Targets` alone takes a misspelled level for a target, and is
/// silent then.
fn targets(filter: &str) -> Result<Targets, CliError> {
    let refuse = |why: &str| CliError::invalid_value("--log <FILTER>", filter, why);
    for part in filter.split(',').map(str::trim) {
        if part.is_empty() || (!part.contains('=') && part.parse::<LevelFilter>().is_err()) {
            return Err(refuse(&format!(
                "`{part}` is neither a level (off, error, warn, info, debug, trace) nor `target=level`"
            )));
        }
    }
    filter.parse().map_err(|error| refuse(&format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn a_filter_is_levels_and_pairs() {
        for good in ["info", "off", "warn,greeter=debug", "greeter::http=trace, warn"] {
            assert!(targets(good).is_ok(), "{good}");
        }
        for bad in ["inof", "", "warn,,info", "greeter=loud", "greeter"] {
            assert!(targets(bad).is_err(), "{bad}");
        }
    }
}
