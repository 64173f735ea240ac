//! Names, asked for at a name server of the test's own, with the time as an argument.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::ResolverOpts;
use hyper::http::uri::Authority;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::ask::Asker;
use super::names::{Name, Names};
use super::{Connect, Dns};
use crate::drive::{NameServer, Says};
use crate::settings::reading;

fn asker(server: &NameServer) -> Asker {
    let mut options = ResolverOpts::default();
    (options.timeout, options.attempts) = (Duration::from_millis(50), 0);
    Asker::of(&[server.address()], options).unwrap()
}

fn known(name: &Name) -> Vec<IpAddr> {
    let mut known = name.load().addresses.to_vec();
    known.sort_unstable();
    known
}

fn ip(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

#[tokio::test]
async fn a_name_is_asked_for_anew_when_its_ttl_is_over_and_what_changed_is_taken() {
    let server = NameServer::start().await.unwrap();
    let (name, asker, now) = (Name::new("db.test".to_owned()), asker(&server), Instant::now());
    server.addresses(&[1, 2], 30);
    name.refresh(&asker, || now).await;
    assert_eq!((known(&name), name.load().next()), (vec![ip(1), ip(2)], Some(now + Duration::from_secs(30))));
    server.addresses(&[3], 60);
    let later = now + Duration::from_secs(30);
    name.refresh(&asker, || later).await;
    assert_eq!((known(&name), name.load().next()), (vec![ip(3)], Some(later + Duration::from_secs(60))));
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_server_that_stops_answering_takes_nothing_away_and_its_age_is_said() {
    let server = NameServer::start().await.unwrap();
    let (name, asker, now) = (Name::new("db.test".to_owned()), asker(&server), Instant::now());
    server.addresses(&[1], 10);
    name.refresh(&asker, || now).await;
    for says in [Says::Nothing, Says::NoSuchName] {
        server.says(says);
        let later = now + Duration::from_secs(72);
        name.refresh(&asker, || later).await;
        assert_eq!(known(&name), [ip(1)]);
        let said = name.load().said(later).to_string();
        assert!(said.starts_with("127.0.0.1, stale for 62 s: "), "{said}");
        assert!(name.load().next().unwrap() <= later + Duration::from_secs(2));
    }
    server.addresses(&[2], 10);
    name.refresh(&asker, || now).await;
    assert_eq!(
        (known(&name), name.load().said(now).to_string()),
        (vec![ip(2)], "127.0.0.2 for 10 s".to_owned())
    );
}

fn settings(server: &NameServer, servers: &str) -> crate::settings::Settings {
    let text =
        format!("dns: {{servers: ['{}']}}\nupstreams: {{a: {{servers: [{servers}]}}}}\n", server.address());
    reading(&text).settings
}

#[tokio::test]
async fn literal_addresses_are_not_asked_for_and_each_name_is_once() {
    let server = NameServer::start().await.unwrap();
    server.addresses(&[1], 10);
    let none = Names::of(&settings(&server, "'127.0.0.1:80', '[::1]:80', built-in"), None).await.unwrap();
    assert!(none.asker().is_none() && none.all().count() == 0 && server.asked() == 0);
    let names = settings(&server, "'one.test:80', 'one.test:81', 'two.test:80', '10.0.0.1:80'");
    let names = Names::of(&names, None).await.unwrap();
    let hosts: Vec<&str> = names.all().map(|name| name.host.as_str()).collect();
    assert_eq!((hosts, server.asked()), (vec!["one.test", "two.test"], 2));
}

#[tokio::test]
async fn a_reload_asks_for_new_names_only_and_keeps_what_is_known_of_the_others() {
    let server = NameServer::start().await.unwrap();
    server.addresses(&[1], 10);
    let before = Names::of(&settings(&server, "'one.test:80'"), None).await.unwrap();
    server.addresses(&[2], 10);
    let after = Names::of(&settings(&server, "'one.test:80', 'two.test:80'"), Some(&before)).await.unwrap();
    assert_eq!(known(after.get("one.test").unwrap()), [ip(1)]);
    assert_eq!(known(after.get("two.test").unwrap()), [ip(2)]);
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_answers_and_a_name_without_one_says_why() {
    let server = NameServer::start().await.unwrap();
    // Nobody listens at the first of the two.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    server.addresses(&[9, 1], 10);
    let dns = Dns::default();
    let names = format!("'one.test:{port}'");
    dns.names.publish(Names::of(&settings(&server, &names), None).await.unwrap());
    let connect = Connect::new(Arc::new(dns));
    let to = |host: &str| Authority::try_from(format!("{host}:{port}")).unwrap();
    assert_eq!(
        connect.to(&to("one.test")).await.unwrap().peer_addr().unwrap(),
        listener.local_addr().unwrap()
    );
    connect.to(&to("127.0.0.1")).await.unwrap();
    let asked = server.asked();
    let wrong = connect.to(&to("two.test")).await.unwrap_err().to_string();
    assert_eq!((wrong.as_str(), server.asked()), ("two.test: no address", asked));
}
