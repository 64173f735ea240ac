//! The plan as a Mermaid flowchart: an arrow leads from what needs to what is needed, dotted for a wish.

use std::fmt::Write;

use super::super::{EdgeKind, Plan, problem::Culprits};
use crate::{names::short, priority};

/// Renders a plan, or the graph that has none.
pub(crate) fn mermaid(plan: &Plan, broken: Option<&Culprits>) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write(&mut out, plan, broken);
    out
}

fn write(out: &mut String, plan: &Plan, broken: Option<&Culprits>) -> std::fmt::Result {
    writeln!(out, "flowchart LR")?;
    let mut last = None;
    for (at, one) in plan.providers.iter().enumerate() {
        if last != Some(one.boot_level) {
            if last.is_some() {
                writeln!(out, "  end")?;
            }
            let level = one.boot_level;
            match priority::word(level) {
                Some(word) => writeln!(out, "  subgraph level{level} [\"level {level} ({word})\"]")?,
                None => writeln!(out, "  subgraph level{level} [\"level {level}\"]")?,
            }
            last = Some(level);
        }
        let culprit = if broken.is_some_and(|broken| broken.provider(at)) { ":::culprit" } else { "" };
        writeln!(out, "    n{at}[\"{} {}\"]{culprit}", at + 1, escape(one.name))?;
    }
    if last.is_some() {
        writeln!(out, "  end")?;
    }
    edges(out, plan, broken)
}

fn edges(out: &mut String, plan: &Plan, broken: Option<&Culprits>) -> std::fmt::Result {
    let (mut number, mut marked) = (0, Vec::new());
    for (from, one) in plan.providers.iter().enumerate() {
        for (at, edge) in one.edges.iter().enumerate() {
            let arrow = if edge.kind == EdgeKind::Requires { "-->" } else { "-.->" };
            let label =
                edge.through.map(|name| format!("|\"{}\"|", escape(&short(name)))).unwrap_or_default();
            writeln!(out, "  n{from} {arrow}{label} n{}", edge.to)?;
            if broken.is_some_and(|broken| broken.edge(from, at)) {
                marked.push(number.to_string());
            }
            number += 1;
        }
    }
    if broken.is_some() {
        let mut absent: Vec<&str> = Vec::new();
        for (from, one) in plan.providers.iter().enumerate() {
            for missing in one.absent.iter().filter(|missing| missing.kind == EdgeKind::Requires) {
                let known = absent.iter().position(|name| *name == missing.type_name);
                let at = known.unwrap_or_else(|| {
                    absent.push(missing.type_name);
                    absent.len() - 1
                });
                if known.is_none() {
                    let name = escape(&short(missing.type_name));
                    writeln!(out, "  m{at}[\"{name} (not registered)\"]:::culprit")?;
                }
                writeln!(out, "  n{from} --> m{at}")?;
                marked.push(number.to_string());
                number += 1;
            }
        }
        writeln!(out, "  classDef culprit fill:#fdd,stroke:#c00,stroke-width:2px")?;
        if !marked.is_empty() {
            writeln!(out, "  linkStyle {} stroke:#c00,stroke-width:2px", marked.join(","))?;
        }
    }
    Ok(())
}

/// A text within double quotes: Mermaid's own entities for what would end or change it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#amp;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '`' => out.push_str("#96;"),
            '\\' => out.push_str("#92;"),
            c if c.is_control() => {
                out.push_str("#92;");
                out.extend(c.escape_default().skip(1));
            }
            c => out.push(c),
        }
    }
    out
}
