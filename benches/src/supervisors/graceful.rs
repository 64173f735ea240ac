//! tokio-graceful-shutdown: subsystems; what fails is started again as its own example does it.

use std::error::Error;
use std::time::Duration;

use tokio_graceful_shutdown::{ErrorAction, SubsystemBuilder, SubsystemHandle, Toplevel};
use tokio_util::sync::CancellationToken;

use super::{Crasher, Crowd, Moment};

type Boxed = Box<dyn Error + Send + Sync>;

/// Long enough never to be reached.
const PATIENCE: Duration = Duration::from_mins(10);

/// A subsystem that starts another one and waits for it, in a loop: its example 12.
pub async fn restart(crasher: Crasher) {
    let keep = async move |keeper: &mut SubsystemHandle| {
        loop {
            let crasher = crasher.clone();
            let once = async move |_: &mut SubsystemHandle| crasher.live();
            let nested = keeper.start(
                SubsystemBuilder::new("crasher", once)
                    .on_failure(ErrorAction::CatchAndLocalShutdown)
                    .on_panic(ErrorAction::CatchAndLocalShutdown),
            );
            if nested.join().await.is_ok() {
                return Ok::<(), Boxed>(());
            }
        }
    };
    let toplevel: Toplevel = Toplevel::new(async move |root: &mut SubsystemHandle| {
        root.start(SubsystemBuilder::new("keeper", keep));
    });
    toplevel.handle_shutdown_requests(PATIENCE).await.expect("what fails is caught");
}

/// A subsystem each.
pub async fn crowd(crowd: Crowd) {
    let stop = CancellationToken::new();
    let starting = crowd.clone();
    let start = async move |root: &mut SubsystemHandle| {
        starting.mark(Moment::Empty);
        for name in starting.names() {
            let crowd = starting.clone();
            let wait = async move |subsystem: &mut SubsystemHandle| {
                crowd.arrive();
                subsystem.on_shutdown_requested().await;
                Ok::<(), Boxed>(())
            };
            root.start(SubsystemBuilder::new(name, wait));
        }
    };
    let toplevel: Toplevel = Toplevel::new_with_shutdown_token(start, stop.clone());
    let running = tokio::spawn(toplevel.handle_shutdown_requests(PATIENCE));
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    stop.cancel();
    running.await.expect("it does not panic").expect("nothing fails");
    crowd.mark(Moment::Stopped);
}
