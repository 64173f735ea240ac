//! The flags that every daemon has, and their values.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Arg, ArgMatches, Command, ValueEnum, value_parser};

/// What kind of run this is.
///
/// It changes the look of the log, the lints, and what `register` chooses to register; nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunMode {
    /// On the machine of whoever writes it: colours on a terminal, the place in the source on every line.
    Development,
    /// What a daemon is when nobody says anything.
    #[default]
    Production,
    /// Inside a test.
    Test,
}

impl RunMode {
    /// The value of `--run-mode`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for RunMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ValueEnum for RunMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Development, Self::Production, Self::Test]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// The shape of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

/// The values of the flags that every daemon has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    config_dir: PathBuf,
    run_mode: RunMode,
    log: String,
    log_format: LogFormat,
}

impl Flags {
    /// `--config-dir`: where the configuration is read. `config` when not given.
    pub fn config_dir(&self) -> &Path {
        &self.config_dir
    }

    /// `--run-mode`. [`RunMode::Production`] when not given.
    pub fn run_mode(&self) -> RunMode {
        self.run_mode
    }

    /// `--log`, as it was typed. When not given: `info`, or what the application says.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// `--log-format`. [`LogFormat::Text`] when not given.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Adds the flags to a command; `log` is the default of `--log`.
    pub(crate) fn augment(command: Command, log: &str) -> Command {
        let flag = |id: &'static str, long: &'static str, value: &'static str| {
            Arg::new(id).long(long).value_name(value).help_heading("Daemon options")
        };
        command
            .arg(
                flag("mainstay-config-dir", "config-dir", "DIR")
                    .help("Where the configuration is read")
                    .value_parser(value_parser!(PathBuf))
                    .default_value("config"),
            )
            .arg(
                flag("mainstay-run-mode", "run-mode", "MODE")
                    .help("The kind of run: the look of the log, lints, what is registered")
                    .value_parser(value_parser!(RunMode))
                    .default_value("production"),
            )
            .arg(
                flag("mainstay-log", "log", "FILTER")
                    .help("What is logged: a level, or `target=level` with commas between")
                    .default_value(log.to_owned()),
            )
            .arg(
                flag("mainstay-log-format", "log-format", "FORMAT")
                    .help("The shape of the log's lines")
                    .value_parser(value_parser!(LogFormat))
                    .default_value("text"),
            )
    }

    /// Reads what [`augment`](Self::augment) declared: every flag has a default.
    pub(crate) fn read(matches: &mut ArgMatches) -> Self {
        Self {
            config_dir: matches.remove_one("mainstay-config-dir").unwrap_or_else(|| "config".into()),
            run_mode: matches.remove_one("mainstay-run-mode").unwrap_or_default(),
            log: matches.remove_one("mainstay-log").unwrap_or_else(|| "info".into()),
            log_format: matches.remove_one("mainstay-log-format").unwrap_or_default(),
        }
    }
}
