//! The folder that is served, and that nothing above it is.

use edge::drive::Client;

use crate::place::{Place, exchange, get, stopped};

const FILES: &str = "listen: 127.0.0.1:0\nfiles: public\n";

#[tokio::test]
async fn a_file_is_served_whole_with_its_length_and_kind() {
    let place = Place::with("files", FILES);
    let text = "a line of text\n".repeat(100_000);
    place.write("public/deep/a text.txt", &text);
    let (child, address) = place.up().await;
    let answer = Client::new(address).get("/files/deep/a%20text.txt").await.unwrap();
    assert!(answer.body == text);
    let head =
        exchange(address, "HEAD /files/deep/a%20text.txt HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n")
            .await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 1500000\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{head}");
    let put = exchange(
        address,
        "PUT /files/new HTTP/1.1\r\nhost: e\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    assert!(put.await.starts_with("HTTP/1.1 405 "));
    stopped(child).await;
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_served() {
    let place = Place::with("traversal", FILES);
    place.write("public/in.txt", "inside");
    place.write("public/.hidden", "secret");
    place.write("secret.txt", "secret");
    std::os::unix::fs::symlink(place.path("secret.txt"), place.path("public/link.txt")).unwrap();
    std::os::unix::fs::symlink(place.path(""), place.path("public/up")).unwrap();
    std::os::unix::fs::symlink(place.path("public/in.txt"), place.path("public/within.txt")).unwrap();
    let (child, address) = place.up().await;
    for path in ["in.txt", "within.txt"] {
        assert!(get(address, &format!("/files/{path}")).await.ends_with("inside"), "{path}");
    }
    let secret = place.path("secret.txt");
    let out = [
        "../secret.txt",
        "./../secret.txt",
        "up/secret.txt",
        "link.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "in.txt/../../secret.txt",
        "..%5csecret.txt",
        ".hidden",
        "",
        "up",
        "in.txt%00.png",
        secret.to_str().unwrap(),
    ];
    for path in out {
        let answer = get(address, &format!("/files/{path}")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
        assert!(!answer.ends_with("secret"), "{path}: {answer}");
    }
    stopped(child).await;
}

#[tokio::test]
async fn a_pipe_in_the_folder_holds_nobody() {
    let place = Place::with("pipe", FILES);
    place.write("public/a", "");
    let made = std::process::Command::new("mkfifo").arg(place.path("public/pipe")).status().unwrap();
    assert!(made.success());
    let (child, address) = place.up().await;
    assert!(get(address, "/files/pipe").await.starts_with("HTTP/1.1 404 "));
    stopped(child).await;
}
