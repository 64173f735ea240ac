//! Values that are replaced whole, the epochs that make several of them one, and the transaction of a reload.

pub use mainstay_sync::snapshot::{Epochs, Loaded, Open, Pinned, Reader, Snapshot, Transaction};
