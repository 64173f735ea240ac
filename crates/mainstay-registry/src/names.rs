//! Names of types as people say them, and what comes near a type that is missing.

use std::{fmt, panic::Location};

/// The short name of a type: no paths, also not in its parameters.
pub(crate) fn short(type_name: &str) -> String {
    let mut out = String::with_capacity(type_name.len());
    let mut word = 0;
    let mut rest = type_name.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ':' && rest.peek() == Some(&':') && out.len() > word {
            rest.next();
            out.truncate(word);
        } else {
            out.push(c);
            if !(c.is_alphanumeric() || c == '_' || c == '{' || c == '}') {
                word = out.len();
            }
        }
    }
    out
}

/// The short name as a part of the long one: paths in its parameters stay.
pub(crate) fn short_static(type_name: &'static str) -> &'static str {
    let end = type_name.find('<').unwrap_or(type_name.len());
    type_name[..end].rfind("::").map_or(type_name, |at| &type_name[at + 2..])
}

/// The short name without parameters and without `dyn`.
fn base(type_name: &str) -> String {
    let short = short(type_name);
    let short = short.strip_prefix("dyn ").unwrap_or(&short);
    short.split(['<', ' ']).next().unwrap_or_default().to_owned()
}

/// A place in the source, without its column.
#[derive(Clone, Copy)]
pub(crate) struct At(pub(crate) &'static Location<'static>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

/// A name in single quotes, with control characters made visible.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("''") } else { write!(f, "'{}'", visible(self.0)) }
    }
}

/// A name in one line: control characters are escaped, everything else stays as it is; none is `""`.
pub(crate) fn visible(name: &str) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Something that is there, for the search of what comes near.
pub(crate) struct Known {
    pub(crate) type_name: &'static str,
    pub(crate) site: &'static Location<'static>,
    pub(crate) what: KnownAs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownAs {
    Provider,
    Value,
    /// Bound to this trait; registered or not.
    Bound {
        trait_name: &'static str,
        registered: bool,
    },
}

/// Something that comes near what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearMatch {
    /// Its type, with its path.
    pub type_name: &'static str,
    /// Where it was registered or bound.
    pub site: &'static Location<'static>,
    /// In which way it comes near.
    pub kind: NearKind,
}

/// In which way something comes near what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NearKind {
    /// The very type, but registered as a plain value: it is never booted.
    PlainValue,
    /// The very type is bound to this trait, but not registered.
    BoundOnly(&'static str),
    /// A type of the same short name under another path, or with other parameters.
    OtherPath,
    /// A type that wraps it, such as `Arc<T>`.
    Wrapped,
    /// A type that is bound to a trait of that name, or to this one.
    Bound(&'static str),
    /// A type of nearly the same name.
    Similar,
}

impl fmt::Display for NearMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, at) = (self.type_name, At(self.site));
        match self.kind {
            NearKind::PlainValue => {
                write!(
                    f,
                    "`{name}` is registered at {at}, but as a plain value: use `insert`, so that it is booted"
                )
            }
            NearKind::BoundOnly(trait_name) => {
                write!(
                    f,
                    "`{name}` is bound to `{trait_name}` at {at}, but not registered: a binding does not register"
                )
            }
            NearKind::OtherPath => write!(f, "`{name}`, of the same short name, is registered at {at}"),
            NearKind::Wrapped => {
                write!(f, "`{name}` is registered at {at}: register what it wraps, not the wrapper")
            }
            NearKind::Bound(trait_name) => write!(f, "`{name}` is bound to `{trait_name}` at {at}"),
            NearKind::Similar => write!(f, "`{name}`, of a similar name, is registered at {at}"),
        }
    }
}

/// At most this many are shown.
const SHOWN: usize = 4;

/// What comes near a missing type, nearest first. `of_trait` says that a binding to it is missing.
pub(crate) fn near_type(missing: &str, of_trait: bool, known: &[Known]) -> Vec<NearMatch> {
    let wanted = base(missing);
    let mut near: Vec<NearMatch> = known
        .iter()
        .filter_map(|known| {
            let kind = kind_of(missing, &wanted, of_trait, known)?;
            Some(NearMatch { type_name: known.type_name, site: known.site, kind })
        })
        .collect();
    near.sort_by_key(|near| (near.kind, near.type_name));
    near.dedup_by_key(|near| (near.kind, near.type_name));
    near.truncate(SHOWN);
    near
}

fn kind_of(missing: &str, wanted: &str, of_trait: bool, known: &Known) -> Option<NearKind> {
    let name = base(known.type_name);
    match known.what {
        KnownAs::Bound { trait_name, registered } => {
            if known.type_name == missing {
                (!registered).then_some(NearKind::BoundOnly(trait_name))
            } else if trait_name == missing {
                Some(if registered { NearKind::Bound(trait_name) } else { NearKind::BoundOnly(trait_name) })
            } else {
                let of = base(trait_name);
                let close = of == wanted || (of.len() > 2 && wanted.contains(&of) && wanted != name);
                (close && registered).then_some(NearKind::Bound(trait_name))
            }
        }
        KnownAs::Value if known.type_name == missing => Some(NearKind::PlainValue),
        _ if known.type_name == missing => None,
        _ if name == wanted => Some(NearKind::OtherPath),
        _ if !of_trait && wraps(known.type_name, missing) => Some(NearKind::Wrapped),
        _ if similar(&name, wanted) => Some(NearKind::Similar),
        _ => None,
    }
}

/// Whether a type has another as a parameter: `Arc<T>`, `Mutex<T>`.
fn wraps(outer: &str, inner: &str) -> bool {
    outer.split_once('<').is_some_and(|(_, parameters)| {
        parameters.match_indices(inner).any(|(at, _)| {
            let before = parameters[..at].chars().next_back();
            let after = parameters[at + inner.len()..].chars().next();
            let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            !part(before) && !part(after)
        })
    })
}

/// Whether two names differ by case, by little, or by a prefix or suffix.
/// Names that come near the wanted one, in their own order.
#[doc(hidden)]
pub fn near_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().filter(|name| similar(wanted, name)).take(SHOWN).map(str::to_owned).collect()
}

fn similar(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let shorter = a.len().min(b.len());
    if shorter < 3 {
        return a == b;
    }
    a == b
        || (shorter > 3 && (a.starts_with(&b) || a.ends_with(&b) || b.starts_with(&a) || b.ends_with(&a)))
        || distance(&a, &b) <= (shorter / 4).clamp(1, 2)
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_no_paths() {
        assert_eq!(short("app::db::Pool"), "Pool");
        assert_eq!(short("app::Pool<app::pg::Pg, alloc::sync::Arc<dyn app::Log>>"), "Pool<Pg, Arc<dyn Log>>");
        assert_eq!(short("dyn app::Store"), "dyn Store");
        assert_eq!(short("app::main::{{closure}}"), "{{closure}}");
        assert_eq!(short("(app::A, &[app::B; 3])"), "(A, &[B; 3])");
        assert_eq!(short_static("app::Pool<app::pg::Pg>"), "Pool<app::pg::Pg>");
    }

    #[test]
    fn near_is_near() {
        assert!(similar("DbPool", "DBPool") && similar("Pool", "DbPool") && similar("Confg", "Config"));
        assert!(!similar("Dns", "Log") && !similar("A", "B") && !similar("Config", "Metrics"));
        assert!(wraps("alloc::sync::Arc<app::Pool>", "app::Pool"));
        assert!(!wraps("alloc::sync::Arc<app::Pools>", "app::Pool") && !wraps("app::Pool", "app::Pool"));
    }
}
