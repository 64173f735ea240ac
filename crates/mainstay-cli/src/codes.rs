//! The codes of what a command line is refused for.

mainstay_registry::codes! {
    /// the command line could not be understood
    ///
    /// A flag is unknown, lacks its value or has one that is not allowed, or the first word is no verb. The
    /// text says which, and what was meant when that can be guessed. Nothing was registered, nothing was
    /// started. The exit code is 78: starting again with the same words ends in the same way.
    ///
    /// Print the flags and the verbs with `--help`.
    MS0502 USAGE;

    /// two flags of a daemon have the same name
    ///
    /// The flags of the application (`DaemonBuilder::args`) are merged with the daemon's own:
    /// `--config-dir`, `--run-mode`, `--log`, `--log-format`, `--format`, `--help`, `--version`. A name, a
    /// short name or an alias that two of them use would reach only one of them.
    ///
    /// Rename the flag that the text names, for example with `#[arg(long = "..")]`, or with
    /// `#[arg(id = "..")]` where two structs have a field of one name.
    MS0503 FLAG_COLLISION;

    /// the flags of the application have subcommands
    ///
    /// The verbs (`run`, `check`, `plan`) belong to the daemon, and a struct given to `DaemonBuilder::args`
    /// may only add flags and positional values to them.
    ///
    /// Remove the field with `#[command(subcommand)]`; what it chose can be a flag with a list of values,
    /// or verbs of the application's (`DaemonBuilder::verb`).
    MS0504 OWN_SUBCOMMANDS;

    /// two verbs of a daemon have the same name
    ///
    /// A verb of the application's (`DaemonBuilder::verb`) has the word of another one, or of one that
    /// every daemon has: `run`, `check`, `plan`, `help`. Give it another word.
    MS0505 VERB_COLLISION;
}
