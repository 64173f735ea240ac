//! What a connection is told while it is served: how far the stop is, and that it has been quiet for too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::now;
use crate::doing::{Doing, Limit, limit};
use crate::server::Limits;
use crate::shared::{Shared, Stage};

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The stop has come so far. Each stage is told once, in order.
    Stage(Stage),
    /// It has been quiet for too long. Told again when another such time has passed.
    Quiet(Limit),
}

pub(crate) struct Watch<'a> {
    shared: &'a Shared,
    limits: &'a Limits,
    told: Stage,
    /// An idle connection that was told, and has so long to go.
    leaving: Option<Instant>,
    /// It is armed for this instant, or for an earlier one: moving it forward with every request would cost more than
    /// a wake-up in vain.
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shared: &'a Shared, limits: &'a Limits) -> Self {
        Self { shared, limits, told: Stage::Serve, leaving: None, timer: None }
    }

    /// How far it was told that the stop is.
    pub(crate) fn told(&self) -> Stage {
        self.told
    }

    pub(crate) async fn next(&mut self) -> Order {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        self.shared.watch(cx.waker());
        if self.told < self.shared.stage() {
            self.told = self.told.next();
            return Poll::Ready(Order::Stage(self.told));
        }
        loop {
            let Some((at, limit)) = self.limit() else { return Poll::Pending };
            match &mut self.timer {
                Some((armed, _)) if *armed <= at => {}
                Some((armed, timer)) => {
                    timer.as_mut().reset(at);
                    *armed = at;
                }
                None => self.timer = Some((at, Box::pin(sleep_until(at)))),
            }
            let Some((armed, timer)) = &mut self.timer else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            if now() >= at {
                if limit == Limit::Idle {
                    self.leaving = now().checked_add(self.limits.idle);
                }
                return Poll::Ready(Order::Quiet(limit));
            }
            timer.as_mut().reset(at);
            *armed = at;
        }
    }

    fn limit(&self) -> Option<(Instant, Limit)> {
        let doing = self.shared.doing();
        match self.leaving {
            Some(leaving) if doing == Doing::Idle => Some((leaving, Limit::Idle)),
            _ => limit(doing, &self.shared.times(), self.limits),
        }
    }
}
