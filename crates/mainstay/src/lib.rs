//! The lifecycle runtime for Rust daemons.
