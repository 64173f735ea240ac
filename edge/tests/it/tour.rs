//! The tour, as a visitor sees it.

use std::time::Duration;

use tokio::time::timeout;

use crate::place::{Place, WITHIN, ends, said};

#[tokio::test]
async fn the_tour_keeps_what_it_shows() {
    let place = Place::empty("tour");
    let ended = place.run(&["tour"]).end(Duration::from_secs(100)).await.unwrap();
    assert_eq!(ended.code(), Some(0), "{}", ended.lines.join("\n"));
    said(&ended, "kept · 5 of 5 promises · ");
    assert!(ended.lines.iter().all(|line| !line.contains('\u{1b}')), "colours without a terminal");
}

#[tokio::test]
async fn an_interrupted_tour_leaves_nothing_behind() {
    let place = Place::empty("interrupted");
    let tour = place.run(&["tour"]);
    // By then the edge that serves all the time is up.
    tour.line(WITHIN, |line| line.contains("connections, kept").then_some(())).await.unwrap();
    let folder = place.path(&format!("edge-tour-{}", tour.pid()));
    let pid = std::fs::read_to_string(folder.join("main/edge.lock")).unwrap();
    tour.terminate().unwrap();
    let ended = ends(tour, 1).await;
    said(&ended, "interrupted by SIGTERM");
    said(&ended, "NOT KEPT");
    assert!(!folder.exists());
    // What was killed is gone as soon as somebody has taken note of it.
    let stat = format!("/proc/{}/stat", pid.trim());
    let gone = async {
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, gone).await.expect("the edge of the tour outlived it");
}
