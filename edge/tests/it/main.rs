//! Edge as a real process: what it says, serves, refuses, and how it ends.
#![cfg(unix)]

mod access_log;
mod boot;
mod crowd;
mod epochs;
mod files;
mod inherited;
mod limits;
mod listen;
mod matrix;
mod memory;
mod patience;
mod place;
mod proxy;
mod record;
mod reload;
mod reloads;
mod retries;
mod rolling;
mod servers;
mod smuggling;
mod stats;
mod stop;
mod streaming;
mod supervision;
mod tour;
mod tunnels;
mod upstreams;
mod websocket;
mod wrk;
