//! The application's own flags, merged through `clap::Args`.

use clap::{Args, Subcommand};
use mainstay_cli::{Cli, CliError, OwnArgs, Parsed, Verb};

/// A greeter of people.
#[derive(Args, Debug, PartialEq)]
struct Http {
    /// Where to listen
    #[arg(long, short)]
    port: u16,
    /// Whom to greet
    #[arg(long, num_args = 1..)]
    whom: Vec<String>,
    #[arg(long, short, conflicts_with = "plain")]
    tls: bool,
    #[arg(long)]
    plain: bool,
}

#[derive(Args, Debug, PartialEq)]
struct Files {
    /// What to serve
    file: Option<String>,
}

fn parse<A: Args + Send + Sync + 'static>(words: &[&str]) -> Result<(Verb, OwnArgs), CliError> {
    match Cli::new("g").args::<A>().parse_from(std::iter::once("g").chain(words.iter().copied()))? {
        Parsed::Verb(invocation) => {
            let (verb, _, own) = invocation.into_parts();
            Ok((verb, own))
        }
        other => panic!("{words:?} is no verb: {other:?}"),
    }
}

#[test]
fn own_flags_stand_before_and_behind_the_verb_also_required_ones() {
    for words in [&["-p80", "check", "-t"][..], &["check", "--port=80", "-t"], &["-tp", "80", "check"]] {
        let (verb, own) = parse::<Http>(words).unwrap();
        assert_eq!(verb, Verb::Check, "{words:?}");
        let http = own.get::<Http>().unwrap();
        assert_eq!((http.port, http.tls, http.plain), (80, true, false), "{words:?}");
    }
    let (verb, own) = parse::<Http>(&["--port", "80"]).unwrap();
    assert_eq!((verb, own.get::<Http>().unwrap().port), (Verb::Run, 80));
    assert!(own.get::<Files>().is_none());
}

#[test]
fn rules_between_own_flags_hold_across_the_verb() {
    let Err(error) = parse::<Http>(&["-p", "80", "--tls", "check", "--plain"]) else { panic!("accepted") };
    assert!(error.to_string().contains("the argument '--tls' cannot be used with '--plain'"), "{error}");
    let Err(error) = parse::<Http>(&["check"]) else { panic!("accepted") };
    assert!(error.to_string().contains("--port <PORT>"), "{error}");
}

#[test]
fn a_flag_with_many_values_takes_what_clap_would_take() {
    let (verb, own) = parse::<Http>(&["--whom", "ann", "check", "--port", "1"]).unwrap();
    assert_eq!(verb, Verb::Run);
    assert_eq!(own.get::<Http>().unwrap().whom, ["ann", "check"]);
}

#[test]
fn a_positional_value_is_no_verb_and_a_verb_is_no_value() {
    let (verb, own) = parse::<Files>(&["index.html"]).unwrap();
    assert_eq!((verb, own.get::<Files>().unwrap().file.as_deref()), (Verb::Run, Some("index.html")));
    let (verb, own) = parse::<Files>(&["check", "index.html"]).unwrap();
    assert_eq!((verb, own.get::<Files>().unwrap().file.as_deref()), (Verb::Check, Some("index.html")));
    let (verb, own) = parse::<Files>(&["--", "check"]).unwrap();
    assert_eq!((verb, own.get::<Files>().unwrap().file.as_deref()), (Verb::Run, Some("check")));
}

#[test]
fn several_types_are_merged_and_one_type_is_merged_once() {
    let cli = Cli::new("g").args::<Http>().args::<Files>().args::<Http>();
    let Ok(Parsed::Verb(invocation)) = cli.parse_from(["g", "run", "index.html", "-p", "1"]) else {
        panic!("not understood")
    };
    let (_, _, own) = invocation.into_parts();
    assert_eq!(own.get::<Http>().unwrap().port, 1);
    assert_eq!(own.get::<Files>().unwrap().file.as_deref(), Some("index.html"));
}

#[test]
fn own_flags_are_in_the_help() {
    let Ok(Parsed::Shown(help)) = Cli::new("g").args::<Http>().parse_from(["g", "--help"]) else {
        panic!("no help")
    };
    for part in ["A greeter of people", "--port <PORT>", "Where to listen", "Daemon options:", "Verbs:"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
}

#[test]
fn a_flag_that_is_taken_is_an_error_that_names_both() {
    #[derive(Args, Debug)]
    struct Mine {
        #[arg(long = "log")]
        file: Option<String>,
    }
    #[derive(Args, Debug)]
    struct Port {
        #[arg(long)]
        port: u16,
    }

    let error = Cli::new("g").args::<Mine>().parse_from(["g"]).unwrap_err();
    assert_eq!(error.code().id, "MS0503");
    let text = error.to_string();
    assert!(text.starts_with("error[MS0503]: the flag `--log` of `it::own::a_flag_that_is_taken"), "{text}");
    assert!(text.contains("collides with one of the daemon's own\n"), "{text}");

    let error = Cli::new("g").args::<Http>().args::<Port>().parse_from(["g"]).unwrap_err();
    assert!(error.to_string().contains("::Port` collides with one of `it::own::Http`"), "{error}");
}

#[test]
fn a_field_may_be_called_like_a_flag_of_the_daemon() {
    #[derive(Args, Debug)]
    struct Mine {
        #[arg(long = "my-log")]
        log: Option<String>,
    }
    let (_, own) = parse::<Mine>(&["--my-log", "x", "--log", "warn"]).unwrap();
    assert_eq!(own.get::<Mine>().unwrap().log.as_deref(), Some("x"));
}

#[test]
fn subcommands_of_the_application_are_an_error() {
    #[derive(Args, Debug)]
    struct Mine {
        #[command(subcommand)]
        verb: MyVerb,
    }
    #[derive(Subcommand, Debug)]
    enum MyVerb {
        Migrate,
    }
    let error = Cli::new("g").args::<Mine>().parse_from(["g", "migrate"]).unwrap_err();
    assert_eq!(error.code().id, "MS0504");
}
