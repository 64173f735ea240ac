//! Opens a listener: one that is inherited, or bound where the settings say, or near it when nobody has said anything.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::inherited;
use crate::settings::{Listen, Origin};

/// How many ports above a taken one are tried.
const TRIES: u16 = 50;

/// Opens one, and says where it is.
///
/// # Errors
///
/// Why it cannot be, for people.
pub(super) async fn open(
    wanted: &Listen,
    origin: &Origin,
) -> Result<(SocketAddr, std::net::TcpListener), String> {
    let opened = match wanted {
        Listen::At(address) => bind(*address, origin).await.map_err(|error| error.to_string()),
        Listen::Inherited(name) => inherited::take(name.as_deref()),
    };
    opened
        .and_then(|listener| Ok((listener.local_addr().map_err(|error| error.to_string())?, listener)))
        .map_err(|problem| format!("cannot listen on {wanted}: {problem}"))
}

/// Binds an address. Only the built-in one gives way to the next free port: where somebody has written an
/// address, another one would be found by nobody.
async fn bind(wanted: SocketAddr, origin: &Origin) -> io::Result<std::net::TcpListener> {
    let tries = if *origin == Origin::BuiltIn { TRIES } else { 0 };
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && address.port() < wanted.port().saturating_add(tries) =>
            {
                address.set_port(address.port() + 1);
            }
            bound => return bound?.into_std(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[tokio::test]
    async fn only_the_built_in_port_gives_way() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let written = bind(address, &Origin::File(PathBuf::new())).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let given = bind(address, &Origin::BuiltIn).await.unwrap().local_addr().unwrap();
        assert!(given.port() > address.port() && given.ip() == address.ip());
    }
}
