//! TLS: certificates are replaced under the connections, and a handshake holds nothing.

use std::sync::Arc;
use std::time::Duration;

use mainstay_hyper::{Server, Tls};
use mainstay_registry::Deadlines;
use mainstay_sync::Snapshot;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::support::{Up, becomes, ends, get, hello, up_on, within};

fn certified() -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    (cert.der().clone(), Arc::new(config.unwrap()))
}

async fn connect(server: &Up, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    within(connector.connect("localhost".try_into().unwrap(), server.connect().await)).await
}

async fn tls(config: &Arc<Snapshot<Arc<ServerConfig>>>, server: Server) -> Up {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    up_on(server, Deadlines::new(), Tls::new(listener, Arc::clone(config)), address).await
}

/// With a configuration that is taken once the new certificate is seen by nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_counts_for_new_connections_and_open_ones_keep_theirs() {
    let (old, config) = certified();
    let snapshot = Arc::new(Snapshot::new(config));
    let server = tls(&snapshot, Server::new()).await;
    let mut first = connect(&server, &old).await.unwrap();
    first.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut first).await;

    let (new, config) = certified();
    snapshot.publish(config);
    connect(&server, &old).await.unwrap_err();
    let mut second = connect(&server, &new).await.unwrap();
    for client in [&mut first, &mut second] {
        client.write_all(get("/").as_bytes()).await.unwrap();
        hello(client).await;
    }
    let down = server.down().await;
    assert_eq!((down.served.requests, down.served.cut.len()), (3, 0), "{}", down.served);
}

/// Without the last call a client that does not shake hands holds the stop until its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_handshake_holds_neither_the_others_nor_a_stop() {
    let (trusted, config) = certified();
    let server = tls(&Arc::new(Snapshot::new(config)), Server::new()).await;
    let mut silent = server.connect().await;
    let mut half = server.sent("\x16\x03\x01\x02\x00").await;
    let mut whole = connect(&server, &trusted).await.unwrap();
    whole.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut whole).await;
    becomes(|| server.note().starts_with("3 open")).await;
    let down = server.down().await;
    assert!(down.took < Duration::from_secs(2), "{:?}", down.took);
    assert_eq!(down.served.accepted, 3);
    for stream in [&mut silent, &mut half] {
        ends(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_handshakes_fail_and_nothing_else() {
    let (trusted, config) = certified();
    let snapshot = Arc::new(Snapshot::empty());
    let server = tls(&snapshot, Server::new()).await;
    connect(&server, &trusted).await.unwrap_err();
    snapshot.publish(config);
    connect(&server, &trusted).await.unwrap();
    assert_eq!(server.down().await.served.accepted, 2);
}
