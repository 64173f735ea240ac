//! A service of tonic's: its calls, and a stop in the middle of one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_hyper::{Connection, serve};
use mainstay_registry::Registry;
use mainstay_runtime::{RunContext, Runtime, Signals, runnable};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::{Response, Status};

use crate::support::within;

/// Messages are text. What `tonic-build` would make of a `.proto` is the rest of this file.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

/// `/test.Greeter/Hello`, which waits for a permit where it is asked to.
#[derive(Clone)]
struct Greeter {
    entered: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

type Future<T> = Pin<Box<dyn std::future::Future<Output = T> + Send>>;

impl UnaryService<String> for Greeter {
    type Response = String;
    type Future = Future<Result<Response<String>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let Self { entered, go } = self.clone();
        Box::pin(async move {
            let peer = request.extensions().get::<Connection>().expect("every request has it").peer().clone();
            entered.add_permits(1);
            if request.get_ref() == "wait" {
                go.acquire().await.expect("it is open").forget();
            }
            Ok(Response::new(format!("hello {} at {peer}", request.get_ref())))
        })
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "test.Greeter";
}

impl Service<Request<tonic::body::Body>> for Greeter {
    type Response = hyper::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Future<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let greeter = self.clone();
        Box::pin(async move { Ok(Grpc::new(Text).unary(greeter, request).await) })
    }
}

/// A message in its frame.
fn framed(text: &str) -> Bytes {
    let mut framed = vec![0];
    framed.put_u32(u32::try_from(text.len()).unwrap());
    framed.put_slice(text.as_bytes());
    framed.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_routes_of_tonic_are_a_service_and_a_call_in_flight_ends_with_its_trailers() {
    let greeter = Greeter { entered: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (listener, routes) = (Mutex::new(Some(listener)), greeter.clone());
    let grpc = runnable("grpc", move |(), cx: RunContext| {
        let (listener, routes) = (listener.lock().unwrap().take().unwrap(), Routes::new(routes.clone()));
        async move {
            let served = serve(&cx, listener, routes.prepare()).await?;
            assert_eq!((served.requests, served.cut.len(), served.finished), (2, 0, 1), "{served}");
            Ok(())
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(grpc));
    let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let client = stream.local_addr().unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let call = |text: &'static str| {
        let request = Request::post(format!("http://{address}/test.Greeter/Hello"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(framed(text)))
            .unwrap();
        let mut sender = sender.clone();
        async move { sender.send_request(request).await.unwrap().into_body().collect().await.unwrap() }
    };
    let check = |answer: http_body_util::Collected<Bytes>, text: &str| {
        assert_eq!(answer.trailers().expect("there are trailers")["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), framed(&format!("hello {text} at {client}")));
    };
    check(within(call("you")).await, "you");
    let waiting = tokio::spawn(call("wait"));
    within(greeter.entered.acquire_many(2)).await.unwrap().forget();
    running.control().shutdown("enough");
    greeter.go.add_permits(1);
    check(within(waiting).await.unwrap(), "wait");
    within(connection).await.unwrap().unwrap();
    assert_eq!(within(running.wait()).await.exit_code(), 0);
}
