//! The codes of the plan and of the registry: `MS01xx`. The documentation of each is its page of the manual.

crate::codes! {
    /// A required provider is not registered
    MS0101 MISSING;
    /// Providers need each other in a circle
    MS0102 CYCLE;
    /// Nothing is bound to a required trait
    MS0103 MISSING_BINDING;
    /// A type is registered twice
    MS0104 DUPLICATE_TYPE;
    /// The registry is sealed
    MS0105 SEALED;
    /// A type that was looked up is not registered
    MS0106 NOT_REGISTERED;
    /// Two providers have the same name
    MS0107 DUPLICATE_NAME;
    /// A provider panicked while it was planned
    MS0108 PANICKED;
    /// A priority was overruled by an edge
    MS0109 PULLED;
    /// A type is bound to a trait and not registered
    MS0110 UNREGISTERED_BINDING;
    /// A dependency was used before it was filled
    MS0111 EMPTY_DEP;
    /// No provider has the name
    MS0112 UNKNOWN_NAME;
    /// A provider cannot be reloaded
    MS0113 NOT_RELOADABLE;
}
