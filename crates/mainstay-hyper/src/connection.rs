//! The connection that a request came on, as its handler sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::peer::Peer;
use crate::shared::{Shared, Stage};

/// The connection that a request came on; every request has it among its extensions.
///
/// A handler that answers for as long as its client likes (an upgraded connection, a stream of events) awaits
/// [`draining`](Self::draining) to say goodbye in time. At the deadline of the stop it is cut: what it reads or writes
/// then fails with `ConnectionAborted`.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
///
/// use hyper::body::Incoming;
/// use hyper::{Request, Response};
/// use mainstay_hyper::Connection;
///
/// async fn whoami(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
///     let connection = request.extensions().get::<Connection>().expect("every request has it");
///     Ok(Response::new(format!("you are {}\n", connection.peer())))
/// }
/// ```
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// Returns who is at its other end.
    pub fn peer(&self) -> &Peer {
        self.shared.peer()
    }

    /// Returns how long ago it was accepted.
    pub fn age(&self) -> Duration {
        self.shared.age()
    }

    /// Tells whether its server has been asked to stop.
    pub fn is_draining(&self) -> bool {
        self.shared.stage() >= Stage::Stop
    }

    /// Completes when its server is asked to stop. What is still there at the deadline of the stop is cut.
    ///
    /// # Cancel safety
    ///
    /// Safe: it completes at once whenever it is called later.
    pub async fn draining(&self) {
        self.shared.draining.cancelled().await;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", self.peer()).finish_non_exhaustive()
    }
}
