//! Every Rust block of the guide and of the pages on migrating, compiled and run as a doc test.
//!
//! The programs that the pages show whole are in `examples`; tests start them as real processes.

/// One module for each page, for its doc tests alone.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../", $path))]
            pub mod $name {}
        )*
    };
}

pages! {
    readme: "guide/README.md",
    kubernetes: "guide/kubernetes.md",
    logging: "guide/logging.md",
    slow_stop: "guide/slow-stop.md",
    stuck_start: "guide/stuck-start.md",
    systemd: "guide/systemd.md",
    testing: "guide/testing.md",
    tutorial_1: "guide/tutorial-1.md",
    tutorial_2: "guide/tutorial-2.md",
    tutorial_3: "guide/tutorial-3.md",
    why: "guide/why.md",
    from_continuo: "migrating/from-continuo.md",
    from_select: "migrating/from-select.md",
    from_tokio_graceful_shutdown: "migrating/from-tokio-graceful-shutdown.md",
}
