//! Asks a server for anything, to see that it answers. There is no time limit: who asks has one.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper_util::rt::TokioIo;
use mainstay::BoxError;
use tokio::net::TcpStream;

/// Waits until the head of an answer, whatever it says, is there.
pub(super) async fn answers(authority: &Authority) -> Result<(), BoxError> {
    let stream = TcpStream::connect(authority.as_str()).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/").header(HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
    let mut answer = pin!(sender.send_request(request));
    tokio::select! {
        biased;
        answer = answer.as_mut() => answer?,
        // An answer and the end of its connection may come together: then it is there now.
        ended = connection => {
            ended?;
            answer.await?
        }
    };
    Ok(())
}
