//! Times operations beside their peers in the same run, and prints ratios.
//!
//! The machine is assumed to be noisy and shared. So all cases of a table take turns within each round, a round of
//! one case is some milliseconds, and what is printed is the median over the rounds. A ratio is the median of the
//! ratios *of each round*, in which both sides saw the same weather. Nanoseconds differ between machines and hours;
//! ratios are what to look at.

pub mod supervisors;
mod table;

pub use self::table::{Aim, Table};
