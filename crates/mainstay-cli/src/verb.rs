//! What a daemon can be asked to do from the command line.

use std::fmt;

use clap::builder::PossibleValue;
use clap::{Arg, ArgMatches, Command, ValueEnum, value_parser};

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Boot and run until stopped: what a daemon does without a verb.
    #[default]
    Run,
    /// Register, plan, and validate what validates before boot; start nothing.
    Check,
    /// Print the plan.
    Plan(PlanFormat),
    /// A verb of the application's.
    Own(&'static str),
}

impl Verb {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Check => "check",
            Self::Plan(_) => "plan",
            Self::Own(word) => word,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A diagram that Markdown viewers draw.
    Mermaid,
    /// For programs.
    Json,
}

impl ValueEnum for PlanFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Mermaid, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Mermaid => "mermaid",
            Self::Json => "json",
        }))
    }
}

/// The verbs that every daemon has; the first is implied.
pub(crate) const BUILT_IN: [VerbSpec; 3] = [
    VerbSpec { verb: Verb::Run, about: "Boot and run until stopped (the default)" },
    VerbSpec { verb: Verb::Check, about: "Register, plan and validate; start nothing" },
    VerbSpec { verb: Verb::Plan(PlanFormat::Text), about: "Print what would be started, in which order" },
];

/// A verb as the parser, the help and the errors know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerbSpec {
    pub(crate) verb: Verb,
    pub(crate) about: &'static str,
}

impl VerbSpec {
    /// Adds the flags that only this verb has.
    pub(crate) fn augment(&self, command: Command) -> Command {
        if !matches!(self.verb, Verb::Plan(_)) {
            return command;
        }
        command.arg(
            Arg::new("mainstay-plan-format")
                .long("format")
                .value_name("FORMAT")
                .help("How to print it")
                .value_parser(value_parser!(PlanFormat))
                .default_value("text"),
        )
    }

    /// Reads what [`augment`](Self::augment) declared.
    pub(crate) fn read(&self, matches: &ArgMatches) -> Verb {
        match self.verb {
            Verb::Plan(_) => Verb::Plan(matches.get_one("mainstay-plan-format").copied().unwrap_or_default()),
            verb => verb,
        }
    }
}
