//! The codes of the plan and of the registry: `MS01xx`. The documentation of each is its page of the manual.

mod graph;
mod policies;
mod store;

pub use self::{
    graph::{CYCLE, MISSING, MISSING_BINDING},
    policies::{BAD_POLICY, DOUBTFUL_POLICY},
    store::{
        DUPLICATE_NAME, DUPLICATE_TYPE, EMPTY_DEP, NOT_REGISTERED, NOT_RELOADABLE, PANICKED, PULLED, SEALED,
        UNKNOWN_NAME, UNREGISTERED_BINDING,
    },
};

use crate::Code;

const PARTS: [&[Code]; 3] = [graph::ALL, store::ALL, policies::ALL];

/// All codes of this crate, in order.
pub const ALL: &[Code] = &joined::<{ PARTS[0].len() + PARTS[1].len() + PARTS[2].len() }>();

const fn joined<const N: usize>() -> [Code; N] {
    let mut all = [PARTS[0][0]; N];
    let (mut part, mut at, mut next) = (0, 0, 0);
    while part < PARTS.len() {
        if at < PARTS[part].len() {
            all[next] = PARTS[part][at];
            (at, next) = (at + 1, next + 1);
        } else {
            (part, at) = (part + 1, 0);
        }
    }
    all
}
