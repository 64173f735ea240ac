//! The plan as text: who comes when, what each needs, and why it is where it is.

use std::fmt::Write;

use super::super::{
    EdgeKind, OrderKind, Plan, PlanProblem, PlanWarning, Planned, problem::Culprits, warning::Places,
};
use crate::{
    Deadlines, ReadyWhen, Validate,
    names::{short, visible},
    priority,
};

/// Renders a plan, or the graph that has none.
pub(crate) fn text(plan: &Plan, broken: Option<(&Culprits, &[PlanProblem])>) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = Text { plan, broken, width: width(plan) }.write(&mut out);
    out
}

struct Text<'a> {
    plan: &'a Plan,
    broken: Option<(&'a Culprits, &'a [PlanProblem])>,
    width: usize,
}

impl Text<'_> {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let runnables = self.plan.providers.iter().map(|one| one.runnables.len()).sum();
        let counts = [
            count(self.plan.providers.len(), "provider"),
            count(runnables, "runnable"),
            format!("{} reloadable", self.plan.reload.len()),
        ];
        match self.broken {
            None => writeln!(out, "plan: {}", counts.join(", "))?,
            Some(_) => writeln!(out, "no plan: {}; culprits are marked with !", counts.join(", "))?,
        }
        let boot = match self.broken {
            None => "boot (stopping is the reverse)",
            Some(_) => "boot, by priority and name alone",
        };
        let all: Vec<usize> = (0..self.plan.providers.len()).collect();
        self.order(out, boot, &all, |one| one.boot_level, Text::boot_row)?;
        if self.broken.is_none() {
            self.other_orders(out)?;
        }
        self.endnotes(out)
    }

    fn other_orders(&self, out: &mut String) -> std::fmt::Result {
        self.order(out, "start", &self.plan.start, |one| one.start_level, Text::start_row)?;
        self.order(
            out,
            "reload",
            &self.plan.reload,
            |one| one.reload_level,
            |text, at| text.pulled(OrderKind::Reload, at).into_iter().collect(),
        )
    }

    /// What is not about one provider's place: warnings, and why there is no plan.
    fn endnotes(&self, out: &mut String) -> std::fmt::Result {
        let warnings = self.plan.warnings.iter().filter(|one| !matches!(one, PlanWarning::Pulled { .. }));
        let mut warnings = warnings.peekable();
        if warnings.peek().is_some() {
            writeln!(out, "\nwarnings")?;
        }
        for warning in warnings {
            out.write_str("  ")?;
            warning.write(out, Places::Hidden)?;
            out.push('\n');
        }
        if let Some((_, problems)) = self.broken {
            writeln!(out, "\nproblems")?;
            for problem in problems {
                let text = problem.to_string();
                writeln!(out, "  {}", text.lines().next().unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// One order: a heading, its levels, and a numbered row for each provider, with further lines below it.
    fn order(
        &self,
        out: &mut String,
        heading: &str,
        indices: &[usize],
        level: impl Fn(&Planned) -> u8,
        row: impl Fn(&Self, usize) -> Vec<String>,
    ) -> std::fmt::Result {
        if indices.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{heading}")?;
        let digits = indices.len().to_string().len().max(2);
        let mut last = None;
        for (number, &at) in indices.iter().enumerate() {
            let one = &self.plan.providers[at];
            let here = level(one);
            if last != Some(here) {
                match priority::word(here) {
                    Some(word) => writeln!(out, "  level {here} ({word})")?,
                    None => writeln!(out, "  level {here}")?,
                }
                last = Some(here);
            }
            let mark = if self.broken.is_some_and(|(culprits, _)| culprits.provider(at)) { '!' } else { ' ' };
            let name = visible(one.name);
            let mut lines = row(self, at).into_iter();
            match lines.next() {
                Some(line) => {
                    let pad = " ".repeat(self.width.saturating_sub(name.chars().count()));
                    writeln!(out, "  {mark} {:>digits$}  {name}{pad}  {line}", number + 1)?;
                }
                None => writeln!(out, "  {mark} {:>digits$}  {name}", number + 1)?,
            }
            for line in lines {
                writeln!(out, "{}{line}", " ".repeat(self.width + digits + 8))?;
            }
        }
        Ok(())
    }

    fn boot_row(&self, at: usize) -> Vec<String> {
        let one = &self.plan.providers[at];
        let mut lines: Vec<String> = [EdgeKind::Requires, EdgeKind::Wants]
            .into_iter()
            .filter_map(|kind| self.needs(at, kind))
            .collect();
        lines.extend(self.pulled(OrderKind::Boot, at));
        match one.validate_when {
            Validate::AfterBoot => {}
            Validate::BeforeBoot => lines.push("validates before boot".to_owned()),
            Validate::Both => lines.push("validates before and after boot".to_owned()),
        }
        lines.extend(deadlines(one.deadlines));
        lines
    }

    fn needs(&self, at: usize, kind: EdgeKind) -> Option<String> {
        let one = &self.plan.providers[at];
        let mut needs = Vec::new();
        for (number, edge) in one.edges.iter().enumerate().filter(|(_, edge)| edge.kind == kind) {
            let mut text = visible(self.plan.providers[edge.to].name);
            if let Some(through) = edge.through {
                let _ = write!(text, " as {}", short(through));
            }
            if self.broken.is_some_and(|(culprits, _)| culprits.edge(at, number)) {
                text.push_str(" (in a circle!)");
            }
            needs.push(text);
        }
        for absent in one.absent.iter().filter(|absent| absent.kind == kind) {
            let mark = if kind == EdgeKind::Requires { "!" } else { "" };
            needs.push(format!("{} (not registered{mark})", short(absent.type_name)));
        }
        (!needs.is_empty()).then(|| format!("{:<8} {}", kind.as_str(), needs.join(", ")))
    }

    fn start_row(&self, at: usize) -> Vec<String> {
        let one = &self.plan.providers[at];
        let runnables = one.runnables.iter().filter_map(|runnable| {
            let name = runnable.name.map(|name| format!("{}/{}", visible(one.name), visible(name)));
            let ready = match runnable.ready_when {
                ReadyWhen::Started => None,
                ReadyWhen::Signalled => Some("ready when it says so".to_owned()),
            };
            let restart = runnable.restarts().then(|| format!("restart {}", runnable.restart));
            let said: Vec<String> = [name, ready, restart].into_iter().flatten().collect();
            (!said.is_empty()).then(|| said.join(", "))
        });
        runnables.chain(self.pulled(OrderKind::Start, at)).collect()
    }

    /// Why a provider is in a level that it did not ask for.
    fn pulled(&self, kind: OrderKind, at: usize) -> Option<String> {
        self.plan.warnings.iter().find_map(|warning| match *warning {
            PlanWarning::Pulled { index, order, from, by, .. } if index == at && order == kind => {
                Some(format!("pulled forward from level {from}: {} needs it here", visible(by)))
            }
            _ => None,
        })
    }
}

/// The width of the column of names; a very long one does not widen it for all.
fn width(plan: &Plan) -> usize {
    let widths = plan.providers.iter().map(|one| visible(one.name).chars().count());
    widths.filter(|&width| width <= 32).max().unwrap_or_default()
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn deadlines(deadlines: Deadlines) -> Option<String> {
    let Deadlines { boot, validate, ready, reload, stop, shutdown, tick } = deadlines;
    let own = [
        ("boot", boot),
        ("validate", validate),
        ("ready", ready),
        ("reload", reload),
        ("stop", stop),
        ("shutdown", shutdown),
        ("tick", tick),
    ];
    let own: Vec<String> =
        own.into_iter().filter_map(|(name, it)| it.map(|it| format!("{name} {it:?}"))).collect();
    (!own.is_empty()).then(|| format!("deadlines {}", own.join(", ")))
}
