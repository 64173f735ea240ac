//! A publish: staged or at once, and where.

use std::sync::Arc;

use super::ambient::{self, RUN, TRANSACTION};
use super::core::{Adopted, Core};
use super::inner::{Inner, Replaced};
use super::table::Value;
use super::transaction::{Phase, Transaction};
use super::warning::Warning;

/// Replaces the value on behalf of what is ambient.
pub(super) fn publish(inner: &Arc<Inner>, value: Option<&Value>) {
    let mut transaction = None;
    let mut run = None;
    if ambient::flags() & (TRANSACTION | RUN) != 0 {
        ambient::look(|ambient| {
            run = ambient.run();
            // What runs on behalf of another daemon takes no part in this one's transaction.
            let of = |core: &Arc<Core>| ambient.transaction.as_ref().is_some_and(|open| open.is_of(core));
            if run.as_ref().is_none_or(|run| of(&run.core)) {
                transaction.clone_from(&ambient.transaction);
            }
        });
    }
    let provider = run.as_ref().map(|run| run.provider);
    let snapshot = inner.made;
    let mut late = None;
    if let Some(transaction) = &transaction {
        match transaction.stage(inner, value, provider) {
            Ok(()) => return,
            Err(Phase::Aborted) => {
                transaction.core().warn(&Warning::LateDiscarded { snapshot, provider });
                return;
            }
            Err(_) => late = Some(Warning::LateImmediate { snapshot, provider }),
        }
    }

    let core = run.as_ref().map(|run| &run.core).or(transaction.as_ref().map(Transaction::core));
    let (replaced, reloading) = wherever(inner, value, core, provider);
    let old = match replaced {
        Replaced::Visible(old) => {
            inner.bell.ring();
            Some(old)
        }
        _ => None,
    };
    if let (Some(core), Some(warning)) = (core, late) {
        core.warn(&warning);
    }
    if let Some(home) = inner.home() {
        if let Some(core) = core.filter(|core| !Arc::ptr_eq(core, &home.core)) {
            core.warn(&Warning::OtherDaemon { snapshot, provider });
        }
        if let Some(reloading) = reloading {
            home.core.warn(&Warning::OutsideTransaction { snapshot, provider, reloading });
        }
    }
    drop(old);
}

/// Replaces the value at once, in its daemon's table or in its own, after it has joined `core` if it was
/// alone. Gives the provider whose running reload it crosses, if any.
pub(super) fn wherever(
    inner: &Arc<Inner>,
    value: Option<&Value>,
    core: Option<&Arc<Core>>,
    by: Option<&'static str>,
) -> (Replaced, Option<&'static str>) {
    let mut core = core;
    loop {
        if let Some(home) = inner.home() {
            let by = by.filter(|_| core.is_none_or(|core| Arc::ptr_eq(core, &home.core)));
            let (replaced, reloading) = home.core.replace(inner, home.index, value, by);
            if !matches!(replaced, Replaced::Elsewhere) {
                return (replaced, reloading);
            }
        } else if let Some(adopting) = core {
            match adopting.adopt(inner) {
                Adopted::HasHome => continue,
                Adopted::Closed => core = None,
            }
        }
        // Alone, or given back by a daemon that is closed. If it joins in between, the next turn sees its
        // home.
        let replaced = inner.replace_own(value);
        if !matches!(replaced, Replaced::Elsewhere) {
            return (replaced, None);
        }
    }
}
