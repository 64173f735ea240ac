//! The promises of door 1, each kept by a real process.

use rustix::process::Signal;

use crate::child::{Daemon, run};

/// Every test with its name: the binary has a harness of its own, which cannot find them.
macro_rules! tests {
    ($($name:ident)+) => {
        pub(crate) fn all() -> Vec<(&'static str, fn())> {
            vec![$((stringify!($name), $name as fn())),+]
        }
    };
}

tests! {
    a_term_stops_it_with_0
    an_int_stops_it_with_0
    a_hup_reloads_it
    a_second_signal_forces_the_exit
    a_blocked_thread_cannot_hold_the_exit
    a_standard_error_that_nobody_reads_cannot_hold_the_exit
    it_ends_with_0_when_nothing_is_left_to_run
    help_and_version_exit_with_0
    a_usage_error_exits_with_78_in_claps_words
    own_flags_are_merged
    own_flags_that_collide_exit_with_78
    own_flags_that_were_not_declared_say_what_to_add
    an_own_verb_registers_nothing
    the_log_can_be_json
    a_line_for_the_journal_has_its_level_and_no_time
    the_log_can_be_silent
    an_own_subscriber_stays
    an_own_layer_stands_beside_the_log
    an_own_tokio_builder_is_used
    a_current_thread_runtime_is_driven
    a_panic_in_the_tokio_builder_exits_with_1
    main_inside_a_runtime_names_the_other_door
    a_failure_in_register_exits_by_its_variant
    every_register_function_is_asked_and_every_failure_reported
    a_duplicate_exits_with_78_and_both_sites
    a_failed_boot_exits_with_75
    a_boot_that_says_invalid_exits_with_78
    a_panic_in_boot_exits_with_1
    a_failed_validation_exits_with_78
    check_finds_nothing_and_starts_nothing
    check_reports_what_validates_before_boot
    check_survives_a_panic_and_a_hang
    check_reports_a_broken_plan
    check_reports_what_register_says
    plan_prints_each_format
    plan_prints_a_broken_graph_and_exits_with_78
    names_that_are_not_unique_exit_with_78
    a_runtime_can_be_had_without_the_process
}

fn serving() -> Daemon {
    let mut daemon = Daemon::start("serve", &[]);
    daemon.out.wait_for("count 1");
    daemon
}

fn a_term_stops_it_with_0() {
    let daemon = serving();
    daemon.signal(Signal::TERM);
    daemon.end().exits(0).prints(&["asked to stop", "probe shut down"]).without(&["error"]);
}

fn an_int_stops_it_with_0() {
    let daemon = serving();
    daemon.signal(Signal::INT);
    daemon.end().exits(0).prints(&["asked to stop", "probe shut down"]);
}

fn a_hup_reloads_it() {
    let mut daemon = serving();
    daemon.signal(Signal::HUP);
    daemon.out.wait_for("count 2");
    daemon.signal(Signal::HUP);
    daemon.out.wait_for("count 3");
    daemon.signal(Signal::TERM);
    daemon.end().exits(0);
}

fn a_second_signal_forces_the_exit() {
    let mut daemon = Daemon::start("ignores", &[]);
    daemon.out.wait_for("serving");
    daemon.signal(Signal::TERM);
    daemon.wait_for_error_line("stopping");
    daemon.signal(Signal::INT);
    daemon.end().exits(130).says(&["forced by SIGINT"]);
}

fn a_blocked_thread_cannot_hold_the_exit() {
    for scenario in ["blocks", "blocks-current-thread"] {
        let mut daemon = Daemon::start(scenario, &[]);
        daemon.out.wait_for("serving");
        daemon.signal(Signal::TERM);
        daemon.end().exits(0).prints(&["probe shut down"]).says(&["stuck"]);
    }
}

fn a_standard_error_that_nobody_reads_cannot_hold_the_exit() {
    let mut daemon = Daemon::start_unread("full-stderr", &[]);
    daemon.out.wait_for("probe booted");
    daemon.end().exits(75);
}

fn it_ends_with_0_when_nothing_is_left_to_run() {
    run("own-tokio", &[]).exits(0).prints(&["on thread mine"]);
}

fn help_and_version_exit_with_0() {
    let help =
        run("serve", &["--help"]).exits(0).prints(&["Usage: probed [OPTIONS] [VERB]", "--config-dir <DIR>"]);
    assert_eq!(help.err, "");
    let version = run("serve", &["--version"]).exits(0);
    assert_eq!((version.out.as_str(), version.err.as_str()), ("probed 1.2.3\n", ""));
}

fn a_usage_error_exits_with_78_in_claps_words() {
    let ended =
        run("serve", &["--no-such-flag"]).exits(78).says(&["error: unexpected argument '--no-such-flag'"]);
    assert_eq!(ended.out, "");
    run("serve", &["chekc"]).exits(78).says(&["a similar subcommand exists: 'check'"]);
    run("serve", &["--log", "inof"]).exits(78).says(&["error: invalid value 'inof' for '--log <FILTER>'"]);
}

fn own_flags_are_merged() {
    run("own-args", &["--port", "80", "--config-dir", "/etc/p", "--run-mode", "test", "index.html"])
        .exits(0)
        .prints(&["Listen { port: 80 } Some(Files { file: Some(\"index.html\") })", "/etc/p in test"]);
    run("own-args", &["check", "--port", "80"])
        .exits(0)
        .prints(&["Listen { port: 80 }", "config in production"]);
    run("own-args", &[]).exits(78).says(&["--port <PORT>"]);
    run("own-args", &["--help"]).exits(0).prints(&["Where to listen"]);
}

fn own_flags_that_collide_exit_with_78() {
    run("colliding-args", &[]).exits(78).says(&[
        "error[MS0503]: the flag `--log`",
        "Mine`",
        "the daemon's own",
    ]);
}

fn own_flags_that_were_not_declared_say_what_to_add() {
    run("undeclared-args", &[]).exits(1).says(&["MS0513", "Listen>()` to the daemon's builder"]);
}

fn an_own_verb_registers_nothing() {
    run("own-verb", &["where", "--config-dir", "/etc/p"])
        .exits(3)
        .prints(&["in /etc/p"])
        .says(&["not there"]);
    run("own-verb", &["fall"]).exits(1).says(&["no verb today", "error[MS0514]"]);
    run("own-verb", &["--help"]).exits(0).prints(&["where", "Print where the configuration is read"]);
}

fn the_log_can_be_json() {
    let ended = run("own-tokio", &["--log-format", "json"]).exits(0);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(!lines.is_empty(), "no line");
    for line in lines {
        assert!(line.starts_with('{') && line.ends_with('}') && line.contains("\"level\":"), "{line}");
    }
}

/// The journal has the time of each line, and finds them by their level.
fn a_line_for_the_journal_has_its_level_and_no_time() {
    let started = |stranger| Daemon::start_in_journal("own-tokio", &[], stranger).end().exits(0).err;
    let (journal, elsewhere) = (started(false), started(true));
    assert!(journal.lines().all(|line| line.starts_with("<6> INFO mainstay: ")), "{journal}");
    assert!(journal.contains("boot finished"), "{journal}");
    assert!(elsewhere.lines().all(|line| line.starts_with("20") && line.contains("Z  INFO ")), "{elsewhere}");
}

fn the_log_can_be_silent() {
    assert_eq!(run("own-tokio", &["--log", "off"]).exits(0).err, "");
    assert_eq!(run("own-tokio", &["--log", "warn"]).exits(0).err, "");
    assert!(!run("own-tokio", &[]).exits(0).err.contains('\u{1b}'), "colours without a terminal");
}

fn an_own_subscriber_stays() {
    let ended =
        run("own-subscriber", &["--log-format", "json"]).exits(0).prints(&["mine: ", "boot finished"]);
    assert_eq!(ended.err, "");
}

fn an_own_layer_stands_beside_the_log() {
    // It has no filter, so it gets what the log does not want; the log's flags mean what they always do.
    let ended = run("log-layer", &["--log", "off"]).exits(0).prints(&["mine: ", "boot finished"]);
    assert_eq!(ended.err, "");
    let ended = run("log-layer", &["--log-format", "json"]).exits(0).prints(&["mine: ", "boot finished"]);
    assert!(ended.err.contains("\"message\":\"boot finished\""), "{}", ended.err);
}

fn an_own_tokio_builder_is_used() {
    run("own-tokio", &[]).exits(0).prints(&["on thread mine"]);
}

fn a_current_thread_runtime_is_driven() {
    run("current-thread", &[]).exits(0).prints(&["on thread application"]);
}

fn a_panic_in_the_tokio_builder_exits_with_1() {
    run("panicking-tokio", &[]).exits(1).says(&["error[MS0512]", "no runtime today", "nothing was started"]);
}

fn main_inside_a_runtime_names_the_other_door() {
    run("inside", &[]).exits(78).says(&["error[MS0511]", "Runtime::new(registry, state).run().await"]);
}

fn a_failure_in_register_exits_by_its_variant() {
    run("register-other", &[]).exits(1).says(&["no register today", "scenarios.rs:", "nothing was started"]);
    run("register-invalid", &[]).exits(78).says(&["invalid digit"]);
    run("register-boot", &[]).exits(75).says(&["the disk is not there yet"]).without(&["probe booted"]);
}

fn every_register_function_is_asked_and_every_failure_reported() {
    run("two-that-fail", &[])
        .exits(1)
        .says(&["no dns today", "register function 'mail' panicked: no mail today", "MS0221", "MS0222"])
        .without(&["probe booted"]);
}

fn a_duplicate_exits_with_78_and_both_sites() {
    for scenario in ["twice", "twice-by-hand", "value-twice"] {
        let ended = run(scenario, &[]).exits(78).says(&["MS0104", "nothing was started"]);
        let line = ended.err.lines().find(|line| line.contains("MS0104")).expect("said above");
        assert_eq!(line.matches("scenarios.rs:").count(), 2, "{line}");
    }
}

fn a_failed_boot_exits_with_75() {
    run("boot-fails", &[])
        .exits(75)
        .says(&["provider 'probe' failed during boot: no boot today", "scenarios.rs:"])
        .prints(&["probe shut down"]);
}

fn a_boot_that_says_invalid_exits_with_78() {
    run("boot-is-invalid", &[]).exits(78).says(&["the boot makes no sense"]);
}

fn a_panic_in_boot_exits_with_1() {
    run("boot-panics", &[]).exits(1).says(&["provider 'probe' panicked during boot: boot went wrong"]);
}

fn a_failed_validation_exits_with_78() {
    run("validate-fails", &[])
        .exits(78)
        .says(&["provider 'probe' failed during validate: no validate today"]);
    run("bad-before-boot", &[]).exits(78).without(&["probe booted"]);
}

fn check_finds_nothing_and_starts_nothing() {
    let ended = run("good-before-boot", &["check"]).exits(0).without(&["probe booted", "shut down"]);
    assert_eq!(
        ended.out,
        "probe validated\n\
         ok    register  1 of 1\n\
         ok    plan      providers 1, with runnables 0\n\
         ok    validate  probe\n\
         no problem found, nothing was started\n"
    );
    run("validate-fails", &["check"])
        .exits(0)
        .prints(&["-     validate  probe: validates after boot"])
        .without(&["probe validated", "probe booted"]);
}

fn check_reports_what_validates_before_boot() {
    run("bad-before-boot", &["check"])
        .exits(78)
        .prints(&["bad   validate  probe: error[MS0205]", "1 problem, nothing was started"])
        .says(&["provider 'probe' failed during validate: no validate today", "registered  "])
        .without(&["probe booted"]);
}

fn check_survives_a_panic_and_a_hang() {
    run("panics-before-boot", &["check"])
        .exits(78)
        .says(&["'probe' panicked during validate: validate went wrong"]);
    run("hangs-before-boot", &["check"]).exits(78).says(&["'probe' did not end its validate within 200 ms"]);
}

fn check_reports_a_broken_plan() {
    run("missing", &["check"])
        .exits(78)
        .prints(&["bad   plan      no plan is possible", "1 problem"])
        .says(&["MS0101", "'serve' requires `Count`"]);
    run("same-names", &["check"]).exits(78).prints(&["bad   plan"]).says(&["'probe' is the name of"]);
}

fn check_reports_what_register_says() {
    run("two-that-fail", &["check"])
        .exits(78)
        .prints(&["bad   register  register", "bad   register  mail", "ok    plan", "2 problems"])
        .says(&["no dns today", "no mail today"]);
}

fn plan_prints_each_format() {
    let text = run("serve", &["plan"]).exits(0).prints(&["serve", "count", "probe"]);
    assert_eq!(text.err, "");
    run("serve", &["plan", "--format", "mermaid"]).exits(0).prints(&["flowchart", "serve"]);
    let json = run("serve", &["--format", "json", "plan"]).exits(0);
    assert!(json.out.starts_with('{') && json.out.trim_end().ends_with('}'), "{}", json.out);
}

fn plan_prints_a_broken_graph_and_exits_with_78() {
    for format in ["text", "mermaid", "json"] {
        run("missing", &["plan", "--format", format])
            .exits(78)
            .prints(&["serve"])
            .says(&["'serve' requires `Count`"]);
    }
    run("missing", &[]).exits(78).says(&["MS0101", "'serve' requires `Count`", "nothing was started"]);
}

fn names_that_are_not_unique_exit_with_78() {
    run("same-names", &["plan"]).exits(78).prints(&["probe"]).says(&["'probe' is the name of"]);
    run("same-names", &[]).exits(78).says(&["'probe'"]).without(&["probe booted"]);
}

fn a_runtime_can_be_had_without_the_process() {
    use mainstay::{Daemon, Error, Signals};

    let runtime = Daemon::builder("probed").insert_value(7_u8).runtime_from(["probed"]).expect("a runtime");
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert_eq!(tokio.block_on(runtime.signals(Signals::none()).run()).exit_code(), 0);

    let refused = Daemon::builder("probed").runtime_from(["probed", "check"]).expect_err("a verb");
    assert_eq!((refused.exit_code(), refused.failures().len()), (78, 0));
    let fails = |_: &Daemon| Err(Error::msg("no register today"));
    let refused = Daemon::builder("probed").register(fails).runtime_from(["probed"]).expect_err("a failure");
    assert_eq!((refused.exit_code(), refused.failures().len()), (1, 1));
}
