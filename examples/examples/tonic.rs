//! How do I serve gRPC with tonic, so that the calls in flight are answered when it stops?

use std::net::SocketAddr;
use std::time::Duration;

use mainstay::prelude::*;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::info;

/// What `tonic-prost-build` writes for hello.proto; by hand here, because it needs `protoc`.
mod hello {
    use std::convert::Infallible;
    use std::sync::Arc;

    use tonic::body::Body;
    use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
    use tonic::server::{Grpc, NamedService};
    use tonic::{Request, Status};
    use tonic_prost::ProstCodec;

    use crate::Greeter;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct HelloRequest {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct HelloReply {
        #[prost(string, tag = "1")]
        pub(crate) message: String,
    }

    #[derive(Clone)]
    pub(crate) struct GreeterServer(pub(crate) Arc<Greeter>);

    impl NamedService for GreeterServer {
        const NAME: &'static str = "hello.Greeter";
    }

    impl Service<http::Request<Body>> for GreeterServer {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<Self::Response, Infallible>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            let greeter = Arc::clone(&self.0);
            let say_hello = mainstay_hyper::service_fn(move |request: Request<HelloRequest>| {
                let greeter = Arc::clone(&greeter);
                async move { greeter.say_hello(request).await }
            });
            Box::pin(async move {
                Ok(match request.uri().path() {
                    "/hello.Greeter/SayHello" => {
                        let codec = ProstCodec::<HelloReply, HelloRequest>::default();
                        Grpc::new(codec).unary(say_hello, request).await
                    }
                    other => Status::unimplemented(other.to_owned()).into_http(),
                })
            })
        }
    }
}

/// The service: a provider like any other, and what tonic calls.
struct Greeter;
impl Provider<Daemon> for Greeter {}

impl Greeter {
    async fn say_hello(
        &self,
        call: Request<hello::HelloRequest>,
    ) -> Result<Response<hello::HelloReply>, Status> {
        info!("a call begins");
        tokio::time::sleep(Duration::from_millis(300)).await; // asks somebody
        let name = call.into_inner().name;
        if name.is_empty() {
            return Err(Status::invalid_argument("say who you are"));
        }
        Ok(Response::new(hello::HelloReply { message: format!("hello, {name}") }))
    }
}

#[derive(clap::Args)]
struct Flags {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
}

/// mainstay-hyper in place of `tonic::transport::Server`: a stop sends a GOAWAY and waits for the calls in flight, up to
/// its deadline. tonic is then needed without its own server.
async fn grpc(app: Daemon, cx: RunContext) -> Result<()> {
    let routes = Routes::new(hello::GreeterServer(app.require::<Greeter>()?));
    let listener = tokio::net::TcpListener::bind(app.args::<Flags>().listen).await?;
    info!("grpc on http://{}", listener.local_addr()?);
    let served = mainstay_hyper::serve(&cx, listener, routes).await?;
    info!(%served);
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("greeter")
        .args::<Flags>()
        .insert(Greeter)
        .insert(runnable("grpc", grpc).requires::<Greeter>())
        .main()
}
