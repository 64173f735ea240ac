//! Providers that are told what to do, as many types as a test needs, and the log of what happened.

use std::sync::{Arc, Mutex};

use mainstay_registry::{
    Dependencies, Error, Provider, Registry, ReloadState, Reloadable, Result, Runnable, TaskFuture,
    async_trait,
};

/// What happened, in order: the state of most tests.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl ReloadState for Log {
    async fn reload(&self) -> Result<()> {
        self.say("reload state");
        Ok(())
    }
}

/// One declaration of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    Requires(usize),
    Wants(usize),
}

/// A provider that is told what to do; `N` is its type.
#[derive(Clone, Default)]
pub(crate) struct Node<const N: usize> {
    pub(crate) spec: Spec,
}

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) boot: Option<u8>,
    pub(crate) run: Option<u8>,
    pub(crate) reload: Option<u8>,
    pub(crate) runs: bool,
    pub(crate) reloads: bool,
    pub(crate) needs: Vec<Need>,
    pub(crate) fails: Option<&'static str>,
}

impl Default for Spec {
    fn default() -> Self {
        let needs = Vec::new();
        Spec {
            name: "provider",
            boot: None,
            run: None,
            reload: None,
            runs: true,
            reloads: true,
            needs,
            fails: None,
        }
    }
}

impl Spec {
    pub(crate) fn new(name: &'static str) -> Self {
        Spec { name, ..Spec::default() }
    }

    pub(crate) fn at(mut self, boot: u8) -> Self {
        self.boot = Some(boot);
        self
    }

    pub(crate) fn requires(mut self, node: usize) -> Self {
        self.needs.push(Need::Requires(node));
        self
    }

    pub(crate) fn wants(mut self, node: usize) -> Self {
        self.needs.push(Need::Wants(node));
        self
    }

    pub(crate) fn failing(mut self, hook: &'static str) -> Self {
        self.fails = Some(hook);
        self
    }

    fn hook(&self, log: &Log, hook: &'static str) -> Result<()> {
        log.say(format!("{hook} {}", self.name));
        if self.fails == Some(hook) { Err(Error::msg(format!("no {hook}"))) } else { Ok(()) }
    }
}

/// Calls a macro for each of the nodes there are.
macro_rules! each_node {
    ($callback:ident!($($arguments:tt)*)) => {
        $callback!($($arguments)*; 0 1 2 3 4 5 6 7 8 9 10 11)
    };
}

/// How many nodes there are.
pub(crate) const NODES: usize = 12;

macro_rules! declare {
    ($dependencies:ident, $need:ident; $($n:literal)*) => {
        match $need {
            $(Need::Requires($n) => $dependencies.requires::<Node<$n>>(),
            Need::Wants($n) => $dependencies.wants::<Node<$n>>(),)*
            other => panic!("there is no such node: {other:?}"),
        }
    };
}

#[async_trait]
impl<const N: usize> Provider<Log> for Node<N> {
    fn name(&self) -> &'static str {
        self.spec.name
    }
    fn boot_priority(&self) -> Option<u8> {
        self.spec.boot
    }
    fn run_priority(&self) -> Option<u8> {
        self.spec.run
    }
    fn dependencies(&self) -> Dependencies<Log> {
        self.spec
            .needs
            .iter()
            .fold(Dependencies::new(), |dependencies, &need| each_node!(declare!(dependencies, need)))
    }
    async fn boot(&self, log: &Log) -> Result<()> {
        self.spec.hook(log, "boot")
    }
    async fn shutdown(&self, log: &Log) -> Result<()> {
        self.spec.hook(log, "shutdown")
    }
    fn validate(&self, log: &Log) -> Result<()> {
        self.spec.hook(log, "validate")
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<Log>> {
        self.spec.reloads.then_some(self as _)
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<Log>> {
        self.spec.runs.then_some(self as _)
    }
}

#[async_trait]
impl<const N: usize> Reloadable<Log> for Node<N> {
    fn priority(&self) -> Option<u8> {
        self.spec.reload
    }
    async fn reload(&self, log: &Log) -> Result<()> {
        self.spec.hook(log, "reload")
    }
}

impl<const N: usize> Runnable<Log> for Node<N> {
    fn run(&self, log: Log) -> TaskFuture {
        log.say(format!("run {}", self.spec.name));
        Box::pin(async { Ok(()) })
    }
}

macro_rules! insert {
    ($registry:ident, $node:ident, $spec:ident; $($n:literal)*) => {
        match $node {
            $($n => $registry.insert(Arc::new(Node::<$n> { spec: $spec })),)*
            other => panic!("there is no such node: {other}"),
        }
    };
}

/// Inserts a node by number.
pub(crate) fn insert(registry: &Registry<Log>, node: usize, spec: Spec) {
    each_node!(insert!(registry, node, spec));
}

/// A registry of nodes, numbered in the order in which they are given, which is that of registration.
pub(crate) fn nodes<const K: usize>(specs: [Spec; K]) -> Registry<Log> {
    let registry = Registry::new();
    for (node, spec) in specs.into_iter().enumerate() {
        insert(&registry, node, spec);
    }
    registry
}

/// The names of a plan, in the order of boot.
pub(crate) fn boot_order<S: 'static>(registry: &Registry<S>) -> Vec<&'static str> {
    registry.plan().unwrap().providers().iter().map(mainstay_registry::Planned::name).collect()
}

/// A text without the numbers of lines, which change with every edit.
pub(crate) fn without_lines(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split("crates/mainstay-registry/tests/it/").enumerate() {
        match part.split_once(".rs:") {
            Some((file, rest)) if at > 0 => {
                out.push_str(file);
                out.push_str(".rs:#");
                out.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            }
            _ => out.push_str(part),
        }
    }
    out
}
