//! The reload as one transaction: everything that was published becomes visible at once, or nothing of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_registry::{Deadlines, Dependencies, Error, Provider, Registry, Reloadable, Result};
use mainstay_runtime::{
    Control, ControlError, Cut, CutBy, EventKind, RunContext, Runtime, Signal, Signals, runnable,
};
use mainstay_sync::{Snapshot, Transaction};
use mainstay_test::{Fault, Log};

use crate::registry;
use crate::support::{A, B, events, fake};

/// A provider written to the contract: it publishes its value in `boot` and in `reload`, and knows no transaction.
struct Number<const N: u8> {
    next: Arc<AtomicU32>,
    value: Snapshot<u32>,
    fault: Arc<Mutex<Fault>>,
}

impl<const N: u8> Number<N> {
    const NAMES: [&'static str; 4] = ["v0", "v1", "v2", "v3"];

    fn new(next: &Arc<AtomicU32>) -> (Self, Arc<Mutex<Fault>>) {
        let fault = Arc::new(Mutex::new(Fault::None));
        (Self { next: Arc::clone(next), value: Snapshot::empty(), fault: Arc::clone(&fault) }, fault)
    }
}

#[async_trait]
impl<const N: u8> Provider<()> for Number<N> {
    fn name(&self) -> &'static str {
        Self::NAMES[usize::from(N)]
    }
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().reload(Duration::from_secs(2))
    }
    async fn boot(&self, (): &()) -> Result<()> {
        self.value.publish(self.next.load(Ordering::Relaxed));
        Ok(())
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

#[async_trait]
impl<const N: u8> Reloadable<()> for Number<N> {
    async fn reload(&self, (): &()) -> Result<()> {
        self.value.publish(self.next.load(Ordering::Relaxed));
        let fault = self.fault.lock().unwrap().clone();
        match fault {
            Fault::Error(text) => Err(Error::msg(text)),
            Fault::Panic(text) => panic!("{text}"),
            Fault::Hang => std::future::pending().await,
            Fault::Yield(times) => {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

async fn serve((): (), cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

/// Four providers that publish one number each, and something that runs.
struct Four {
    registry: Arc<Registry<()>>,
    next: Arc<AtomicU32>,
    faults: [Arc<Mutex<Fault>>; 4],
}

impl Four {
    fn new() -> Self {
        let next = Arc::new(AtomicU32::new(1));
        let (v0, f0) = Number::<0>::new(&next);
        let (v1, f1) = Number::<1>::new(&next);
        let (v2, f2) = Number::<2>::new(&next);
        let (v3, f3) = Number::<3>::new(&next);
        let registry = registry![v0, v1, v2, v3, runnable("serve", serve)];
        Self { registry: Arc::new(registry), next, faults: [f0, f1, f2, f3] }
    }

    fn runtime(&self) -> Runtime<()> {
        Runtime::new(Arc::clone(&self.registry), ()).signals(Signals::none())
    }

    fn values(&self) -> [u32; 4] {
        let registry = &self.registry;
        [
            *registry.get::<Number<0>>().unwrap().value.load(),
            *registry.get::<Number<1>>().unwrap().value.load(),
            *registry.get::<Number<2>>().unwrap().value.load(),
            *registry.get::<Number<3>>().unwrap().value.load(),
        ]
    }

    fn fault(&self, index: usize, fault: Fault) {
        *self.faults[index].lock().unwrap() = fault;
    }
}

#[tokio::test(start_paused = true)]
async fn what_all_have_published_becomes_visible_in_one_epoch() {
    let four = Four::new();
    let running = four.runtime().inline().start().await.unwrap();
    assert_eq!(four.values(), [1; 4]);
    four.next.store(2, Ordering::Relaxed);
    let report = running.control().reload().await.unwrap();
    assert!(report.is_committed());
    assert_eq!(four.values(), [2; 4]);
    let first = report.epoch.unwrap();
    let report = running.control().reload().await.unwrap();
    assert_eq!(report.epoch, Some(first + 1));
    assert_eq!(running.control().last_reload().unwrap().epoch, report.epoch);
}

#[tokio::test(start_paused = true)]
async fn when_one_fails_panics_or_hangs_nothing_has_changed_for_anybody() {
    for fault in [Fault::Error("no"), Fault::Panic("boom"), Fault::Hang] {
        for index in 0..4 {
            let four = Four::new();
            let running = four.runtime().inline().start().await.unwrap();
            four.next.store(2, Ordering::Relaxed);
            four.fault(index, fault.clone());
            let report = running.control().reload().await.unwrap();
            assert!(!report.is_committed(), "{fault:?} of {index}");
            assert_eq!(report.entries.len(), 4, "everyone is asked");
            assert_eq!(four.values(), [1; 4], "{fault:?} of {index}");
            four.fault(index, Fault::None);
            assert!(running.control().reload().await.unwrap().is_committed(), "the next one works");
            assert_eq!(four.values(), [2; 4]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn inside_of_it_every_hook_reads_what_was_staged_so_far_and_nobody_outside_does() {
    struct Reader {
        seen: Arc<Mutex<Vec<u32>>>,
        of: Arc<Number<0>>,
    }
    impl Provider<()> for Reader {
        fn dependencies(&self) -> Dependencies<()> {
            Dependencies::new().requires::<Number<0>>()
        }
        fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
            Some(self)
        }
    }
    #[async_trait]
    impl Reloadable<()> for Reader {
        async fn reload(&self, (): &()) -> Result<()> {
            let of = Arc::clone(&self.of);
            // Not in the transaction: a task of its own.
            let outside = tokio::task::spawn(async move { *of.value.load() }).await.unwrap();
            self.seen.lock().unwrap().extend([*self.of.value.load(), outside]);
            Ok(())
        }
    }
    let next = Arc::new(AtomicU32::new(1));
    let (value, _) = Number::<0>::new(&next);
    let (value, seen) = (Arc::new(value), Arc::default());
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::clone(&value)).insert(Arc::new(runnable("serve", serve)));
    registry.insert(Arc::new(Reader { seen: Arc::clone(&seen), of: Arc::clone(&value) }));
    let running = Runtime::new(registry, ()).signals(Signals::none()).inline().start().await.unwrap();
    next.store(2, Ordering::Relaxed);
    assert!(running.control().reload().await.unwrap().is_committed());
    assert_eq!(*seen.lock().unwrap(), [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn effects_run_after_the_commit_in_order_or_after_the_abort_in_reverse_and_undo_nothing() {
    struct Listener {
        log: Log,
        refuses: Arc<Mutex<bool>>,
    }
    impl Provider<()> for Listener {
        fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
            Some(self)
        }
    }
    #[async_trait]
    impl Reloadable<()> for Listener {
        async fn reload(&self, (): &()) -> Result<()> {
            let transaction = Transaction::current().unwrap();
            for step in ["first", "second"] {
                let (commit, abort) = (self.log.clone(), self.log.clone());
                transaction.on_commit(move || commit.push(format!("commit {step}")));
                transaction.on_abort(move || abort.push(format!("abort {step}")));
            }
            transaction.on_commit(|| panic!("an effect"));
            if *self.refuses.lock().unwrap() { Err(Error::msg("no")) } else { Ok(()) }
        }
    }
    let (log, refuses) = (Log::new(), Arc::new(Mutex::new(false)));
    let registry =
        registry![Listener { log: log.clone(), refuses: Arc::clone(&refuses) }, runnable("serve", serve),];
    let running = Runtime::new(registry, ()).signals(Signals::none()).inline().start().await.unwrap();
    let report = running.control().reload().await.unwrap();
    assert!(report.is_committed(), "an effect that fails undoes nothing");
    assert_eq!(log.take(), ["commit first", "commit second"]);
    assert_eq!(report.effects.len(), 1, "{report:?}");
    assert!(report.effects[0].contains("an effect"), "{report:?}");
    *refuses.lock().unwrap() = true;
    assert!(!running.control().reload().await.unwrap().is_committed());
    assert_eq!(log.take(), ["abort second", "abort first"]);
}

/// Its effect of a commit waits for the other end of a channel.
struct Effect {
    log: Log,
    held: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Provider<()> for Effect {
    fn name(&self) -> &'static str {
        "effect"
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<()> for Effect {
    async fn reload(&self, (): &()) -> Result<()> {
        let (log, held) = (self.log.clone(), Arc::clone(&self.held));
        Transaction::current().unwrap().on_commit(move || {
            log.push("the effect begins");
            let _ = held.lock().unwrap().recv();
            log.push("the effect is done");
        });
        Ok(())
    }
}

fn with_an_effect(log: &Log) -> (Runtime<()>, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel();
    let effect = Effect { log: log.clone(), held: Arc::new(Mutex::new(held)) };
    let registry = registry![effect, runnable("serve", serve)];
    (Runtime::new(registry, ()).signals(Signals::none()).on_event(events(log)), release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_runs_is_waited_for_by_the_stop() {
    let log = Log::new();
    let (runtime, release) = with_an_effect(&log);
    let running = runtime.start().await.unwrap();
    let reload = running.control().reload();
    log.wait_for("the effect begins").await;
    running.control().shutdown("enough");
    log.wait_for("stopped effect").await;
    release.send(()).unwrap();
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(reload.await.unwrap().is_committed(), "what was begun is not undone, and is reported");
    let order: Vec<_> =
        ["stopped effect", "the effect is done", "finished 0"].map(|line| log.position(line)).into();
    assert!(order.is_sorted() && order[0].is_some(), "{:?}", log.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_hangs_in_the_stop_is_named_when_the_budget_is_spent() {
    let log = Log::new();
    let (runtime, release) = with_an_effect(&log);
    let budget = Duration::from_millis(300);
    let running = runtime.stop_budget(budget).start().await.unwrap();
    let reload = running.control().reload();
    log.wait_for("the effect begins").await;
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    let cut = &outcome.forced()[0];
    assert_eq!((cut.provider, cut.what, cut.by), ("reload", Cut::Effects, CutBy::Budget), "{outcome}");
    assert!(outcome.stop_took() >= budget, "{outcome}");
    assert_eq!(outcome.exit_code(), 124, "{outcome}");
    let report = reload.await.unwrap();
    assert!(report.is_committed() && report.effects.len() == 1, "it is visible, whatever hangs: {report:?}");
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_hangs_is_named_by_a_second_signal_too_and_who_asked_is_answered() {
    let log = Log::new();
    let (runtime, release) = with_an_effect(&log);
    let (sender, signals) = Signals::channel();
    let running = runtime.signals(signals).start().await.unwrap();
    let reload = running.control().reload();
    log.wait_for("the effect begins").await;
    sender.send(Signal::Terminate);
    sender.send(Signal::Terminate);
    let outcome = running.wait().await;
    let cut = outcome.forced().iter().find(|cut| cut.what == Cut::Effects).expect("it is named");
    assert_eq!((cut.by, outcome.exit_code()), (CutBy::Signal, 143), "{outcome}");
    assert!(reload.await.is_err(), "nobody knows what became of it");
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_commit_aborts_it_and_the_answer_says_so() {
    let (four, seen) = (Four::new(), Log::new());
    let running = four.runtime().inline().on_event(events(&seen)).start().await.unwrap();
    four.next.store(2, Ordering::Relaxed);
    four.fault(3, Fault::Hang);
    let answer = running.control().reload();
    let control = running.control();
    let (answer, ()) = tokio::join!(answer.into_future(), async {
        seen.wait_for("reloading").await;
        tokio::task::yield_now().await;
        control.shutdown("enough");
    });
    assert_eq!(answer.unwrap_err(), ControlError::Aborted);
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(four.values(), [1; 4]);
    assert_eq!(running.control().reload().await.unwrap_err(), ControlError::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_drops_its_answer_gives_up_only_the_answer() {
    let four = Four::new();
    let running = four.runtime().inline().start().await.unwrap();
    four.next.store(2, Ordering::Relaxed);
    four.fault(0, Fault::Yield(50));
    drop(running.control().reload());
    let mut answer = running.control().reload().into_future();
    tokio::select! {
        biased;
        _ = &mut answer => panic!("it takes 50 turns"),
        () = tokio::task::yield_now() => {}
    }
    drop(answer);
    assert!(running.control().reload().await.unwrap().is_committed());
    assert_eq!(four.values(), [2; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_asked_for_from_inside_a_reload_hook_is_queued_and_cannot_wait_for_itself() {
    struct Asks(Arc<Mutex<Option<Control>>>, Log);
    impl Provider<()> for Asks {
        fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
            Some(self)
        }
    }
    #[async_trait]
    impl Reloadable<()> for Asks {
        async fn reload(&self, (): &()) -> Result<()> {
            self.1.push("reload");
            let control = self.0.lock().unwrap().take();
            if let Some(control) = control {
                assert_eq!(control.reload().await.unwrap_err(), ControlError::Busy);
            }
            Ok(())
        }
    }
    let (log, control) = (Log::new(), Arc::new(Mutex::new(None)));
    let registry = registry![Asks(Arc::clone(&control), log.clone()), runnable("serve", serve)];
    let (seen, reloads) = (Log::new(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&reloads);
    let running = Runtime::new(registry, ())
        .signals(Signals::none())
        .inline()
        .on_event(events(&seen))
        .on_event(move |event| {
            if matches!(event.kind, EventKind::Reloaded(_)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .start()
        .await
        .unwrap();
    *control.lock().unwrap() = Some(running.control());
    assert!(running.control().reload().await.unwrap().is_committed());
    while reloads.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.lines(), ["reload", "reload"]);
}

#[tokio::test(start_paused = true)]
async fn a_publish_outside_of_a_reload_is_immediate_and_a_pin_holds_its_epoch() {
    let four = Four::new();
    let running = four.runtime().inline().start().await.unwrap();
    let registry = &four.registry;
    let (v0, v1) = (&registry.get::<Number<0>>().unwrap().value, &registry.get::<Number<1>>().unwrap().value);
    let pinned = registry.get::<mainstay_sync::Epochs>().unwrap().pin();
    assert_eq!((*pinned.load(v0), *pinned.load(v1)), (1, 1));
    four.next.store(2, Ordering::Relaxed);
    assert!(running.control().reload().await.unwrap().is_committed());
    assert_eq!((*pinned.load(v0), *pinned.load(v1)), (1, 1), "all old");
    let pinned = registry.get::<mainstay_sync::Epochs>().unwrap().pin();
    assert_eq!((*pinned.load(v0), *pinned.load(v1)), (2, 2), "all new");
    v0.publish(7);
    assert_eq!(*v0.load(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_all_old_or_all_new_while_half_of_the_reloads_are_refused() {
    let four = Four::new();
    let running = four.runtime().start().await.unwrap();
    let epochs = four.registry.get::<mainstay_sync::Epochs>().unwrap().clone();
    let stop = Arc::new(AtomicU32::new(0));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (registry, epochs, stop) = (Arc::clone(&four.registry), epochs.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let (mut reads, mut torn) = (0u64, 0u64);
                while stop.load(Ordering::Relaxed) == 0 {
                    let value = |n| match n {
                        0 => &registry.get::<Number<0>>().unwrap().value,
                        1 => &registry.get::<Number<1>>().unwrap().value,
                        2 => &registry.get::<Number<2>>().unwrap().value,
                        _ => &registry.get::<Number<3>>().unwrap().value,
                    };
                    let pinned = epochs.pin();
                    let all: Vec<u32> = (0..4).map(|n| *pinned.load(value(n))).collect();
                    reads += 1;
                    torn += u64::from(all.iter().any(|&one| one != all[0] || one % 2 == 0));
                }
                (reads, torn)
            })
        })
        .collect();
    // Odd numbers are committed; even ones are refused by one of the four, and must never be seen.
    for next in 2..400 {
        four.next.store(next, Ordering::Relaxed);
        let refused = next % 2 == 0;
        four.fault(next as usize / 2 % 4, if refused { Fault::Error("no") } else { Fault::None });
        let report = running.control().reload().await.unwrap();
        assert_eq!(report.is_committed(), !refused, "{next}");
        four.fault(next as usize / 2 % 4, Fault::None);
    }
    stop.store(1, Ordering::Relaxed);
    for reader in readers {
        let (reads, torn) = reader.join().unwrap();
        assert!(reads > 100, "{reads}");
        assert_eq!(torn, 0, "of {reads} reads");
    }
    assert_eq!(four.values(), [399; 4]);
}

#[tokio::test(start_paused = true)]
async fn the_bare_walk_publishes_at_once_and_goes_on_after_a_failure() {
    #[derive(Clone)]
    struct State;
    #[async_trait]
    impl mainstay_registry::ReloadState for State {
        async fn reload(&self) -> Result<()> {
            Ok(())
        }
    }
    let log = Log::new();
    let registry: Registry<State> = Registry::new();
    registry.insert(Arc::new(mainstay_test::Fake::<A, State>::new("a", &log).reload(Fault::Error("no"))));
    registry.insert(Arc::new(mainstay_test::Fake::<B, State>::new("b", &log).reload(Fault::None)));
    registry.reload_all(&State).await.unwrap();
    assert_eq!(log.lines(), ["reload a", "reload b"]);
    let _ = fake::<A>("unused", &log);
}
