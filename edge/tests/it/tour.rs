//! The tour, as a visitor sees it.

use std::time::Duration;

use crate::place::{Place, said};

#[tokio::test]
async fn the_tour_keeps_what_it_shows() {
    let place = Place::empty("tour");
    let ended = place.run(&["tour"]).end(Duration::from_secs(100)).await.unwrap();
    assert_eq!(ended.code(), Some(0), "{}", ended.lines.join("\n"));
    said(&ended, "kept · 5 of 5 promises · ");
    assert!(ended.lines.iter().all(|line| !line.contains('\u{1b}')), "colours without a terminal");
}
