//! Every example is started, used and stopped as a real process.
#![cfg(unix)]

mod background;
mod doors;
mod http;
mod index;
mod libraries;
#[cfg(feature = "otel")]
mod otel;
mod pools;
mod run;
#[cfg(feature = "tonic")]
mod tonic;
