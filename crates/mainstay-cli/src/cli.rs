//! From the words of a command line to a verb with its flags.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;

use crate::error::CliError;
use crate::flags::Flags;
use crate::own::{self, Declared, OwnArgs};
use crate::verb::{BUILT_IN, Verb, VerbSpec};
use crate::words;

/// The command line of one daemon: its name, its version, its own flags and verbs.
#[derive(Clone)]
pub struct Cli {
    name: String,
    version: Option<String>,
    log: String,
    declared: Vec<Declared>,
    verbs: Vec<VerbSpec>,
}

/// What a command line asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Parsed {
    /// A verb with its flags.
    Verb(Invocation),
    /// A text, and nothing else: `--help`, `--version`. The exit code is 0.
    Shown(String),
}

/// A verb with its flags.
#[derive(Debug)]
pub struct Invocation {
    verb: Verb,
    flags: Flags,
    own: OwnArgs,
}

impl Invocation {
    /// The verb; [`Verb::Run`] when none was typed.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// The flags that every daemon has.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// The parts: the verb, the flags of every daemon, the application's own.
    pub fn into_parts(self) -> (Verb, Flags, OwnArgs) {
        (self.verb, self.flags, self.own)
    }
}

impl Cli {
    /// Makes the command line of a daemon with the flags and verbs that every daemon has.
    pub fn new(name: impl Into<String>) -> Self {
        let (version, declared) = (None, Vec::new());
        Self { name: name.into(), version, log: "info".to_owned(), declared, verbs: BUILT_IN.to_vec() }
    }

    /// Sets what `--version` prints behind the name.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the default of `--log`, which is otherwise `info`.
    #[must_use]
    pub fn log_default(mut self, filter: impl Into<String>) -> Self {
        self.log = filter.into();
        self
    }

    /// Adds a verb of the application's, with a line for the help. It takes the same flags as the others.
    #[must_use]
    pub fn verb(mut self, word: &'static str, about: &'static str) -> Self {
        self.verbs.push(VerbSpec { verb: Verb::Own(word), about });
        self
    }

    /// Merges the application's own flags. Several types may be added; one that is there already is not
    /// added again.
    #[must_use]
    pub fn args<A: clap::Args + Send + Sync + 'static>(mut self) -> Self {
        let own = Declared::of::<A>();
        if self.declared.iter().all(|declared| declared.id != own.id) {
            self.declared.push(own);
        }
        self
    }

    /// Parses a command line whose first word is the program.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] when the words cannot be understood; the others when the application's own flags
    /// cannot be merged, whatever the words are.
    ///
    /// # Panics
    ///
    /// In debug builds, where clap finds a contradiction inside one of the application's own flags.
    pub fn parse_from<I, T>(&self, args: I) -> Result<Parsed, CliError>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        let mut args: Vec<OsString> = args.into_iter().skip(1).map(Into::into).collect();
        self.verbs_are_distinct()?;
        let mut lexed = self.verbs.iter().fold(self.base()?, |command, spec| spec.augment(command));
        lexed.build();
        let word = words::first_word(&lexed, &args);
        let spec = word.and_then(|at| self.verbs.iter().find(|spec| args[at] == spec.verb.as_str()));
        if let (Some(at), None) = (word, spec)
            && (args[at] == "help" || lexed.get_positionals().next().is_none())
        {
            // `help`, or no verb at all: the two-level command has the texts for both.
            let args = if args[at] == "help" { args.split_off(at) } else { vec![args.swap_remove(at)] };
            return match self.front()?.try_get_matches_from(args) {
                Err(error) => shown(&error),
                Ok(_) => Err(CliError::invalid_value("[VERB]", "", "it is no verb")),
            };
        }
        let (spec, command) = match (spec, word) {
            (Some(spec), Some(at)) => {
                args.remove(at);
                (spec, self.flat(spec, Some(spec.verb))?)
            }
            _ => (&self.verbs[0], self.flat(&self.verbs[0], None)?),
        };
        match read(command, spec, &self.declared, &args) {
            Ok(invocation) => Ok(Parsed::Verb(invocation)),
            // Help without a verb lists the verbs.
            Err(error) if error.kind() == ErrorKind::DisplayHelp && word.is_none() => {
                let listed = self.front()?.try_get_matches_from(&args).err();
                shown(&listed.filter(|listed| listed.kind() == ErrorKind::DisplayHelp).unwrap_or(error))
            }
            Err(error) => shown(&error),
        }
    }

    fn verbs_are_distinct(&self) -> Result<(), CliError> {
        for (at, spec) in self.verbs.iter().enumerate() {
            let word = spec.verb.as_str();
            if word == "help" || self.verbs[..at].iter().any(|other| other.verb.as_str() == word) {
                return Err(CliError::VerbTaken { verb: word });
            }
        }
        Ok(())
    }

    /// One verb, with all flags on one level.
    fn flat(&self, spec: &VerbSpec, spelled: Option<Verb>) -> Result<Command, CliError> {
        let bin_name = spelled.map_or_else(|| self.name.clone(), |verb| format!("{} {verb}", self.name));
        let command = self.base()?.bin_name(bin_name);
        Ok(spec.augment(command))
    }

    /// All verbs as subcommands, for help and for what is no verb.
    fn front(&self) -> Result<Command, CliError> {
        let command = self.base()?.bin_name(self.name.clone());
        self.verbs.iter().try_fold(
            command.subcommand_value_name("VERB").subcommand_help_heading("Verbs"),
            |command, spec| {
                let verb = self.base()?.name(spec.verb.as_str());
                Ok(command.subcommand(spec.augment(verb).about(spec.about)))
            },
        )
    }

    /// The flags that all verbs share.
    fn base(&self) -> Result<Command, CliError> {
        let command = Command::new(self.name.clone());
        let version = self.version.clone();
        let version =
            version.unwrap_or_else(|| format!("(built with mainstay {})", env!("CARGO_PKG_VERSION")));
        own::augment(Flags::augment(command, &self.log), &self.declared)
            .map(|command| command.version(version).no_binary_name(true))
    }
}

fn read(
    mut command: Command,
    spec: &VerbSpec,
    declared: &[Declared],
    args: &[OsString],
) -> Result<Invocation, clap::Error> {
    let mut matches = command.try_get_matches_from_mut(args)?;
    let own = own::read(&matches, declared).map_err(|error| error.format(&mut command))?;
    Ok(Invocation { verb: spec.read(&matches), flags: Flags::read(&mut matches), own })
}

/// Clap's text: a text that was asked for, or an error.
fn shown(error: &clap::Error) -> Result<Parsed, CliError> {
    let text = error.render().to_string();
    if error.use_stderr() {
        Err(CliError::Usage(text.trim_end().to_owned()))
    } else {
        Ok(Parsed::Shown(text))
    }
}
