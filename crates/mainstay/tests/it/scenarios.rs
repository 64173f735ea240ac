//! The daemons that copies of this binary are.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainstay::{Deadlines, Validate, prelude::*};

/// Says something to the test, whether or not it still listens.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A provider that says what happens to it, and fails where it is told to.
#[derive(Clone, Copy, Default)]
struct Probe {
    boot: Option<Fault>,
    validate: Option<Fault>,
    when: Validate,
}

#[derive(Clone, Copy)]
enum Fault {
    Other,
    Invalid,
    Panic,
    Hang,
}

impl Fault {
    fn happen(self, phase: &str) -> Result<()> {
        match self {
            Self::Other => Err(Error::msg(format!("no {phase} today"))),
            Self::Invalid => Err(format!("the {phase} makes no sense")).invalid(),
            Self::Panic => panic!("{phase} went wrong"),
            Self::Hang => loop {
                std::thread::park();
            },
        }
    }
}

#[async_trait]
impl Provider<Daemon> for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().validate(Duration::from_millis(200))
    }
    fn validate_when(&self) -> Validate {
        self.when
    }
    async fn boot(&self, _app: &Daemon) -> Result<()> {
        say("probe booted");
        self.boot.map_or(Ok(()), |fault| fault.happen("boot"))
    }
    fn validate(&self, _app: &Daemon) -> Result<()> {
        say("probe validated");
        // The application's runtime is there, as in a run.
        let _ = tokio::runtime::Handle::current();
        self.validate.map_or(Ok(()), |fault| fault.happen("validate"))
    }
    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        say("probe shut down");
        Ok(())
    }
}

/// A value that each reload counts up.
#[derive(Default)]
struct Count(Snapshot<u32>);

#[async_trait]
impl Provider<Daemon> for Count {
    fn name(&self) -> &'static str {
        "count"
    }
    async fn boot(&self, _app: &Daemon) -> Result<()> {
        self.0.publish(1);
        Ok(())
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Count {
    async fn reload(&self, _app: &Daemon) -> Result<()> {
        let next = *self.0.load() + 1;
        self.0.publish(next);
        Ok(())
    }
}

/// Serves until it is asked to stop, and says each new count.
async fn serve(app: Daemon, cx: RunContext) -> Result<()> {
    let count = app.require::<Count>()?;
    say("serving");
    loop {
        let changed = count.0.changed();
        say(&format!("count {}", *count.0.load()));
        if cx.until_shutdown(changed).await.is_none() {
            say("asked to stop");
            return Ok(());
        }
    }
}

async fn ignores(_app: Daemon, _cx: RunContext) -> Result<()> {
    say("serving");
    std::future::pending().await
}

/// Never gives its thread back.
async fn blocks(_app: Daemon, _cx: RunContext) -> Result<()> {
    say("serving");
    loop {
        std::thread::park();
    }
}

async fn ends(_app: Daemon, _cx: RunContext) -> Result<()> {
    say(&format!("on thread {}", std::thread::current().name().unwrap_or("-")));
    Ok(())
}

#[derive(Args, Debug)]
struct Listen {
    /// Where to listen
    #[arg(long)]
    port: u16,
}

#[derive(Args, Debug)]
struct Files {
    /// What to serve
    file: Option<String>,
}

fn daemon() -> DaemonBuilder {
    Daemon::builder("probed").version("1.2.3")
}

fn faulty(boot: Option<Fault>, validate: Option<Fault>, when: Validate) -> Outcome {
    daemon().insert(Probe { boot, validate, when }).main()
}

fn register_fails(error: fn() -> Error) -> Outcome {
    daemon().register(move |_| Err(error())).insert(Probe::default()).main()
}

fn mail(_app: &Daemon) -> Result<()> {
    panic!("no mail today")
}

#[allow(clippy::too_many_lines, reason = "one table")]
pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "serve" => daemon()
            .insert(Count::default())
            .insert(runnable("serve", serve).requires::<Count>())
            .insert(Probe::default())
            .main(),
        "ignores" => daemon().insert(runnable("deaf", ignores)).insert(Probe::default()).main(),
        "blocks" => daemon()
            .tokio(|| {
                let mut tokio = tokio::runtime::Builder::new_multi_thread();
                tokio.worker_threads(1).enable_all();
                tokio
            })
            .insert(Probe::default())
            .insert(runnable("stuck", blocks).deadlines(Deadlines::new().stop(Duration::from_millis(50))))
            .main(),
        "blocks-current-thread" => daemon()
            .tokio(|| {
                let mut tokio = tokio::runtime::Builder::new_current_thread();
                tokio.enable_all();
                tokio
            })
            .insert(Probe::default())
            .insert(runnable("stuck", blocks).deadlines(Deadlines::new().stop(Duration::from_millis(50))))
            .main(),
        "own-args" => daemon()
            .args::<Listen>()
            .args::<Files>()
            .register(|app| {
                say(&format!("{:?} {:?}", app.args::<Listen>(), app.try_args::<Files>()));
                say(&format!("{} in {}", app.config_dir().display(), app.run_mode()));
                Ok(())
            })
            .main(),
        "undeclared-args" => daemon()
            .register(|app| {
                let _ = app.args::<Listen>();
                Ok(())
            })
            .main(),
        "colliding-args" => {
            #[derive(Args, Debug)]
            struct Mine {
                #[arg(long)]
                log: String,
            }
            daemon().args::<Mine>().register(|_| unreachable!("its flags collide")).main()
        }
        "own-tokio" => daemon()
            .tokio(|| {
                let mut tokio = tokio::runtime::Builder::new_multi_thread();
                tokio.worker_threads(1).thread_name("mine").enable_all();
                tokio
            })
            .insert(runnable("ends", ends))
            .main(),
        "current-thread" => daemon()
            .tokio(|| {
                let mut tokio = tokio::runtime::Builder::new_current_thread();
                tokio.enable_all();
                tokio
            })
            .insert(runnable("ends", ends))
            .main(),
        "panicking-tokio" => daemon().tokio(|| panic!("no runtime today")).main(),
        "inside" => tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(async { daemon().register(|_| unreachable!("it is the wrong door")).main() }),
        "own-subscriber" => {
            let mine = tracing_subscriber_of_the_test();
            tracing::subscriber::set_global_default(mine).expect("nobody was faster");
            daemon().insert(runnable("ends", ends)).main()
        }
        "log-layer" => {
            let mine = tracing_subscriber::fmt::layer().with_writer(|| Marked);
            daemon().log_layer(mine).insert(runnable("ends", ends)).main()
        }
        "two-that-fail" => daemon()
            .register(|_| Err(Error::msg("no dns today")))
            .register(mail)
            .insert(Probe::default())
            .main(),
        "register-other" => register_fails(|| Error::msg("no register today")),
        "register-invalid" => register_fails(|| "it makes no sense".parse::<u8>().invalid().unwrap_err()),
        "register-boot" => {
            register_fails(|| Error::Boot { name: "", source: "the disk is not there yet".into() })
        }
        "twice" => daemon().insert(Probe::default()).insert(Probe::default()).main(),
        "twice-by-hand" => daemon()
            .insert(Probe::default())
            .register(|app| {
                app.registry().try_insert(Arc::new(Probe::default()))?;
                Ok(())
            })
            .main(),
        "value-twice" => daemon().insert_value(7_u8).insert_value(8_u8).main(),
        "same-names" => daemon().insert(runnable("probe", serve)).insert(Probe::default()).main(),
        "missing" => daemon().insert(runnable("serve", serve).requires::<Count>()).main(),
        "boot-fails" => faulty(Some(Fault::Other), None, Validate::AfterBoot),
        "boot-is-invalid" => faulty(Some(Fault::Invalid), None, Validate::AfterBoot),
        "boot-panics" => faulty(Some(Fault::Panic), None, Validate::AfterBoot),
        "validate-fails" => faulty(None, Some(Fault::Other), Validate::AfterBoot),
        "good-before-boot" => faulty(None, None, Validate::BeforeBoot),
        "bad-before-boot" => faulty(None, Some(Fault::Other), Validate::BeforeBoot),
        "panics-before-boot" => faulty(None, Some(Fault::Panic), Validate::Both),
        "hangs-before-boot" => faulty(None, Some(Fault::Hang), Validate::BeforeBoot),
        "full-stderr" => {
            // Holds the lock of standard error for ever, in the middle of a line that does not fit into the pipe.
            let (locked, wait) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let mut stderr = std::io::stderr().lock();
                let _ = locked.send(());
                stderr.write_all(&vec![b'.'; 1 << 20])
            });
            let _ = wait.recv();
            daemon().log_default("off").insert(Probe { boot: Some(Fault::Other), ..Probe::default() }).main()
        }
        "own-verb" => daemon()
            .log_default("warn")
            .verb("where", "Print where the configuration is read", |app| {
                say(&format!("in {}", app.config_dir().display()));
                Outcome::refused("not there", 3)
            })
            .verb("fall", "Panic", |_| panic!("no verb today"))
            .register(|_| unreachable!("an own verb registers nothing"))
            .main(),
        other => unreachable!("no scenario is called {other}"),
    }
}

/// A subscriber that prints every event's message on standard output, behind a mark.
fn tracing_subscriber_of_the_test() -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt().with_writer(|| Marked).finish()
}

/// Writes lines on standard output, behind a mark.
struct Marked;

impl std::io::Write for Marked {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        say(&format!("mine: {}", String::from_utf8_lossy(line).trim_end()));
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
