//! What an event says, in one line for a person.

use std::fmt::{self, Write as _};

use super::EventKind;
use crate::clock::human;
use crate::outcome::Failure;

impl fmt::Display for EventKind {
    /// One line, whatever the texts of the program that it quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Self::Planned { providers, warnings } if warnings.is_empty() => {
                write!(f, "planned {}", many(*providers))
            }
            Self::Planned { providers, warnings } => {
                write!(f, "planned {}, warnings: {}", many(*providers), warnings.len())
            }
            Self::Booting { provider } => write!(f, "booting '{provider}'"),
            Self::Booted { provider, took } => write!(f, "booted '{provider}' in {}", human(*took)),
            Self::BootFinished { providers, took, .. } => {
                write!(f, "boot of {} finished in {}", many(*providers), human(*took))
            }
            Self::TaskStarted { task } => write!(f, "started '{task}', generation {}", task.generation),
            Self::TaskReady { task } => write!(f, "ready '{task}', generation {}", task.generation),
            Self::TaskEnded { task, disabled: true } => write!(f, "ended '{task}', nothing to do here"),
            Self::TaskEnded { task, disabled: false } => write!(f, "ended '{task}'"),
            Self::Recoverable(failure) | Self::Failed(failure) | Self::ChildFailed { failure, .. } => {
                failed(f, failure)
            }
            Self::Restarting { task, attempt, delay, failure } => {
                match failure {
                    Some(failure) => failed(f, failure)?,
                    None => write!(f, "ended '{task}', generation {}", task.generation)?,
                }
                write!(f, "; restart {attempt} in {}", human(*delay))
            }
            Self::Degraded(failure) => {
                failed(f, failure)?;
                f.write_str("; for good, the others serve on")
            }
            Self::Ordered { operation, provider, also } => {
                write!(f, "{operation} of '{provider}' requested")?;
                list(f, "also", also.iter().copied())
            }
            Self::TaskStopped { task } => write!(f, "stopped '{task}', generation {}", task.generation),
            Self::LeftBehind { task, .. } => {
                write!(f, "left '{task}', generation {}, behind: it holds a thread", task.generation)
            }
            Self::Stuck { task, since, .. } => write!(f, "'{task}' has not ticked since {}", human(*since)),
            Self::Unstuck { task } => write!(f, "'{task}' ticks again"),
            Self::NotReady { causes } => {
                f.write_str("not ready any more")?;
                causes.iter().try_for_each(|cause| write!(f, "; {cause}"))
            }
            Self::ReadyAgain { after } => write!(f, "ready again after {}", human(*after)),
            Self::Wedged { since, running } => {
                write!(f, "the application's runtime polls nothing since {}", human(*since))?;
                list(f, "running", running.iter().map(|busy| busy.name.as_str()))
            }
            Self::ChildRestarting { task, child, attempt, delay, failure } => {
                match failure {
                    Some(failure) => failed(f, failure)?,
                    None => write!(f, "ended '{task}/{child}'")?,
                }
                write!(f, "; restart {attempt} in {}", human(*delay))
            }
            Self::Unwedged { after } => {
                write!(f, "the application's runtime polls again after {}", human(*after))
            }
            Self::Ready { took } => write!(f, "all ready after {}", human(*took)),
            Self::Late { phase, elapsed, running, waiting } => {
                write!(f, "still in {phase} after {}", human(*elapsed))?;
                list(f, "running", running.iter().map(|busy| busy.name.as_str()))?;
                list(f, "waiting", waiting.iter().map(|(name, _)| *name))
            }
            Self::Rescued { provider, phase } => {
                write!(f, "no worker polled {phase} of '{provider}': it runs on a thread of its own")
            }
            Self::Reloading => f.write_str("reloading"),
            Self::Reloaded(report) => match report.epoch {
                Some(epoch) => write!(f, "reload committed in {}, epoch {epoch}", human(report.took)),
                None => write!(f, "reload refused after {}", human(report.took)),
            },
            Self::ReloadAborted => f.write_str("reload given up: the process stops"),
            Self::Snapshot { code, warning } => write!(f, "{code}: {warning}"),
            Self::Lint(lint) => write!(f, "{lint}"),
            Self::Reopening => f.write_str("reopening the logs"),
            Self::SignalRefused { signal, phase } => write!(f, "{signal} is not followed during {phase}"),
            Self::StopRequested { cause } => write!(f, "stop by {cause}"),
            Self::LameDuck { delay } => write!(f, "serving on, not ready, for {}", human(*delay)),
            Self::RollingBack => f.write_str("rolling back"),
            Self::Stopping { provider } => write!(f, "stopping '{provider}'"),
            Self::Stopped { provider, took } => write!(f, "stopped '{provider}' in {}", human(*took)),
            Self::Forced(cut) => {
                write!(f, "{} of '{}", cut.what, cut.provider)?;
                cut.task.iter().try_for_each(|task| write!(f, "/{task}"))?;
                write!(f, "' was not waited for any longer, after {}", human(cut.after))
            }
            Self::ForcedExit { signal } => write!(f, "{signal} again: exiting at once"),
            Self::Finished { exit_code, took } => {
                write!(f, "stop finished in {}, exit {exit_code}", human(*took))
            }
            Self::Lost { events } => write!(f, "{events} events are missing here: their reader is too slow"),
        }
    }
}

fn many(providers: usize) -> String {
    if providers == 1 { "1 provider".to_owned() } else { format!("{providers} providers") }
}

fn failed(f: &mut OneLine<'_, '_>, failure: &Failure) -> fmt::Result {
    f.write_str(&failure.headline())?;
    failure.panicked_at().map_or(Ok(()), |place| write!(f, ", at {place}"))
}

/// `; running 'db', 'http' and 3 more`
fn list<'a>(
    f: &mut OneLine<'_, '_>,
    what: &str,
    names: impl ExactSizeIterator<Item = &'a str>,
) -> fmt::Result {
    const SHOWN: usize = 3;
    let more = names.len().saturating_sub(SHOWN);
    for (index, name) in names.take(SHOWN).enumerate() {
        let before = if index == 0 { format!("; {what} ") } else { ", ".to_owned() };
        write!(f, "{before}'{name}'")?;
    }
    if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
}

/// Writes what comes on one line: the words of a program may have several.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, part) in text.split(char::is_control).enumerate() {
            if index > 0 {
                self.0.write_char(' ')?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}
