//! Scenes under load: reloads that are good, files that are not, and the stop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::boots::tried;
use super::page::{Broken, Page, Promise};
use super::raw::Raw;
use super::stage::{Actor, BIG, PATIENCE, Silent, Stage, ends, first_words, line, nobody};
use crate::drive::{Answer, Child, Client, Crossed, Ended, Load, Tally};
use crate::first_words::short;

/// Connections of the load.
const CONNECTIONS: usize = 8;
/// How long the load goes on before anything else happens.
const ALONE: Duration = Duration::from_secs(3);
/// How many good reloads there are, and how long the load goes on after each.
const RELOADS: u32 = 12;
const BETWEEN: Duration = Duration::from_millis(400);
/// How long the old settings are watched after a bad file.
const WATCHED: Duration = Duration::from_secs(1);
/// How long answers that cross several providers are looked at, and on how many connections.
const CROSSED: Duration = Duration::from_millis(1_500);
const CROSSERS: usize = 4;
/// Slow answers in flight when the stop is asked for, and how long each takes.
const SLOW: usize = 4;
const SLOW_TAKES: Duration = Duration::from_millis(2_500);

/// The edge that serves all the time, and the load on it.
pub(super) struct Main {
    pub(super) actor: Actor,
    child: Child,
    address: SocketAddr,
    load: Load,
    /// What was on the page already.
    counted: Tally,
    client: Client,
    greeting: u32,
}

impl Main {
    /// Starts it.
    pub(super) async fn start(page: &mut Page, stage: &Stage) -> Result<Self, Broken> {
        page.scene("load");
        let actor = tried(page, stage.actor("main", &settings(0, "10s")))?;
        let child = tried(page, actor.start(&[]))?;
        let (_, address) = tried(page, first_words(&child).await)?;
        let load = Load::start(address, CONNECTIONS, asks());
        let (client, counted) = (Client::new(address), Tally::default());
        Ok(Self { actor, child, address, load, counted, client, greeting: 0 })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Nothing but load.
    pub(super) async fn load(&mut self, page: &mut Page) -> Result<(), Broken> {
        sleep(ALONE).await;
        let text =
            format!("{CONNECTIONS} connections, kept: a page, 96 KiB of file, a route passed on, /epoch");
        let tally = self.since_last();
        page.counted(&[], &tally, some(&tally, text))
    }

    /// Each new value is seen served before the next one is written.
    pub(super) async fn good_reloads(&mut self, page: &mut Page) -> Result<(), Broken> {
        page.scene("reloads under load");
        let mut longest = Duration::ZERO;
        for _ in 0..RELOADS {
            let took = self.reload().await;
            longest = longest.max(tried(page, took)?);
            sleep(BETWEEN).await;
        }
        let text =
            format!("{RELOADS} x SIGHUP, each seen served before the next, at most {} later", short(longest));
        let tally = self.since_last();
        page.counted(&[Promise::Reloads], &tally, some(&tally, text))
    }

    /// A listener more, and one less while it has something to do.
    pub(super) async fn listeners(&mut self, page: &mut Page) -> Result<(), Broken> {
        let moved = async {
            let other = nobody().await?;
            self.reload_with(&format!("also: ['{other}']\n")).await?;
            let request = format!("GET /demo/slow?ms={} HTTP/1.1\r\nhost: edge\r\n\r\n", BETWEEN.as_millis());
            let mut slow = Raw::send(other, &request).await?;
            slow.begun().await?;
            self.reload_with("").await?;
            refuses(other).await?;
            complete(&slow.ended().await?, "10 of 10\n\r\n0\r\n\r\n")
        };
        let moved = moved.await;
        let tally = self.since_last();
        let text = "a listener more is served from the commit on; taken away, it ends its answers".to_owned();
        page.counted(&[Promise::Reloads], &tally, moved.map(|()| text))
    }

    async fn reload(&mut self) -> Result<Duration, String> {
        self.reload_with("").await
    }

    /// Reloads the next greeting with this below it, and waits until it is served.
    async fn reload_with(&mut self, more: &str) -> Result<Duration, String> {
        self.greeting += 1;
        self.actor.write(&format!("{}{more}", settings(self.greeting, "10s")))?;
        let since = Instant::now();
        self.child.hang_up().map_err(|error| error.to_string())?;
        let wanted = self.greeting;
        let seen = async {
            while self.served().await? != wanted {}
            Ok(since.elapsed())
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| Err(format!("greeting {wanted} was not served")))
    }

    /// Files that are refused, and change nothing.
    pub(super) async fn bad_files(&mut self, page: &mut Page) -> Result<(), Broken> {
        page.scene("bad files under load");
        let next = self.greeting + 1;
        let taken = Silent::listen().await;
        let taken = tried(page, taken)?;
        let moved =
            settings(next, "10s").replace("listen: 127.0.0.1:0", &format!("listen: {}", taken.address));
        let cases = [
            ("a new greeting and a typo", "settings", settings(next, "soon"), ": http.yaml:8:15 "),
            ("a new greeting and a taken address", "http", moved, ": http.yaml:2:9 "),
            ("a new greeting and a route to nowhere", "routes", unroutable(next), ": http.yaml:10:9 "),
        ];
        for (what, provider, text, place) in cases {
            let refused = self.refused(provider, &text, place).await;
            let refused = refused.map(|said| format!("{what}: refused, and nothing of it is served\n{said}"));
            let tally = self.since_last();
            page.counted(&[Promise::Reloads, Promise::Names], &tally, refused)?;
        }
        let again = self.reload().await;
        page.check(
            &[Promise::Reloads],
            again.map(|took| format!("the file put right: served {} later", short(took))),
        )
    }

    /// Reloads a file that is refused with this place, and watches the old settings being served.
    async fn refused(&mut self, provider: &str, text: &str, place: &str) -> Result<String, String> {
        let said = self.refusal(provider, text, place).await?;
        let until = Instant::now() + WATCHED;
        while Instant::now() < until {
            let greeting = self.served().await?;
            if greeting != self.greeting {
                return Err(format!("greeting {greeting} of a refused file was served"));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(said)
    }

    /// Reloads a file that a provider refuses with this place: what it says.
    async fn refusal(&self, provider: &str, text: &str, place: &str) -> Result<String, String> {
        self.actor.write(text)?;
        let before = self.child.said().count();
        self.child.hang_up().map_err(|error| error.to_string())?;
        let named = format!("reload of '{provider}' failed");
        let said = |line: &str| {
            let line = self.actor.without_folder(line);
            let said = &line[line.find(&named)?..];
            // The fields of the log come after the text.
            let said = said.split(" provider=").next().unwrap_or(said);
            said.contains(place).then(|| said.to_owned())
        };
        self.child.said().line_after(before, PATIENCE, said).await.map(|(said, _)| said)
    }

    /// Answers that cross three providers, while one reload after the other is served, or refused by one
    /// of them.
    pub(super) async fn epochs(&mut self, page: &mut Page) -> Result<(), Broken> {
        page.scene("answers that cross three providers, while reloads are served and refused");
        let crossers = Load::start(self.address, CROSSERS, vec![crossing()]);
        let until = Instant::now() + CROSSED;
        let mut reloads = 0;
        while Instant::now() < until {
            let both = async {
                self.reload().await?;
                self.refusal("routes", &unroutable(self.greeting + 1), ": http.yaml:10:9 ").await
            };
            let both = both.await;
            tried(page, both)?;
            reloads += 1;
        }
        let tally = crossers.stop().await;
        let right = self.reload().await;
        tried(page, right)?;
        let text = format!("{reloads} reloads served, {reloads} refused: never two epochs in one answer");
        page.counted(&[Promise::Reloads], &tally, some(&tally, text))?;
        let answer = self.client.get("/epoch").await.map_err(|error| error.to_string());
        for line in tried(page, answer)?.text().lines() {
            page.quote(line);
        }
        let tally = self.since_last();
        page.counted(&[], &tally, some(&tally, "the load went on beside it".to_owned()))
    }

    /// The load while others booted and failed.
    pub(super) fn beside(&mut self, page: &mut Page) -> Result<(), Broken> {
        let tally = self.since_last();
        page.counted(&[], &tally, some(&tally, "all the while, the first edge served".to_owned()))
    }

    /// The stop, with everything in flight that can be.
    pub(super) async fn stop(self, page: &mut Page) -> Result<(), Broken> {
        page.scene("SIGTERM under load");
        let in_flight = self.in_flight().await;
        let (slow, mut upload, half) = tried(page, in_flight)?;
        page.check(&[], Ok(format!("in flight: {SLOW} slow answers, half an upload, half a request")))?;
        self.load.farewell();
        let asked = Instant::now();
        let sent = self.child.terminate().map_err(|error| error.to_string());
        tried(page, sent)?;
        let refused = refuses(self.address).await;
        page.check(&[], refused.map(|()| "nobody new is let in".to_owned()))?;

        let whole = async {
            upload.go_on("second half").await?;
            complete(&upload.ended().await?, "first half, second half")?;
            for slow in slow {
                complete(&slow.ended().await?, "10 of 10\n\r\n0\r\n\r\n")?;
            }
            Ok::<_, String>(())
        };
        let cut = async {
            // What it ends with does not matter: it had sent half of a head.
            let _ = half.ended().await;
            asked.elapsed()
        };
        let (whole, cut, ended) = tokio::join!(whole, cut, ends(self.child, 0));
        let mut tally = since(&self.load.ended().await, &self.counted);
        tally.sent += SLOW as u64 + 1;
        if let Err(wrong) = whole {
            tally.failed += 1;
            tally.failures.push(wrong);
        }
        let text = format!("{SLOW} slow answers and the upload are whole; so is every answer of the load");
        page.counted(&[Promise::Stops], &tally, Ok(text))?;
        let text = format!("the half request did not hold the stop: cut after {}", short(cut));
        page.check(&[Promise::Deadlines], if cut < SLOW_TAKES / 2 { Ok(text) } else { Err(text) })?;
        let last = ended.and_then(|ended| last_line(&ended, &self.actor));
        page.check(
            &[Promise::Stops, Promise::Printed],
            last.as_ref()
                .map(|_| "ten were started, ten are stopped: exit 0".to_owned())
                .map_err(Clone::clone),
        )?;
        page.quote(&last.unwrap_or_default());
        Ok(())
    }

    /// Slow answers that have begun, an upload and a request that are half sent.
    async fn in_flight(&self) -> Result<(Vec<Raw>, Raw, Raw), String> {
        let half = Raw::send(self.address, "GET / HTTP/1.1\r\nhost: edge\r\nx-half").await?;
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let request =
                format!("GET /demo/slow?ms={} HTTP/1.1\r\nhost: edge\r\n\r\n", SLOW_TAKES.as_millis());
            slow.push(Raw::send(self.address, &request).await?);
        }
        let request = "POST /demo/echo HTTP/1.1\r\nhost: edge\r\ncontent-length: 23\r\n\r\nfirst half, ";
        let mut upload = Raw::send(self.address, request).await?;
        for raw in slow.iter_mut().chain([&mut upload]) {
            raw.begun().await?;
        }
        Ok((slow, upload, half))
    }

    /// The number of the greeting that is served now.
    async fn served(&mut self) -> Result<u32, String> {
        let answer = self.client.get("/status").await.map_err(|error| error.to_string())?;
        let text = answer.text();
        let number = text.lines().find_map(|line| line.strip_prefix("greeting   number ")?.parse().ok());
        number.ok_or_else(|| format!("no greeting in:\n{text}"))
    }

    fn since_last(&mut self) -> Tally {
        let now = self.load.so_far();
        let tally = since(&now, &self.counted);
        self.counted = now;
        tally
    }
}

/// Line 8, column 15 is the patience; line 10, column 9 is where a route goes.
fn settings(greeting: u32, patience: &str) -> String {
    format!(
        "# written by the tour\nlisten: 127.0.0.1:0\ngreeting: number {greeting}\nfiles: public\n\
         upstreams:\n  demo:\n    servers: [built-in]\n    patience: {patience}\n\
         routes:\n  /now: text number {greeting}\n"
    )
}

/// A file that `settings` accepts.
fn unroutable(greeting: u32) -> String {
    settings(greeting, "10s").replace("/now: text", "/now: nowhere")
}

/// An answer in which what was crossed is of one epoch.
fn crossing() -> Ask {
    let right = |answer: &Answer| {
        let all = Crossed::all(&answer.text());
        answer.status == 200 && all.is_ok_and(|all| Crossed::belong_together(&all).is_ok())
    };
    ("/epoch", Box::new(right))
}

type Ask = (&'static str, Box<dyn Fn(&Answer) -> bool + Send + Sync>);

fn asks() -> Vec<Ask> {
    fn ask(path: &'static str, right: impl Fn(&Answer) -> bool + Send + Sync + 'static) -> Ask {
        (path, Box::new(move |answer| answer.status == 200 && right(answer)))
    }
    vec![
        ask("/", |answer| answer.text().contains("<h1>number ")),
        ask("/files/big.txt", |answer| answer.body.len() == BIG),
        crossing(),
        ask("/demo/hello", |answer| answer.text().starts_with("hello from the upstream")),
    ]
}

fn since(now: &Tally, before: &Tally) -> Tally {
    let failures = now.failures.get(before.failures.len()..).unwrap_or_default().to_vec();
    Tally { sent: now.sent - before.sent, failed: now.failed - before.failed, failures }
}

/// A count of nothing shows nothing.
pub(super) fn some(tally: &Tally, text: String) -> Result<String, String> {
    if tally.sent > 0 { Ok(text) } else { Err("no request was answered".to_owned()) }
}

fn complete(answer: &str, end: &str) -> Result<(), String> {
    if answer.ends_with(end) { Ok(()) } else { Err(format!("broken off: {answer:?}")) }
}

/// Waits until connections are refused.
async fn refuses(address: SocketAddr) -> Result<(), String> {
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, refused).await.map_err(|_| "connections are still accepted".to_owned())
}

fn last_line(ended: &Ended, actor: &Actor) -> Result<String, String> {
    let last = line(ended, "stop SIGTERM")?;
    if last.contains("0 in flight · hooks 10/10") && actor.holder().is_empty() {
        return Ok(last);
    }
    Err(format!("not everything was stopped: {last}"))
}
