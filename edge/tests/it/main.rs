//! Edge as a real process: what it says, serves, refuses, and how it ends.
#![cfg(unix)]

mod access_log;
mod boot;
mod epochs;
mod files;
mod limits;
mod listen;
mod matrix;
mod memory;
mod place;
mod proxy;
mod reload;
mod reloads;
mod servers;
mod stats;
mod stop;
mod supervision;
mod tour;
mod upstreams;
