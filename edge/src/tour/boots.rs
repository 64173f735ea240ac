//! Scenes of the boot: planned, concurrent, refused, failed, hung.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::page::{Broken, Page, Promise};
use super::stage::{Actor, PATIENCE, Silent, Stage, ends, failure, first_words, line, nobody};
use crate::first_words::short;

/// How long the first boot is held, so that its critical path shows it.
const HELD: Duration = Duration::from_millis(300);

/// Settings whose upstream is asked during the boot.
fn asking(upstream: std::net::SocketAddr) -> String {
    format!("listen: 127.0.0.1:0\nupstreams:\n  demo:\n    servers: ['{upstream}']\n    wait: on\n")
}

/// What is planned, and that nothing more than necessary waits.
pub(super) async fn plan_and_boot(page: &mut Page, stage: &Stage) -> Result<(), Broken> {
    page.scene("the plan, and a boot along it");
    let plan = planned(stage).await;
    page.check(&[Promise::Printed], plan.as_ref().map(|_| PLANNED.to_owned()).map_err(Clone::clone))?;
    for line in plan.unwrap_or_default().iter().filter(|line| !line.is_empty()) {
        page.quote(line);
    }

    let silent = silent(page).await?;
    let actor = tried(page, stage.actor("first", &asking(silent.address)))?;
    let child = tried(page, actor.start(&[]))?;
    let asker = tried(page, silent.asked().await)?;
    // The upstream is held in its boot until it is answered, so whatever happens now happens beside it.
    let holder = holder_becomes(&actor, &child.pid().to_string()).await;
    page.check(
        &[],
        holder.map(|()| "`upstreams` waits for an answer; beside it `lock` has booted".to_owned()),
    )?;
    let words = async {
        sleep(HELD).await;
        Silent::answer(asker).await?;
        first_words(&child).await
    };
    let (words, _) = tried(page, words.await)?;
    for line in &words {
        page.quote(line);
    }
    let path =
        words.iter().find_map(|line| line.split_once("critical path ")).map(|(_, path)| path.to_owned());
    let path = path.filter(|path| path.contains("→ upstreams") && !path.contains("lock"));
    let path = path.map(|_| "the boot took as long as its longest chain, and names it".to_owned());
    let path = path.ok_or_else(|| format!("not the critical path:\n{}", words.join("\n")));
    page.check(&[Promise::Printed], path)?;
    let stopped = async {
        child.interrupt().map_err(|error| error.to_string())?;
        let ended = ends(child, 0).await?;
        let last = line(&ended, "stop SIGINT")?;
        if !last.contains("hooks 10/10") || !actor.holder().is_empty() {
            return Err(format!("not everything was stopped: {last}"));
        }
        Ok(last)
    };
    let last = stopped.await;
    page.check(
        &[Promise::Stops, Promise::Printed],
        last.as_ref()
            .map(|_| "SIGINT stops it; ten were started, ten are stopped".to_owned())
            .map_err(Clone::clone),
    )?;
    page.quote(&last.unwrap_or_default());
    Ok(())
}

const PLANNED: &str = "`edge plan` prints what would be started, and starts nothing";

async fn planned(stage: &Stage) -> Result<Vec<String>, String> {
    let actor = stage.actor("plan", "listen: 127.0.0.1:0\n")?;
    let ended = ends(actor.start(&["plan"])?, 0).await?;
    for provider in ["settings", "routes", "lock", "dns", "demo", "upstreams", "http"] {
        line(&ended, provider)?;
    }
    if actor.lock().exists() {
        return Err(format!("{} was made", actor.lock().display()));
    }
    Ok(ended.lines)
}

/// Boots that fail at once: each is named, and what was started is stopped.
pub(super) async fn failing(page: &mut Page, stage: &Stage, main: &Actor, pid: u32) -> Result<(), Broken> {
    page.scene("boots that fail, beside it");
    let second = async {
        let ended = ends(main.start(&[])?, 75).await?;
        let named = failure(&ended, main, &format!("edge.lock is held by process {pid}"))?;
        Ok(format!("a second start on one lock: exit 75\n{named}"))
    };
    let second = second.await;
    page.check(&[Promise::Names], second)?;

    let refused = async {
        let actor = stage.actor("refused", &asking(nobody().await?))?;
        let ended = ends(actor.start(&[])?, 75).await?;
        let named = failure(&ended, &actor, "'upstreams' failed during boot")?;
        let undone = line(&ended, "rolled back ")?;
        if !actor.holder().is_empty() {
            return Err(format!("the lock was not released; it said:\n{}", ended.lines.join("\n")));
        }
        Ok(format!("an upstream that refuses: exit 75, and the lock is released again\n{named}\n{undone}"))
    };
    let refused = refused.await;
    page.check(&[Promise::Names, Promise::Stops], refused)?;

    let wrong = async {
        let actor = stage.actor("wrong", "listen: 127.0.0.1:0\nlimits:\n  header: soon\n")?;
        let ended = ends(actor.start(&[])?, 78).await?;
        let named = failure(&ended, &actor, ": http.yaml:3:11 ")?;
        if actor.lock().exists() {
            return Err("it was locked all the same".to_owned());
        }
        Ok(format!("a file that is wrong: exit 78, not worth a retry\n{named}"))
    };
    let wrong = wrong.await;
    page.check(&[Promise::Names], wrong)?;

    let killed = async {
        let actor = stage.actor("killed", "listen: 127.0.0.1:0\n")?;
        let child = actor.start(&[])?;
        first_words(&child).await?;
        child.kill().map_err(|error| error.to_string())?;
        child.end(PATIENCE).await?;
        let next = actor.start(&[])?;
        first_words(&next).await?;
        next.terminate().map_err(|error| error.to_string())?;
        ends(next, 0).await?;
        Ok("kill -9 holds no lock: the next start takes it".to_owned())
    };
    let killed = killed.await;
    page.check(&[], killed)
}

/// Boots that hang: one is interrupted, one runs into its deadline.
pub(super) async fn hanging(page: &mut Page, stage: &Stage) -> Result<(), Broken> {
    page.scene("boots that hang, beside it");
    let silent = silent(page).await?;
    let late = tried(page, stage.actor("late", &asking(silent.address)))?;
    let hung = tried(page, late.start(&[]))?;
    let _nobody_answers = tried(page, silent.asked().await)?;

    let interrupted = async {
        let actor = stage.actor("interrupted", &asking(silent.address))?;
        let child = actor.start(&[])?;
        let _nobody_answers = silent.asked().await?;
        holder_becomes(&actor, &child.pid().to_string()).await?;
        child.interrupt().map_err(|error| error.to_string())?;
        let ended = ends(child, 0).await?;
        let undone = line(&ended, "rolled back ")?;
        if !actor.holder().is_empty() || ended.took > Duration::from_secs(2) {
            return Err(format!("after {}: {undone}", short(ended.took)));
        }
        Ok(format!(
            "SIGINT in the middle of a boot: rolled back, exit 0, after {}\n{undone}",
            short(ended.took)
        ))
    };
    let interrupted = interrupted.await;
    page.check(&[Promise::Stops], interrupted)?;

    let running = |line: &str| {
        let (_, running) = line.split_once("still in boot")?.1.split_once("running=")?;
        Some(running.split(" waiting=").next().unwrap_or(running).to_owned())
    };
    let said = hung.line(PATIENCE, running).await.and_then(|said| {
        let complete = said.starts_with("'upstreams' in boot") && said.contains("waiting for an answer of");
        let text = format!("a boot that is late says who is running, since when, and its last note\n{said}");
        if complete { Ok(text) } else { Err(text) }
    });
    page.check(&[Promise::Names], said)?;
    let deadline = async {
        let ended = ends(hung, 75).await?;
        let named = failure(&ended, &late, "'upstreams' did not end its boot within 5 s")?;
        let undone = line(&ended, "rolled back ")?;
        if !late.holder().is_empty() {
            return Err(format!("the lock was not released; it said:\n{}", ended.lines.join("\n")));
        }
        Ok(format!("a boot that runs into its deadline: exit 75\n{named}\n{undone}"))
    };
    let deadline = deadline.await;
    page.check(&[Promise::Deadlines, Promise::Names, Promise::Stops], deadline)
}

/// Waits until this is written in the lock file.
async fn holder_becomes(actor: &Actor, pid: &str) -> Result<(), String> {
    let becomes = async {
        while actor.holder() != pid {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, becomes).await.map_err(|_| format!("the lock has not become {pid}'s"))
}

async fn silent(page: &mut Page) -> Result<Silent, Broken> {
    let silent = Silent::listen().await;
    tried(page, silent)
}

/// What goes before a line: it is printed only if it fails.
pub(super) fn tried<T>(page: &mut Page, result: Result<T, String>) -> Result<T, Broken> {
    match result {
        Ok(value) => Ok(value),
        Err(wrong) => page.check(&[], Err(wrong)).and(Err(Broken)),
    }
}
