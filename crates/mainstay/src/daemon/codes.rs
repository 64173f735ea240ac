//! The codes of what a daemon is refused for before its runtime starts.

mainstay_registry::codes! {
    /// `main` was called inside a tokio runtime
    ///
    /// `Daemon::builder(..)…main()` owns the process and builds the application's runtime itself. Inside a
    /// runtime that somebody else has built (a `#[tokio::main]`, a `#[tokio::test]`) it cannot keep what it
    /// promises, and starts nothing.
    ///
    /// Either make `main` an ordinary function:
    ///
    /// ```text
    /// fn main() -> mainstay::Outcome { Daemon::builder("greeter").insert(..).main() }
    /// ```
    ///
    /// or keep your runtime and use the other door, which owns only the lifecycle:
    ///
    /// ```text
    /// let outcome = Runtime::new(registry, state).run().await;
    /// ```
    MS0511 INSIDE_A_RUNTIME;

    /// the application's tokio runtime could not be built
    ///
    /// The function given to `DaemonBuilder::tokio` panicked, or the operating system refused what a
    /// runtime needs (threads, file descriptors). Nothing was started.
    MS0512 NO_TOKIO_RUNTIME;

    /// flags were asked for that were not declared
    ///
    /// `Daemon::args::<A>()` was called for a type that was not given to `DaemonBuilder::args::<A>()`.
    /// Declare it there, or ask with `try_args`.
    MS0513 ARGS_NOT_DECLARED;

    /// the application panicked outside of its hooks
    ///
    /// Something that belongs to no provider panicked on the main thread: a value parser of a flag, a verb
    /// of the application's, a function given to `DaemonBuilder::runtime`, or the destructor of a provider
    /// that was never started. The process exits with 1; the panic's own line, with its place, is printed
    /// above the report.
    MS0514 PANICKED;
}
