//! Admits up to a limit, in order of arrival, and drains.
//!
//! The path belongs to the frozen names of mainstay, so that `use mainstay::gate` means the same in every version.

pub use mainstay_sync::gate::{
    Drained, Enter, EnterError, EnterOwned, Gate, OwnedPermit, Permit, TryEnterError,
};
