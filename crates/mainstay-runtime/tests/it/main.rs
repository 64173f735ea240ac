//! The promises of the runtime, through its public API, in one process.

#![allow(clippy::disallowed_methods, missing_docs, unreachable_pub, reason = "tests")]
#![allow(
    clippy::items_after_statements,
    clippy::similar_names,
    reason = "a test's types stand beside their use"
)]

mod blocked;
mod boot;
mod context;
mod control;
mod defects;
mod ends;
mod events;
mod intercept;
mod outcome;
mod panics;
mod progress;
mod pulse;
mod readiness;
mod reload;
mod restart;
mod rollback;
mod run;
mod stages;
mod stop;
mod stop_deadline;
mod supervise;
mod supervision;
mod support;
mod transaction;
mod validate;
