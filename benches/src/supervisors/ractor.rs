//! ractor-supervisor: a task is an actor, and its supervisor another.

use std::time::Duration;

use ractor_supervisor::{Restart, TaskOptions, TaskSupervisor, TaskSupervisorOptions};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use super::{Crasher, Crowd, Moment};

/// No limit that counts, and a window as short that its log of restarts stays empty.
fn options() -> TaskSupervisorOptions {
    let max_window = Duration::from_millis(1);
    TaskSupervisorOptions { max_children: None, max_restarts: usize::MAX, max_window, reset_after: None }
}

/// With no backoff: each restart sleeps for 10 ms all the same.
pub async fn restart(crasher: Crasher) {
    let (supervisor, ended) =
        TaskSupervisor::spawn("restart".to_owned(), options()).await.expect("it starts");
    let task = {
        let crasher = crasher.clone();
        move || {
            let crasher = crasher.clone();
            async move { Ok(crasher.live()?) }
        }
    };
    let crashing = TaskOptions::new().name("crasher".to_owned()).restart_policy(Restart::Transient);
    TaskSupervisor::spawn_task(supervisor.clone(), task, crashing).await.expect("it is added");
    crasher.done().await;
    supervisor.stop(None);
    ended.await.expect("it stops");
}

/// Added each by each, as its interface has it. Its stop kills: it has no other for all at once.
pub async fn crowd(crowd: Crowd) {
    let (supervisor, ended) = TaskSupervisor::spawn("crowd".to_owned(), options()).await.expect("it starts");
    let stop = CancellationToken::new();
    crowd.mark(Moment::Empty);
    for name in crowd.names() {
        let (crowd, stop) = (crowd.clone(), stop.clone());
        let task = move || {
            let crowd = crowd.clone();
            let stop = stop.clone();
            async move {
                crowd.arrive();
                stop.cancelled().await;
                Ok(())
            }
        };
        let waiting = TaskOptions::new().name(name.clone()).restart_policy(Restart::Transient);
        TaskSupervisor::spawn_task(supervisor.clone(), task, waiting).await.expect("it is added");
    }
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    supervisor.stop(None);
    ended.await.expect("it stops");
    drop(supervisor);
    // Its call returns before they are gone.
    while !crowd.is_alone() {
        yield_now().await;
    }
    crowd.mark(Moment::Stopped);
}
