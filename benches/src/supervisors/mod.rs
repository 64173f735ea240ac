//! The same two pieces of work under every supervisor: a task that keeps crashing, and a crowd that waits to be stopped.
//!
//! Each contender does it by its own means, with the settings that make it fastest, and calls the same code at the same
//! moments. What a moment means (a time, an amount of memory) is the caller's.

mod crasher;
mod crowd;

pub mod bare;
pub mod graceful;
pub mod ours;
pub mod ractor;
pub mod task_supervisor;

pub use self::crasher::{Crash, Crashed, Crasher, say_nothing_of_crashes};
pub use self::crowd::{Crowd, Moment};

use std::future::Future;
use std::pin::Pin;

/// What a contender does with it, from its start to its end.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to supervise tasks.
#[derive(Clone, Copy)]
pub struct Contender {
    /// What it is called in a table.
    pub name: &'static str,
    /// Whether an aim is for it.
    pub whose: Whose,
    /// Starts the crasher again until it is done; without, if it does not.
    pub restart: Option<fn(Crasher) -> Work>,
    /// Starts the crowd and stops it, marking each moment; without, if it does not.
    pub crowd: Option<fn(Crowd) -> Work>,
}

/// Whose a contender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The floor, or a rival.
    Theirs,
    /// Ours, for comparison.
    Ours,
    /// Ours, and the aims are for it.
    OursToMeet,
}

/// Makes a contender's field of an `async fn`.
macro_rules! by {
    ($work:path) => {
        Some(|subject| Box::pin($work(subject)))
    };
}

/// Everybody, the bare one first: it is what the others are compared with.
pub const CONTENDERS: &[Contender] = &[
    Contender {
        name: "bare JoinSet",
        whose: Whose::Theirs,
        restart: by!(bare::restart),
        crowd: by!(bare::crowd),
    },
    Contender {
        name: "bare loop in one task",
        whose: Whose::Theirs,
        restart: by!(bare::restart_in_a_loop),
        crowd: None,
    },
    Contender {
        name: "JoinSet, names, tokens",
        whose: Whose::Theirs,
        restart: None,
        crowd: by!(bare::crowd_of_named),
    },
    Contender {
        name: "mainstay, a runnable",
        whose: Whose::OursToMeet,
        restart: by!(ours::restart_of_a_runnable),
        crowd: None,
    },
    Contender {
        name: "mainstay, cx.supervise",
        whose: Whose::OursToMeet,
        restart: by!(ours::restart_of_a_child),
        crowd: by!(ours::crowd_of_children),
    },
    Contender {
        name: "mainstay, cx.spawn",
        whose: Whose::Ours,
        restart: None,
        crowd: by!(ours::crowd_of_plain_children),
    },
    Contender {
        name: "tokio-graceful-shutdown",
        whose: Whose::Theirs,
        restart: by!(graceful::restart),
        crowd: by!(graceful::crowd),
    },
    Contender {
        name: "task-supervisor",
        whose: Whose::Theirs,
        restart: by!(task_supervisor::restart),
        crowd: by!(task_supervisor::crowd),
    },
    Contender {
        name: "task-supervisor, add_task",
        whose: Whose::Theirs,
        restart: None,
        crowd: by!(task_supervisor::crowd_added),
    },
    Contender {
        name: "ractor-supervisor",
        whose: Whose::Theirs,
        restart: by!(ractor::restart),
        crowd: by!(ractor::crowd),
    },
];
