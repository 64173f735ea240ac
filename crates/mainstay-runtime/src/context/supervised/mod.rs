//! Supervised children: a set that grows and shrinks inside of one generation.
//!
//! Each child is one task of tokio's for all of its generations ([`life`](self::life)) and one record that is shared
//! with its handles ([`entry`](self::entry)). Invariants:
//!
//! 1. User code (the body's call, every poll, every destructor) runs in the child's own task, caught and named.
//! 2. The task decides what follows from an end; whoever wants something else leaves a wish and wakes it.
//! 3. Time is kept outside: an alarm sets flags and wakes the task. Each carries its generation; a stale one does
//!    nothing.
//! 4. Nobody is answered, told or dropped under the record's lock.

mod answers;
mod control;
mod entry;
mod error;
mod handle;
mod life;
mod settle;
mod status;

pub(crate) use self::entry::{Entry, Record};
pub use self::error::{ChildError, SuperviseError};
pub use self::handle::{Children, Supervised};
pub use self::status::{ChildEnd, ChildState, ChildStatus};

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use mainstay_registry::{RestartPolicy, Result};

use self::life::Life;
use super::{Generation, RunContext};

/// Lists a child and spawns its task.
pub(super) fn supervise<F, Fut>(
    home: &Arc<Generation>,
    name: Cow<'static, str>,
    policy: RestartPolicy,
    body: F,
) -> std::result::Result<Supervised, SuperviseError>
where
    F: FnMut(RunContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let entry = list(home, name, policy)?;
    if let Some(host) = &home.root().host {
        host.handle().spawn(Life::new(entry.clone(), body));
    }
    Ok(Supervised::new(entry))
}

fn list(
    home: &Arc<Generation>,
    name: Cow<'static, str>,
    policy: RestartPolicy,
) -> std::result::Result<Entry, SuperviseError> {
    if home.root().host.is_none() {
        return Err(SuperviseError::NoRuntime);
    }
    home.make_members().supervise(home, name, policy)
}
