//! Programs that answer one question each.
