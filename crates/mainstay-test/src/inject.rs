//! Faults at the seam: what happens in the place of a hook, before it, or after it.

use std::any::TypeId;

use mainstay_registry::{Phase, Result, TaskFuture};
use mainstay_runtime::{Hook, HookCall, Intercept};

use crate::Fault;

/// What happens to one hook.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// The hook is not called.
    Instead(Fault),
    /// A panic in its place, of which nothing is printed.
    Panic(&'static str),
    /// The same, when the hook has returned `Ok`.
    PanicAfter(&'static str),
    /// The hook is called afterwards, if that was `Ok`.
    Before(Fault),
    /// When the hook has returned `Ok`.
    After(Fault),
    /// In the place of the first generation of a runnable.
    FirstTime(Fault),
}

/// Whose hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Type(TypeId),
    Named(&'static str),
}

/// One fault.
#[derive(Clone, Debug)]
pub(crate) struct Injection {
    pub(crate) whose: Whose,
    pub(crate) phase: Phase,
    /// Of a provider with several runnables; `None` for each of them.
    pub(crate) runnable: Option<&'static str>,
    pub(crate) act: Act,
}

impl Injection {
    fn is_for(&self, call: &HookCall) -> bool {
        let whose = match self.whose {
            Whose::Type(of) => call.type_id == of,
            Whose::Named(name) => call.provider == name,
        };
        whose && call.phase == self.phase && (self.runnable.is_none() || self.runnable == call.runnable)
    }
}

/// Puts faults in, and takes whole providers out.
#[derive(Default)]
pub(crate) struct Injector {
    pub(crate) injections: Vec<Injection>,
    /// The hooks of everybody else are not called. Empty: nobody is taken out.
    pub(crate) only: Vec<String>,
}

impl Injector {
    fn act(&self, call: &HookCall) -> Option<Act> {
        let found = self.injections.iter().find(|injection| injection.is_for(call));
        found.map(|injection| injection.act.clone()).or_else(|| {
            let out = !self.only.is_empty() && !self.only.iter().any(|name| name == call.provider);
            out.then_some(Act::Instead(Fault::None))
        })
    }
}

impl Intercept for Injector {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        let generation = call.generation;
        match self.act(call) {
            Some(Act::Instead(fault)) => Box::pin(fault.happen()),
            Some(Act::FirstTime(fault)) if generation == 1 => Box::pin(fault.happen()),
            None | Some(Act::FirstTime(_)) => hook.call(),
            Some(Act::Panic(text)) => Box::pin(async move { panic_with(text) }),
            Some(Act::PanicAfter(text)) => Box::pin(async move {
                hook.call().await?;
                panic_with(text)
            }),
            Some(Act::Before(fault)) => Box::pin(async move {
                fault.happen().await?;
                hook.call().await
            }),
            Some(Act::After(fault)) => Box::pin(async move {
                hook.call().await?;
                fault.happen().await
            }),
        }
    }

    fn validate(&self, call: &HookCall, validate: &dyn Fn() -> Result<()>) -> Result<()> {
        match self.act(call) {
            None => validate(),
            Some(Act::Instead(fault) | Act::FirstTime(fault)) => fault.happen_now(),
            Some(Act::Panic(text)) => panic_with(text),
            Some(Act::PanicAfter(text)) => validate().and_then(|()| panic_with(text)),
            Some(Act::Before(fault)) => fault.happen_now().and_then(|()| validate()),
            Some(Act::After(fault)) => validate().and_then(|()| fault.happen_now()),
        }
    }
}

/// Unwinds without the hook of panics: a matrix makes hundreds of them, and each would print a backtrace.
fn panic_with(text: &'static str) -> Result<()> {
    std::panic::resume_unwind(Box::new(text))
}
