//! What a command line means: flags, verbs, the application's own flags, and what is refused.

mod flags;
mod own;
mod plan;
