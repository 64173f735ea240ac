//! The plan as JSON, written by hand: one provider a line, so that differences read well.

use std::{fmt::Write, panic::Location, time::Duration};

use super::super::{Absent, Edge, OrderKind, Plan, PlanProblem, PlanWarning, Planned, problem::Culprits};
use crate::{AtLimit, ReadyWhen, RestartPolicy, RestartWhen, Validate, names::At};

/// Renders a plan, or the graph that has none.
pub(crate) fn json(plan: &Plan, broken: Option<(&Culprits, &[PlanProblem])>) -> String {
    let culprits = broken.map(|(culprits, _)| culprits);
    let providers = plan.providers.iter().enumerate().map(|(at, _)| provider(plan, at, culprits));
    let mut out = String::from("{\n");
    out.push_str(if broken.is_some() { "  \"possible\": false,\n" } else { "  \"possible\": true,\n" });
    lines(&mut out, "providers", providers);
    let _ = writeln!(out, "  \"start\": {:?},\n  \"reload\": {:?},", plan.start, plan.reload);
    lines(&mut out, "warnings", plan.warnings.iter().map(|one| coded(one.code().id, one)));
    let problems = broken.map_or(&[][..], |(_, problems)| problems);
    lines(&mut out, "problems", problems.iter().map(|one| coded(one.code().id, one)));
    // The last comma.
    out.truncate(out.len() - 2);
    out.push_str("\n}\n");
    out
}

/// A list with a line for each of its elements.
fn lines(out: &mut String, key: &str, elements: impl Iterator<Item = String>) {
    let elements: Vec<String> = elements.map(|element| format!("\n    {element}")).collect();
    let end = if elements.is_empty() { "" } else { "\n  " };
    let _ = writeln!(out, "  \"{key}\": [{}{end}],", elements.join(","));
}

fn provider(plan: &Plan, at: usize, culprits: Option<&Culprits>) -> String {
    let one = &plan.providers[at];
    let edges = one.edges.iter().enumerate();
    let edges = edges.map(|(number, it)| edge(plan, it, culprits.is_some_and(|them| them.edge(at, number))));
    let mut fields = vec![
        ("index", at.to_string()),
        ("name", string(one.name)),
        ("type", string(one.type_name)),
        ("site", site(one.site)),
        ("registration", one.registration.to_string()),
        ("boot_level", one.boot_level.to_string()),
        ("start_level", one.start_level.to_string()),
        ("reload_level", one.reload_level.to_string()),
        ("pulled", list(pulled(plan, at))),
        ("edges", list(edges)),
        ("absent", list(one.absent.iter().map(absent))),
        ("runnables", list(runnables(one))),
        ("reloadable", one.reloadable.to_string()),
        ("validate", string(validate(one.validate_when))),
        ("deadlines", deadlines(one)),
    ];
    if let Some(culprits) = culprits {
        fields.push(("culprit", culprits.provider(at).to_string()));
    }
    object(&fields)
}

fn pulled(plan: &Plan, at: usize) -> impl Iterator<Item = String> {
    plan.warnings.iter().filter_map(move |warning| match *warning {
        PlanWarning::Pulled { index, order, from, by, .. } if index == at => Some(object(&[
            ("order", string(order_name(order))),
            ("from", from.to_string()),
            ("by", string(by)),
        ])),
        _ => None,
    })
}

fn order_name(order: OrderKind) -> &'static str {
    match order {
        OrderKind::Boot => "boot",
        OrderKind::Start => "start",
        OrderKind::Reload => "reload",
    }
}

fn edge(plan: &Plan, edge: &Edge, culprit: bool) -> String {
    let mut fields = vec![
        ("to", edge.to.to_string()),
        ("name", string(plan.providers[edge.to].name)),
        ("kind", string(edge.kind.as_str())),
        ("through", edge.through.map_or("null".to_owned(), string)),
        ("site", site(edge.site)),
    ];
    if culprit {
        fields.push(("culprit", "true".to_owned()));
    }
    object(&fields)
}

fn absent(absent: &Absent) -> String {
    object(&[
        ("type", string(absent.type_name)),
        ("kind", string(absent.kind.as_str())),
        ("site", site(absent.site)),
    ])
}

fn runnables(one: &Planned) -> impl Iterator<Item = String> {
    one.runnables.iter().map(|runnable| {
        let ready = match runnable.ready_when {
            ReadyWhen::Started => "started",
            ReadyWhen::Signalled => "signalled",
        };
        let mut fields =
            vec![("name", runnable.name.map_or("null".to_owned(), string)), ("ready_when", string(ready))];
        if runnable.restarts() {
            fields.push(("restart", restart(&runnable.restart)));
        }
        object(&fields)
    })
}

/// Delays in seconds; what is no number of JSON, as it may be in a broken plan, is `null`.
fn restart(policy: &RestartPolicy) -> String {
    let when = match policy.when {
        RestartWhen::Never => "never",
        RestartWhen::OnFailure => "on_failure",
        RestartWhen::Always => "always",
    };
    let at_limit = match policy.at_limit {
        AtLimit::Escalate => "escalate",
        AtLimit::Degrade => "degrade",
    };
    object(&[
        ("when", string(when)),
        ("initial_delay", seconds(policy.initial_delay)),
        ("factor", number(policy.factor)),
        ("max_delay", seconds(policy.max_delay)),
        ("jitter", number(policy.jitter)),
        ("limit", policy.limit.map_or("null".to_owned(), |limit| limit.to_string())),
        ("at_limit", string(at_limit)),
        ("reset_after", seconds(policy.reset_after)),
        ("with_required", policy.with_required.to_string()),
    ])
}

fn seconds(duration: Duration) -> String {
    number(duration.as_secs_f64())
}

fn number(number: f64) -> String {
    if number.is_finite() { number.to_string() } else { "null".to_owned() }
}

fn validate(when: Validate) -> &'static str {
    match when {
        Validate::AfterBoot => "after_boot",
        Validate::BeforeBoot => "before_boot",
        Validate::Both => "both",
    }
}

/// Only those that the provider sets, in seconds.
fn deadlines(one: &Planned) -> String {
    let it = one.deadlines;
    let all = [
        ("boot", it.boot),
        ("validate", it.validate),
        ("ready", it.ready),
        ("reload", it.reload),
        ("stop", it.stop),
        ("shutdown", it.shutdown),
        ("tick", it.tick),
    ];
    let own: Vec<_> = all.into_iter().filter_map(|(name, it)| Some((name, seconds(it?)))).collect();
    object(&own)
}

fn coded(code: &str, text: &dyn std::fmt::Display) -> String {
    object(&[("code", string(code)), ("text", string(&text.to_string()))])
}

fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn list(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(", "))
}

fn site(site: &'static Location<'static>) -> String {
    string(&At(site).to_string())
}

/// A string of JSON.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
