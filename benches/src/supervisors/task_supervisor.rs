//! task-supervisor: one task that keeps a map of the others.

use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};

use super::{Crasher, Crowd, Moment};

impl SupervisedTask for Crasher {
    async fn run(self, _stop: CancellationToken) -> TaskResult {
        self.live()?;
        Ok(())
    }
}

impl SupervisedTask for Crowd {
    async fn run(self, stop: CancellationToken) -> TaskResult {
        self.arrive();
        stop.cancelled().await;
        Ok(())
    }
}

/// With no delay: it goes through a timer all the same.
pub async fn restart(crasher: Crasher) {
    let supervisor = SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_task("crasher", crasher.clone())
        .spawn();
    crasher.done().await;
    supervisor.shutdown().await.expect("it stops");
}

/// All known before it is spawned: its fastest way.
pub async fn crowd(crowd: Crowd) {
    crowd.mark(Moment::Empty);
    let mut supervisor = SupervisorBuilder::new();
    for name in crowd.names() {
        supervisor = supervisor.with_task(name, crowd.clone());
    }
    let supervisor = supervisor.spawn();
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    supervisor.shutdown().await.expect("it stops");
    crowd.mark(Moment::Stopped);
}

/// Added to a running one, each awaited, as its interface has it.
pub async fn crowd_added(crowd: Crowd) {
    let supervisor = SupervisorBuilder::new().spawn();
    crowd.mark(Moment::Empty);
    for name in crowd.names() {
        supervisor.add_task(name, crowd.clone()).await.expect("it is added");
    }
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    supervisor.shutdown().await.expect("it stops");
    crowd.mark(Moment::Stopped);
}
