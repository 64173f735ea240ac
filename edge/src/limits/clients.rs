//! How many requests of each client are answered at this moment; of a client that has none, nothing is known.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

/// Parts of the table, each with a lock of its own: two threads seldom want the same.
const PARTS: usize = 16;
/// The most clients of one part, 65,536 in all: it is then about 100 KB.
const MOST: usize = 4096;

/// The clients that have requests inside.
///
/// A [`Gate`](mainstay::Gate) for each of them would be an allocation for every request of a client that has one at a
/// time, and a queue that nobody waits in: who is beyond this limit is refused at once. So there is a number, behind a
/// lock that is held for one step in a table, and never across an await.
#[derive(Debug, Default)]
pub(super) struct Clients {
    seed: RandomState,
    parts: [Mutex<Part>; PARTS],
}

type Part = HashMap<Client, usize, RandomState>;

/// One client: an address of version 4, or the first half of one of version 6, because whoever has one of those has all
/// that begin so (RFC 6177). The first 32 bits of a version 4 address are 1, which are no one's of version 6 (`::/8` is
/// reserved, RFC 4291).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(u64);

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// It has as many inside as it may.
    Client,
    /// There are as many clients as are known at a time.
    Table,
}

/// The right of one request of a client to be inside.
#[derive(Debug)]
pub(super) struct ClientPermit {
    clients: Arc<Clients>,
    client: Client,
}

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(1 << 32 | u64::from(u32::from(address))),
            IpAddr::V6(address) => Self(first_half(address)),
        }
    }
}

fn first_half(address: Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}

impl Clients {
    /// Lets one more request of a client in, if it has fewer than `most` there.
    ///
    /// # Errors
    ///
    /// Where it has not. With as many clients as the table holds, a new one is refused, as by `limit_conn` of nginx: to
    /// let it in uncounted would end the limit just when it is needed.
    pub(super) fn enter(self: &Arc<Self>, client: Client, most: NonZeroUsize) -> Result<ClientPermit, Full> {
        let mut part = self.part(client);
        let known = part.len();
        match part.entry(client) {
            Entry::Occupied(inside) if *inside.get() >= most.get() => return Err(Full::Client),
            Entry::Occupied(mut inside) => *inside.get_mut() += 1,
            Entry::Vacant(_) if known >= MOST => return Err(Full::Table),
            Entry::Vacant(new) => {
                new.insert(1);
            }
        }
        Ok(ClientPermit { clients: Arc::clone(self), client })
    }

    fn part(&self, client: Client) -> MutexGuard<'_, Part> {
        // By a hash with a secret, so that nobody fills one part on purpose, and by bits that the table does not look at.
        let part = (self.seed.hash_one(client) >> 32) as usize % PARTS;
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.parts.iter().map(|part| part.lock().unwrap().len()).sum()
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut part = self.clients.part(self.client);
        if let Entry::Occupied(mut inside) = part.entry(self.client) {
            *inside.get_mut() -= 1;
            if *inside.get() == 0 {
                inside.remove();
            }
        }
        // What a crowd has left behind is given back when it is gone.
        if part.is_empty() && part.capacity() > MOST / 16 {
            part.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::of(address.parse().unwrap())
    }

    fn most(most: usize) -> NonZeroUsize {
        NonZeroUsize::new(most).unwrap()
    }

    #[test]
    fn a_client_has_as_many_inside_as_it_may_and_others_have_theirs() {
        let clients = Arc::new(Clients::default());
        let (one, other) = (client("10.0.0.1"), client("10.0.0.2"));
        let inside = [clients.enter(one, most(2)).unwrap(), clients.enter(one, most(2)).unwrap()];
        assert_eq!(clients.enter(one, most(2)).unwrap_err(), Full::Client);
        // A reload may allow more, or less, which takes nothing from those inside.
        let more = clients.enter(one, most(3)).unwrap();
        assert_eq!(clients.enter(one, most(1)).unwrap_err(), Full::Client);
        let theirs = clients.enter(other, most(1)).unwrap();
        drop((inside, more));
        drop(clients.enter(one, most(1)).unwrap());
        drop(theirs);
    }

    #[test]
    fn a_network_of_version_6_is_one_client_and_a_mapped_address_is_what_it_maps() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_ne!(client("::1"), client("0.0.0.1"));
    }

    #[test]
    fn a_client_that_has_nothing_inside_costs_nothing() {
        let clients = Arc::new(Clients::default());
        for last in 0..50_000_u32 {
            drop(clients.enter(Client::of(IpAddr::from(last.to_be_bytes())), most(1)).unwrap());
        }
        assert_eq!(clients.count(), 0);
        let inside: Vec<_> = (0..50_000_u32)
            .map(|last| clients.enter(Client::of(IpAddr::from(last.to_be_bytes())), most(1)).unwrap())
            .collect();
        assert_eq!(clients.count(), 50_000);
        drop(inside);
        assert_eq!(clients.count(), 0);
        assert!(clients.parts.iter().all(|part| part.lock().unwrap().capacity() <= MOST / 16));
    }

    #[test]
    fn the_table_has_an_end_and_who_is_in_it_keeps_its_place() {
        let clients = Arc::new(Clients::default());
        let mut inside = Vec::new();
        let mut refused = 0;
        for last in 0..70_000_u32 {
            match clients.enter(Client::of(IpAddr::from(last.to_be_bytes())), most(2)) {
                Ok(permit) => inside.push(permit),
                Err(full) => {
                    assert_eq!(full, Full::Table);
                    refused += 1;
                }
            }
        }
        assert!(clients.count() <= PARTS * MOST && refused >= 70_000 - PARTS * MOST, "{refused}");
        assert!(refused < 10_000, "{refused}: they are not spread over the parts");
        drop(clients.enter(inside[0].client, most(2)).unwrap());
    }
}
