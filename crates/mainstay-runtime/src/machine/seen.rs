//! What was seen of a hook or task from outside, in the words of a report.

use std::time::Duration;

use crate::cell::Seen;
use crate::clock::human;
use crate::spec::STARVED;

/// `blocks a thread since 3.00 s`, `starved: no thread was free to poll it`, `last note: …`.
pub(crate) fn describe(seen: &Seen) -> Option<String> {
    let state = if let Some(since) = seen.polling.filter(|since| *since >= Duration::from_millis(10)) {
        Some(format!("blocks a thread since {}", human(since)))
    } else if seen.begun || seen.age < STARVED {
        None
    } else {
        Some("starved: no thread was free to poll it".to_owned())
    };
    let child = seen.child.as_ref().map(|child| format!("child '{child}'"));
    let state = match (child, state) {
        (Some(child), Some(state)) => Some(format!("{child} {state}")),
        (child, state) => child.or(state),
    };
    let note = seen.note.as_ref().map(|note| format!("last note: \"{note}\""));
    match (state, note) {
        (Some(state), Some(note)) => Some(format!("{state}; {note}")),
        (state, note) => state.or(note),
    }
}
