//! The frozen contract, written against its names alone: when this stops compiling, the promise is broken.

use mainstay_registry as registry;

use std::{
    any::Any,
    rc::Rc,
    sync::{Arc, Mutex},
};

use registry::{
    BoxError, Error, Provider, Registry, ReloadState, Reloadable, Result, Runnable, TaskFuture, async_trait,
    priority,
};
use tokio::task::JoinSet;

/// The application's state: a list of what happened, and whether its own reload fails.
#[derive(Clone, Default)]
struct App {
    log: Arc<Mutex<Vec<String>>>,
    broken: bool,
}

impl App {
    fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

#[async_trait]
impl ReloadState for App {
    async fn reload(&self) -> Result<()> {
        self.say("reload state");
        if self.broken { Err(Error::msg("state is broken")) } else { Ok(()) }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Never,
    Boot,
    Typed,
    Validate,
    Reload,
    Shutdown,
}

/// A provider with everything; `N` makes it as many types as a test needs.
struct Full<const N: usize> {
    name: &'static str,
    boot: Option<u8>,
    run: Option<u8>,
    reload: Option<u8>,
    reloads: bool,
    runs: bool,
    fails: Fails,
    run_result: fn() -> Result<()>,
}

impl<const N: usize> Full<N> {
    fn new(name: &'static str) -> Self {
        Full {
            name,
            boot: None,
            run: None,
            reload: None,
            reloads: true,
            runs: true,
            fails: Fails::Never,
            run_result: || Ok(()),
        }
    }

    fn at(mut self, boot: Option<u8>, run: Option<u8>, reload: Option<u8>) -> Self {
        (self.boot, self.run, self.reload) = (boot, run, reload);
        self
    }

    fn failing(mut self, fails: Fails) -> Self {
        self.fails = fails;
        self
    }

    fn fail(&self, when: Fails, text: &str) -> Result<()> {
        if self.fails == when { Err(Error::msg(text)) } else { Ok(()) }
    }
}

#[async_trait]
impl<const N: usize> Provider<App> for Full<N> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn boot_priority(&self) -> Option<u8> {
        self.boot
    }
    fn run_priority(&self) -> Option<u8> {
        self.run
    }
    async fn boot(&self, state: &App) -> Result<()> {
        state.say(format!("boot {}", self.name));
        if self.fails == Fails::Typed {
            return Err(Error::Validate { name: "chosen", source: "typed".into() });
        }
        self.fail(Fails::Boot, "no boot")
    }
    async fn shutdown(&self, state: &App) -> Result<()> {
        state.say(format!("shutdown {}", self.name));
        self.fail(Fails::Shutdown, "no shutdown")
    }
    fn validate(&self, state: &App) -> Result<()> {
        state.say(format!("validate {}", self.name));
        self.fail(Fails::Validate, "not valid")
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<App>> {
        self.reloads.then_some(self as _)
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<App>> {
        self.runs.then_some(self as _)
    }
}

#[async_trait]
impl<const N: usize> Reloadable<App> for Full<N> {
    fn priority(&self) -> Option<u8> {
        self.reload
    }
    async fn reload(&self, state: &App) -> Result<()> {
        state.say(format!("reload {}", self.name));
        self.fail(Fails::Reload, "no reload")
    }
}

impl<const N: usize> Runnable<App> for Full<N> {
    fn run(&self, state: App) -> TaskFuture {
        state.say(format!("run {}", self.name));
        let result = self.run_result;
        Box::pin(async move { result() })
    }
}

/// Nothing is required of a provider, whatever its state is.
struct Empty;
impl<S: 'static> Provider<S> for Empty {}

fn log_of(said: &[String], verb: &str) -> Vec<String> {
    said.iter().filter_map(|line| line.strip_prefix(verb).map(|it| it.trim().to_owned())).collect()
}

#[test]
fn the_error_has_exactly_six_variants() {
    // No wildcard: a seventh variant does not compile here.
    let kind = |error: Error| match error {
        Error::Boot { name, source: _ } => ("boot", name),
        Error::Validate { name, source: _ } => ("validate", name),
        Error::Reload { name, source: _ } => ("reload", name),
        Error::Run { name, source: _ } => ("run", name),
        Error::Recoverable { name, source: _ } => ("recoverable", name),
        Error::Other(source) => {
            let _: BoxError = source;
            ("other", "")
        }
    };
    assert_eq!(kind(Error::Boot { name: "a", source: "x".into() }), ("boot", "a"));
    assert_eq!(kind(Error::msg("x")), ("other", ""));
    assert_eq!(kind(Error::recoverable("x")), ("recoverable", ""));
}

#[test]
fn the_texts_of_errors_are_frozen() {
    let (name, source) = ("dns", || BoxError::from("refused"));
    let text = |error: Error| error.to_string();
    assert_eq!(text(Error::Boot { name, source: source() }), "provider 'dns' failed during boot: refused");
    assert_eq!(
        text(Error::Validate { name, source: source() }),
        "provider 'dns' failed during validate: refused"
    );
    assert_eq!(text(Error::Reload { name, source: source() }), "reload of 'dns' failed: refused");
    assert_eq!(text(Error::Run { name, source: source() }), "runnable 'dns' failed: refused");
    assert_eq!(
        text(Error::Recoverable { name, source: source() }),
        "runnable 'dns' failed (recoverable): refused"
    );
    assert_eq!(text(Error::Other(source())), "refused");
    assert!(format!("{:?}", Error::msg("refused")).contains("refused"));
}

#[test]
fn any_error_becomes_other_by_question_mark() {
    fn parse() -> Result<u8> {
        Ok("x".parse::<u8>()?)
    }
    fn read() -> Result<()> {
        Err(std::io::Error::other("disk"))?;
        Ok(())
    }
    let plain: Result<u8, String> = Ok(1);
    assert_eq!(plain, Ok(1));
    assert!(matches!(parse(), Err(Error::Other(source)) if source.is::<std::num::ParseIntError>()));
    assert!(matches!(read(), Err(Error::Other(source)) if source.is::<std::io::Error>()));
}

#[test]
fn priorities_have_their_numbers() {
    let all: [u8; 5] = [priority::FIRST, priority::EARLY, priority::NORMAL, priority::LATE, priority::LAST];
    assert_eq!(all, [0, 50, 100, 150, 255]);
}

#[tokio::test]
async fn an_empty_provider_has_every_default() {
    let empty = Empty;
    assert_eq!(Provider::<App>::name(&empty), "provider");
    assert_eq!(Provider::<App>::boot_priority(&empty), None);
    assert_eq!(Provider::<App>::run_priority(&empty), None);
    assert!(Provider::<App>::as_any(&empty).is::<Empty>());
    let dynamic: &dyn Provider<App> = &empty;
    assert!(dynamic.as_reloadable().is_none() && dynamic.as_runnable().is_none());
    let state = App::default();
    assert!(dynamic.boot(&state).await.is_ok());
    assert!(dynamic.shutdown(&state).await.is_ok());
    assert!(dynamic.validate(&state).is_ok());
}

#[test]
fn a_registry_is_send_and_sync_for_every_state() {
    fn check<T: Send + Sync>(_: &T) {}
    // Neither `Send` nor `Sync`.
    let registry = Registry::<Rc<()>>::new();
    registry.insert(Arc::new(Empty));
    check(&registry);
    check(&registry.providers());
}

#[test]
fn the_allocation_that_was_inserted_is_resolved() {
    let registry: Registry<App> = Registry::default();
    let full = Arc::new(Full::<0>::new("a"));
    let chained: &Registry<App> = registry.insert(Arc::clone(&full)).insert(Arc::new(Empty));
    assert!(Arc::ptr_eq(&full, &chained.resolve::<Full<0>>().unwrap()));
    assert!(registry.resolve::<Full<1>>().is_none());
    assert_eq!(registry.with_typed::<Full<0>, _>(|full| full.name), Some("a"));
    assert_eq!(registry.with_typed::<Full<0>, usize>(|full| full.name.len()), Some(1));
    assert_eq!(registry.with_typed::<Full<1>, _>(|full| full.name), None);
    let providers: Vec<Arc<dyn Provider<App>>> = registry.providers();
    assert_eq!(providers.len(), 2);
}

#[test]
fn lists_are_in_the_order_of_registration_with_literal_names() {
    let registry = Registry::<App>::new();
    registry
        .insert(Arc::new(Full::<2>::new("same")))
        .insert(Arc::new(Empty))
        .insert(Arc::new(Full::<0>::new("same")))
        .insert(Arc::new(Full::<1>::new("a").at(Some(priority::FIRST), None, None)));
    let names: Vec<&'static str> = registry.list_names();
    assert_eq!(names, ["same", "provider", "same", "a"]);
    let providers: Vec<_> = registry.providers().iter().map(|it| it.name()).collect();
    assert_eq!(providers, names);
}

#[test]
fn the_first_of_two_of_a_type_wins() {
    let registry = Registry::<App>::new();
    registry.insert(Arc::new(Full::<0>::new("first"))).insert(Arc::new(Full::<0>::new("second")));
    assert_eq!(registry.list_names(), ["first"]);
    assert_eq!(registry.with_typed::<Full<0>, _>(|full| full.name), Some("first"));
}

fn five() -> Registry<App> {
    let registry = Registry::new();
    registry
        .insert(Arc::new(Full::<0>::new("e").at(Some(priority::LAST), Some(priority::FIRST), None)))
        .insert(Arc::new(Full::<1>::new("d").at(None, Some(priority::LATE), Some(priority::EARLY))))
        .insert(Arc::new(Full::<2>::new("c").at(Some(priority::NORMAL), None, Some(priority::LAST))))
        .insert(Arc::new(Full::<3>::new("b").at(Some(priority::FIRST), None, Some(priority::FIRST))))
        .insert(Arc::new(Full::<4>::new("a").at(Some(priority::EARLY), Some(priority::NORMAL), None)));
    registry
}

#[tokio::test]
async fn each_walk_has_its_own_order() {
    let (registry, state) = (five(), App::default());
    registry.boot_all(&state).await.unwrap();
    assert_eq!(log_of(&state.said(), "boot"), ["b", "a", "c", "d", "e"]);
    registry.validate_all(&state).unwrap();
    assert_eq!(log_of(&state.said(), "validate"), ["b", "a", "c", "d", "e"]);
    let mut set = JoinSet::new();
    assert_eq!(registry.run_all(state.clone(), &mut set), 5);
    assert_eq!(log_of(&state.said(), "run"), ["e", "a", "b", "c", "d"]);
    registry.reload_all(&state).await.unwrap();
    assert_eq!(log_of(&state.said(), "reload"), ["state", "b", "d", "a", "e", "c"]);
    registry.shutdown_all(&state).await.unwrap();
    assert_eq!(log_of(&state.said(), "shutdown"), ["e", "d", "c", "a", "b"]);
}

#[tokio::test]
async fn boot_stops_at_the_first_failure() {
    let (registry, state) = (Registry::new(), App::default());
    registry
        .insert(Arc::new(Full::<0>::new("a")))
        .insert(Arc::new(Full::<1>::new("b").failing(Fails::Boot)))
        .insert(Arc::new(Full::<2>::new("c")));
    let error = registry.boot_all(&state).await.unwrap_err();
    assert!(matches!(error, Error::Boot { name: "b", .. }));
    assert_eq!(error.to_string(), "provider 'b' failed during boot: no boot");
    assert_eq!(state.said(), ["boot a", "boot b"]);
}

#[tokio::test]
async fn a_typed_variant_is_left_alone() {
    let (registry, state) = (Registry::new(), App::default());
    registry.insert(Arc::new(Full::<0>::new("a").failing(Fails::Typed)));
    let error = registry.boot_all(&state).await.unwrap_err();
    assert!(matches!(error, Error::Validate { name: "chosen", .. }));
}

#[test]
fn the_first_failure_of_validate_is_returned() {
    let (registry, state) = (Registry::new(), App::default());
    registry
        .insert(Arc::new(Full::<0>::new("b").failing(Fails::Validate)))
        .insert(Arc::new(Full::<1>::new("a")))
        .insert(Arc::new(Full::<2>::new("c").failing(Fails::Validate)));
    let error = registry.validate_all(&state).unwrap_err();
    assert_eq!(error.to_string(), "provider 'b' failed during validate: not valid");
    assert_eq!(state.said(), ["validate a", "validate b"]);
}

#[tokio::test]
async fn shutdown_is_best_effort_and_may_be_called_twice() {
    let (registry, state) = (Registry::new(), App::default());
    registry
        .insert(Arc::new(Full::<0>::new("a")))
        .insert(Arc::new(Full::<1>::new("b").failing(Fails::Shutdown)))
        .insert(Arc::new(Full::<2>::new("c")));
    for _ in 0..2 {
        assert!(registry.shutdown_all(&state).await.is_ok());
        assert_eq!(state.said(), ["shutdown c", "shutdown b", "shutdown a"]);
    }
}

#[tokio::test]
async fn run_all_spawns_what_can_run_and_names_its_failures() {
    let (registry, state) = (Registry::new(), App::default());
    let mut recoverable = Full::<0>::new("r");
    recoverable.run_result = || Err(Error::recoverable("lost"));
    let mut other = Full::<1>::new("o");
    other.run_result = || Err(Error::msg("gone"));
    let mut typed = Full::<2>::new("t");
    typed.run_result = || Err(Error::Boot { name: "", source: "typed".into() });
    let mut idle = Full::<3>::new("idle");
    idle.runs = false;
    registry
        .insert(Arc::new(recoverable))
        .insert(Arc::new(other))
        .insert(Arc::new(typed))
        .insert(Arc::new(idle))
        .insert(Arc::new(Empty));
    let mut set: JoinSet<Result<()>> = JoinSet::new();
    assert_eq!(registry.run_all(state.clone(), &mut set), 3);
    assert_eq!(set.len(), 3);
    assert_eq!(state.said(), ["run o", "run r", "run t"]);
    let mut texts: Vec<String> =
        set.join_all().await.into_iter().map(|it| it.unwrap_err().to_string()).collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "provider '' failed during boot: typed",
            "runnable 'o' failed: gone",
            "runnable 'r' failed (recoverable): lost",
        ]
    );
}

#[tokio::test]
async fn reload_one_is_targeted_and_fail_fast() {
    let (registry, state) = (Registry::new(), App::default());
    let mut fixed = Full::<2>::new("fixed");
    fixed.reloads = false;
    registry
        .insert(Arc::new(Full::<0>::new("same").failing(Fails::Reload).at(Some(priority::LAST), None, None)))
        .insert(Arc::new(Full::<1>::new("same")))
        .insert(Arc::new(fixed))
        .insert(Arc::new(Full::<3>::new("good")));
    registry.reload_one("good", &state).await.unwrap();
    assert_eq!(state.said(), ["reload good"]);
    let error = registry.reload_one("same", &state).await.unwrap_err();
    assert_eq!(error.to_string(), "reload of 'same' failed: no reload", "the first registered");
    assert_eq!(state.said(), ["reload same"]);
    let error = registry.reload_one("fixed", &state).await.unwrap_err();
    assert!(matches!(&error, Error::Other(_)) && error.to_string().contains("'fixed' is not reloadable"));
    let error = registry.reload_one("nobody", &state).await.unwrap_err();
    assert!(matches!(&error, Error::Other(_)) && error.to_string().contains("'nobody'"));
    assert!(state.said().is_empty());
}

#[tokio::test]
async fn reload_all_is_fail_soft_after_the_state() {
    let (registry, state) = (Registry::new(), App::default());
    registry
        .insert(Arc::new(Full::<0>::new("a").failing(Fails::Reload)))
        .insert(Arc::new(Full::<1>::new("b")))
        .insert(Arc::new(Empty));
    registry.reload_all(&state).await.unwrap();
    assert_eq!(state.said(), ["reload state", "reload a", "reload b"]);
    let state = App { broken: true, ..state };
    let error = registry.reload_all(&state).await.unwrap_err();
    assert!(matches!(&error, Error::Other(_)), "as it is");
    assert_eq!(error.to_string(), "state is broken");
    assert_eq!(state.said(), ["reload state"]);
}

#[test]
fn the_walk_can_be_spawned() {
    fn check<T: Send>(_: T) {}
    let (registry, state) = (Registry::<App>::new(), App::default());
    check(registry.boot_all(&state));
    check(registry.shutdown_all(&state));
    check(registry.reload_one("a", &state));
    check(registry.reload_all(&state));
    let any: &dyn Any = &registry;
    assert!(any.is::<Registry<App>>());
}
