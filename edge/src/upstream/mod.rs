//! What requests are passed on to: a server somewhere else, or the one that edge brings along.

mod check;
mod demo;
mod health;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::http::uri::Authority;
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, Loaded, Provider, ReadyWhen, Reloadable, RestartPolicy,
    Result, ResultExt, RunContext, Runnable, Snapshot, TaskFuture, async_trait, note, task,
};
use tokio::net::TcpListener;

use self::demo::Demo;
use self::health::Health;
use crate::http::serve::{Socket, serve};
use crate::mark::Mark;
use crate::settings::{Address, Limits, SettingsFile};

/// The upstream, and its server if that is ours.
#[derive(Default)]
pub(crate) struct Upstream {
    settings: Dep<SettingsFile>,
    target: Snapshot<Target>,
    /// Where the built-in one listens, once it does.
    built_in: OnceLock<(Authority, Socket)>,
    health: Health,
}

/// Where a request is passed on to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Who answers.
    pub(crate) authority: Authority,
    /// How long the head of the answer may take.
    pub(crate) patience: Duration,
    /// What it was made of.
    pub(crate) mark: Mark,
}

impl Upstream {
    /// Whom to pass requests on to now.
    pub(crate) fn load(&self) -> Loaded<Target> {
        self.target.load()
    }

    /// Derives it from what `settings` has published, or staged.
    fn derive(&self) {
        let reading = self.settings.load();
        let upstream = &reading.settings.upstream;
        let authority = match &upstream.address.value {
            Address::Remote(authority) => authority.clone(),
            // A reload that asks for one that was not booted is refused.
            Address::BuiltIn => self
                .built_in
                .get()
                .map_or_else(|| Authority::from_static("localhost:0"), |(authority, _)| authority.clone()),
        };
        let value = format!("{} patience {:?}", upstream.address.value, upstream.patience);
        let mark = Mark::new(reading.mark.of(), value);
        self.target.publish(Target { authority, patience: upstream.patience, mark });
    }

    /// Why it cannot be asked at all, if that is known.
    pub(crate) fn why_down(&self, target: &Target) -> Option<String> {
        self.health.why_down(target)
    }

    /// How often it is probed; the one inside this process is not.
    fn probe(&self) -> Option<Duration> {
        let reading = self.settings.load();
        let upstream = &reading.settings.upstream;
        if upstream.address.value == Address::BuiltIn { None } else { upstream.probe }
    }

    async fn listen(&self) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = authority_of(listener.local_addr()?)?;
        let socket = Arc::new(listener.into_std()?);
        self.built_in.get_or_init(|| (address, socket));
        Ok(())
    }

    /// Serves as the built-in upstream, if it was booted. The socket is kept: the next generation goes on with it.
    async fn serve(&self, cx: &RunContext) -> Result<()> {
        let Some((_, socket)) = self.built_in.get() else { return Ok(()) };
        // Its one client is stopped before it: nobody is waited for who might still say something.
        let header = self.settings.load().settings.limits.header;
        let demo = Arc::new(Demo::new(Limits { header, linger: Duration::ZERO }));
        let socket = Arc::downgrade(socket);
        tokio::select! {
            served = serve(cx, &socket, &demo) => served,
            never = demo.panic_when_asked() => match never {},
        }
    }
}

#[async_trait]
impl Provider<Daemon> for Upstream {
    fn name(&self) -> &'static str {
        "upstream"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    fn deadlines(&self) -> Deadlines {
        // Whoever supervises edge may try again; to wait longer says nothing new.
        Deadlines::new().boot(Duration::from_secs(5))
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        let reading = self.settings.load();
        let upstream = &reading.settings.upstream;
        match &upstream.address.value {
            // It answers as soon as it runs: there is nothing to ask.
            Address::BuiltIn => self.listen().await.boxed(),
            Address::Remote(authority) if upstream.check => {
                note(format!("waiting for an answer of {authority}"));
                check::answers(authority)
                    .await
                    .map_err(|error| Error::msg(format!("the upstream {authority} does not answer: {error}")))
            }
            Address::Remote(_) => Ok(()),
        }?;
        self.derive();
        Ok(())
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Upstream {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive();
        Ok(())
    }
}

impl Runnable<Daemon> for Upstream {
    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Signalled
    }

    fn restart_policy(&self) -> RestartPolicy {
        // However often it fails, it may come back: it is tried for ever, and what does not need it serves on.
        RestartPolicy::on_failure().max_delay(Duration::from_secs(1)).unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| {
            let upstream = app.require::<Self>()?;
            tokio::try_join!(upstream.serve(&cx), health::watch(&upstream, &cx))?;
            Ok(())
        })
    }
}

fn authority_of(address: SocketAddr) -> io::Result<Authority> {
    Authority::try_from(address.to_string()).map_err(io::Error::other)
}
