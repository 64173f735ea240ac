//! The promises of the test kit.

mod harness;
mod matrix;
mod planted;
mod sample;
