//! The source contract: names that mean the same for ever.
//!
//! A program written against the names of this module compiles and behaves the same in every version. What
//! mainstay adds lies beside it, at the root of the crate, and is a method with a default or a new type:
//! [`Dependencies`](crate::Dependencies) and [`Dep`](crate::Dep), [`Plan`](crate::Plan), [`Deadlines`](crate::Deadlines).

pub use mainstay_registry::{
    BoxError, Error, Provider, Registry, ReloadState, Reloadable, Result, Runnable, TaskFuture, async_trait,
    priority,
};
