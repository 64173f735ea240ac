//! How a snapshot is named where it can not be pointed at.

use std::any::type_name;
use std::fmt;
use std::panic::Location;

/// The type of a snapshot's value and the place where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    type_name: &'static str,
    site: &'static Location<'static>,
}

impl Made {
    #[track_caller]
    pub(super) fn here<T>() -> Self {
        Self { type_name: type_name::<T>(), site: Location::caller() }
    }

    /// Returns the name of the value's type.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Returns the place where the snapshot was made.
    pub fn site(&self) -> &'static Location<'static> {
        self.site
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` made at {}", self.type_name, self.site)
    }
}
