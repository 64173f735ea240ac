//! The reference daemon of mainstay: a small HTTP reverse proxy and file server.

pub mod drive;
mod http;
mod settings;
mod upstream;
