//! Unix sockets, and a router of axum's.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get as route;
use mainstay_hyper::{Connection, serve};
use mainstay_registry::Registry;
use mainstay_runtime::{RunContext, Runtime, Signals, runnable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{get, within};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_is_served_and_its_clients_named() {
    use std::net::SocketAddr;

    use mainstay_hyper::Server;
    use mainstay_registry::Deadlines;
    use tokio::net::{UnixListener, UnixStream};

    let path = std::env::temp_dir().join(format!("mainstay-hyper-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let server = crate::support::up_on(Server::new(), Deadlines::new(), listener, nowhere).await;
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(get("/peer").as_bytes()).await.unwrap();
    server.site.entered(1).await;
    // Nobody has accepted this one when the stop begins, or somebody has: it is answered.
    let mut late = UnixStream::connect(&path).await.unwrap();
    late.write_all(get("/").as_bytes()).await.unwrap();
    let down = server.down().await;
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with(&format!("unix:pid {}", std::process::id())), "{answer}");
    answer.clear();
    within(late.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(down.served.local, format!("unix:{}", path.display()));
    assert_eq!((down.served.accepted, down.served.cut.len()), (2, 0), "{}", down.served);
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_of_axum_is_a_service() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = Mutex::new(Some(listener));
    let http = runnable("http", move |(), cx: RunContext| {
        let listener = listener.lock().unwrap().take().unwrap();
        async move {
            let who = async |axum::Extension(connection): axum::Extension<Connection>| {
                connection.peer().to_string()
            };
            let served = serve(&cx, listener, Router::new().route("/who", route(who))).await?;
            assert!(served.cut.is_empty(), "{served}");
            Ok(())
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(http));
    let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /who HTTP/1.0\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with(&client.local_addr().unwrap().to_string()), "{answer}");
    running.control().shutdown("enough");
    assert_eq!(within(running.wait()).await.exit_code(), 0);
}
