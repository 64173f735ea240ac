//! `check`: register, plan, and what validates before boot. No other hook is called.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mainstay_cli::{Checked, CheckedItem, refused_warnings};
use mainstay_registry::{Phase, Plan, Planned, Provider, Validate};
use mainstay_runtime::{Failure, Outcome};
use tokio::runtime::Handle;

use super::Daemon;
use super::door::print;

/// The runtime's default.
const VALIDATE_DEADLINE: Duration = Duration::from_secs(5);

/// Looks at everything, prints what was found, and refuses with all problems when there is one.
pub(super) fn check(daemon: &Daemon, tokio: &Handle, recorded: usize, failures: &[Failure]) -> Outcome {
    let mut check = Check::default();
    check.registered(recorded, failures);
    // Sealing is what fills every `Dep`, which a validation may read.
    match daemon.registry().seal() {
        Ok(plan) => {
            check.planned(&plan);
            for planned in plan.providers() {
                check.validated(daemon, tokio, planned);
            }
        }
        Err(error) => check.bad("plan", "no plan is possible", error.to_string()),
    }
    let page = check.checked.page();
    print(&page.text);
    if check.problems.is_empty() {
        Outcome::done()
    } else {
        Outcome::refused(check.problems.join("\n"), page.exit_code)
    }
}

/// What was looked at, and the whole text of each problem.
#[derive(Default)]
struct Check {
    checked: Checked,
    problems: Vec<String>,
}

impl Check {
    fn good(&mut self, phase: &'static str, what: impl Into<String>) {
        self.checked.push(CheckedItem::Good { phase, what: what.into() });
    }

    fn bad(&mut self, phase: &'static str, what: impl Into<String>, error: String) {
        self.checked.push(CheckedItem::Bad { phase, what: what.into(), error: error.clone() });
        self.problems.push(error);
    }

    fn registered(&mut self, recorded: usize, failures: &[Failure]) {
        for failure in failures {
            self.bad("register", failure.provider(), failure.to_string());
        }
        if failures.is_empty() {
            self.good("register", format!("{recorded} of {recorded}"));
        }
    }

    fn planned(&mut self, plan: &Plan) {
        let names: Vec<String> = refused_warnings(plan).map(ToString::to_string).collect();
        if names.is_empty() {
            let (providers, runnables) = (plan.providers().len(), plan.start_order().len());
            self.good("plan", format!("providers {providers}, with runnables {runnables}"));
        }
        for duplicate in names {
            self.bad("plan", "names", duplicate);
        }
    }

    fn validated(&mut self, daemon: &Daemon, tokio: &Handle, planned: &Planned) {
        let what = planned.name().to_owned();
        if planned.validate_when() == Validate::AfterBoot {
            let why = "validates after boot";
            self.checked.push(CheckedItem::Skipped { phase: "validate", what, why });
            return;
        }
        let Some(provider) = daemon.registry().provider_at(planned.registration()) else { return };
        match validate(provider, daemon.clone(), tokio.clone(), planned) {
            None => self.good("validate", what),
            Some(failure) => self.bad("validate", what, failure.at(Some(planned.site())).to_string()),
        }
    }
}

/// Runs one `validate` as the runtime would: isolated, within its deadline, inside the application's tokio
/// runtime.
///
/// A thread that hangs in it ends with the process.
fn validate(
    provider: Arc<dyn Provider<Daemon>>,
    daemon: Daemon,
    tokio: Handle,
    planned: &Planned,
) -> Option<Failure> {
    let (name, deadline) = (planned.name(), planned.deadlines().validate.unwrap_or(VALIDATE_DEADLINE));
    let (done, wait) = mpsc::sync_channel(1);
    let run = move || {
        let _entered = tokio.enter();
        let result = Failure::catch(name, Phase::Validate, || provider.validate(&daemon));
        let _ = done.send(match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let error = error.in_phase(Phase::Validate, name).named(name);
                Some(Failure::from_error(name, Phase::Validate, error))
            }
            Err(panicked) => Some(panicked),
        });
    };
    let ended = match thread::Builder::new().name(format!("validate {name}")).spawn(run) {
        Ok(_) => wait.recv_timeout(deadline),
        Err(_) => Err(mpsc::RecvTimeoutError::Timeout),
    };
    ended.unwrap_or_else(|_| Some(Failure::from_deadline(name, Phase::Validate, deadline)))
}
