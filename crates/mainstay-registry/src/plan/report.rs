//! The text of a plan that is not possible, for a stranger who has to mend it.

use std::fmt;

use super::{
    EdgeKind, FaultyPolicy,
    problem::{Cycle, Missing, Panicked, PlanProblem},
};
use crate::{
    NearKind,
    names::{At, Quoted, short},
};

/// All problems, one block each.
pub(crate) fn all(f: &mut fmt::Formatter<'_>, problems: &[PlanProblem]) -> fmt::Result {
    let mut codes: Vec<&str> = Vec::new();
    for problem in problems {
        one(f, problem)?;
        f.write_str("\n\n")?;
        let id = problem.code().id;
        if !codes.contains(&id) {
            codes.push(id);
        }
    }
    let (count, s) = (problems.len(), if problems.len() == 1 { "" } else { "s" });
    write!(f, "{count} problem{s}; read more in docs/errors: {}\nnothing was started", codes.join(" "))
}

/// One problem: a headline, then what is known about it.
pub(crate) fn one(f: &mut fmt::Formatter<'_>, problem: &PlanProblem) -> fmt::Result {
    write!(f, "{}: ", problem.code())?;
    match problem {
        PlanProblem::Missing(missing) => absent(f, missing, Of::Type),
        PlanProblem::MissingBinding(missing) => absent(f, missing, Of::Trait),
        PlanProblem::Cycle(cycle) => circle(f, cycle),
        PlanProblem::Panicked(panicked) => panic(f, panicked),
        PlanProblem::Policy(faulty) => policy(f, faulty),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Type,
    Trait,
}

fn absent(f: &mut fmt::Formatter<'_>, missing: &Missing, of: Of) -> fmt::Result {
    let wanted = short(missing.type_name);
    match &missing.required_by[..] {
        [one] => write!(f, "{} requires `{wanted}`", Quoted(one.name))?,
        many => write!(f, "{} providers require `{wanted}`", many.len())?,
    }
    f.write_str(match of {
        Of::Type => ", which is not registered",
        Of::Trait => ", to which nothing registered is bound",
    })?;
    if wanted != missing.type_name {
        write!(f, "\n  missing       {}", missing.type_name)?;
    }
    for (at, by) in missing.required_by.iter().enumerate() {
        let label = if at == 0 { "required by" } else { "" };
        let (name, registered, declared) = (Quoted(by.name), At(by.registered), At(by.declared));
        write!(f, "\n  {label:<12}  {name}, registered at {registered}, declared at {declared}")?;
        if !by.pulled_in_by.is_empty() {
            write!(f, "\n  {:<12}  pulled in by ", "")?;
            for (name, site) in &by.pulled_in_by {
                write!(f, "{} ({}) > ", Quoted(name), At(site))?;
            }
            write!(f, "{name}")?;
        }
    }
    for (at, near) in missing.near.iter().enumerate() {
        let label = if at == 0 { "near" } else { "" };
        write!(f, "\n  {label:<12}  {near}")?;
    }
    mend(f, missing, of)
}

/// The line to write, and the other way out.
fn mend(f: &mut fmt::Formatter<'_>, missing: &Missing, of: Of) -> fmt::Result {
    let wanted = missing.type_name;
    match (missing.near.first(), of) {
        (Some(near), _) if near.kind == NearKind::PlainValue => {
            write!(f, "\n  change        `insert_value` into `insert`, at {}", At(near.site))?;
        }
        (Some(near), _) if matches!(near.kind, NearKind::BoundOnly(_)) => {
            write!(f, "\n  add           registry.insert(Arc::new(/* {} */));", near.type_name)?;
        }
        (_, Of::Type) => write!(f, "\n  add           registry.insert(Arc::new(/* {wanted} */));")?,
        (_, Of::Trait) => {
            write!(f, "\n  add           registry.bind::<{wanted}, /* a registered type */>(|it| it);")?;
        }
    }
    let optional = if of == Of::Type { "wants" } else { "wants_all" };
    write!(f, "\n  or            declare it with `{optional}` instead, if it can be done without")
}

fn circle(f: &mut fmt::Formatter<'_>, cycle: &Cycle) -> fmt::Result {
    match &cycle.steps[..] {
        [one] => write!(f, "{} needs itself", Quoted(one.from))?,
        many => write!(f, "{} providers need each other in a circle", many.len())?,
    }
    let names: Vec<String> = cycle.steps.iter().map(|step| Quoted(step.from).to_string()).collect();
    let from_width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let edges: Vec<String> = cycle
        .steps
        .iter()
        .map(|step| {
            let through = step.through.map(|name| format!(" as {}", short(name))).unwrap_or_default();
            format!("{:<8} {}{through}", step.kind.as_str(), Quoted(step.to))
        })
        .collect();
    let edge_width = edges.iter().map(|edge| edge.chars().count()).max().unwrap_or_default();
    for ((step, name), edge) in cycle.steps.iter().zip(&names).zip(&edges) {
        write!(f, "\n  {name:<from_width$}  {edge:<edge_width$}  {}", At(step.site))?;
    }
    let Some(cut) = cycle.steps.get(cycle.cut) else { return Ok(()) };
    write!(f, "\n  cut           {} {} {} ({}): ", Quoted(cut.from), cut.kind, Quoted(cut.to), At(cut.site))?;
    match cut.kind {
        _ if cycle.steps.len() == 1 => f.write_str("a provider has itself without declaring it"),
        EdgeKind::Wants => f.write_str("a wish is the cheapest edge to do without"),
        EdgeKind::Requires => write!(
            f,
            "look `{}` up when it is used, with `require`, instead of declaring it",
            short(cut.to_type)
        ),
    }
}

fn panic(f: &mut fmt::Formatter<'_>, panicked: &Panicked) -> fmt::Result {
    let Panicked { type_name, site, method, message } = panicked;
    write!(f, "`{}` panicked in `{method}` while it was planned: {message}", short(type_name))?;
    write!(f, "\n  provider      {type_name}, registered at {}", At(site))?;
    f.write_str("\n  change        what a provider declares must not fail: move the work to `boot`")
}

fn policy(f: &mut fmt::Formatter<'_>, faulty: &FaultyPolicy) -> fmt::Result {
    faulty.write(f, "bad")?;
    write!(f, "\n  provider      {}, registered at {}", faulty.type_name, At(faulty.site))?;
    write!(f, "\n  change        `{}` in what its `restart_policy` returns", faulty.field)
}
