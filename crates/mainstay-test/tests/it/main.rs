//! The promises of the test kit.

mod daemon;
mod harness;
mod matrix;
mod planted;
mod sample;
