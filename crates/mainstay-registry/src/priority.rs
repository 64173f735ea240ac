//! The five named priorities: lower runs earlier, no priority means [`NORMAL`].
//!
//! Priorities are for the rough order of a daemon (configuration first, listeners last); an exact order
//! between two providers is a [dependency](crate::Dependencies). Each priority is a *level* of the plan, and
//! levels are barriers: all of a level comes before any of the next.

/// Before everything else: configuration, logging.
pub const FIRST: u8 = 0;
/// Before the ordinary: name resolution, clocks, metrics.
pub const EARLY: u8 = 50;
/// The ordinary place, and the meaning of `None`.
pub const NORMAL: u8 = 100;
/// After the ordinary: what serves others.
pub const LATE: u8 = 150;
/// After everything else: what tells the world that the daemon is there.
pub const LAST: u8 = 255;

/// The word for a level that has one.
pub(crate) fn word(level: u8) -> Option<&'static str> {
    match level {
        FIRST => Some("first"),
        EARLY => Some("early"),
        NORMAL => Some("normal"),
        LATE => Some("late"),
        LAST => Some("last"),
        _ => None,
    }
}
