//! Snapshots that are replaced whole, and guards that are waited for.
