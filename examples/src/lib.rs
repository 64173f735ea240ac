//! Programs that answer one question each; they are in the folder `examples`.
//!
//! | program | question |
//! | --- | --- |
//! | `hello` | what does the smallest whole daemon look like? |
//! | `embedded` | how does a program with a `#[tokio::main]`, log, flags and state take the lifecycle in? |
//! | `anyhow` | where do the errors of anyhow cross into hooks, and back? |
//!
//! Each is started, used and stopped by a test in `tests/it`.
