//! The promises of the test kit.

mod harness;
