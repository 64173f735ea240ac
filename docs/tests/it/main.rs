//! The pages are followed: what they say to start is started, and what they say one sees is seen.
#![cfg(unix)]

mod folder;
mod followed;
#[allow(clippy::disallowed_methods, reason = "a page shows it to those who write a test of their own")]
mod greeter;
mod how_to;
mod testing;
mod tutorial;
