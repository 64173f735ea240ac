//! Takes over the listening sockets that whoever started edge hands it, as systemd does: `LISTEN_PID`, `LISTEN_FDS`, and
//! `LISTEN_FDNAMES`.
//!
//! The descriptor is duplicated and never closed: the kernel goes on to connect clients while nobody serves, a reload
//! may come back to it, and the next edge finds who waits. It is the duplicate that is edge's own, and closed in what
//! edge starts.

use std::net::TcpListener;

/// The first descriptor that is handed on; 0 to 2 are the standard ones.
const FIRST: i32 = 3;

/// Takes the socket of a name, or the only one.
///
/// # Errors
///
/// What was found, and what was expected.
pub(super) fn take(name: Option<&str>) -> Result<TcpListener, String> {
    let number = Handed::read(|variable| std::env::var(variable).ok())
        .for_process(std::process::id())
        .and_then(|all| choose(&all, name))?;
    listener(number)
}

/// What the environment says.
struct Handed {
    process: Option<String>,
    count: Option<String>,
    names: Option<String>,
}

impl Handed {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            process: variable("LISTEN_PID"),
            count: variable("LISTEN_FDS"),
            names: variable("LISTEN_FDNAMES"),
        }
    }

    /// The names of the descriptors for a process, in their order. One without a name is `unknown`, as systemd has it.
    fn for_process(&self, own: u32) -> Result<Vec<String>, String> {
        const INSTEAD: &str = "start edge from a .socket unit, or write an address like 127.0.0.1:8080";
        let Some(count) = &self.count else {
            return Err(format!("no socket was inherited, LISTEN_FDS is not set: {INSTEAD}"));
        };
        let process = self.process.as_deref().unwrap_or_default();
        if process.parse() != Ok(own) {
            return Err(format!(
                "no socket was inherited: they are for the process LISTEN_PID='{process}', and this is {own}"
            ));
        }
        let count: usize = match count.parse() {
            Ok(0) => return Err(format!("no socket was inherited, LISTEN_FDS is 0: {INSTEAD}")),
            Ok(count @ 1..=1024) => count,
            _ => return Err(format!("LISTEN_FDS='{count}' is not a number of sockets from 1 to 1024")),
        };
        let said = self.names.iter().flat_map(|names| names.split(':')).map(str::to_owned);
        Ok(said.chain(std::iter::repeat_with(|| "unknown".to_owned())).take(count).collect())
    }
}

/// The descriptor of a name, or the only one.
fn choose(all: &[String], name: Option<&str>) -> Result<i32, String> {
    let fits = |one: &String| name.is_none_or(|name| name == one);
    let mut fitting = (FIRST..).zip(all).filter(|(_, one)| fits(one));
    let there = || all.join(", ");
    match (fitting.next(), fitting.count(), name) {
        (Some((number, _)), 0, _) => Ok(number),
        (Some(_), _, None) => Err(format!(
            "{} sockets were inherited: say which, inherited:NAME (there are {})",
            all.len(),
            there()
        )),
        (Some(_), more, Some(name)) => Err(format!(
            "{} inherited sockets have the name '{name}': give each its own (FileDescriptorName=)",
            more + 1
        )),
        (None, _, name) => Err(format!(
            "no inherited socket has the name '{}': there are {}",
            name.unwrap_or_default(),
            there()
        )),
    }
}

/// A listener of the descriptor's socket, without any trust in the number.
#[cfg(target_os = "linux")]
fn listener(number: i32) -> Result<TcpListener, String> {
    use rustix::net::{SocketType, sockopt};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    // What is behind a number is known to the kernel alone: asked for one of this process, it gives a duplicate, closed
    // on exec, or an error where there is none.
    let own = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|process| pidfd_getfd(process, number, PidfdGetfdFlags::empty()))
        .map_err(|error| {
            format!(
                "cannot take over descriptor {number}: {error} (it takes Linux 5.6 and its call pidfd_getfd)"
            )
        })?;
    let kind = sockopt::socket_type(&own).ok();
    if kind != Some(SocketType::STREAM) || !sockopt::socket_acceptconn(&own).unwrap_or_default() {
        return Err(format!("descriptor {number} is not a stream socket that listens"));
    }
    let listener = TcpListener::from(own);
    listener
        .local_addr()
        .and_then(|_| listener.set_nonblocking(true))
        .map_err(|error| format!("descriptor {number} is not a socket of TCP: {error}"))?;
    Ok(listener)
}

#[cfg(not(target_os = "linux"))]
fn listener(_: i32) -> Result<TcpListener, String> {
    Err("sockets are inherited on Linux only: write an address like 127.0.0.1:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], name: Option<&str>) -> Result<i32, String> {
        let value = |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, v)| (*v).to_owned());
        Handed::read(value).for_process(7).and_then(|all| choose(&all, name))
    }

    #[test]
    fn one_socket_needs_no_name_and_several_do() {
        let one = [("LISTEN_PID", "7"), ("LISTEN_FDS", "1")];
        assert_eq!(chosen(&one, None), Ok(3));
        assert_eq!(chosen(&one, Some("unknown")), Ok(3));
        let three = [("LISTEN_PID", "7"), ("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "web:admin")];
        let three = |name| chosen(&three, name);
        assert_eq!((three(Some("web")), three(Some("admin")), three(Some("unknown"))), (Ok(3), Ok(4), Ok(5)));
        let said = "3 sockets were inherited: say which, inherited:NAME (there are web, admin, unknown)";
        assert_eq!(three(None).unwrap_err(), said);
        let said = "no inherited socket has the name 'api': there are web, admin, unknown";
        assert_eq!(three(Some("api")).unwrap_err(), said);
    }

    #[test]
    fn what_is_for_nobody_or_another_is_not_taken() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[], "LISTEN_FDS is not set: start edge from a .socket unit, or write an address"),
            (&[("LISTEN_FDS", "1")], "LISTEN_PID='', and this is 7"),
            (&[("LISTEN_PID", "8"), ("LISTEN_FDS", "1")], "LISTEN_PID='8', and this is 7"),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "0")], "LISTEN_FDS is 0"),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "-1")], "LISTEN_FDS='-1' is not a number of sockets"),
        ];
        for (variables, part) in cases {
            let said = chosen(variables, None).unwrap_err();
            assert!(said.contains(part), "{said}");
        }
        let twice = [("LISTEN_PID", "7"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a:a")];
        assert!(chosen(&twice, Some("a")).unwrap_err().starts_with("2 inherited sockets have the name 'a'"));
    }
}
