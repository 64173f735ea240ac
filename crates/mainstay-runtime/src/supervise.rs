//! The lifecycle, top to bottom: plan, preflight, boot, validate, run, stop, release.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use mainstay_registry::{Phase, Plan, PlanError};
use tokio::sync::oneshot;

use crate::cell::{Cell, Done, Label, Work};
use crate::clock::Clock;
use crate::engine::{Engine, Node, epochs_of, rescue};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::machine::{Input, Machine, Stage};
use crate::outcome::{Ending, Failure, Outcome, Problem, StopCause};
use crate::release::Release;
use crate::signals::Listening;
use crate::spec::{Limits, Spec};

/// How often hooks, and the supervisor's own jobs, are looked at: are they polled?
const LOOK: Duration = Duration::from_millis(50);

/// After a second signal: what hooks may take to be polled once, on a machine whose threads start late.
const LAST_POLL: Duration = Duration::from_millis(30);

/// The job that asks every provider for its place.
const PLAN: &str = "plan";

/// What planning may take: it only asks for names, priorities and edges.
const PLAN_LIMIT: Duration = Duration::from_secs(5);

/// At least so long the providers' destructors are waited for; more when the stop has time left.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Supervisor<S> {
    pub(crate) engine: Arc<Engine<S>>,
    pub(crate) listening: Listening,
    pub(crate) limits: Limits,
    pub(crate) shutdown_on: Option<BoxFuture<'static, ()>>,
}

/// The plan with the providers that it names; where the planning task leaves it.
type Planned<S> = Arc<Mutex<Option<(Result<Plan, PlanError>, Vec<Node<S>>)>>>;

impl<S: Clone + Send + Sync + 'static> Supervisor<S> {
    /// Runs the whole lifecycle. It reads like the list of phases; the policies are the machine's.
    pub(crate) async fn lifecycle(&mut self) -> Outcome {
        let shutdown_on = self.watch_shutdown_on();
        if let Err(refused) = self.plan().await {
            let held = self.release(shutdown_on).await;
            return match refused {
                Some(refused) => self.close(refused),
                None => self.outcome(held),
            };
        }
        self.phase(Machine::begin_preflight, Machine::walk_over).await;
        self.phase(Machine::begin_boot, Machine::boot_over).await;
        self.phase(Machine::begin_validate, Machine::walk_over).await;
        self.phase(Machine::begin_run, Machine::run_over).await;
        self.stop().await;
        let held = self.release(shutdown_on).await;
        self.outcome(held)
    }

    /// One phase: begun, and waited for until it is over; skipped when the end has been asked for.
    async fn phase(&mut self, begin: fn(&mut Machine, Instant), over: fn(&Machine) -> bool) {
        if self.engine.machine().is_ending() {
            return;
        }
        self.engine.begin(begin);
        self.until(|machine| over(machine) || machine.is_forced()).await;
    }

    async fn stop(&mut self) {
        if !self.engine.machine().is_forced() {
            self.engine.begin(Machine::begin_stop);
            self.until(|machine| machine.stop_over() || machine.is_forced()).await;
        }
        let stage = self.engine.machine().stage();
        let Stage::Forced { until: forced } = stage else { return };
        // Hooks that were called last are polled once, on threads of their own where no worker is free.
        let half = forced.checked_sub(Duration::from_millis(3)).unwrap_or(forced);
        sleep_until(self.engine.clock, half).await;
        self.engine.rescue_now();
        sleep_until(self.engine.clock, forced).await;
        let latest = forced + LAST_POLL;
        while self.engine.clock.now() < latest && !self.engine.all_were_polled() {
            sleep_until(self.engine.clock, self.engine.clock.now() + Duration::from_millis(1)).await;
        }
        self.engine.with_machine(|machine, now| machine.name_the_cut(now, &*self.engine));
    }

    /// Feeds the machine with signals and time until it says that the phase is over. Signals first.
    async fn until(&mut self, over: impl Fn(&Machine) -> bool) {
        // Not put off by what wakes the supervisor in between.
        let mut look = self.engine.clock.now() + LOOK;
        let mut beat = None;
        loop {
            self.engine.alarms.ring(self.engine.clock.now());
            let (wake, hooks) = {
                let mut machine = self.engine.machine();
                if over(&machine) {
                    return;
                }
                // Inline it is woken by the runtime that it shares, whose paused clock runs on to each time that it names.
                let wake = match self.engine.clock {
                    Clock::Real => machine.doze_until(self.engine.clock.now()),
                    Clock::Ambient => machine.sleep_until(),
                };
                (wake, self.engine.rescues && machine.has_running_hooks())
            };
            let now = self.engine.clock.now();
            if hooks && look <= now {
                look = self.engine.rescue_the_starved();
            }
            if beat.is_none_or(|beat| beat <= now) {
                beat = self.engine.feel_pulse(now);
            }
            let wake = crate::machine::earliest(wake, hooks.then_some(look));
            let wake = crate::machine::earliest(wake, beat);
            // One that is set after this look wakes.
            let alarm = self.engine.alarms.next();
            tokio::select! {
                biased;
                signal = self.listening.recv() => self.engine.feed(Input::Signal(signal)),
                () = self.engine.wake.notified() => {}
                () = sleep_until_some(self.engine.clock, wake) => self.engine.feed(Input::Tick),
                () = sleep_until_some(self.engine.clock, alarm) => {}
            }
        }
    }

    /// Asks every provider for its name, priorities and edges, isolated like a hook. Without an outcome: the end was
    /// asked for first.
    async fn plan(&mut self) -> Result<(), Option<Outcome>> {
        let Some(registry) = self.engine.registry() else { return Err(None) };
        let planned: Planned<S> = Arc::default();
        let (result, engine) = (Arc::clone(&planned), Arc::clone(&self.engine));
        let future: BoxFuture<'static, Exit> = Box::pin(async move {
            engine.know_epochs(epochs_of(&registry));
            let plan = registry.seal();
            if engine.lints.are_on() {
                engine.listen_to_lookups(&registry);
            }
            let nodes = plan.as_ref().map(|plan| Node::all(&registry, plan)).unwrap_or_default();
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some((plan, nodes));
            Exit::Ok
        });
        let exit = self.job(PLAN, future, PLAN_LIMIT).await;
        let planned = planned.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (exit, planned) {
            (_, Some((Ok(plan), nodes))) => self.planned(&plan, nodes).map_err(Some),
            (_, Some((Err(error), _))) => Err(Some(Outcome::refused(error.to_string(), 78))),
            (JobEnd::Ended(exit), None) => {
                let failure = Failure::of("plan", Phase::Plan, exit);
                Err(Some(self.failed_plan(
                    failure.unwrap_or_else(|| Failure::new("plan", Phase::Plan, Problem::RuntimeGone)),
                )))
            }
            (JobEnd::TimedOut, None) => {
                Err(Some(self.failed_plan(Failure::new("plan", Phase::Plan, Problem::Deadline(PLAN_LIMIT)))))
            }
            (JobEnd::Stopped, None) => Err(None),
        }
    }

    fn planned(&mut self, plan: &Plan, nodes: Vec<Node<S>>) -> Result<(), Outcome> {
        let names: Vec<String> = plan
            .warnings()
            .iter()
            .filter(|warning| warning.code().id == mainstay_registry::codes::DUPLICATE_NAME.id)
            .map(ToString::to_string)
            .collect();
        if !names.is_empty() {
            let code = crate::codes::DUPLICATE_NAME.id;
            let text = format!("error[{code}]: {}\nnothing was started", names.join("\n"));
            return Err(Outcome::refused(text, 78));
        }
        let warnings = plan.warnings().iter().map(ToString::to_string).collect();
        // Of the inline supervisor the same at every run: its tests are to be repeatable.
        let seed = if self.engine.rescues { random() } else { 0 };
        let spec = Spec::of(plan, &self.limits, self.engine.state_reload.is_some(), seed);
        self.engine
            .sink
            .emit(self.engine.clock.now(), EventKind::Planned { providers: nodes.len(), warnings });
        self.engine.machine().planned(Arc::new(spec));
        self.engine.tell_early_lints();
        let _ = self.engine.nodes.set(nodes);
        Ok(())
    }

    fn failed_plan(&self, failure: Failure) -> Outcome {
        self.engine.sink.emit(self.engine.clock.now(), EventKind::Failed(failure.clone()));
        let code = failure.exit_code();
        Ending { failures: vec![failure], ..Ending::empty(StopCause::Failed, code) }.into()
    }

    /// The future given to `shutdown_on` is the user's: it is polled by his runtime.
    fn watch_shutdown_on(&mut self) -> Option<Arc<Cell>> {
        let future = self.shutdown_on.take()?;
        let engine = Arc::clone(&self.engine);
        let work = Work {
            future: Box::pin(async move {
                future.await;
                Exit::Ok
            }),
            done: Box::new(ShutdownOn { engine }),
        };
        let cell = Cell::new(work, None, Label::None, self.engine.clock);
        self.engine.handle.spawn(cell.isolated());
        Some(cell)
    }

    /// Nothing can be begun: what the program has given is released all the same, where its destructors may run.
    pub(crate) async fn refuse(&mut self, refused: Outcome) -> Outcome {
        let shutdown_on = self.watch_shutdown_on();
        self.release(shutdown_on).await;
        self.close(refused)
    }

    fn close(&self, refused: Outcome) -> Outcome {
        self.engine.with_machine(Machine::close);
        refused
    }

    /// Gives every reference up, in reverse plan order, in a task; `Drop` is the user's code.
    async fn release(&mut self, shutdown_on: Option<Arc<Cell>>) -> Vec<&'static str> {
        if let Some(cell) = &shutdown_on {
            cell.abort();
        }
        let (release, progress) = Release::of(&self.engine, shutdown_on);
        let left = {
            let machine = self.engine.machine();
            if machine.is_forced() { Duration::ZERO } else { machine.stop_left(self.engine.clock.now()) }
        };
        let forced = self.engine.machine().is_forced();
        let limit = if forced { Duration::from_millis(20) } else { RELEASE_LIMIT.max(left) };
        let end = self
            .job(
                "release",
                Box::pin(async move {
                    release.run();
                    Exit::Ok
                }),
                limit,
            )
            .await;
        let (held, failures, current) = progress.take();
        self.engine.with_machine(|machine, _| {
            for failure in failures {
                machine.release_failed(failure);
            }
            if let (JobEnd::TimedOut, Some(provider), false) = (&end, current, forced) {
                machine.release_hung(provider, limit);
            }
        });
        held
    }

    fn outcome(&self, held: Vec<&'static str>) -> Outcome {
        self.engine.with_machine(|machine, now| machine.outcome(now, held))
    }

    /// Runs something of the supervisor's own that touches the user's code: isolated, rescued, and bounded.
    async fn job(&mut self, name: &'static str, future: BoxFuture<'static, Exit>, limit: Duration) -> JobEnd {
        let (done, mut wait) = oneshot::channel();
        let work = Work { future, done: Box::new(JobDone(done)) };
        let cell = Cell::new(work, None, Label::Hook { provider: "", phase: name }, self.engine.clock);
        self.engine.handle.spawn(cell.isolated());
        let end = self.engine.clock.now() + limit;
        // Whoever plans is stopped by the first wish to end, whoever releases by a second signal.
        let before = if name == PLAN { (false, false) } else { self.engine.asked_to_end() };
        let ended = self.job_end(&mut wait, &cell, end, before).await;
        if !matches!(ended, JobEnd::Ended(_)) && !cell.seen(end).begun && !rescue(&cell) {
            // What nobody has begun holds values of the user's: it is not for this thread to drop them.
            std::mem::forget(cell);
        }
        ended
    }

    async fn job_end(
        &mut self,
        wait: &mut oneshot::Receiver<Exit>,
        cell: &Arc<Cell>,
        end: Instant,
        before: (bool, bool),
    ) -> JobEnd {
        loop {
            if self.engine.asked_to_end() != before {
                return JobEnd::Stopped;
            }
            let now = self.engine.clock.now();
            let look = if self.engine.rescues { (now + LOOK).min(end) } else { end };
            tokio::select! {
                biased;
                ended = &mut *wait => return JobEnd::Ended(ended.unwrap_or(Exit::RuntimeGone)),
                signal = self.listening.recv() => {
                    self.engine.feed(Input::Signal(signal));
                }
                () = self.engine.wake.notified() => {}
                () = sleep_until(self.engine.clock, look) => {
                    if self.engine.clock.now() >= end {
                        return JobEnd::TimedOut;
                    }
                    if self.engine.rescues && !cell.seen(now).begun {
                        rescue(cell);
                    }
                }
            }
        }
    }
}

enum JobEnd {
    Ended(Exit),
    TimedOut,
    /// A stop signal came first.
    Stopped,
}

struct JobDone(oneshot::Sender<Exit>);

impl Done for JobDone {
    fn ended(self: Box<Self>, exit: Exit) {
        let _ = self.0.send(exit);
    }
}

struct ShutdownOn<S> {
    engine: Arc<Engine<S>>,
}

impl<S: Clone + Send + Sync + 'static> Done for ShutdownOn<S> {
    fn ended(self: Box<Self>, exit: Exit) {
        match exit {
            Exit::Ok | Exit::Disabled => self.engine.feed(Input::Stop(StopCause::ShutdownOn)),
            // A future that panicked will never ask for the end again: that is the end.
            Exit::Panicked(panic) => {
                self.engine.feed(Input::Stop(StopCause::Requested(format!("shutdown_on panicked: {panic}"))));
            }
            _ => {}
        }
    }
}

/// Another number in each process: `RandomState` has no other source of chance in the standard library.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

#[allow(clippy::disallowed_methods, reason = "this is the driver: the clock's time as tokio's")]
async fn sleep_until(clock: Clock, until: Instant) {
    let left = until.saturating_duration_since(clock.now());
    tokio::time::sleep(left).await;
}

async fn sleep_until_some(clock: Clock, until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(clock, until).await,
        None => std::future::pending().await,
    }
}
