//! No connection outlives its generation, also when the server itself is aborted or dropped.

use std::sync::Arc;
use std::time::Duration;

use mainstay_hyper::{Server, service_fn};
use mainstay_registry::{Deadlines, Registry};
use mainstay_runtime::{RunContext, Runtime, Signals, runnable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

use crate::support::{Down, Lines, Site, becomes, ends, get, head, up_with, within};

/// Without the severed line the upgraded one stays open: no child of the generation holds it. Without the cut in the
/// server's drop they are not named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_generation_is_aborted_every_connection_is_closed_and_named() {
    let lines = Lines::collected();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (site, listener) = (Site::new(), std::sync::Mutex::new(Some(listener)));
    let theirs = site.clone();
    let http = runnable("http", move |(), cx: RunContext| {
        let (listener, site) = (listener.lock().unwrap().take().unwrap(), theirs.clone());
        async move {
            let site = service_fn(move |request| site.clone().answer(request));
            let mut serving = std::pin::pin!(Server::new().serve(&cx, listener, site));
            tokio::select! {
                biased;
                () = cx.shutdown_token().cancelled() => {}
                _ = &mut serving => {}
            }
            // It holds its server, and polls it no longer.
            std::future::pending().await
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(http.deadlines(Deadlines::new().stop(Duration::from_millis(300)))));
    let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
    let mut never = TcpStream::connect(address).await.unwrap();
    never.write_all(get("/never").as_bytes()).await.unwrap();
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let upgrade = "GET /deaf HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    deaf.write_all(upgrade.as_bytes()).await.unwrap();
    head(&mut deaf).await;
    site.entered(2).await;
    running.control().shutdown("enough");
    let outcome = within(running.wait()).await;
    assert_eq!(outcome.forced().len(), 1, "{outcome}");
    ends(&mut never).await;
    ends(&mut deaf).await;
    for (client, doing) in [(&never, "in an answer"), (&deaf, "upgraded")] {
        let name = format!("{} {doing} after", client.local_addr().unwrap());
        becomes(|| lines.with(&["connections were cut", "cut=2", &name]).is_some()).await;
    }
}

/// Without the closed socket its client waits for as long as the thread is blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_its_thread_holds_neither_the_stop_nor_its_client() {
    let deadline = Duration::from_millis(300);
    let server =
        up_with(Server::new().drain_timeout(deadline), Deadlines::new().stop(Duration::from_secs(1))).await;
    let mut client = server.sent(&get("/block")).await;
    server.site.entered(1).await;
    let blocker = server.site.blocker.clone();
    let name = format!("connection {}", client.local_addr().unwrap());
    let closed = tokio::spawn(async move { ends(&mut client).await });
    let down = server.down().await;
    let closed = closed.await;
    blocker.release();
    closed.unwrap();
    assert!(down.took >= deadline && down.took < Duration::from_secs(1), "{:?}", down.took);
    let Down { served, outcome, .. } = down;
    assert_eq!((served.cut.len(), served.left.len(), served.finished), (1, 1, 0), "{served}");
    assert_eq!(outcome.forced().len(), 1, "{outcome}");
    assert!(outcome.to_string().contains(&name), "{outcome}");
}

/// Without the cut in the server's drop they are served on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_server_is_dropped_its_connections_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (enough, site) = (Arc::new(Notify::new()), Site::new());
    let (give, take) = (std::sync::Mutex::new(Some(listener)), Arc::clone(&enough));
    let (over, dropped) = oneshot::channel();
    let over = std::sync::Mutex::new(Some(over));
    let theirs = site.clone();
    let http = runnable("http", move |(), cx: RunContext| {
        let (listener, enough) = (give.lock().unwrap().take().unwrap(), Arc::clone(&take));
        let (site, over) = (theirs.clone(), over.lock().unwrap().take().unwrap());
        async move {
            let serving =
                Server::new().serve(&cx, listener, service_fn(move |request| site.clone().answer(request)));
            tokio::select! {
                _ = serving => {}
                () = enough.notified() => {}
            }
            over.send(()).unwrap();
            // The generation lives on.
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(http));
    let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(get("/never").as_bytes()).await.unwrap();
    site.entered(1).await;
    enough.notify_one();
    within(dropped).await.unwrap();
    assert!(matches!(within(client.read(&mut [0])).await, Ok(0) | Err(_)));
    running.control().shutdown("enough");
    assert_eq!(within(running.wait()).await.exit_code(), 0);
}
