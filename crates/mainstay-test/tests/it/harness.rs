//! The harness: paused time, a random legal order, overrides, golden phases.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Phase, Provider, Registry};
use mainstay_test::{Fake, Fault, Harness, Log};

struct Db;
struct Api;
struct Cron;

fn app(log: &Log) -> impl Fn(&Registry<()>) + 'static {
    let log = log.clone();
    move |registry| {
        registry.insert(Arc::new(Fake::<Api>::new("api", &log).requires::<Db>().runs(Fault::None)));
        registry.insert(Arc::new(Fake::<Cron>::new("cron", &log)));
        registry.insert(Arc::new(Fake::<Db>::new("db", &log).reload(Fault::None)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_phases_are_the_same_text_for_every_seed() {
    for seed in 0..20 {
        let daemon = Harness::new((), app(&Log::new())).seed(seed).start().await;
        daemon.require_ready();
        assert!(daemon.reload().await.is_committed());
        assert_eq!(daemon.drain().await.require_stopped().exit_code(), 0);
        expect_test::expect![[r"
            boot cron
            boot db
            boot api
            validate cron
            validate db
            validate api
            run api
            ready
            reload db
            reload committed
            stop requested by request (the test is over)
            stop api
            end api
            shutdown api
            shutdown db
            shutdown cron
            exit 0
        "]]
        .assert_eq(&daemon.phases());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_costs_no_time_and_is_named() {
    let harness = Harness::new((), app(&Log::new()));
    let daemon = harness.fault::<Fake<Db>>(Phase::Boot, Fault::Hang).start().await;
    assert_eq!(daemon.require_stopped().exit_code(), 75);
    let outcome = daemon.outcome().unwrap();
    assert_eq!((outcome.failures()[0].provider(), outcome.failures()[0].code().id), ("db", "MS0203"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_reload_serves_on() {
    let harness = Harness::new((), app(&Log::new()));
    let daemon = harness.fault::<Fake<Db>>(Phase::Reload, Fault::Panic("no file")).start().await;
    assert!(!daemon.reload().await.is_committed());
    daemon.require_ready();
    assert_eq!(daemon.drain().await.require_stopped().exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_instance_of_the_type_comes_first() {
    let log = Log::new();
    let slow = Fake::<Db>::new("db", &log).boot(Fault::Slow(Duration::from_secs(3)));
    let daemon = Harness::new((), app(&Log::new())).replace(Arc::new(slow)).start().await;
    daemon.require_ready();
    assert_eq!(log.lines(), ["boot db", "validate db"], "and the registered one is not there at all");
    daemon.drain().await.require_stopped();
}

struct Missing;

impl Provider<()> for Missing {}

#[tokio::test(start_paused = true)]
async fn overriding_what_is_not_there_is_an_error_that_names_it() {
    let error = |harness: Harness<()>| async { harness.try_start().await.unwrap_err().to_string() };
    let daemon = || Harness::new((), app(&Log::new()));

    let text = error(daemon().replace(Arc::new(Missing))).await;
    assert!(text.contains("Missing` is not registered"), "{text}");
    let text = error(daemon().fault::<Missing>(Phase::Boot, Fault::Hang)).await;
    assert!(text.contains("Missing` is not registered"), "{text}");
    let text = error(daemon().fault::<Fake<Cron>>(Phase::Reload, Fault::Hang)).await;
    assert!(text.contains("has no hook for the phase reload"), "{text}");
    let text = error(daemon().bind::<dyn Mailer, _>(Arc::new(FakeMailer), |it| it)).await;
    assert!(text.contains("nothing is bound to `dyn it::harness::Mailer`"), "{text}");
}

trait Mailer: Send + Sync {
    fn host(&self) -> &'static str;
}

struct Smtp;
struct FakeMailer;

impl Provider<()> for Smtp {}
impl Provider<()> for FakeMailer {}

impl Mailer for Smtp {
    fn host(&self) -> &'static str {
        "smtp"
    }
}

impl Mailer for FakeMailer {
    fn host(&self) -> &'static str {
        "fake"
    }
}

#[tokio::test(start_paused = true)]
async fn a_binding_is_overridden_by_one_that_comes_before_it() {
    let hosts = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&hosts);
    let harness = Harness::new((), move |registry: &Registry<()>| {
        registry.insert(Arc::new(Smtp));
        registry.bind::<dyn Mailer, Smtp>(|it| it);
        seen.lock().unwrap().push(registry.resolve_dyn::<dyn Mailer>().unwrap().host());
    });
    let daemon = harness.bind::<dyn Mailer, _>(Arc::new(FakeMailer), |it| it).start().await;
    // Looking it up in register is what the lint is about, so this is not `require_stopped`.
    assert_eq!(daemon.wait().await.exit_code(), 0);
    assert_eq!(*hosts.lock().unwrap(), ["fake"]);
}

/// The promise of `require_stopped`: a shutdown that cannot be called twice is found.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "MS0606")]
async fn a_shutdown_that_fails_the_second_time_is_found() {
    struct Once(std::sync::atomic::AtomicBool);

    #[mainstay_registry::async_trait]
    impl Provider<()> for Once {
        async fn shutdown(&self, (): &()) -> mainstay_registry::Result<()> {
            assert!(!self.0.swap(true, std::sync::atomic::Ordering::Relaxed), "gone already");
            Ok(())
        }
    }

    let harness = Harness::new((), |registry: &Registry<()>| {
        registry.insert(Arc::new(Once(std::sync::atomic::AtomicBool::new(false))));
    });
    harness.start().await.require_stopped();
}

struct Asks(Arc<std::sync::OnceLock<std::sync::Weak<Registry<()>>>>);
struct Asked;

impl Provider<()> for Asked {
    fn name(&self) -> &'static str {
        "asked"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(mainstay_registry::priority::EARLY)
    }
}

#[mainstay_registry::async_trait]
impl Provider<()> for Asks {
    fn name(&self) -> &'static str {
        "asks"
    }
    async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
        let registry = self.0.get().and_then(std::sync::Weak::upgrade).unwrap();
        // Twice is one breach, and a plain value is none.
        registry.require::<Asked>()?;
        registry.require::<Asked>()?;
        registry.require::<u32>()?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_boot_that_resolves_what_it_has_not_declared_is_a_lint_that_says_what_to_add() {
    let known = Arc::new(std::sync::OnceLock::new());
    let registry = Arc::new(Registry::new());
    registry.insert_value(Arc::new(7_u32));
    registry.insert(Arc::new(Asks(Arc::clone(&known)))).insert(Arc::new(Asked));
    known.set(Arc::downgrade(&registry)).ok().unwrap();
    let daemon = Harness::of(mainstay_runtime::Runtime::new(registry, ())).start().await;
    assert_eq!(daemon.wait().await.exit_code(), 0);
    let lints = daemon.lints();
    assert_eq!(lints.len(), 1, "{lints:?}");
    let text =
        "MS0602 'asks' in boot: `asks` resolved `asked` without declaring it: add `.requires::<Asked>()` (";
    assert!(lints[0].to_string().starts_with(text), "{}", lints[0]);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_during_register_is_a_lint() {
    let harness = Harness::new((), |registry: &Registry<()>| {
        registry.insert(Arc::new(Asked));
        assert!(registry.get::<Asked>().is_some());
    });
    let daemon = harness.start().await;
    let lints = daemon.lints();
    assert_eq!(lints.len(), 1, "{lints:?}");
    assert!(lints[0].to_string().contains("register: 'Asked' was looked up"), "{}", lints[0]);
}

#[tokio::test(start_paused = true)]
async fn a_runnable_is_restarted_by_name() {
    let daemon = Harness::new((), app(&Log::new())).start().await;
    daemon.require_ready().restart("api").await;
    daemon.require_ready();
    assert_eq!(daemon.control().status().runnable("api").unwrap().generation, 2);
    daemon.drain().await.require_stopped();
}

#[tokio::test(start_paused = true)]
async fn fakes_ignore_their_stop_and_are_late_or_never_ready() {
    let one = |fake: fn() -> Fake<Db>| {
        Harness::new((), move |registry: &Registry<()>| {
            registry.insert(Arc::new(fake()));
        })
    };
    let daemon = one(|| Fake::new("db", &Log::new()).runs_for_ever()).start().await;
    daemon.require_ready().drain().await.require_stopped();
    assert_eq!(daemon.outcome().unwrap().forced()[0].provider, "db");

    let daemon = one(|| Fake::new("db", &Log::new()).ready_after(Duration::from_secs(7))).start().await;
    daemon.require_ready().drain().await.require_stopped();

    let daemon = one(|| Fake::new("db", &Log::new()).never_ready()).start().await;
    assert_eq!(daemon.require_stopped().exit_code(), 1);
}
