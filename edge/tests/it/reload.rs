//! Reloads: all of a file, or nothing of it.

use std::net::SocketAddr;

use edge::drive::{Child, Client};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, stopped};

fn settings(greeting: &str, patience: &str) -> String {
    format!(
        "# line 1\nlisten: 127.0.0.1:0\ngreeting: {greeting}\n# line 4\nupstreams:\n  demo:\n    \
         servers: [built-in]\n    patience: {patience}\n"
    )
}

async fn status(client: &mut Client) -> String {
    client.get("/status").await.unwrap().text()
}

/// Waits until this is in the status.
async fn becomes(address: SocketAddr, part: &str) {
    let mut client = Client::new(address);
    let seen = async { while !status(&mut client).await.contains(part) {} };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("'{part}' was not served"));
}

/// Reloads and waits until it is refused: the line that says so.
async fn refused(child: &Child) -> String {
    let before = child.said().count();
    child.hang_up().unwrap();
    let named = |line: &str| line.contains("reload of 'settings' failed").then(|| line.to_owned());
    child.said().line_after(before, WITHIN, named).await.unwrap().0
}

#[tokio::test]
async fn a_good_file_is_served_and_a_bad_one_changes_nothing() {
    let place = Place::with("reload", &settings("one", "10s"));
    let (child, address) = place.up().await;
    becomes(address, "greeting   one\nsettings   version 1\n").await;

    place.write("http.yaml", &settings("two", "10s"));
    child.hang_up().unwrap();
    becomes(address, "greeting   two\nsettings   version 2\n").await;

    place.write("http.yaml", &settings("three", "soon"));
    let line = refused(&child).await;
    let place_said = format!("{}:8:15 'soon' is not a duration", place.path("http.yaml").display());
    assert!(line.contains(&place_said), "{line}");
    let mut client = Client::new(address);
    assert!(status(&mut client).await.contains("greeting   two\nsettings   version 2\n"));

    place.write("http.yaml", &settings("four", "1s"));
    child.hang_up().unwrap();
    becomes(address, "greeting   four\nsettings   version 3\n").await;
    stopped(child).await;
}

#[tokio::test]
async fn what_is_fixed_since_the_boot_is_refused_with_its_place() {
    let place = Place::with("fixed", &settings("one", "10s"));
    let (child, address) = place.up().await;
    place.write("http.yaml", &format!("{}lock: other.lock\n", settings("two", "10s")));
    let line = refused(&child).await;
    assert!(line.contains("http.yaml:9:7 the lock file changed: that takes a restart"), "{line}");
    std::fs::remove_file(place.path("http.yaml")).unwrap();
    let line = refused(&child).await;
    assert!(line.contains("http.yaml is gone"), "{line}");
    assert!(status(&mut Client::new(address)).await.contains("greeting   one\n"));
    stopped(child).await;
}

#[tokio::test]
async fn another_upstream_and_another_folder_are_taken_up() {
    let place = Place::with("moves", "listen: 127.0.0.1:0\nfiles: a\n");
    place.write("a/name", "a");
    place.write("b/name", "b");
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    assert_eq!(client.get("/files/name").await.unwrap().text(), "a");
    place.write(
        "http.yaml",
        &format!("listen: 127.0.0.1:0\nfiles: b\nupstreams: {{demo: {{servers: ['{address}']}}}}\n"),
    );
    child.hang_up().unwrap();
    becomes(address, &format!("\n  demo/{address}  ")).await;
    assert_eq!(client.get("/files/name").await.unwrap().text(), "b");
    // It is its own upstream now.
    assert_eq!(client.get("/demo/files/name").await.unwrap().text(), "b");
    stopped(child).await;
}
