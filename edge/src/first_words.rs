//! What edge says in its first second, and its last line; between them it is silent.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mainstay::{Event, EventKind, GuardGroup, Outcome, Plan};

use crate::http::Door;
use crate::settings::{Listen, Origin};

/// What is known of this run, gathered by those who learn of it.
#[derive(Default)]
pub(crate) struct Facts {
    /// Requests that are being answered.
    pub(crate) in_flight: GuardGroup,
    plan: OnceLock<String>,
    bound: OnceLock<Bound>,
    boot: Mutex<Option<String>>,
    ready: OnceLock<()>,
    left: OnceLock<usize>,
    cut: AtomicUsize,
}

struct Bound {
    doors: Vec<Door>,
    origin: Origin,
}

impl Facts {
    /// The plan was made.
    pub(crate) fn planned(&self, plan: &Plan) {
        let _ = self.plan.set(stages(plan));
    }

    /// The listeners were bound.
    pub(crate) fn listens(&self, doors: Vec<Door>, origin: Origin) {
        let _ = self.bound.set(Bound { doors, origin });
    }

    /// Nobody is waited for any more.
    pub(crate) fn stopped(&self) {
        let _ = self.left.set(self.in_flight.count());
    }

    /// So many connections were cut at the end of serving on a socket.
    pub(crate) fn cut(&self, connections: usize) {
        self.cut.fetch_add(connections, Ordering::Relaxed);
    }

    /// Hears what happens, and speaks once: when edge is ready.
    pub(crate) fn hear(&self, event: &Event) {
        match &event.kind {
            EventKind::BootFinished { took, critical_path, .. } => {
                let path: Vec<String> =
                    critical_path.iter().map(|(name, took)| format!("{name} {}", short(*took))).collect();
                let said = format!("{}, critical path {}", short(*took), path.join(" → "));
                *self.boot.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
            }
            EventKind::Ready { .. } if self.ready.set(()).is_ok() => say(self),
            _ => {}
        }
    }

    /// The last line, where the end is not worth a report: that has one of its own.
    pub(crate) fn last_line(&self, outcome: &Outcome) {
        if self.ready.get().is_none() || outcome.is_worth_a_report() {
            return;
        }
        let (done, due) = outcome.hooks();
        let cut = match self.cut.load(Ordering::Relaxed) {
            0 => String::new(),
            cut => format!("{cut} cut · "),
        };
        say(format_args!(
            "stop {} · {} in flight · hooks {done}/{due} · {cut}{} of {} · exit {}\n",
            outcome.cause(),
            self.left.get().copied().unwrap_or_else(|| self.in_flight.count()),
            short(outcome.stop_took()),
            short(outcome.stop_budget()),
            outcome.exit_code(),
        ));
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Bound { doors, origin }) = self.bound.get() else { return Ok(()) };
        let Some((Door { wanted, bound: address }, others)) = doors.split_first() else { return Ok(()) };
        let pid = std::process::id();
        writeln!(f, "edge {} · process {pid} · {}", env!("CARGO_PKG_VERSION"), origin.path().display())?;
        writeln!(f, "plan   {}", self.plan.get().map_or("", |plan| plan))?;
        let boot = self.boot.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(f, "boot   {}", boot.as_deref().unwrap_or_default())?;
        if let Listen::At(wanted) = wanted
            && wanted.port() != 0
            && address != wanted
        {
            writeln!(f, "note   port {} is taken, {} is the next free one", wanted.port(), address.port())?;
        }
        writeln!(f, "ready  http://{address}")?;
        for other in others {
            writeln!(f, "       http://{}", other.bound)?;
        }
        writeln!(f, "try    curl http://{address}/demo/hello")?;
        match origin {
            Origin::File(_) => writeln!(f, "       change the greeting in http.yaml, then: kill -HUP {pid}")?,
            Origin::BuiltIn => writeln!(f, "       curl http://{address}/status")?,
        }
        writeln!(f, "       curl -N http://{address}/demo/slow?ms=5000 & sleep 1; kill -TERM {pid}")
    }
}

/// The providers of a plan by what they wait for: those with a `+` between them boot at the same time.
fn stages(plan: &Plan) -> String {
    let mut depths = Vec::with_capacity(plan.providers().len());
    for planned in plan.providers() {
        // What is required stands before what requires it.
        let depth = planned.edges().iter().filter_map(|edge| depths.get(edge.to)).max();
        let depth: usize = depth.map_or(0, |depth: &usize| depth + 1);
        depths.push(depth);
    }
    let mut text = String::new();
    for stage in 0..=depths.iter().copied().max().unwrap_or_default() {
        let names = plan.providers().iter().zip(&depths).filter(|(_, depth)| **depth == stage);
        for (index, (planned, _)) in names.enumerate() {
            let gap = match (stage, index) {
                (0, 0) => "",
                (_, 0) => " → ",
                _ => " + ",
            };
            let _ = write!(text, "{gap}{}", planned.name());
        }
    }
    text
}

/// A time with what a reader needs of it.
pub(crate) fn short(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..10_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{} ms", time.as_millis()),
        _ if time.subsec_millis() == 0 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Prints; a reader that has gone away is no error.
pub(crate) fn say(text: impl fmt::Display) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_short() {
        let said: Vec<String> =
            [17, 1_234, 45_678, 2_500_000, 25_000_000].map(|us| short(Duration::from_micros(us))).into();
        assert_eq!(said, ["17 us", "1.2 ms", "45 ms", "2.5 s", "25 s"]);
    }
}
