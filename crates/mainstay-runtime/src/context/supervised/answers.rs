//! Who waits for a child, and the answers: collected under the lock, given outside.

use tokio::sync::oneshot;

use super::{ChildEnd, ChildError};
use crate::context::generation::quietly;

pub(super) type Asked = Result<(), ChildError>;

/// Who waits. Most children have nobody.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) stops: Vec<oneshot::Sender<Asked>>,
    pub(super) restarts: Vec<oneshot::Sender<Asked>>,
    pub(super) ends: Vec<oneshot::Sender<ChildEnd>>,
}

/// Answers that are not given yet.
#[derive(Default)]
pub(super) struct Answers {
    asked: Vec<(oneshot::Sender<Asked>, Asked)>,
    ends: Vec<(oneshot::Sender<ChildEnd>, ChildEnd)>,
}

impl Answers {
    pub(super) fn asked(&mut self, waiting: Vec<oneshot::Sender<Asked>>, answer: &Asked) {
        self.asked.extend(waiting.into_iter().map(|sender| (sender, answer.clone())));
    }

    pub(super) fn ended(&mut self, waiting: Vec<oneshot::Sender<ChildEnd>>, end: &ChildEnd) {
        self.ends.extend(waiting.into_iter().map(|sender| (sender, end.clone())));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.ends.is_empty()
    }

    /// Gives them. Who waits may be a task of any executor: a panic of its waker is caught.
    pub(super) fn give(self) {
        for (sender, answer) in self.asked {
            quietly(|| drop(sender.send(answer)));
        }
        for (sender, end) in self.ends {
            quietly(|| drop(sender.send(end)));
        }
    }
}
