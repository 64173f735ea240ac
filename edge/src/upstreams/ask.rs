//! Asks a server whether it is there. There is no time limit: who asks has one.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper_util::rt::TokioIo;

use crate::dns::Connect;

/// Waits for the head of an answer, which is good if its status is 2xx or 3xx, as for `HAProxy` and nginx.
///
/// # Errors
///
/// What is wrong with it, or with the way there.
pub(super) async fn ask(connect: &Connect, server: &Authority, path: &PathAndQuery) -> Result<(), String> {
    let stream = connect.to(server).await.map_err(|error| error.to_string())?;
    let asked = async {
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.clone().into();
        let headers = [(HOST, server.as_str()), (CONNECTION, "close"), (USER_AGENT, "edge-check")];
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse()?);
        }
        let mut answer = pin!(sender.send_request(request));
        let answer = tokio::select! {
            biased;
            answer = answer.as_mut() => answer?,
            // An answer and the end of its connection may come together: then it is there now.
            ended = connection => {
                ended?;
                answer.await?
            }
        };
        Ok::<_, mainstay::BoxError>(answer.status())
    };
    match asked.await {
        Ok(status) if status.is_success() || status.is_redirection() => Ok(()),
        Ok(status) => Err(format!("answers {status}")),
        Err(error) => Err(error.to_string()),
    }
}
