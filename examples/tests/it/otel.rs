//! Traces, and a collector that the test is.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mainstay::Signal;

use crate::run::{example, stop};

fn collector() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    (listener, address)
}

#[test]
fn otel_flushes_its_traces_last() {
    let (listener, address) = collector();
    let collecting = thread::spawn(move || {
        // Batches as they come, until the test says that there are no more.
        let mut spans = String::new();
        while !spans.ends_with("over\n") {
            let (mut stream, _) = listener.accept().expect("a batch");
            stream.read_to_string(&mut spans).expect("its lines");
        }
        spans
    });
    let mut otel = example("otel").arg("--log=off").env("COLLECTOR", &address).start();
    otel.wait_for("job 3");
    stop(otel).says_nothing();
    // Every span of the work, and one that was made in the last hook but that of the traces.
    TcpStream::connect(address).and_then(|mut last| last.write_all(b"over\n")).expect("the collector");
    let spans = collecting.join().expect("no panic");
    assert!(spans.contains("cache saved\n"), "{spans}");
    assert!(spans.lines().filter(|span| *span == "job").count() >= 3, "{spans}");
}

/// Without `Traces::deadlines` the flush holds the exit for five seconds, and this fails.
#[test]
fn otel_exits_on_time_when_the_collector_hangs() {
    let (listener, address) = collector();
    let mut otel = example("otel").env("COLLECTOR", address).start();
    otel.wait_for("job 3");
    let asked = otel.signal(Signal::Terminate);
    // It takes the batch, and never closes.
    let (stream, _) = listener.accept().expect("a connection");
    let ended = otel.end().exits(0).within(Duration::from_secs(3), asked);
    ended.says(&["traces", "shutdown", "flushing"]);
    drop(stream);
}
