//! A provider that does what the command line says, and prints what was called.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_registry::{
    Deadlines, Dependencies, Error, Provider, ReadyWhen, Registry, Reloadable, RestartPolicy, Result,
    Runnable, TaskFuture, Validate,
};
use mainstay_runtime::{RunContext, task};
use tokio::sync::watch;

/// One line of standard output.
#[allow(clippy::print_stdout, reason = "the test reads it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Blocks the thread for ever.
pub(crate) fn block() -> ! {
    say("blocking");
    loop {
        std::thread::park();
    }
}

/// `db boot=panic requires=dns`: a name, and what to do in which phase.
pub(crate) struct Words {
    pub(crate) name: &'static str,
    values: HashMap<&'static str, &'static str>,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let text: &'static str = text.to_owned().leak();
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let values = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        Self { name, values }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'static str> {
        self.values.get(key).copied()
    }

    pub(crate) fn millis(&self, key: &str) -> Option<Duration> {
        self.get(key).map(|value| Duration::from_millis(value.parse().expect("milliseconds")))
    }

    fn act(&self, key: &str) -> &'static str {
        self.get(key).unwrap_or("ok")
    }
}

/// The provider number `N`: a registry knows providers by their types.
struct Probe<const N: usize> {
    words: Words,
    /// The places of those that it requires.
    requires: Vec<usize>,
    hook_called: watch::Sender<bool>,
}

/// Registers one provider for each text.
pub(crate) fn register(registry: &Registry<()>, texts: &[String]) {
    let names: Vec<&str> = texts.iter().map(|text| Words::of(text).name).collect();
    for (place, text) in texts.iter().enumerate() {
        let words = Words::of(text);
        let requires = words.get("requires").unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let requires = requires
            .map(|name| names.iter().position(|other| *other == name).expect("a provider of that name"))
            .collect();
        match place {
            0 => insert::<0>(registry, words, requires),
            1 => insert::<1>(registry, words, requires),
            2 => insert::<2>(registry, words, requires),
            3 => insert::<3>(registry, words, requires),
            4 => insert::<4>(registry, words, requires),
            5 => insert::<5>(registry, words, requires),
            _ => panic!("six providers are enough"),
        }
    }
}

fn insert<const N: usize>(registry: &Registry<()>, words: Words, requires: Vec<usize>) {
    registry.insert(Arc::new(Probe::<N> { words, requires, hook_called: watch::Sender::new(false) }));
}

/// What a phase does. `later-` before it: after its first await.
async fn happen(act: &str) -> Result<()> {
    let now = act.strip_prefix("later-");
    if now.is_some() {
        tokio::task::yield_now().await;
    }
    match now.unwrap_or(act) {
        "hang" => std::future::pending().await,
        "hang-bomb" => {
            let _bomb = Bomb;
            std::future::pending().await
        }
        act => happen_at_once(act),
    }
}

fn happen_at_once(act: &str) -> Result<()> {
    let (name, source) = ("", "boom".into());
    match act {
        "ok" => Ok(()),
        "panic" => panic!("boom"),
        "panic-twice" => {
            let _second = Second;
            panic!("boom")
        }
        "block" => block(),
        "boot" => Err(Error::Boot { name, source }),
        "validate" => Err(Error::Validate { name, source }),
        "reload" => Err(Error::Reload { name, source }),
        "run" => Err(Error::Run { name, source }),
        "recoverable" => Err(Error::Recoverable { name, source }),
        "other" => Err(Error::Other(source)),
        act => panic!("there is no act `{act}`"),
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the bomb of a dropped future");
    }
}

/// Panics while the thread unwinds already.
struct Second;

impl Drop for Second {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

#[async_trait]
impl<const N: usize> Provider<()> for Probe<N> {
    fn name(&self) -> &'static str {
        let _ = happen_at_once(self.words.act("name"));
        self.words.name
    }

    fn dependencies(&self) -> Dependencies<()> {
        say(&format!("plan {}", self.words.name));
        let _ = happen_at_once(self.words.act("dependencies"));
        self.requires.iter().fold(Dependencies::new(), |dependencies, place| match place {
            0 => dependencies.requires::<Probe<0>>(),
            1 => dependencies.requires::<Probe<1>>(),
            2 => dependencies.requires::<Probe<2>>(),
            3 => dependencies.requires::<Probe<3>>(),
            4 => dependencies.requires::<Probe<4>>(),
            _ => dependencies.requires::<Probe<5>>(),
        })
    }

    fn deadlines(&self) -> Deadlines {
        let mut deadlines = Deadlines::new();
        deadlines.boot = self.words.millis("boot-ms");
        deadlines.validate = self.words.millis("validate-ms");
        deadlines.ready = self.words.millis("ready-ms");
        deadlines.reload = self.words.millis("reload-ms");
        deadlines.stop = self.words.millis("stop-ms");
        deadlines.shutdown = self.words.millis("shutdown-ms");
        deadlines
    }

    fn validate_when(&self) -> Validate {
        match self.words.get("validate-when") {
            Some("before") => Validate::BeforeBoot,
            _ => Validate::AfterBoot,
        }
    }

    async fn boot(&self, (): &()) -> Result<()> {
        say(&format!("boot {}", self.words.name));
        happen(self.words.act("boot")).await
    }

    fn validate(&self, (): &()) -> Result<()> {
        say(&format!("validate {}", self.words.name));
        happen_at_once(self.words.act("validate"))
    }

    async fn shutdown(&self, (): &()) -> Result<()> {
        say(&format!("shutdown {}", self.words.name));
        self.hook_called.send_replace(true);
        happen(self.words.act("shutdown")).await
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        self.words.get("reload").is_some().then_some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        self.words.get("run").is_some().then_some(self)
    }
}

#[async_trait]
impl<const N: usize> Reloadable<()> for Probe<N> {
    async fn reload(&self, (): &()) -> Result<()> {
        say(&format!("reload {}", self.words.name));
        happen(self.words.act("reload")).await
    }
}

impl<const N: usize> Runnable<()> for Probe<N> {
    fn run(&self, (): ()) -> TaskFuture {
        let storm = self.words.get("run") == Some("storm");
        // What is printed a hundred thousand times is what its test would be about.
        let said = move |line: String| {
            if !storm {
                say(&line);
            }
        };
        said(format!("start {}", self.words.name));
        let _ = happen_at_once(self.words.act("start"));
        let (name, act, hook) = (self.words.name, self.words.act("run"), self.hook_called.subscribe());
        task(move |cx| async move {
            said(format!("run {name}"));
            run(act, &cx, hook).await?;
            say(&format!("end {name}"));
            Ok(())
        })
    }

    fn ready_when(&self) -> ReadyWhen {
        if self.words.get("ready").is_some() { ReadyWhen::Signalled } else { ReadyWhen::Started }
    }

    fn restart_policy(&self) -> RestartPolicy {
        match self.words.get("restart") {
            Some("for-ever") => RestartPolicy::on_failure().initial_delay(Duration::ZERO).unlimited(),
            _ => RestartPolicy::never(),
        }
    }
}

/// The generations of a storm that say how much memory the process has; the second one is the last.
pub(crate) const STORM: (u64, u64) = (2_000, 22_000);

/// The pages of the process that are in memory; 0 where the system does not say.
#[allow(clippy::disallowed_methods, reason = "the system says it in a file")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

async fn run(act: &str, cx: &RunContext, mut hook: watch::Receiver<bool>) -> Result<()> {
    match act {
        "wait" => cx.shutdown_token().cancelled().await,
        "until-hook" => {
            let _ = hook.wait_for(|called| *called).await;
        }
        "storm" if cx.generation() < STORM.1 => {
            if cx.generation() == STORM.0 {
                say(&format!("resident {}", resident()));
            }
            return Err(Error::msg("boom"));
        }
        "storm" => {
            say(&format!("resident {}", resident()));
            cx.shutdown_token().cancelled().await;
        }
        "reopen" => {
            while cx.until_shutdown(cx.reopen()).await.is_some() {
                say("reopened");
            }
        }
        act => match act.strip_prefix("child-") {
            Some(act) => {
                cx.spawn("child", happen(act.to_owned().leak()));
                cx.shutdown_token().cancelled().await;
            }
            None => return happen(act).await,
        },
    }
    Ok(())
}

impl<const N: usize> Drop for Probe<N> {
    fn drop(&mut self) {
        say(&format!("drop {}", self.words.name));
        if !std::thread::panicking() {
            let _ = happen_at_once(self.words.act("drop"));
        }
    }
}
