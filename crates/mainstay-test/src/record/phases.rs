//! The record as text: the phases of a run, for people and golden files.

use mainstay_registry::Phase;

use super::{How, Seen, Step, What, Who};

/// One line for each hook that ended, each task that began, was asked and ended, and each event of the whole.
///
/// What no edge orders may have happened in any order: neighbouring lines of one phase that say nothing but `ok` are put
/// in the plan's order, so that the text is the same for every seed.
pub(crate) fn phases(seen: &Seen, plan: &[&'static str]) -> String {
    let mut lines: Vec<(Option<Group>, String)> = seen.steps.iter().filter_map(line).collect();
    let place = |provider: &str| plan.iter().position(|name| *name == provider).unwrap_or(usize::MAX);
    let mut from = 0;
    while from < lines.len() {
        let group = lines[from].0;
        let key = group.map(|group| (group.phase, group.kind));
        let same = lines[from..]
            .iter()
            .take_while(|(other, _)| key.is_some() && other.map(|other| (other.phase, other.kind)) == key);
        let to = from + same.count().max(1);
        lines[from..to].sort_by_key(|(group, _)| {
            let at = group.map_or(0, |group| place(group.provider));
            // The end goes backwards.
            if group.is_some_and(Group::backwards) { usize::MAX - at } else { at }
        });
        from = to;
    }
    lines.into_iter().fold(String::new(), |text, (_, line)| text + &line + "\n")
}

/// What lines have in common that may change places.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Group {
    phase: Phase,
    kind: u8,
    provider: &'static str,
}

impl Group {
    fn backwards(self) -> bool {
        self.phase == Phase::Shutdown || self.kind > 0
    }
}

fn line(step: &Step) -> Option<(Option<Group>, String)> {
    let group = |who: &Who, kind| Some(Group { phase: who.phase, kind, provider: who.provider });
    Some(match &step.what {
        What::Began(who) if who.phase == Phase::Run => (group(who, 0), who.to_string()),
        What::Began(_)
        | What::TaskReady(_)
        | What::Again(..)
        | What::WeAsk
        | What::WeAskWithin
        | What::Reloading => return None,
        What::Asked(who) => (group(who, 1), format!("stop {}", name(who))),
        What::Ended(who, How::Ok) if who.phase == Phase::Run => (group(who, 2), format!("end {}", name(who))),
        What::Ended(who, How::Ok) => (group(who, 0), who.to_string()),
        What::Ended(who, how) => (None, format!("{who} {how}")),
        What::Ready => (None, "ready".to_owned()),
        What::StopRequested(by, _) => (None, format!("stop requested by {by}")),
        What::Finished(code) => (None, format!("exit {code}")),
        other => (None, other.to_string()),
    })
}

fn name(who: &Who) -> String {
    who.to_string().trim_start_matches("run ").to_owned()
}
