//! The verbs of a daemon: its flags, its plan, its check.
