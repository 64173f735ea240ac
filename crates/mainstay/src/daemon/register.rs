//! Phase register: what was recorded is run, each isolated, and every failure is kept.

use std::any::{Any, type_name};
use std::panic::Location;
use std::sync::Arc;

use mainstay_registry::{Error, InsertError, Phase, Provider, Result};
use mainstay_runtime::Failure;

use super::Daemon;

/// One recorded step: what it is called, where it was recorded, what it does.
pub(super) struct Registration {
    name: &'static str,
    site: &'static Location<'static>,
    run: Run,
}

type Run = Box<dyn FnOnce(&Daemon) -> Result<()>>;

impl Registration {
    pub(super) fn of_function<F>(site: &'static Location<'static>, run: F) -> Self
    where
        F: FnOnce(&Daemon) -> Result<()> + 'static,
    {
        Self { name: function_name(type_name::<F>()), site, run: Box::new(run) }
    }

    pub(super) fn of_provider<P: Provider<Daemon>>(
        site: &'static Location<'static>,
        provider: Arc<P>,
    ) -> Self {
        let run = Box::new(move |daemon: &Daemon| {
            daemon.registry().try_insert_at(provider, site)?;
            Ok(())
        });
        Self { name: short(type_name::<P>()), site, run }
    }

    pub(super) fn of_value<T: Any + Send + Sync>(site: &'static Location<'static>, value: Arc<T>) -> Self {
        let run = Box::new(move |daemon: &Daemon| {
            daemon.registry().try_insert_value_at(value, site)?;
            Ok(())
        });
        Self { name: short(type_name::<T>()), site, run }
    }

    fn run(self, daemon: &Daemon) -> Option<Failure> {
        let run = self.run;
        let failure = match Failure::catch(self.name, Phase::Register, || run(daemon)) {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => Failure::from_error(self.name, Phase::Register, judged(error)),
            Err(panicked) => panicked,
        };
        Some(failure.at(Some(self.site)))
    }
}

/// Another instance of a provider that a step registers.
pub(super) struct Replacement {
    name: &'static str,
    site: &'static Location<'static>,
    put: Box<dyn FnOnce(&Daemon)>,
    find: fn(&Daemon) -> Result<()>,
}

impl Replacement {
    pub(super) fn of<P: Provider<Daemon>>(site: &'static Location<'static>, provider: Arc<P>) -> Self {
        let put = Box::new(move |daemon: &Daemon| {
            daemon.registry().replace(provider);
        });
        let find = |daemon: &Daemon| match daemon.registry().require::<P>() {
            Ok(_) => Ok(()),
            Err(why) => {
                Err(Error::Validate { name: "", source: format!("nothing is replaced: {why}").into() })
            }
        };
        Self { name: short(type_name::<P>()), site, put, find }
    }
}

/// Runs every step, in the order in which they were recorded.
pub(super) fn run_all(registrations: Vec<Registration>, daemon: &Daemon) -> Vec<Failure> {
    registrations.into_iter().filter_map(|registration| registration.run(daemon)).collect()
}

/// Lets each replacement take its place before there is somebody to replace, then calls `register`. What replaces nothing
/// is a failure: a test that takes it for what is served would test nothing.
pub(super) fn replacing<T>(
    replacements: Vec<Replacement>,
    daemon: &Daemon,
    register: impl FnOnce() -> (Vec<Failure>, T),
) -> (Vec<Failure>, T) {
    let mut replaced = Vec::new();
    for Replacement { name, site, put, find } in replacements {
        put(daemon);
        replaced.push((name, site, find));
    }
    let (mut failures, rest) = register();
    failures.extend(replaced.into_iter().filter_map(|(name, site, find)| {
        let error = find(daemon).err()?;
        Some(Failure::from_error(name, Phase::Register, error).at(Some(site)))
    }));
    (failures, rest)
}

/// A refused insertion is a mistake in the program: no retry will cure it.
fn judged(error: Error) -> Error {
    match error {
        Error::Other(source) if source.is::<InsertError>() => Error::Validate { name: "", source },
        error => error,
    }
}

/// `mail` of `greeter::mail`; a closure has no name of its own.
fn function_name(path: &'static str) -> &'static str {
    if path.contains("{{closure}}") { "register" } else { short(path) }
}

/// The last segment of a path, its generic parameters left out.
fn short(path: &'static str) -> &'static str {
    let plain = path.split('<').next().unwrap_or(path);
    plain.rsplit("::").next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::{function_name, short};

    #[test]
    fn names_are_short() {
        assert_eq!(short("greeter::http::Http"), "Http");
        assert_eq!(short("greeter::Cache<greeter::Key, u64>"), "Cache");
        assert_eq!(function_name("greeter::mail"), "mail");
        assert_eq!(function_name("greeter::main::{{closure}}"), "register");
    }
}
