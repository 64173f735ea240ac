//! The daemon's own flags and verbs.

use std::path::Path;

use mainstay_cli::{Cli, CliError, Invocation, LogFormat, Parsed, PlanFormat, RunMode, Verb};

fn parse(words: &[&str]) -> Result<Parsed, CliError> {
    Cli::new("greeter").version("1.2.3").parse_from(std::iter::once("greeter").chain(words.iter().copied()))
}

fn verb(words: &[&str]) -> Invocation {
    match parse(words) {
        Ok(Parsed::Verb(invocation)) => invocation,
        other => panic!("{words:?} is no verb: {other:?}"),
    }
}

fn shown(words: &[&str]) -> String {
    match parse(words) {
        Ok(Parsed::Shown(text)) => text,
        other => panic!("{words:?} shows nothing: {other:?}"),
    }
}

fn refused(words: &[&str]) -> String {
    match parse(words) {
        Err(error @ CliError::Usage(_)) => {
            assert_eq!(error.code().id, "MS0502");
            error.to_string()
        }
        other => panic!("{words:?} was not refused: {other:?}"),
    }
}

#[test]
fn without_words_it_runs_with_the_defaults() {
    let invocation = verb(&[]);
    assert_eq!(invocation.verb(), Verb::Run);
    assert_eq!(invocation.flags().config_dir(), Path::new("config"));
    assert_eq!(invocation.flags().run_mode(), RunMode::Production);
    assert_eq!(invocation.flags().log(), "info");
    assert_eq!(invocation.flags().log_format(), LogFormat::Text);
}

#[test]
fn an_empty_command_line_without_a_program_runs() {
    let parsed = Cli::new("greeter").parse_from(Vec::<String>::new());
    assert!(matches!(parsed, Ok(Parsed::Verb(invocation)) if invocation.verb() == Verb::Run));
}

#[test]
fn flags_stand_before_and_behind_the_verb() {
    for words in [
        &["--config-dir", "/etc/g", "--run-mode=test", "check", "--log", "warn", "--log-format", "json"][..],
        &["check", "--config-dir", "/etc/g", "--run-mode=test", "--log", "warn", "--log-format", "json"],
        &["--config-dir", "/etc/g", "--run-mode=test", "--log", "warn", "--log-format", "json", "check"],
    ] {
        let invocation = verb(words);
        assert_eq!(invocation.verb(), Verb::Check, "{words:?}");
        assert_eq!(invocation.flags().config_dir(), Path::new("/etc/g"));
        assert_eq!(invocation.flags().run_mode(), RunMode::Test);
        assert_eq!(invocation.flags().log(), "warn");
        assert_eq!(invocation.flags().log_format(), LogFormat::Json);
    }
    assert_eq!(verb(&["--format", "json", "plan"]).verb(), Verb::Plan(PlanFormat::Json));
}

#[test]
fn the_value_of_a_flag_is_no_verb() {
    let invocation = verb(&["--config-dir", "check"]);
    assert_eq!(invocation.verb(), Verb::Run);
    assert_eq!(invocation.flags().config_dir(), Path::new("check"));
    assert_eq!(verb(&["--config-dir=check", "plan"]).verb(), Verb::Plan(PlanFormat::Text));
}

#[test]
fn the_plan_has_a_format() {
    assert_eq!(verb(&["plan"]).verb(), Verb::Plan(PlanFormat::Text));
    assert_eq!(verb(&["plan", "--format", "mermaid"]).verb(), Verb::Plan(PlanFormat::Mermaid));
    assert_eq!(verb(&["plan", "--format=json"]).verb(), Verb::Plan(PlanFormat::Json));
    assert!(refused(&["plan", "--format", "dot"]).contains("[possible values: text, mermaid, json]"));
    assert!(refused(&["check", "--format", "json"]).contains("unexpected argument '--format'"));
}

#[test]
fn help_lists_verbs_and_flags() {
    let help = shown(&["--help"]);
    for part in [
        "Usage: greeter [OPTIONS] [VERB]",
        "Verbs:",
        "check",
        "--config-dir <DIR>",
        "[default: config]",
        "[possible values: development, production, test]",
    ] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert_eq!(shown(&["help"]), help);
    assert_eq!(shown(&["-h"]), help);
    assert!(shown(&["plan", "--help"]).contains("Usage: greeter plan [OPTIONS]"));
    assert!(shown(&["help", "plan"]).contains("--format <FORMAT>"));
}

#[test]
fn the_version_is_shown() {
    assert_eq!(shown(&["--version"]), "greeter 1.2.3\n");
    assert_eq!(shown(&["check", "-V"]), "greeter 1.2.3\n");
    let Ok(Parsed::Shown(text)) = Cli::new("greeter").parse_from(["greeter", "-V"]) else {
        panic!("no text")
    };
    assert_eq!(text, format!("greeter (built with mainstay {})\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_verb_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    let text = refused(&["chekc"]);
    assert!(text.starts_with("error: unrecognized subcommand 'chekc'\n"), "{text}");
    assert!(text.contains("a similar subcommand exists: 'check'"), "{text}");
    assert!(refused(&["--log", "warn", "serve"]).contains("unrecognized subcommand 'serve'"));
    assert!(refused(&["check", "plan"]).contains("unexpected argument 'plan' found"));
}

#[test]
fn what_cannot_be_understood_is_refused_in_claps_words() {
    assert!(refused(&["--no-such-flag"]).starts_with("error: unexpected argument '--no-such-flag' found"));
    assert!(refused(&["--run-mode", "fast"]).contains("invalid value 'fast' for '--run-mode <MODE>'"));
    assert!(refused(&["--config-dir"]).contains("a value is required for '--config-dir <DIR>'"));
    assert!(refused(&["--log-formt", "json"]).contains("a similar argument exists: '--log-format'"));
}

#[test]
fn an_application_adds_verbs_and_sets_the_default_of_the_log() {
    let cli = Cli::new("g").verb("tour", "Show what it can do").log_default("warn");
    let Ok(Parsed::Verb(invocation)) = cli.parse_from(["g", "tour", "--run-mode", "test"]) else {
        panic!("no verb")
    };
    assert_eq!(invocation.verb(), Verb::Own("tour"));
    assert_eq!(invocation.flags().log(), "warn");
    let Ok(Parsed::Shown(help)) = cli.parse_from(["g", "--help"]) else { panic!("no help") };
    assert!(help.contains("tour") && help.contains("Show what it can do"), "{help}");
    assert!(help.contains("[default: warn]"), "{help}");

    for taken in ["check", "help"] {
        let error = Cli::new("g").verb(taken, "mine").parse_from(["g"]).unwrap_err();
        assert_eq!((error.code().id, error), ("MS0505", CliError::VerbTaken { verb: taken }));
    }
}
