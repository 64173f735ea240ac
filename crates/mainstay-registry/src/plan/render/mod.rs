//! A plan on paper: text, Mermaid and JSON, also of a broken graph.

mod json;
mod mermaid;
mod text;

pub(crate) use self::{json::json, mermaid::mermaid, text::text};
