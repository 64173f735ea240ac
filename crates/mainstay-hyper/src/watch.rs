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
        loop {
            let held = self.held();
            if self.told < self.shared.stage() && held.is_none() {
                self.told = self.told.next();
                return Poll::Ready(Order::Stage(self.told));
            }
            let limit = self.limit().map(|(at, limit)| (at, Some(limit)));
            let next = held.map(|at| (at, None)).into_iter().chain(limit).min_by_key(|(at, _)| *at);
            let Some((at, limit)) = next else { return Poll::Pending };
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
                let Some(limit) = limit else { continue };
                if limit == Limit::Idle {
                    self.leaving = now().checked_add(self.limits.idle);
                }
                return Poll::Ready(Order::Quiet(limit));
            }
            timer.as_mut().reset(at);
            *armed = at;
        }
    }

    /// Until when the last call is held back: who was answered just now, by an answer that was begun before the stop and
    /// so did not say that it is the last one, may be sending the next request.
    fn held(&self) -> Option<Instant> {
        let shared = self.shared;
        let due = self.told == Stage::Stop && shared.stage() == Stage::LastCall;
        if !due || shared.is_http2() || shared.is_busy() {
            return None;
        }
        shared.times().quiet.checked_add(self.limits.linger).filter(|until| now() < *until)
    }

    fn limit(&self) -> Option<(Instant, Limit)> {
        let doing = self.shared.doing();
        match self.leaving {
            Some(leaving) if doing == Doing::Idle => Some((leaving, Limit::Idle)),
            _ => limit(doing, &self.shared.times(), self.limits),
        }
    }
}
