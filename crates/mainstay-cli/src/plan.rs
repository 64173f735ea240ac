//! The page of `plan`: the plan, or the graph of which none can be made.

use mainstay_registry::{Plan, PlanError, PlanWarning};

use crate::page::Page;
use crate::verb::PlanFormat;

/// Prints a plan, or the broken graph with its culprits marked, as text, Mermaid or JSON.
///
/// The exit code says whether a runtime would start it: 78 for a broken graph, and for names that are not
/// unique.
///
/// ```
/// use mainstay_cli::{PlanFormat, plan_page};
/// use mainstay_registry::Registry;
///
/// let plan = Registry::<()>::new().plan();
/// assert_eq!(plan_page(plan.as_ref(), PlanFormat::Json).exit_code, 0);
/// ```
pub fn plan_page(plan: Result<&Plan, &PlanError>, format: PlanFormat) -> Page {
    let text = match (plan, format) {
        (Ok(plan), PlanFormat::Text) => plan.to_text(),
        (Ok(plan), PlanFormat::Mermaid) => plan.to_mermaid(),
        (Ok(plan), PlanFormat::Json) => plan.to_json(),
        (Err(error), PlanFormat::Text) => error.to_text(),
        (Err(error), PlanFormat::Mermaid) => error.to_mermaid(),
        (Err(error), PlanFormat::Json) => error.to_json(),
    };
    let starts = plan.is_ok_and(|plan| refused_warnings(plan).next().is_none());
    Page::new(text, if starts { 0 } else { 78 })
}

/// What the plan only warns of and the runtime refuses: names that are not unique.
pub fn refused_warnings(plan: &Plan) -> impl Iterator<Item = &PlanWarning> {
    plan.warnings().iter().filter(|warning| matches!(warning, PlanWarning::DuplicateName { .. }))
}
