//! gRPC, spoken by hand: what tonic puts on the wire is read by somebody else.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use mainstay::Signal;

use crate::run::{address, example};

struct Client(SendRequest<Full<Bytes>>);

impl Client {
    /// A connection, and the task that ends with it.
    async fn connect(to: SocketAddr) -> (Self, JoinHandle<hyper::Result<()>>) {
        let stream = TcpStream::connect(to).await.expect("it listens");
        let (send, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        (Self(send), tokio::spawn(connection))
    }

    /// Calls a method with a message of one string: the string of the reply, and the status.
    fn call(&mut self, method: &str, name: &str) -> impl Future<Output = (String, String)> + Send + use<> {
        let mut message = BytesMut::new();
        message.put_u8(0); // not compressed
        message.put_u32(u32::try_from(name.len()).expect("a short name") + 2);
        message.put_slice(&[0x0a, u8::try_from(name.len()).expect("a short name")]);
        message.put_slice(name.as_bytes());
        let request = Request::post(format!("http://greeter/hello.Greeter/{method}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(message.freeze()))
            .expect("a request");
        let answer = self.0.send_request(request);
        async move {
            let answer = answer.await.expect("an answer");
            let early = answer.headers().get("grpc-status").cloned();
            let body = answer.into_body().collect().await.expect("a body");
            let late = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
            let status = early.or(late).expect("a status").to_str().expect("text").to_owned();
            let reply = body.to_bytes();
            (String::from_utf8_lossy(reply.get(7..).unwrap_or_default()).into_owned(), status)
        }
    }
}

#[test]
fn tonic_answers_the_calls_in_flight_when_it_stops() {
    let mut greeter = example("tonic").arg("--listen=127.0.0.1:0").start();
    let address = address(&greeter.wait_for_error("grpc on"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let (mut client, connection) = runtime.block_on(Client::connect(address));
    // INVALID_ARGUMENT and UNIMPLEMENTED of https://grpc.io/docs/guides/status-codes
    assert_eq!(runtime.block_on(client.call("SayHello", "")).1, "3");
    assert_eq!(runtime.block_on(client.call("SayGoodbye", "you")).1, "12");
    greeter.wait_for_error("a call begins");

    let calls: Vec<_> = ["ann", "bob"].map(|name| runtime.spawn(client.call("SayHello", name))).into();
    greeter.wait_for_error("a call begins");
    greeter.wait_for_error("a call begins");
    let asked = greeter.signal(Signal::Terminate);
    for (call, name) in calls.into_iter().zip(["ann", "bob"]) {
        let reply = runtime.block_on(call).expect("no panic");
        assert_eq!(reply, (format!("hello, {name}"), "0".to_owned()));
    }
    runtime.block_on(connection).expect("no panic").expect("closed in good order");
    greeter.end().exits(0).within(Duration::from_secs(4), asked).says(&["cut 0"]);
}
