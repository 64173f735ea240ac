//! Door 1: the whole process, from its command line to its exit code.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use mainstay_cli::{
    CliError, Flags, Invocation, OwnArgs, Page, Parsed, PlanFormat, RunMode, Verb, plan_page,
    refused_warnings,
};
use mainstay_registry::SharedState as _;
use mainstay_runtime::{Failure, Lint, Lints, Lookups, Outcome, Runtime};
use tokio::runtime::Handle;

use super::application::Application;
use super::builder::{DaemonBuilder, Tune};
use super::register::{Registration, Replacement};
use super::{Daemon, check, codes, log, register};

/// How long an outcome may wait for a `main` that something holds, before the process ends without it.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// Does what the command line says, and prints the report.
pub(super) fn main(builder: DaemonBuilder, args: Vec<OsString>) -> Outcome {
    let outcome = if Handle::try_current().is_ok() {
        inside_a_runtime()
    } else {
        // Hooks and `register` are isolated one by one; this is for what the application does beside them.
        catch_unwind(AssertUnwindSafe(|| obey(builder, args))).unwrap_or_else(|panic| {
            // Its `Drop` might panic in its turn.
            std::mem::forget(panic);
            panicked()
        })
    };
    outcome.print();
    outcome
}

fn obey(builder: DaemonBuilder, args: Vec<OsString>) -> Outcome {
    match builder.cli.parse_from(args) {
        Ok(Parsed::Verb(invocation)) => builder.obey(invocation).unwrap_or_else(|refused| refused),
        Ok(Parsed::Shown(text)) => {
            print(&text);
            Outcome::done()
        }
        Ok(_) => Outcome::done(),
        Err(error) => Outcome::refused(error.to_string(), 78),
    }
}

impl DaemonBuilder {
    fn obey(mut self, invocation: Invocation) -> Result<Outcome, Outcome> {
        let (verb, flags, own) = invocation.into_parts();
        if let Verb::Own(word) = verb {
            return Ok(self.own_verb(word, flags, own));
        }
        log::install(&flags, std::mem::take(&mut self.layers))
            .map_err(|error| Outcome::refused(error.to_string(), 78))?;
        let daemon = Daemon::new(self.name.clone(), self.version.take(), flags, own);
        let recorded = self.registrations.len();
        let registrations = std::mem::take(&mut self.registrations);
        let replacements = std::mem::take(&mut self.replacements);
        let (failures, lints) = registered(replacements, registrations, &daemon);
        match verb {
            Verb::Check => {
                let application = Application::build(self.tokio)?;
                Ok(check::check(&daemon, application.handle(), recorded, &failures))
            }
            _ if !failures.is_empty() => Ok(Outcome::refused_by(failures)),
            Verb::Plan(format) => Ok(plan(&daemon, format)),
            _ => self.run(daemon, lints),
        }
    }

    /// From the plan to the last destructor. This thread only waits.
    fn run(self, daemon: Daemon, lints: Vec<Lint>) -> Result<Outcome, Outcome> {
        let application = Application::build(self.tokio)?;
        let runtime = tuned(runtime_of(daemon).found(lints).exit_when_stuck(STUCK_AFTER), self.tune);
        Ok(runtime.run_on(application.handle().clone()).wait())
    }

    /// Up to the plan, and no further.
    pub(super) fn up_to_the_plan(mut self, args: Vec<OsString>) -> Result<Runtime<Daemon>, Outcome> {
        let (verb, flags, own) = match self.cli.parse_from(args) {
            Ok(Parsed::Verb(invocation)) => invocation.into_parts(),
            Ok(Parsed::Shown(text)) => {
                print(&text);
                return Err(Outcome::done());
            }
            Ok(_) => return Err(Outcome::done()),
            Err(error) => return Err(Outcome::refused(error.to_string(), 78)),
        };
        if verb != Verb::Run {
            let error = CliError::invalid_value("[VERB]", verb.as_str(), "only `run` makes a runtime");
            return Err(Outcome::refused(error.to_string(), 78));
        }
        let daemon = Daemon::new(self.name, self.version.take(), flags, own);
        let (failures, lints) = registered(self.replacements, self.registrations, &daemon);
        if failures.is_empty() {
            Ok(tuned(runtime_of(daemon).found(lints), self.tune))
        } else {
            Err(Outcome::refused_by(failures))
        }
    }

    fn own_verb(self, word: &str, flags: Flags, own: OwnArgs) -> Outcome {
        let daemon = Daemon::new(self.name, self.version, flags, own);
        match self.verbs.into_iter().find(|(own, _)| *own == word) {
            Some((_, run)) => run(&daemon),
            None => Outcome::done(),
        }
    }
}

/// Runs the phase register. Where breaches of the rules are not looked for, nobody listens to what it looks up.
fn registered(
    replacements: Vec<Replacement>,
    registrations: Vec<Registration>,
    daemon: &Daemon,
) -> (Vec<Failure>, Vec<Lint>) {
    register::replacing(replacements, daemon, || {
        let run = || register::run_all(registrations, daemon);
        if daemon.run_mode() == RunMode::Production {
            return (run(), Vec::new());
        }
        Lookups::of_register(daemon.registry(), run)
    })
}

fn runtime_of(daemon: Daemon) -> Runtime<Daemon> {
    let (registry, token) = (daemon.inner.registry.clone(), daemon.shutdown_token().clone());
    let lints = if daemon.run_mode() == RunMode::Development { Lints::On } else { Lints::Off };
    let inner = Arc::downgrade(&daemon.inner);
    let control_to = move |control| {
        if let Some(inner) = inner.upgrade() {
            let _ = inner.control.set(control);
        }
    };
    let runtime = Runtime::new(registry, daemon).shutdown_token(token).reload_state();
    runtime.lints(lints).control_to(control_to)
}

fn tuned(runtime: Runtime<Daemon>, tune: Vec<Tune>) -> Runtime<Daemon> {
    tune.into_iter().fold(runtime, |runtime, tune| tune(runtime))
}

fn plan(daemon: &Daemon, format: PlanFormat) -> Outcome {
    let planned = daemon.registry().plan();
    let Page { text, exit_code, .. } = plan_page(planned.as_ref(), format);
    print(&text);
    let refused = match &planned {
        Err(error) => error.to_string(),
        Ok(plan) => refused_warnings(plan).map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    if exit_code == 0 { Outcome::done() } else { Outcome::refused(refused, exit_code) }
}

fn inside_a_runtime() -> Outcome {
    let code = codes::INSIDE_A_RUNTIME;
    Outcome::refused(
        format!(
            "error[{code}]: `main()` of a daemon was called inside a tokio runtime, and it builds its own\n  \
             either      make `main` an ordinary function, without #[tokio::main]\n  \
             or          keep this runtime: let outcome = Runtime::new(registry, state).run().await\n  \
             nothing was started"
        ),
        78,
    )
}

fn panicked() -> Outcome {
    let code = codes::PANICKED;
    Outcome::refused(
        format!(
            "error[{code}]: the application panicked outside of its hooks; the panic's own line is above"
        ),
        1,
    )
}

/// Prints on standard output; a reader that has gone away is no error.
pub(super) fn print(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
