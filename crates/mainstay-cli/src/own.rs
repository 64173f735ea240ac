//! The application's own flags, merged with the daemon's through `clap::Args`.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;

use clap::{Arg, ArgMatches, Command};

use crate::error::CliError;

/// The values of the application's own flags, by type.
#[derive(Default)]
pub struct OwnArgs {
    values: HashMap<TypeId, Value>,
}

impl OwnArgs {
    /// The values of `A`, when `A` was declared.
    pub fn get<A: Any>(&self) -> Option<&A> {
        self.values.get(&TypeId::of::<A>())?.downcast_ref()
    }
}

impl fmt::Debug for OwnArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnArgs").field("types", &self.values.len()).finish()
    }
}

type Value = Box<dyn Any + Send + Sync>;

/// One declared type, as the functions that its parsing needs.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) id: TypeId,
    name: &'static str,
    augment: fn(Command) -> Command,
    read: fn(&ArgMatches) -> Result<Value, clap::Error>,
}

impl Declared {
    pub(crate) fn of<A: clap::Args + Send + Sync + 'static>() -> Self {
        Self {
            id: TypeId::of::<A>(),
            name: type_name::<A>(),
            augment: A::augment_args,
            read: |matches| Ok(Box::new(A::from_arg_matches(matches)?)),
        }
    }
}

/// Adds every declared type to a command that has the daemon's flags already.
pub(crate) fn augment(mut command: Command, declared: &[Declared]) -> Result<Command, CliError> {
    // Ids carry a prefix on our side, so that a field named `log` collides by its flag and not by its id.
    let mut names = Names::of_the_daemon(&command);
    for own in declared {
        let before = command.get_arguments().count();
        command = (own.augment)(command);
        if command.has_subcommands() || command.is_allow_external_subcommands_set() {
            return Err(CliError::Subcommands { declared_by: own.name });
        }
        for arg in command.get_arguments().skip(before) {
            names.take(arg, own.name)?;
        }
    }
    Ok(command)
}

/// Reads the values of every declared type.
pub(crate) fn read(matches: &ArgMatches, declared: &[Declared]) -> Result<OwnArgs, clap::Error> {
    let mut values = HashMap::with_capacity(declared.len());
    for own in declared {
        values.insert(own.id, (own.read)(matches)?);
    }
    Ok(OwnArgs { values })
}

/// Which names are taken, and by whom.
struct Names {
    taken: HashMap<String, String>,
}

impl Names {
    fn of_the_daemon(command: &Command) -> Self {
        let reserved = ["--help", "-h", "--version", "-V", "--format"].map(str::to_owned);
        let flags = command.get_arguments().flat_map(names_of);
        let taken =
            reserved.into_iter().chain(flags).map(|name| (name, "the daemon's own".to_owned())).collect();
        Self { taken }
    }

    fn take(&mut self, arg: &Arg, declared_by: &'static str) -> Result<(), CliError> {
        for flag in names_of(arg) {
            if let Some(by) = self.taken.insert(flag.clone(), format!("`{declared_by}`")) {
                return Err(CliError::Collision { flag, declared_by, taken_by: by });
            }
        }
        Ok(())
    }
}

/// Every name by which an argument can be typed, and its id.
fn names_of(arg: &Arg) -> Vec<String> {
    let mut names = vec![arg.get_id().to_string()];
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_all_aliases().into_iter().flatten().map(|long| format!("--{long}")));
    names.extend(arg.get_all_short_aliases().into_iter().flatten().map(|short| format!("-{short}")));
    names
}
