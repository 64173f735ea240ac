//! Where edge listens, as it is written: at an address, or on a socket that it inherits.

use std::fmt;
use std::net::SocketAddr;

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// At an address, which edge binds.
    At(SocketAddr),
    /// On a socket that whoever started edge has bound: the only one, or that of this name.
    Inherited(Option<String>),
}

impl Listen {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let name = match text.strip_prefix("inherited") {
            Some("") => return Ok(Self::Inherited(None)),
            Some(rest) => rest.strip_prefix(':'),
            None => None,
        };
        match name {
            // What systemd takes for one.
            Some(name)
                if !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b':') =>
            {
                Ok(Self::Inherited(Some(name.to_owned())))
            }
            Some(name) => Err(format!("'{name}' is no name of a socket: printable ASCII without a ':'")),
            None => text.parse().map(Self::At).map_err(|_| {
                format!("'{text}' is neither an address like 127.0.0.1:8080 nor inherited nor inherited:NAME")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Inherited(None) => f.write_str("inherited"),
            Self::Inherited(Some(name)) => write!(f, "inherited:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown_as_it_was_written() {
        for text in ["127.0.0.1:8080", "[::1]:80", "inherited", "inherited:web", "inherited:edge.socket"] {
            assert_eq!(Listen::read(text).unwrap().to_string(), text);
        }
        for wrong in ["inherited:", "inherited:a:b", "inherited:\u{e4}", "inheritedweb", "80"] {
            let said = Listen::read(wrong).unwrap_err();
            assert!(said.contains(" is n"), "{said}");
        }
    }
}
