//! A tower service made of an async function, for those who have no other reason to depend on tower.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use tower_service::Service;

/// Makes a tower service of an async function.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
///
/// use hyper::body::Incoming;
/// use hyper::{Request, Response};
///
/// let hello = mainstay_hyper::service_fn(async |request: Request<Incoming>| {
///     Ok::<_, Infallible>(Response::new(format!("hello, {}\n", request.uri().path())))
/// });
/// # let _ = hello;
/// ```
pub fn service_fn<F>(function: F) -> ServiceFn<F> {
    ServiceFn { function }
}

/// A service made of an async function; made by [`service_fn`].
#[derive(Clone, Copy)]
pub struct ServiceFn<F> {
    function: F,
}

impl<F, R, A, E, Fut> Service<R> for ServiceFn<F>
where
    F: FnMut(R) -> Fut,
    Fut: Future<Output = Result<A, E>>,
{
    type Response = A;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Fut {
        (self.function)(request)
    }
}

impl<F> fmt::Debug for ServiceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceFn").finish_non_exhaustive()
    }
}
