//! Why a command line leads to no verb.

use mainstay_registry::Code;

use crate::codes;

/// Why a command line leads to no verb. The exit code for each of them is 78.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The words could not be understood. The text is clap's, of several lines, and begins with `error:`.
    #[error("{0}")]
    Usage(String),
    /// Two flags have the same name.
    #[error(
        "error[{}]: the flag `{flag}` of `{declared_by}` collides with one of {taken_by}\n  \
         rename it, for example with #[arg(long = \"..\")]",
        codes::FLAG_COLLISION.id
    )]
    Collision {
        /// `--name`, `-n`, or the id of a positional value.
        flag: String,
        /// The type that was given to `args`.
        declared_by: &'static str,
        /// Who has it already.
        taken_by: String,
    },
    /// Two verbs have the same name.
    #[error("error[{}]: the verb `{verb}` is taken\n  give it another word", codes::VERB_COLLISION.id)]
    VerbTaken {
        /// The word.
        verb: &'static str,
    },
    /// The application's flags bring subcommands, and the verbs are the daemon's.
    #[error(
        "error[{}]: `{declared_by}` declares subcommands, and the verbs are the daemon's own\n  \
         make it a flag with a list of values",
        codes::OWN_SUBCOMMANDS.id
    )]
    Subcommands {
        /// The type that was given to `args`.
        declared_by: &'static str,
    },
}

impl CliError {
    /// A usage error for a value that clap let pass, in clap's words.
    ///
    /// ```
    /// # use mainstay_cli::CliError;
    /// let error = CliError::invalid_value("--log <FILTER>", "x", "no level");
    /// assert!(error.to_string().starts_with("error: invalid value 'x' for '--log <FILTER>': no level\n"));
    /// ```
    pub fn invalid_value(flag: &str, value: &str, why: &str) -> Self {
        let what = format!("error: invalid value '{value}' for '{flag}': {why}");
        Self::Usage(format!("{what}\n\nFor more information, try '--help'."))
    }

    /// The code of this error, for `explain`.
    pub fn code(&self) -> Code {
        match self {
            Self::Usage(_) => codes::USAGE,
            Self::Collision { .. } => codes::FLAG_COLLISION,
            Self::VerbTaken { .. } => codes::VERB_COLLISION,
            Self::Subcommands { .. } => codes::OWN_SUBCOMMANDS,
        }
    }
}
