//! The verbs of a daemon: its flags, its plan, its check.
//!
//! An application uses this through `mainstay::Daemon`; what is here is for those who write a command line
//! of their own around a [`Registry`](mainstay_registry::Registry). It reads words and makes text, and does
//! nothing else: no hook runs, no file is read, no process ends.
//!
//! ```
//! use mainstay_cli::{Cli, Parsed, Verb};
//!
//! let cli = Cli::new("greeter").version("1.2.3");
//! let Ok(Parsed::Verb(invocation)) = cli.parse_from(["greeter", "check", "--config-dir", "/etc"]) else {
//!     panic!("these are its own flags");
//! };
//! assert_eq!(invocation.verb(), Verb::Check);
//! assert_eq!(invocation.flags().config_dir().as_os_str(), "/etc");
//! ```
//!
//! # Flags
//!
//! | flag | default | meaning |
//! | --- | --- | --- |
//! | `--config-dir DIR` | `config` | where the configuration is read |
//! | `--run-mode MODE` | `production` | `development`, `production` or `test`: see [`RunMode`] |
//! | `--log FILTER` | `info` | a level, or `target=level` pairs with commas between |
//! | `--log-format FORMAT` | `text` | `text` or `json` |
//!
//! # Verbs
//!
//! | verb | does |
//! | --- | --- |
//! | `run` | boots and runs; the default |
//! | `check` | registers, plans, and validates what validates before boot; boots nothing |
//! | `plan [--format F]` | prints what would be done, as `text`, `mermaid` or `json`, also when it cannot be |
//!
//! The verb is the first word that is neither a flag nor the value of one; flags may stand before and after
//! it.

mod check;
mod cli;
pub mod codes;
mod error;
mod flags;
mod own;
mod page;
mod plan;
mod verb;
mod words;

pub use self::check::{Checked, CheckedItem};
pub use self::cli::{Cli, Invocation, Parsed};
pub use self::error::CliError;
pub use self::flags::{Flags, LogFormat, RunMode};
pub use self::own::OwnArgs;
pub use self::page::Page;
pub use self::plan::{plan_page, refused_warnings};
pub use self::verb::{PlanFormat, Verb};
