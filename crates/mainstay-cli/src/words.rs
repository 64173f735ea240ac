//! Finds the verb among the words of a command line.
//!
//! Clap's own subcommands would split the flags in two levels: what stands before the verb and what stands
//! behind it are then checked apart, and a required flag, a group or a conflict of the application's holds
//! for one of them only. So the verb is found first, and all the rest is parsed as one flat command.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The first word that is neither a flag nor the value of one, and where it stands.
///
/// `command` must be built, so that every argument knows how many values it takes. Nothing is found behind
/// `--`, nor behind a flag that the command does not know: how many values it would take is unknown too.
pub(crate) fn first_word(command: &Command, args: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.to_string_lossy();
        at += 1;
        let takes = if text == "--" {
            return None;
        } else if let Some(long) = text.strip_prefix("--") {
            // `--name=value` brings its value along.
            if long.contains('=') { 0 } else { values_taken(by_long(command, long)?) }
        } else if let Some(shorts) = text.strip_prefix('-').filter(|shorts| !shorts.is_empty()) {
            taken_by_shorts(command, shorts)?
        } else {
            return Some(at - 1);
        };
        let is_value = |word: &&OsString| !word.to_string_lossy().starts_with('-');
        at += args[at..].iter().take(takes).take_while(is_value).count();
    }
    None
}

/// In `-abc` the first that takes a value takes what follows in the same word, or else the next word.
fn taken_by_shorts(command: &Command, shorts: &str) -> Option<usize> {
    let mut rest = shorts.chars();
    while let Some(short) = rest.next() {
        let takes = values_taken(by_short(command, short)?);
        if takes > 0 {
            return Some(if rest.as_str().is_empty() { takes } else { 0 });
        }
    }
    Some(0)
}

fn by_long<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|all| all.contains(&long))
    })
}

fn by_short(command: &Command, short: char) -> Option<&Arg> {
    command.get_arguments().find(|arg| {
        arg.get_short() == Some(short) || arg.get_all_short_aliases().is_some_and(|all| all.contains(&short))
    })
}

/// How many words behind a flag may be its values.
fn values_taken(arg: &Arg) -> usize {
    if arg.is_require_equals_set() { 0 } else { arg.get_num_args().map_or(0, |range| range.max_values()) }
}
