//! Scenes of the supervision: a panic, and an upstream that is killed and comes back, both under load.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::boots::tried;
use super::page::{Broken, Page, Promise};
use super::stage::{Actor, BIG, PATIENCE, Stage, ends, first_words, nobody};
use super::traffic::some;
use crate::drive::{Child, Client, Load, Tally};
use crate::first_words::short;

/// Connections that ask for what a crash is not to touch.
const CONNECTIONS: usize = 4;
/// The delay of the first restart, of which the jitter takes a fifth away at most.
const FIRST: Duration = Duration::from_millis(100);
/// How often the upstream is asked whether it is there; after three bad answers it is down, after a good one up.
const CHECKED: Duration = Duration::from_millis(200);
/// What a restart may take beside its delay, on a machine that does all of this at once.
const BESIDE: Duration = Duration::from_millis(500);
/// How long the load goes on before the panic, and after it.
const ALONE: Duration = Duration::from_millis(300);
/// How long the upstream is gone, and how long the client of its route rests between two answers.
const GONE: Duration = Duration::from_millis(1_500);
const REST: Duration = Duration::from_millis(2);

/// What is passed on: by this edge to the one behind it, and by that one to the upstream inside it.
const PASSED: &str = "/demo/demo/hello";

/// A status, and what a 503 says.
fn answered(
    answer: Result<crate::drive::Answer, crate::drive::Failed>,
) -> Result<(u16, Option<String>), String> {
    let answer = answer.map_err(|error| error.to_string())?;
    let says = (answer.status == 503).then(|| answer.text().trim_end().to_owned());
    Ok((answer.status.as_u16(), says))
}

/// A panic in one provider: the next generation of it, and nothing else.
pub(super) async fn panic(page: &mut Page, stage: &Stage) -> Result<(), Broken> {
    page.scene("a panic under load");
    let front = Front::start(stage, "panics", "built-in").await;
    let mut front = tried(page, front)?;
    let seen = front.panics().await;
    page.check(&[Promise::Names], seen)?;
    front.leave(page, "a request for it waited for generation 2; everything else was served on").await
}

/// A process that is killed: its route says so, everything else is served, and it is found again.
pub(super) async fn kill(page: &mut Page, stage: &Stage) -> Result<(), Broken> {
    page.scene("kill -9 of an upstream, under load");
    let started = async {
        let address = nobody().await?;
        let behind = stage.actor("behind", &format!("listen: {address}\n"))?;
        let child = behind.start(&[])?;
        first_words(&child).await?;
        Ok((Front::start(stage, "front", &address.to_string()).await?, behind, child))
    };
    let started = started.await;
    let (mut front, behind, child) = tried(page, started)?;
    let lost = front.loses(child).await;
    page.check(&[Promise::Names], lost)?;
    let found = front.finds(&behind).await;
    page.check(&[], found)?;
    let Route { good, broken, down } = front.route;
    let text =
        format!("its route: {good} x 200, {broken} x 502, {down} x 503; everything else was served on");
    front.leave(page, &text).await
}

/// An edge with load on everything but the route of its upstream.
struct Front {
    child: Child,
    client: Client,
    load: Load,
    route: Route,
}

/// What the route of the upstream has answered.
#[derive(Default)]
struct Route {
    good: u64,
    /// It was asked, and could not be reached or broke off.
    broken: u64,
    /// It was not asked, since it is known to be down.
    down: u64,
}

impl Front {
    async fn start(stage: &Stage, name: &str, upstream: &str) -> Result<Self, String> {
        let settings = format!(
            "listen: 127.0.0.1:0\nfiles: public\nroutes:\n  /now: text now\n\
             upstreams:\n  demo:\n    servers: ['{upstream}']\n    \
             check: {{interval: {CHECKED:?}, rise: 1}}\n"
        );
        let child = stage.actor(name, &settings)?.start(&[])?;
        let (_, address): (_, SocketAddr) = first_words(&child).await?;
        let load = Load::start(
            address,
            CONNECTIONS,
            vec![
                ("/", Box::new(|answer| answer.status == 200)),
                ("/files/big.txt", Box::new(|answer| answer.body.len() == BIG)),
                ("/now", Box::new(|answer| answer.text() == "now\n")),
            ],
        );
        Ok(Self { child, client: Client::new(address), load, route: Route::default() })
    }

    /// Makes its upstream panic, and asks for it at once.
    async fn panics(&mut self) -> Result<String, String> {
        sleep(ALONE).await;
        // At least the delay from before it is asked, and not much more from its answer: on a busy machine the two are
        // far apart.
        let before = Instant::now();
        // Not a GET: that would be asked again on a new connection, and panic twice.
        let asked = timeout(PATIENCE, self.client.post("/demo/panic", bytes::Bytes::new())).await;
        let asked = answered(asked.map_err(|_| "no answer".to_owned())?)?;
        let since = Instant::now();
        let next = self.get("/demo/hello").await?;
        let (took, whole) = (since.elapsed(), before.elapsed());
        let (said, place) = self.child.line(PATIENCE, restarting).await?;
        sleep(ALONE).await;
        let row = self.status("run · ready", "demo").await?.1;
        let text = format!("`demo` panicked at {place}: generation 2 after {}\n{said}\n{row}", short(took));
        let in_time = whole >= FIRST * 7 / 10 && took < FIRST + BESIDE;
        let good = asked == (502, None) && next == (200, None) && in_time && row.contains(" #2 ");
        if good { Ok(text) } else { Err(format!("{asked:?}, {next:?}\n{text}")) }
    }

    /// Kills its upstream, and asks for it all the time that it is gone.
    async fn loses(&mut self, upstream: Child) -> Result<String, String> {
        while self.route.good < 50 {
            self.ask().await?;
        }
        upstream.kill().map_err(|error| error.to_string())?;
        let since = Instant::now();
        upstream.end(PATIENCE).await?;
        let mut known = None;
        while known.is_none() || since.elapsed() < GONE {
            if let Some(why) = self.ask().await? {
                known.get_or_insert((since.elapsed(), why));
            }
            sleep(REST).await;
        }
        let (after, why) = known.unwrap_or_default();
        let cause = self.status("run · degraded", "upstreams/pools").await?.0;
        let text = format!(
            "{} later its route says 503, without asking\n{why}\nthe whole is degraded: {cause}",
            short(after)
        );
        let good = cause.starts_with("'upstreams' not ready: ") && cause.contains(", since ");
        if good && self.route.broken > 0 { Ok(text) } else { Err(text) }
    }

    /// Starts its upstream again, and asks until it is there.
    async fn finds(&mut self, behind: &Actor) -> Result<String, String> {
        let upstream = behind.start(&[])?;
        first_words(&upstream).await?;
        let (since, before) = (Instant::now(), self.route.good);
        while self.route.good == before {
            if since.elapsed() > PATIENCE {
                return Err("it was not found again".to_owned());
            }
            self.ask().await?;
            sleep(REST).await;
        }
        let took = since.elapsed();
        let row = self.status("run · ready", "upstreams/pools").await?.1;
        upstream.terminate().map_err(|error| error.to_string())?;
        ends(upstream, 0).await?;
        let text = format!(
            "started again, it is found {} later; it is asked every {}\n{row}",
            short(took),
            short(CHECKED)
        );
        if took < CHECKED + BESIDE { Ok(text) } else { Err(text) }
    }

    /// Asks for what is passed on: why not, where that is known before.
    async fn ask(&mut self) -> Result<Option<String>, String> {
        match self.get(PASSED).await? {
            (200, _) => self.route.good += 1,
            (502, _) => self.route.broken += 1,
            (503, why) => {
                self.route.down += 1;
                return Ok(why);
            }
            (status, _) => return Err(format!("its route answered {status}")),
        }
        Ok(None)
    }

    /// The status of an answer, and what it says where it is a 503.
    async fn get(&mut self, path: &str) -> Result<(u16, Option<String>), String> {
        answered(timeout(PATIENCE, self.client.get(path)).await.map_err(|_| "no answer".to_owned())?)
    }

    /// Waits for this in the status: the line below it, and the row of this one.
    async fn status(&mut self, part: &str, name: &str) -> Result<(String, String), String> {
        let seen = async {
            loop {
                let answer = self.client.get("/status").await.map_err(|error| error.to_string())?.text();
                let Some((_, table)) = answer.split_once(part) else { continue };
                let cause = table.lines().nth(1).unwrap_or_default().trim().to_owned();
                let row = answer.lines().find(|line| line.starts_with(&format!("  {name} ")));
                return Ok((cause, row.unwrap_or_default().trim().to_owned()));
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| Err(format!("the status never was '{part}'")))
    }

    /// Stops the load and the edge; nothing but the upstream's route may have failed.
    async fn leave(self, page: &mut Page, text: &str) -> Result<(), Broken> {
        let mut tally: Tally = self.load.stop().await;
        tally.sent += self.route.good + self.route.broken + self.route.down;
        let stopped = async {
            self.child.terminate().map_err(|error| error.to_string())?;
            ends(self.child, 0).await
        };
        let stopped = stopped.await.and_then(|_| some(&tally, text.to_owned()));
        page.counted(&[Promise::Stops], &tally, stopped)
    }
}

/// The line that says that something panicked and is started again, and where it did.
fn restarting(line: &str) -> Option<(String, String)> {
    let said = &line[line.find("runnable 'demo' panicked")?..];
    let place = said.split_once(" at=\"")?.1.split('"').next()?;
    // The column is for editors.
    Some((said.to_owned(), place.rsplit_once(':')?.0.to_owned()))
}
