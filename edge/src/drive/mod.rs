//! What drives an edge from outside: its process, a client, load, and a name server. The tour and the tests use it.

mod child;
mod client;
mod crossed;
mod load;
mod names;

pub use self::child::{Child, Ended, Said};
pub use self::client::{Answer, Client, Failed};
pub use self::crossed::Crossed;
pub use self::load::{Load, Tally};
pub use self::names::{NameServer, Says};
