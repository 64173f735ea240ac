//! Cuts: what did not end although it was aborted is named, with what is seen of it.

use std::time::Instant;

use super::stop::Step;
use super::{Action, Look, Machine, TaskId, describe};
use crate::event::EventKind;
use crate::outcome::{Cut, CutBy, Forced};

impl Machine {
    /// The abort took no effect: it holds a thread, or no thread was free to drop it.
    pub(super) fn name_stuck(&mut self, node: usize, by: CutBy, now: Instant, look: &dyn Look) {
        let since = self.stop.nodes[node].since;
        let after = now.saturating_duration_since(since);
        let mut stuck: Vec<(Option<String>, Cut, Option<String>)> = Vec::new();
        if let Some(running) = self.stop.nodes[node].hook {
            stuck.push((None, Cut::Shutdown, describe(&look.hook(running.id))));
        }
        for id in self.tasks.live_of(node) {
            let TaskId { task, .. } = id;
            let name = self.spec.nodes[node].tasks[task].name.map(str::to_owned);
            stuck.push((name, Cut::Task, describe(&look.task(id))));
        }
        let provider = self.spec.nodes[node].name;
        for (task, what, seen) in stuck {
            // Listed when it was cut; here only what has been learned since is put in.
            let listed = self.forced.iter_mut().rev();
            let listed =
                listed.filter(|cut| cut.provider == provider && cut.what == what && cut.task == task);
            if let Some(cut) = listed.take(1).next() {
                cut.after = after;
                cut.seen = seen.or_else(|| cut.seen.take());
            } else {
                self.force_cut(Forced { provider, task, what, after, by, seen });
            }
        }
    }

    /// A task that was cut while everything else goes on was aborted to no effect: it holds a thread.
    pub(super) fn still_there(&mut self, id: TaskId, since: Instant, now: Instant, look: &dyn Look) {
        let seen = describe(&look.task(id));
        let node = &self.spec.nodes[id.node];
        let (provider, task) = (node.name, node.tasks[id.task].name);
        let listed = self.forced.iter_mut().rev();
        let mut listed = listed
            .filter(|cut| cut.provider == provider && cut.what == Cut::Task && cut.task.as_deref() == task);
        if let Some(cut) = listed.next() {
            cut.after = now.saturating_duration_since(since);
            cut.seen = seen.clone().or_else(|| cut.seen.take());
        }
        self.emit(EventKind::LeftBehind { task: self.task_name(id), seen });
    }

    /// A supervised child was aborted at its deadline, or is still there after that: one entry of the report, with
    /// what was seen last.
    pub(super) fn child_cut(&mut self, cut: Forced) {
        let same = |listed: &&mut Forced| {
            (listed.provider, listed.what, &listed.task) == (cut.provider, cut.what, &cut.task)
        };
        if let Some(listed) = self.forced.iter_mut().rev().find(same) {
            self.out.push(Action::Emit(EventKind::Forced(cut.clone())));
            *listed = cut;
        } else {
            self.force_cut(cut);
        }
    }

    /// Forced, and its last chance is over: whatever still runs is named.
    pub(crate) fn name_the_cut(&mut self, now: Instant, look: &dyn Look) {
        for node in (0..self.stop.nodes.len()).rev() {
            if !matches!(self.stop.nodes[node].step, Step::Gone | Step::Out) {
                // Where the process lives on, nothing of it may.
                let hook = self.stop.nodes[node].hook.map(|hook| Action::AbortHook(hook.id));
                let tasks = self.tasks.live_of(node).into_iter().map(Action::AbortTask);
                self.out.extend(hook.into_iter().chain(tasks));
                self.name_stuck(node, CutBy::Signal, now, look);
            }
        }
        self.cut_effects(CutBy::Signal, now, look);
    }
}
