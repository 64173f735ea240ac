//! The pages of `plan`: the formats, the broken graph, the exit codes.

use std::sync::Arc;

use mainstay_cli::{PlanFormat, plan_page, refused_warnings};
use mainstay_registry::{Dependencies, Provider, Registry};

struct Settings;
impl Provider<()> for Settings {
    fn name(&self) -> &'static str {
        "settings"
    }
}

struct Http(&'static str);
impl Provider<()> for Http {
    fn name(&self) -> &'static str {
        self.0
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().requires::<Settings>()
    }
}

#[test]
fn a_plan_is_printed_in_each_format() {
    let registry = Registry::new();
    registry.insert(Arc::new(Http("http"))).insert(Arc::new(Settings));
    let plan = registry.plan().unwrap();
    for (format, expected) in [
        (PlanFormat::Text, plan.to_text()),
        (PlanFormat::Mermaid, plan.to_mermaid()),
        (PlanFormat::Json, plan.to_json()),
    ] {
        let page = plan_page(Ok(&plan), format);
        assert_eq!(page.exit_code, 0);
        assert_eq!(page.text.trim_end(), expected.trim_end());
        assert!(page.text.ends_with('\n') && page.text.contains("settings"), "{}", page.text);
    }
}

#[test]
fn a_broken_graph_is_printed_in_each_format_and_would_not_start() {
    let registry = Registry::new();
    registry.insert(Arc::new(Http("http")));
    let broken = registry.plan().unwrap_err();
    for format in [PlanFormat::Text, PlanFormat::Mermaid, PlanFormat::Json] {
        let page = plan_page(Err(&broken), format);
        assert_eq!(page.exit_code, 78);
        assert!(page.text.contains("http") && page.text.contains("Settings"), "{}", page.text);
    }
}

#[test]
fn names_that_are_not_unique_would_not_start() {
    let registry = Registry::new();
    registry.insert(Arc::new(Http("settings"))).insert(Arc::new(Settings));
    let plan = registry.plan().unwrap();
    assert_eq!(plan_page(Ok(&plan), PlanFormat::Text).exit_code, 78);
    let refused: Vec<_> = refused_warnings(&plan).map(ToString::to_string).collect();
    assert!(matches!(&refused[..], [one] if one.contains("'settings'")), "{refused:?}");
}
