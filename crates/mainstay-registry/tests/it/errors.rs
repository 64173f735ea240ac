//! Errors at the border: wrapping, round trips, chains of causes, and the pages of the codes.

use std::error::Error as _;

use mainstay_registry::{BoxError, Error, Override, Phase, Result, ResultExt, StdError, codes};

fn all() -> [Error; 6] {
    let source = || BoxError::from("cause");
    [
        Error::Boot { name: "a", source: source() },
        Error::Validate { name: "a", source: source() },
        Error::Reload { name: "a", source: source() },
        Error::Run { name: "a", source: source() },
        Error::Recoverable { name: "a", source: source() },
        Error::Other(source()),
    ]
}

#[test]
fn other_becomes_the_variant_of_its_phase_and_a_typed_one_stays() {
    let wrapped = |phase| Error::msg("x").in_phase(phase, "a");
    assert!(matches!(wrapped(Phase::Boot), Error::Boot { name: "a", .. }));
    assert!(matches!(wrapped(Phase::Validate), Error::Validate { name: "a", .. }));
    assert!(matches!(wrapped(Phase::Reload), Error::Reload { name: "a", .. }));
    assert!(matches!(wrapped(Phase::Run), Error::Run { name: "a", .. }));
    for phase in [Phase::Register, Phase::Plan, Phase::Stop, Phase::Shutdown] {
        assert!(matches!(wrapped(phase), Error::Other(_)));
    }
    for error in all().into_iter().take(5) {
        let text = error.to_string();
        assert_eq!(error.in_phase(Phase::Boot, "b").to_string(), text);
    }
}

#[test]
fn an_empty_name_is_filled_in_and_another_one_stays() {
    assert_eq!(Error::recoverable("x").named("a").name(), Some("a"));
    assert_eq!(Error::recoverable("x").name(), None);
    for error in all() {
        assert_ne!(error.named("b").name(), Some("b"));
    }
}

#[test]
fn every_variant_keeps_its_cause() {
    for error in all() {
        let text = error.to_string();
        let std = error.into_std();
        assert_eq!(std.to_string(), text);
        assert_eq!(std.source().unwrap().to_string(), "cause");
    }
}

#[test]
fn an_error_survives_the_way_out_and_back() {
    fn out(error: Error) -> Result<(), BoxError> {
        Err(error)?;
        Ok(())
    }
    fn back(error: StdError) -> Result<()> {
        Err(error)?;
        Ok(())
    }
    for error in all() {
        let text = error.to_string();
        let kind = std::mem::discriminant(&error);
        let error = back(error.into_std()).unwrap_err();
        assert_eq!(std::mem::discriminant(&error), kind);
        let error = out(error).boxed().unwrap_err();
        assert_eq!((std::mem::discriminant(&error), error.to_string()), (kind, text));
    }
}

#[test]
fn anything_boxed_becomes_other_or_invalid() {
    let text: Result<(), &str> = Err("plain");
    assert!(matches!(text.boxed(), Err(Error::Other(_))));
    let error = text.invalid().unwrap_err();
    assert_eq!(error.named("a").to_string(), "provider 'a' failed during validate: plain");
    let again: Result<()> = Err(Error::Validate { name: "a", source: "x".into() });
    assert_eq!(again.invalid().unwrap_err().to_string(), "provider 'a' failed during validate: x");
    let typed: Result<()> = Err(Error::Boot { name: "a", source: "x".into() });
    let error = typed.invalid().unwrap_err();
    assert_eq!(
        error.named("b").to_string(),
        "provider 'b' failed during validate: provider 'a' failed during boot: x"
    );
}

/// An error of another library around one of ours, as `anyhow` and `eyre` have it.
#[derive(Debug)]
struct Around(StdError);

impl std::fmt::Display for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("around")
    }
}

impl std::error::Error for Around {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn what_an_error_says_of_its_consequence_survives_every_way_it_may_go() {
    fn out(error: Error) -> Result<(), BoxError> {
        Err(error)?;
        Ok(())
    }
    let ways: [fn(Error) -> Error; 10] = [
        |error| error,
        |error| Err::<(), _>(error).doing("reading").unwrap_err(),
        |error| Err::<(), _>(error).doing("reading").doing("booting").unwrap_err(),
        |error| error.in_phase(Phase::Run, "b").named("c"),
        |error| error.into_std().into(),
        |error| out(error).boxed().unwrap_err(),
        |error| out(error).doing("reading").unwrap_err().in_phase(Phase::Boot, "b"),
        |error| Err::<(), _>(error).invalid().unwrap_err(),
        |error| Error::from(Around(error.into_std())),
        |error| Err::<(), BoxError>(Box::new(Around(error.into_std()))).doing("reading").unwrap_err(),
    ];
    for way in ways {
        for error in all() {
            assert_eq!(way(error).override_of_policy(), None);
        }
        for error in all() {
            let text = error.to_string();
            let kind = std::mem::discriminant(&error);
            let error = error.fatal();
            assert_eq!((error.to_string(), std::mem::discriminant(&error)), (text, kind));
            assert_eq!(way(error).override_of_policy(), Some(Override::Fatal));
        }
        for error in all() {
            assert_eq!(way(error.no_restart()).override_of_policy(), Some(Override::NoRestart));
        }
    }
}

#[test]
fn the_cause_of_a_fatal_error_is_the_error_itself() {
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error = Err::<(), _>(refused()).fatal().unwrap_err();
    assert!(error.cause().is::<std::io::Error>());
    assert!(error.into_std().source().unwrap().is::<std::io::Error>());
    let error = Err::<(), _>(refused()).no_restart().doing("connecting").unwrap_err();
    assert_eq!(error.to_string(), "connecting");
    assert!(error.cause().source().unwrap().is::<std::io::Error>(), "and once only");
    assert!(error.cause().source().unwrap().source().is_none());
}

#[test]
fn the_last_word_on_the_consequence_counts() {
    let error = Error::msg("x").fatal().no_restart();
    assert_eq!(error.override_of_policy(), Some(Override::NoRestart));
    assert_eq!(error.fatal().override_of_policy(), Some(Override::Fatal));
    let inner = Error::msg("x").fatal().into_std();
    let outer = Error::from(Around(inner)).no_restart();
    assert_eq!(outer.override_of_policy(), Some(Override::NoRestart));
}

#[test]
fn of_a_result_the_error_alone_is_changed() {
    assert_eq!(Ok::<_, BoxError>(1).fatal().unwrap(), 1);
    assert_eq!(Ok::<_, BoxError>(1).no_restart().unwrap(), 1);
    let text: Result<(), &str> = Err("plain");
    assert!(matches!(text.fatal(), Err(Error::Other(_))));
    let typed: Result<()> = Err(Error::recoverable("x"));
    assert!(matches!(typed.no_restart(), Err(Error::Recoverable { name: "", .. })));
}

/// A chain that bites its own tail.
#[derive(Debug)]
struct Endless;

impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("endless")
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Endless)
    }
}

#[test]
fn a_chain_without_an_end_says_nothing() {
    assert_eq!(Error::from(Endless).override_of_policy(), None);
    assert_eq!(Error::from(Endless).fatal().override_of_policy(), Some(Override::Fatal));
}

#[test]
fn every_code_has_its_page() {
    let mut ids = Vec::new();
    for code in codes::ALL {
        ids.push(code.id);
        assert!(code.id.starts_with("MS01") && code.id.len() == 6, "{code}");
        let title = code.title();
        assert!(!title.is_empty() && title.len() <= 60 && !title.ends_with('.'), "{code}: {title}");
        let page = code.markdown();
        assert!(page.starts_with(&format!("# {code}: {title}\n\n")), "{page}");
        for part in ["## What happened", "## What to do", "```rust"] {
            assert!(page.contains(part), "{code} has no {part}");
        }
        assert!(!page.contains("\n# fn") && !page.contains("\n# use"), "hidden lines in {code}");
        assert!(page.lines().all(|line| line.chars().count() <= 110), "{code}");
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
}
