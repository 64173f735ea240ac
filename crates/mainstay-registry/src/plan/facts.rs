//! What each provider declares, asked once: the input of the plan. The only place that runs user code.

use std::{
    any::{Any, TypeId},
    cell::Cell,
    panic::{AssertUnwindSafe, Location, catch_unwind},
};

use super::PlannedRunnable;
use crate::{
    Deadlines, Provider, Validate, dependencies::Need, names::short_static, priority::NORMAL,
    provider::DEFAULT_NAME, registry::store::Store,
};

/// What one provider declares.
pub(crate) struct Facts {
    pub(crate) registration: usize,
    pub(crate) key: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) site: &'static Location<'static>,
    pub(crate) declared: Declared,
    pub(crate) panic: Option<Panic>,
}

/// The answers of its methods; the defaults, for one that panicked.
pub(crate) struct Declared {
    /// As `name()` gave it: this is what the order goes by.
    pub(crate) name: &'static str,
    pub(crate) boot: u8,
    pub(crate) run: u8,
    /// The priority of its reload; `None` when it is not reloadable.
    pub(crate) reload: Option<u8>,
    pub(crate) runs: bool,
    pub(crate) runnables: Vec<PlannedRunnable>,
    pub(crate) deadlines: Deadlines,
    pub(crate) validate_when: Validate,
    pub(crate) needs: Vec<Need>,
}

/// Which method panicked, and with what text.
pub(crate) struct Panic {
    pub(crate) method: &'static str,
    pub(crate) message: String,
}

impl Facts {
    /// The name to show: a provider that keeps the default name is shown by its type.
    pub(crate) fn shown(&self) -> &'static str {
        match self.declared.name {
            DEFAULT_NAME => short_static(self.type_name),
            name => name,
        }
    }
}

thread_local! {
    /// Set while this thread asks providers: a look-up from within must not plan again.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is asking providers at the moment.
pub(crate) fn asking() -> bool {
    ASKING.get()
}

struct Asking {
    before: bool,
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.set(self.before);
    }
}

/// Asks the providers among the first `len` entries. A panic is kept as a fact of the one that panicked.
pub(crate) fn collect<S: 'static>(store: &Store<S>, len: usize) -> Vec<Facts> {
    let _asking = Asking { before: ASKING.replace(true) };
    let mut all = Vec::with_capacity(len);
    for (registration, entry) in store.entries.iter().take(len).enumerate() {
        let Some(provider) = &entry.provider else { continue };
        let method = Cell::new("name");
        let (declared, panic) = match catch_unwind(AssertUnwindSafe(|| ask(&**provider, &method))) {
            Ok(declared) => (declared, None),
            Err(payload) => {
                let panic = Panic { method: method.get(), message: text(&*payload) };
                // The payload's own `Drop` is user code that may panic again.
                std::mem::forget(payload);
                (Declared::of_panicked(), Some(panic))
            }
        };
        all.push(Facts {
            registration,
            key: (*entry.value).type_id(),
            type_name: entry.type_name,
            site: entry.site,
            declared,
            panic,
        });
    }
    all
}

fn ask<S: 'static>(provider: &dyn Provider<S>, method: &Cell<&'static str>) -> Declared {
    let name = provider.name();
    method.set("boot_priority");
    let boot = provider.boot_priority().unwrap_or(NORMAL);
    method.set("run_priority");
    let run = provider.run_priority().unwrap_or(NORMAL);
    method.set("as_reloadable");
    let reload = provider.as_reloadable().map(|reloadable| {
        method.set("Reloadable::priority");
        reloadable.priority().unwrap_or(NORMAL)
    });
    method.set("as_runnable");
    let runs = provider.as_runnable().is_some();
    method.set("runnables");
    let runnables = provider
        .runnables()
        .into_iter()
        .map(|it| {
            method.set("Runnable::ready_when");
            let ready_when = it.runnable.ready_when();
            method.set("Runnable::restart_policy");
            let restart = it.runnable.restart_policy();
            PlannedRunnable { name: it.name, ready_when, restart }
        })
        .collect();
    method.set("deadlines");
    let deadlines = provider.deadlines();
    method.set("validate_when");
    let validate_when = provider.validate_when();
    method.set("dependencies");
    let needs = provider.dependencies().into_needs();
    Declared { name, boot, run, reload, runs, runnables, deadlines, validate_when, needs }
}

impl Declared {
    /// The priority of its starts; `None` when it runs nothing.
    pub(crate) fn start(&self) -> Option<u8> {
        (self.runs || !self.runnables.is_empty()).then_some(self.run)
    }

    fn of_panicked() -> Self {
        Declared {
            name: DEFAULT_NAME,
            boot: NORMAL,
            run: NORMAL,
            reload: None,
            runs: true,
            runnables: Vec::new(),
            deadlines: Deadlines::new(),
            validate_when: Validate::AfterBoot,
            needs: Vec::new(),
        }
    }
}

/// The text of a panic, when it has one.
fn text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    }
}
