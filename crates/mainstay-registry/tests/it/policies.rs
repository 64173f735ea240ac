//! Restart policies: as data, in the plan, and their arithmetic.

use std::{sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use mainstay_registry::{
    AtLimit, Deadlines, Dependencies, NamedRunnable, PlanProblem, PlanWarning, Provider, ReadyWhen, Registry,
    RestartPolicy, RestartWhen, Runnable, TaskFuture, Weight, codes,
};
use proptest::prelude::*;

use crate::support::without_lines;

#[allow(clippy::needless_pass_by_value, reason = "as `expect!` makes it")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&without_lines(text));
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A runnable that is told its policy, and when it is ready.
struct Task(ReadyWhen, RestartPolicy);
impl Runnable<()> for Task {
    fn run(&self, (): ()) -> TaskFuture {
        Box::pin(async { Ok(()) })
    }
    fn ready_when(&self) -> ReadyWhen {
        self.0
    }
    fn restart_policy(&self) -> RestartPolicy {
        assert_ne!(self.1.max_restarts(), Some(13), "thirteen");
        self.1
    }
}

/// Runs two of them.
struct Api(Task, Task);
impl Provider<()> for Api {
    fn name(&self) -> &'static str {
        "api"
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
        vec![NamedRunnable::new("public", &self.0), NamedRunnable::new("admin", &self.1)]
    }
}

/// Runs one.
struct Poller(Task);
impl Provider<()> for Poller {
    fn name(&self) -> &'static str {
        "poller"
    }
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().tick(secs(30))
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(&self.0)
    }
}

/// Requires what is not there.
struct Lost;
impl Provider<()> for Lost {
    fn name(&self) -> &'static str {
        "lost"
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().requires::<Missing>()
    }
}

struct Missing;
impl Provider<()> for Missing {}

fn registry(public: RestartPolicy, admin: RestartPolicy, poller: RestartPolicy) -> Registry<()> {
    let registry = Registry::new();
    registry
        .insert(Arc::new(Api(Task(ReadyWhen::Signalled, public), Task(ReadyWhen::Started, admin))))
        .insert(Arc::new(Poller(Task(ReadyWhen::Started, poller))));
    registry
}

fn good() -> Registry<()> {
    let poller = RestartPolicy::always().initial_delay(Duration::ZERO).unlimited().with_required();
    registry(RestartPolicy::on_failure(), RestartPolicy::never(), poller)
}

fn bad() -> Registry<()> {
    let public = RestartPolicy::on_failure().factor(0.5).jitter(f64::NAN).reset_after(secs(1));
    let poller = RestartPolicy::always().initial_delay(secs(20)).factor(f64::INFINITY);
    registry(public, RestartPolicy::never().limit(3).degrade(), poller)
}

#[test]
fn the_default_restarts_nothing_and_has_the_documented_values() {
    assert_eq!(RestartPolicy::default(), RestartPolicy::never());
    assert_eq!(RestartPolicy::default().when(), RestartWhen::Never);
    let policy = RestartPolicy::on_failure();
    assert_eq!((policy.max_restarts(), policy.at_limit()), (Some(10), AtLimit::Escalate));
    assert_eq!((policy.reset_uptime(), policy.is_with_required()), (secs(60), false));
    assert_eq!((policy.delay(1), policy.delay(2)), (Duration::from_millis(100), Duration::from_millis(200)));
    assert_eq!(policy.delay(u32::MAX), secs(10));
    assert_eq!(policy.jittered(1, 1.0), Duration::from_millis(80));
    for policy in [RestartPolicy::never(), policy, RestartPolicy::always()] {
        assert!(policy.faults().is_empty(), "{policy}");
    }
}

#[test]
fn saying_a_default_changes_nothing() {
    assert_eq!(RestartPolicy::on_failure().limit(10).factor(2.0), RestartPolicy::on_failure());
    assert_ne!(RestartPolicy::on_failure(), RestartPolicy::always());
}

#[test]
fn a_bad_value_is_named_by_its_field() {
    let on_failure = RestartPolicy::on_failure;
    let bad: [(RestartPolicy, &[&str]); 16] = [
        (on_failure().factor(0.999), &["factor"]),
        (on_failure().factor(f64::NAN), &["factor"]),
        (on_failure().factor(f64::INFINITY), &["factor"]),
        (on_failure().factor(-2.0), &["factor"]),
        (on_failure().jitter(1.001), &["jitter"]),
        (on_failure().jitter(-0.1), &["jitter"]),
        (on_failure().jitter(f64::NAN), &["jitter"]),
        (on_failure().initial_delay(secs(11)), &["initial_delay"]),
        (RestartPolicy::never().initial_delay(secs(1)).factor(3.0), &["initial_delay"]),
        (RestartPolicy::never().max_delay(secs(1)), &["max_delay"]),
        (RestartPolicy::never().factor(3.0), &["factor"]),
        (RestartPolicy::never().jitter(0.0), &["jitter"]),
        (RestartPolicy::never().limit(0), &["limit"]),
        (RestartPolicy::never().unlimited(), &["unlimited"]),
        (RestartPolicy::never().reset_after(secs(1)), &["reset_after"]),
        (RestartPolicy::never().degrade().jitter(7.0), &["degrade", "jitter"]),
    ];
    for (policy, fields) in bad {
        let faults = policy.faults();
        let found: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(found, fields, "{faults:?}");
        assert!(faults.iter().all(|fault| fault.weight == Weight::Error), "{faults:?}");
    }
}

#[test]
fn what_is_at_its_edge_is_legal() {
    let on_failure = RestartPolicy::on_failure;
    for policy in [
        on_failure().limit(0),
        on_failure().factor(1.0).jitter(0.0),
        on_failure().jitter(1.0).initial_delay(Duration::ZERO),
        on_failure().initial_delay(secs(10)),
        on_failure().max_delay(secs(60)),
        on_failure().initial_delay(Duration::MAX).max_delay(Duration::MAX).reset_after(Duration::MAX),
        RestartPolicy::never().with_required(),
        RestartPolicy::always().unlimited().degrade(),
    ] {
        assert!(policy.faults().is_empty(), "{:?}", policy.faults());
    }
}

#[test]
fn a_row_that_begins_anew_too_early_is_a_warning() {
    let early = RestartPolicy::on_failure().reset_after(Duration::from_millis(9_999));
    let never_counts = RestartPolicy::on_failure().reset_after(Duration::ZERO).max_delay(Duration::ZERO);
    let never_counts = never_counts.initial_delay(Duration::ZERO);
    for (policy, text) in [(early, "9.999s is less than"), (never_counts, "`limit`, 10, never counts")] {
        let faults = policy.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((faults[0].field, faults[0].weight), ("reset_after", Weight::Warning));
        assert!(faults[0].text.contains(text), "{faults:?}");
    }
    assert!(never_counts.unlimited().faults().is_empty());
}

#[test]
fn a_policy_is_one_line() {
    let on_failure = RestartPolicy::on_failure;
    let lines = [
        (RestartPolicy::never(), "never"),
        (RestartPolicy::never().with_required(), "never, with what it requires"),
        (on_failure(), "on failure: 100ms x2 up to 10s, limit 10"),
        (on_failure().limit(0), "on failure: 100ms x2 up to 10s, limit 0"),
        (on_failure().limit(3).degrade(), "on failure: 100ms x2 up to 10s, limit 3 then degraded"),
        (RestartPolicy::always().initial_delay(Duration::ZERO).unlimited(), "always: at once, unlimited"),
        (RestartPolicy::always().factor(1.0).jitter(0.0), "always: 100ms, jitter 0, limit 10"),
        (
            RestartPolicy::always().initial_delay(secs(10)).reset_after(secs(300)).with_required(),
            "always: 10s, limit 10, anew after 300s, with what it requires",
        ),
    ];
    for (policy, line) in lines {
        assert_eq!(policy.to_string(), line);
    }
}

#[test]
fn the_plan_shows_what_restarts_and_nothing_of_what_does_not() {
    let plan = good().plan().unwrap();
    check(
        &plan.to_text(),
        expect![[r#"
        plan: 2 providers, 3 runnables, 0 reloadable

        boot (stopping is the reverse)
          level 100 (normal)
             1  api
             2  poller  deadlines tick 30s

        start
          level 100 (normal)
             1  api     api/public, ready when it says so, restart on failure: 100ms x2 up to 10s, limit 10
                        api/admin
             2  poller  restart always: at once, unlimited, with what it requires
    "#]],
    );
    let json = plan.to_json();
    check(
        json.split("\"runnables\": ").nth(1).unwrap().split(", \"reloadable\"").next().unwrap(),
        expect![[
            r#"[{"name": "public", "ready_when": "signalled", "restart": {"when": "on_failure", "initial_delay": 0.1, "factor": 2, "max_delay": 10, "jitter": 0.2, "limit": 10, "at_limit": "escalate", "reset_after": 60, "with_required": false}}, {"name": "admin", "ready_when": "started"}]"#
        ]],
    );
    assert!(json.contains("\"deadlines\": {\"tick\": 30}"), "{json}");
    assert!(!plan.to_mermaid().contains("restart"));
}

#[test]
fn every_fault_of_every_policy_is_told_at_once_beside_all_other_problems() {
    let registry = bad();
    registry.insert(Arc::new(Lost));
    let error = registry.plan().unwrap_err();
    check(
        &format!("{error}\n"),
        expect![[r#"
        MS0101: 'lost' requires `Missing`, which is not registered
          missing       it::policies::Missing
          required by   'lost', registered at policies.rs:#, declared at policies.rs:#
          add           registry.insert(Arc::new(/* it::policies::Missing */));
          or            declare it with `wants` instead, if it can be done without

        MS0114: the restart policy of 'api/public' has a bad `factor`: 0.5 is not a number of at least 1
          provider      it::policies::Api, registered at policies.rs:#
          change        `factor` in what its `restart_policy` returns

        MS0114: the restart policy of 'api/public' has a bad `jitter`: NaN is not between 0 and 1
          provider      it::policies::Api, registered at policies.rs:#
          change        `jitter` in what its `restart_policy` returns

        MS0114: the restart policy of 'api/admin' has a bad `limit`: `never` restarts nothing, so it means nothing; say `on_failure()`, or leave it out
          provider      it::policies::Api, registered at policies.rs:#
          change        `limit` in what its `restart_policy` returns

        MS0114: the restart policy of 'poller' has a bad `factor`: inf is not a number of at least 1
          provider      it::policies::Poller, registered at policies.rs:#
          change        `factor` in what its `restart_policy` returns

        MS0114: the restart policy of 'poller' has a bad `initial_delay`: 20s is more than `max_delay`, 10s
          provider      it::policies::Poller, registered at policies.rs:#
          change        `initial_delay` in what its `restart_policy` returns

        6 problems; read more in docs/errors: MS0101 MS0114
        nothing was started
    "#]],
    );
    let fields: Vec<_> = error
        .problems()
        .iter()
        .filter_map(|problem| match problem {
            PlanProblem::Policy(faulty) => Some((faulty.provider, faulty.runnable, faulty.field)),
            _ => None,
        })
        .collect();
    assert_eq!(
        fields,
        [
            ("api", Some("public"), "factor"),
            ("api", Some("public"), "jitter"),
            ("api", Some("admin"), "limit"),
            ("poller", None, "factor"),
            ("poller", None, "initial_delay"),
        ]
    );
    assert_eq!(error.code(), codes::MISSING, "what is missing comes first");
}

#[test]
fn a_plan_with_a_bad_policy_renders_with_its_culprits_marked() {
    let registry = bad();
    registry.insert(Arc::new(Missing));
    let error = registry.plan().unwrap_err();
    assert_eq!(error.code(), codes::BAD_POLICY);
    check(
        &error.to_text(),
        expect![[r#"
        no plan: 3 providers, 3 runnables, 0 reloadable; culprits are marked with !

        boot, by priority and name alone
          level 100 (normal)
          !  1  api
          !  2  poller   deadlines tick 30s
             3  Missing

        warnings
          MS0115: the restart policy of 'api/public' has a doubtful `reset_after`: 1s is less than `max_delay`, 10s: a run shorter than the wait before it begins the row anew

        problems
          MS0114: the restart policy of 'api/public' has a bad `factor`: 0.5 is not a number of at least 1
          MS0114: the restart policy of 'api/public' has a bad `jitter`: NaN is not between 0 and 1
          MS0114: the restart policy of 'api/admin' has a bad `limit`: `never` restarts nothing, so it means nothing; say `on_failure()`, or leave it out
          MS0114: the restart policy of 'poller' has a bad `factor`: inf is not a number of at least 1
          MS0114: the restart policy of 'poller' has a bad `initial_delay`: 20s is more than `max_delay`, 10s
    "#]],
    );
    check(
        &error.to_mermaid(),
        expect![[r#"
        flowchart LR
          subgraph level100 ["level 100 (normal)"]
            n0["1 api"]:::culprit
            n1["2 poller"]:::culprit
            n2["3 Missing"]
          end
          classDef culprit fill:#fdd,stroke:#c00,stroke-width:2px
    "#]],
    );
    let json = error.to_json();
    assert_eq!(json.matches("\"culprit\": true").count(), 2, "{json}");
    assert!(json.contains("\"factor\": 0.5, \"max_delay\": 10, \"jitter\": null"), "{json}");
    assert!(json.contains("\"factor\": null, \"max_delay\": 10, \"jitter\": 0.2"), "{json}");
    assert!(json.contains("\"code\": \"MS0114\""), "{json}");
}

#[test]
fn a_doubtful_policy_is_a_warning_of_a_plan_that_is_possible() {
    let registry = registry(
        RestartPolicy::on_failure().max_delay(secs(90)),
        RestartPolicy::never(),
        RestartPolicy::always().reset_after(Duration::ZERO),
    );
    let plan = registry.plan().unwrap();
    let [PlanWarning::Policy(first), second] = plan.warnings() else { panic!("{:?}", plan.warnings()) };
    assert_eq!((first.provider, first.runnable, first.field), ("api", Some("public"), "reset_after"));
    assert_eq!(second.code(), codes::DOUBTFUL_POLICY);
    check(
        &format!("{}\n{second}\n", plan.warnings()[0]),
        expect![[r#"
        MS0115: the restart policy of 'api/public' has a doubtful `reset_after`: 60s is less than `max_delay`, 90s: a run shorter than the wait before it begins the row anew; registered at policies.rs:#
        MS0115: the restart policy of 'poller' has a doubtful `reset_after`: 0ns begins the row anew with every failure, and `limit`, 10, never counts; registered at policies.rs:#
    "#]],
    );
    let text = plan.to_text();
    check(
        &text[text.find("warnings").unwrap()..],
        expect![[r#"
        warnings
          MS0115: the restart policy of 'api/public' has a doubtful `reset_after`: 60s is less than `max_delay`, 90s: a run shorter than the wait before it begins the row anew
          MS0115: the restart policy of 'poller' has a doubtful `reset_after`: 0ns begins the row anew with every failure, and `limit`, 10, never counts
    "#]],
    );
}

#[test]
fn a_policy_whose_own_method_panics_is_named_with_the_method() {
    let unlucky = RestartPolicy::on_failure().limit(13);
    let error = registry(RestartPolicy::never(), unlucky, RestartPolicy::never()).plan().unwrap_err();
    let [PlanProblem::Panicked(panicked)] = error.problems() else { panic!("{error}") };
    assert_eq!(panicked.method, "Runnable::restart_policy");
    assert!(panicked.message.contains("thirteen"), "{error}");
}

#[test]
fn a_registry_with_a_bad_policy_is_not_sealed() {
    let registry = bad();
    assert!(registry.seal().is_err());
    assert!(registry.try_insert(Arc::new(Missing)).is_ok(), "it stays open");
}

/// Whatever bits there are: NaN, infinities, denormals, negatives, and ordinary numbers as well.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            0.0,
            -0.0,
            1.0
        ]),
        -4.0..4.0,
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        Just(Duration::from_nanos(1)),
        (0..100_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn any_attempt() -> impl Strategy<Value = u32> {
    prop_oneof![0..20_u32, Just(u32::MAX), any::<u32>()]
}

fn any_policy() -> impl Strategy<Value = RestartPolicy> {
    let durations = (any_duration(), any_duration(), any_duration());
    let when = prop::sample::select(vec![
        RestartPolicy::never as fn() -> RestartPolicy,
        RestartPolicy::on_failure,
        RestartPolicy::always,
    ]);
    (when, durations, any_number(), any_number(), prop::option::of(any::<u32>())).prop_map(
        |(when, (initial, max, reset), factor, jitter, limit)| {
            let policy = when().initial_delay(initial).max_delay(max).reset_after(reset).factor(factor);
            let policy = policy.jitter(jitter);
            limit.map_or(policy.unlimited(), |limit| policy.limit(limit))
        },
    )
}

/// One without a fault.
fn sound_policy() -> impl Strategy<Value = (RestartPolicy, f64)> {
    let factor = prop_oneof![Just(1.0), 1.0..10.0, Just(f64::MAX)];
    let jitter = prop_oneof![Just(0.0), Just(1.0), 0.0..1.0];
    (any_duration(), any_duration(), factor, jitter).prop_map(|(one, other, factor, jitter)| {
        let policy = RestartPolicy::on_failure().initial_delay(one.min(other)).max_delay(one.max(other));
        (policy.factor(factor).jitter(jitter), jitter)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No value, however foolish, is a panic or more than the cap: neither here nor where it is printed.
    #[test]
    fn no_value_panics_and_the_cap_is_never_exceeded(
        policy in any_policy(), cap in any_duration(), attempt in any_attempt(), throw in any_number(),
    ) {
        prop_assert!(policy.jittered(attempt, throw) <= policy.delay(attempt));
        prop_assert!(policy.faults().iter().all(|fault| !fault.text.is_empty()));
        prop_assert!(!policy.to_string().is_empty());
        let capped = policy.max_delay(cap);
        prop_assert!(capped.delay(attempt) <= cap);
        prop_assert!(capped.jittered(attempt, throw) <= cap);
    }

    #[test]
    fn a_jittered_delay_lies_between_the_delay_and_what_chance_leaves_of_it(
        (policy, jitter) in sound_policy(), attempt in any_attempt(), throw in 0.0..=1.0_f64,
    ) {
        let (delay, jittered) = (policy.delay(attempt), policy.jittered(attempt, throw));
        // A double has 53 bits, a duration has nanoseconds.
        let least = delay.as_secs_f64() * (1.0 - jitter) * (1.0 - 1e-12) - 1e-9;
        prop_assert!(jittered <= delay);
        prop_assert!(jittered.as_secs_f64() >= least, "{jittered:?} of {delay:?}, less {jitter}");
        prop_assert_eq!(policy.jittered(attempt, 0.0), delay);
        prop_assert_eq!(policy.jitter(0.0).jittered(attempt, throw), delay);
    }

    #[test]
    fn a_delay_grows_from_the_first_to_the_longest_and_no_further((policy, _) in sound_policy(), attempt in 1..40_u32) {
        prop_assert!(policy.faults().iter().all(|fault| fault.weight == Weight::Warning));
        let (one, next, last) = (policy.delay(attempt), policy.delay(attempt + 1), policy.delay(u32::MAX));
        prop_assert!(policy.delay(1) <= last);
        // Less by what a double loses, at most.
        prop_assert!(next.as_secs_f64() >= one.as_secs_f64() * (1.0 - 1e-12) - 1e-9, "{one:?}, {next:?}");
        prop_assert_eq!(policy.delay(0), policy.delay(1));
    }

    #[test]
    fn nothing_grows_from_nothing(attempt in any_attempt(), factor in 1.0..1e300_f64) {
        let policy = RestartPolicy::always().initial_delay(Duration::ZERO).factor(factor);
        prop_assert_eq!(policy.delay(attempt), Duration::ZERO);
        prop_assert_eq!(policy.jittered(attempt, 0.5), Duration::ZERO);
    }

    /// A fault of weight `Error` is there exactly when a value is out of its range.
    #[test]
    fn faults_are_there_exactly_when_a_value_is_out_of_its_range(
        initial in any_duration(), max in any_duration(), factor in any_number(), jitter in any_number(),
    ) {
        let policy = RestartPolicy::on_failure().initial_delay(initial).max_delay(max).factor(factor).jitter(jitter);
        let bad = |field: &str| policy.faults().iter().any(|it| it.field == field && it.weight == Weight::Error);
        prop_assert_eq!(bad("factor"), !(1.0..=f64::MAX).contains(&factor));
        prop_assert_eq!(bad("jitter"), !(0.0..=1.0).contains(&jitter));
        prop_assert_eq!(bad("initial_delay"), initial > max);
    }
}
