//! The seam for tests: what is put between the engine and the hooks, the shuffled boot, the lints.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_registry::{Error, Phase, Registry, Result, TaskFuture};
use mainstay_runtime::{EventKind, Hook, HookCall, Intercept, Lints, Runtime, Signals};
use mainstay_test::{Fake, Fault, Log};

struct A;
struct B;
struct C;
struct D;

/// Writes down what is called.
#[derive(Default)]
struct Calls(Mutex<Vec<String>>);

impl Calls {
    fn push(&self, call: &HookCall) {
        let HookCall { provider, phase, generation, .. } = call;
        self.0.lock().unwrap().push(format!("{phase} {provider} {generation}"));
    }
}

impl Intercept for Calls {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        self.push(call);
        hook.call()
    }

    fn validate(&self, call: &HookCall, validate: &dyn Fn() -> Result<()>) -> Result<()> {
        self.push(call);
        validate()
    }
}

#[tokio::test(start_paused = true)]
async fn every_hook_and_task_goes_through_the_interceptor() {
    let (log, calls) = (Log::new(), Arc::new(Calls::default()));
    let registry = Registry::new();
    registry.insert(Arc::new(Fake::<A>::new("a", &log).reload(Fault::None)));
    registry.insert(Arc::new(Fake::<B>::new("b", &log).requires::<A>().runs(Fault::None)));
    let runtime = Runtime::new(registry, ()).signals(Signals::none()).inline();
    let running = runtime.intercept(Arc::<Calls>::clone(&calls)).start().await.unwrap();
    running.control().reload().await.unwrap();
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    let calls = calls.0.lock().unwrap().clone();
    assert_eq!(
        calls,
        [
            "boot a 0",
            "boot b 0",
            "validate a 0",
            "validate b 0",
            "run b 1",
            "reload a 0",
            "shutdown b 0",
            "shutdown a 0"
        ]
    );
    assert_eq!(log.count("shutdown a"), 1, "and the hooks themselves were called");
}

/// Panics in the place of one hook, and calls the others twice.
struct Tamper;

impl Intercept for Tamper {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        assert!(call.provider != "b", "put between");
        Box::pin(async move {
            hook.call().await?;
            hook.call().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_between_is_isolated_and_named_like_the_hook() {
    let log = Log::new();
    let registry = Registry::new();
    registry.insert(Arc::new(Fake::<A>::new("a", &log)));
    registry.insert(Arc::new(Fake::<B>::new("b", &log).requires::<A>()));
    let runtime = Runtime::new(registry, ()).signals(Signals::none()).inline();
    let outcome = runtime.intercept(Arc::new(Tamper)).run().await;
    assert_eq!(outcome.exit_code(), 1);
    let failure = &outcome.failures()[0];
    assert_eq!((failure.provider(), failure.phase()), ("b", Phase::Boot));
    assert!(outcome.held().is_empty(), "the hooks were given back: {:?}", outcome.held());
    assert_eq!((log.count("boot a"), log.count("shutdown a"), log.count("boot b")), (2, 2, 0));
}

/// An error of one provider, and which layer it came through.
struct Refuse(&'static str);

impl Intercept for Refuse {
    fn hook(&self, _: &HookCall, hook: Hook) -> TaskFuture {
        let text = self.0;
        Box::pin(async move {
            let result = hook.call().await;
            Err(Error::msg(result.map_or_else(|error| format!("{text} of {error}"), |()| text.to_owned())))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_interceptor_is_the_outermost() {
    let log = Log::new();
    let registry = Registry::new();
    registry.insert(Arc::new(Fake::<A>::new("a", &log)));
    let runtime = Runtime::new(registry, ()).signals(Signals::none()).inline();
    let runtime = runtime.intercept(Arc::new(Refuse("inner"))).intercept(Arc::new(Refuse("outer")));
    let outcome = runtime.run().await;
    assert!(outcome.to_string().contains("outer of inner"), "{outcome}");
}

async fn order(seed: u64) -> Vec<String> {
    let log = Log::new();
    let registry = Registry::new();
    registry.insert(Arc::new(Fake::<A>::new("a", &log)));
    registry.insert(Arc::new(Fake::<B>::new("b", &log).requires::<A>()));
    registry.insert(Arc::new(Fake::<C>::new("c", &log)));
    registry.insert(Arc::new(Fake::<D>::new("d", &log)));
    let outcome = Runtime::new(registry, ()).signals(Signals::none()).inline().shuffle(seed).run().await;
    assert_eq!(outcome.exit_code(), 0);
    let boots = log.lines().into_iter().filter(|line| line.starts_with("boot"));
    boots.collect()
}

#[tokio::test(start_paused = true)]
async fn a_shuffled_boot_takes_every_order_that_the_plan_allows_and_no_other() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let order = order(seed).await;
        let place = |name: &str| order.iter().position(|line| line == name);
        assert!(place("boot a") < place("boot b"), "{order:?}");
        orders.insert(order);
    }
    assert_eq!(orders.len(), 12, "half of 4!: {orders:#?}");
    assert_eq!(order(7).await, order(7).await, "the same seed, the same order");
}

fn lints_of(runtime: Runtime<()>) -> (Runtime<()>, Arc<Mutex<Vec<String>>>) {
    let found = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&found);
    let runtime = runtime.signals(Signals::none()).inline().lints(Lints::On).on_event(move |event| {
        if let EventKind::Lint(lint) = &event.kind {
            said.lock().unwrap().push(lint.to_string());
        }
    });
    (runtime, found)
}

/// Leaves a task behind in its boot.
struct Detaches;

#[mainstay_registry::async_trait]
impl mainstay_registry::Provider<()> for Detaches {
    fn name(&self) -> &'static str {
        "detaches"
    }
    async fn boot(&self, (): &()) -> Result<()> {
        #[allow(clippy::disallowed_methods, reason = "it must be detached")]
        tokio::spawn(std::future::pending::<()>());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_left_running_by_a_boot_is_a_lint_with_a_name() {
    let registry = Registry::new();
    registry.insert(Arc::new(Detaches));
    let (runtime, found) = lints_of(Runtime::new(registry, ()).boot_concurrency(1));
    assert_eq!(runtime.run().await.exit_code(), 0);
    let found = found.lock().unwrap().clone();
    let text = "MS0603 'detaches' in boot: it left 1 task running: long work belongs to a runnable";
    assert_eq!(found, [text]);
}

/// Registers in its reload.
struct Grows(Arc<Registry<()>>);

impl mainstay_registry::Provider<()> for Grows {
    fn name(&self) -> &'static str {
        "grows"
    }
    fn as_reloadable(&self) -> Option<&dyn mainstay_registry::Reloadable<()>> {
        Some(self)
    }
}

#[mainstay_registry::async_trait]
impl mainstay_registry::Reloadable<()> for Grows {
    async fn reload(&self, (): &()) -> Result<()> {
        self.0.insert(Arc::new(Fake::<A>::new("a", &Log::new())));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_changes_who_is_registered_is_a_lint() {
    let registry = Arc::new(Registry::new());
    registry.insert(Arc::new(Grows(Arc::clone(&registry))));
    registry.insert(Arc::new(Fake::<B>::new("b", &Log::new()).runs(Fault::None)));
    let (runtime, found) = lints_of(Runtime::new(registry, ()));
    let running = runtime.start().await.unwrap();
    running.control().reload().await.unwrap();
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    let found = found.lock().unwrap().clone();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("MS0605 'grows' in reload: it registered something"), "{found:?}");
}

/// The clock is paused, the thread is not: the poll is measured on the machine's clock.
#[tokio::test(start_paused = true)]
async fn a_poll_that_blocks_its_thread_is_a_lint_also_under_a_paused_clock() {
    let log = Log::new();
    let registry = Registry::new();
    registry.insert(Arc::new(Fake::<A>::new("a", &log).run(|_| async {
        // tidy-allow(sleep): the thread must be blocked
        std::thread::sleep(Duration::from_millis(120));
        Ok(())
    })));
    let (runtime, found) = lints_of(Runtime::new(registry, ()));
    assert_eq!(runtime.run().await.exit_code(), 0);
    let found = found.lock().unwrap().clone();
    // A machine that is busy may hold it up for longer, and other polls as well.
    let blocked = |lint: &String| lint.starts_with("MS0604 'a' in run: a poll blocked its thread for ");
    assert!(found.iter().any(blocked), "{found:?}");
}
