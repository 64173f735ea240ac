//! Look-ups, told to whoever listens at the time: the phase register, and then the engine.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mainstay_registry::{EntryKind, Lookup, Phase, Registry};

use super::{Lint, codes};
use crate::context::{Ambient, Host as _};
use crate::engine::Engine;

type Listener = Arc<dyn Fn(Lookup) + Send + Sync>;

/// The look-ups of a registry. A registry tells one observer, for good; this tells the one who listens now.
///
/// For doors and test kits, which look at the phase register.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct Lookups(Arc<Mutex<Option<Listener>>>);

impl Lookups {
    /// Those of this registry.
    pub fn of<S: 'static>(registry: &Registry<S>) -> Self {
        if let Some(lookups) = registry.get::<Self>() {
            return lookups.clone();
        }
        registry.insert_value(Arc::new(Self::default()));
        let lookups = registry.get::<Self>().cloned().unwrap_or_default();
        let told = lookups.clone();
        registry.observe(move |lookup| told.tell(lookup));
        lookups
    }

    fn tell(&self, lookup: Lookup) {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
            listener(lookup);
        }
    }

    fn listen(&self, listener: Option<Listener>) {
        let old = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), listener);
        drop(old);
    }

    /// Runs the phase register, and returns a lint for each provider that it has looked up.
    pub fn of_register<S: 'static, R>(
        registry: &Registry<S>,
        register: impl FnOnce() -> R,
    ) -> (R, Vec<Lint>) {
        let lookups = Self::of(registry);
        let seen: Arc<Mutex<Vec<Lookup>>> = Arc::default();
        let pushed = Arc::clone(&seen);
        lookups.listen(Some(Arc::new(move |lookup| {
            pushed.lock().unwrap_or_else(PoisonError::into_inner).push(lookup);
        })));
        let result = register();
        lookups.listen(None);
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        let lint = |lookup: Lookup| {
            let entry = registry.entry_at(lookup.entry?)?;
            let (name, site) = (entry.name, lookup.site);
            let text = format!(
                "'{name}' was looked up at {}:{}, before anything is booted: look it up in `boot`",
                site.file(),
                site.line()
            );
            let lint = Lint::new(codes::LOOKED_UP_IN_REGISTER, name, Phase::Register, text);
            (entry.kind == EntryKind::Provider).then_some(lint)
        };
        let mut lints: Vec<Lint> = Vec::new();
        for lint in seen.into_iter().filter_map(lint) {
            if !lints.contains(&lint) {
                lints.push(lint);
            }
        }
        (result, lints)
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookups")
    }
}

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    /// Listens to the look-ups of boot hooks from now on.
    pub(crate) fn listen_to_lookups(self: &Arc<Self>, registry: &Registry<S>) {
        let engine: Weak<Self> = Arc::downgrade(self);
        let said: Mutex<BTreeSet<(&'static str, &'static str)>> = Mutex::default();
        Lookups::of(registry).listen(Some(Arc::new(move |lookup| {
            let Some(engine) = engine.upgrade() else { return };
            let Some(lint) = engine.undeclared(&lookup) else { return };
            let first = {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.insert((lint.provider, lookup.type_name))
            };
            if first {
                engine.found(lint);
            }
        })));
    }

    /// A boot hook has looked up a provider that it has declared neither as required nor as wanted.
    fn undeclared(&self, lookup: &Lookup) -> Option<Lint> {
        let by = Ambient::look(Ambient::booting).flatten()?;
        let found = self.registry()?.entry_at(lookup.entry?)?;
        if found.kind != EntryKind::Provider || found.name == by {
            return None;
        }
        let spec = Arc::clone(&self.machine().spec);
        let node = spec.nodes.iter().find(|node| node.name == by)?;
        if node.deps.iter().any(|&dep| spec.nodes[dep].name == found.name) {
            return None;
        }
        let name = lookup.type_name;
        let (method, short) = match name.strip_prefix("dyn ") {
            Some(name) => ("requires_dyn", format!("dyn {}", short(name))),
            None => ("requires", short(name).to_owned()),
        };
        let (found, site) = (found.name, lookup.site);
        let text = format!(
            "`{by}` resolved `{found}` without declaring it: add `.{method}::<{short}>()` ({}:{})",
            site.file(),
            site.line()
        );
        Some(Lint::new(codes::NOT_DECLARED, by, Phase::Boot, text))
    }
}

/// The last segment of a path, its parameters left as they are.
fn short(path: &str) -> &str {
    let plain = path.find('<').unwrap_or(path.len());
    path[..plain].rfind("::").map_or(path, |at| &path[at + 2..])
}
