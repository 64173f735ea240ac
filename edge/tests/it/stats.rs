//! The counters: every request is in them once, and nothing is when nobody asks.

use bytes::Bytes;
use edge::drive::Client;

use crate::place::{Place, exchange, get, stopped};

/// The number of a series.
fn value(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn every_request_is_counted_once_in_its_class_and_its_route() {
    let place = Place::with("stats", "listen: 127.0.0.1:0\nfiles: public\n");
    place.write("public/a", &"x".repeat(100_000));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    for _ in 0..10 {
        client.get("/files/a").await.unwrap();
        client.get("/files/b").await.unwrap();
    }
    let echoed = client.post("/demo/echo", Bytes::from(vec![7; 50_000])).await.unwrap();
    assert_eq!(echoed.body.len(), 50_000);
    exchange(address, "HEAD / HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n").await;

    let answer = get(address, "/metrics").await;
    assert!(answer.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    let (_, metrics) = answer.split_once("\r\n\r\n").unwrap();
    let value = |series| value(metrics, series);
    assert_eq!(value("edge_requests_total{class=\"2xx\"}"), 12);
    assert_eq!(value("edge_requests_total{class=\"4xx\"}"), 10);
    assert_eq!(value("edge_requests_total{class=\"5xx\"}"), 0);
    assert_eq!(value("edge_requests_cut_total"), 0);
    // The one that asks.
    assert_eq!(value("edge_requests_in_flight"), 1);
    assert_eq!(value("edge_received_bytes_total"), 50_000);
    let sent = value("edge_sent_bytes_total");
    assert!((1_050_000..1_060_000).contains(&sent), "{sent}");
    assert_eq!(value("edge_request_duration_seconds_count"), 22);
    assert_eq!(value("edge_request_duration_seconds_bucket{le=\"+Inf\"}"), 22);
    assert_eq!(value("edge_route_requests_total{route=\"/files/\",class=\"2xx\"}"), 10);
    assert_eq!(value("edge_route_requests_total{route=\"/files/\",class=\"4xx\"}"), 10);
    assert_eq!(value("edge_route_requests_total{route=\"/demo/\",class=\"2xx\"}"), 1);
    assert_eq!(value("edge_route_requests_in_flight{route=\"/files/\"}"), 0);

    let status = get(address, "/status").await;
    assert!(
        status.contains("\nrequests   24 begun, 1 in flight; 2xx 13, 3xx 0, 4xx 10, 5xx 0; 0 cut\n"),
        "{status}"
    );
    assert!(status.contains(" requests/s, "), "{status}");
    stopped(child).await;
}
