//! A daemon of ten providers, with a lock file, a pool, a socket, snapshots and tasks: what the matrix is tried on.

mod network;
mod store;
mod tasks;

use std::path::PathBuf;
use std::sync::Arc;

use mainstay_registry::Registry;
use mainstay_runtime::Runtime;

pub(crate) use self::network::{Api, Dns, Listener, Metrics};
pub(crate) use self::store::{Cache, Lock, Pool, Settings};
pub(crate) use self::tasks::{Ticker, Worker};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bug {
    #[default]
    None,
    /// The boot of `dns` leaves a task behind.
    DetachedTask,
    /// The boot of `pool` opens a file and forgets it.
    KeptDescriptor,
    /// The shutdown of `lock` leaves its file there.
    LockLeft,
    /// The reload of `cache` sleeps on its thread.
    BlockingReload,
    /// One poll of many takes long, and nobody is to blame.
    BusyMachine,
    /// The reload of `settings` publishes in a thread, outside of the transaction.
    PublishOutside,
    /// `worker` never says that it is ready.
    NeverReady,
    /// The shutdown of `listener` fails when there is nothing to remove.
    ShutdownOnce,
    /// The task of `ticker` leaves a task behind.
    TaskOfATask,
}

/// The state: where it lives, and what is wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) bug: Bug,
    pub(crate) folder: PathBuf,
}

impl App {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }
}

/// The daemon.
pub(crate) fn sample(bug: Bug) -> Runtime<App> {
    let registry = Registry::new();
    registry
        .insert(Arc::new(Api::default()))
        .insert(Arc::new(Worker::default()))
        .insert(Arc::new(Ticker))
        .insert(Arc::new(Metrics::default()))
        .insert(Arc::new(Listener::default()))
        .insert(Arc::new(Cache::default()))
        .insert(Arc::new(Pool::default()))
        .insert(Arc::new(Dns))
        .insert(Arc::new(Settings::default()))
        .insert(Arc::new(Lock));
    Runtime::new(registry, App { bug, folder: std::env::temp_dir() })
}
