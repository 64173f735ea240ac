//! A server that edge brings along, so that there is something to pass requests on to: the built-in one of a pool.

mod site;

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::http::uri::Authority;
use mainstay::{
    Daemon, Dep, Dependencies, Provider, RestartPolicy, Result, ResultExt, RunContext, Runnable, TaskFuture,
    async_trait, task,
};
use tokio::net::TcpListener;

use self::site::DemoSite;
use crate::http::serve::{Socket, serve};
use crate::settings::{Limits, SettingsFile};

/// The server, where a pool has it.
#[derive(Default)]
pub(crate) struct Demo {
    settings: Dep<SettingsFile>,
    /// Where it listens, once it does.
    listens: OnceLock<(Authority, Socket)>,
}

impl Demo {
    /// Where it listens, if it was booted.
    pub(crate) fn authority(&self) -> Option<&Authority> {
        self.listens.get().map(|(authority, _)| authority)
    }

    async fn listen(&self) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let authority = Authority::try_from(listener.local_addr()?.to_string()).map_err(io::Error::other)?;
        let socket = Arc::new(listener.into_std()?);
        self.listens.get_or_init(|| (authority, socket));
        Ok(())
    }

    /// Serves until it is to stop. The socket is kept: the next generation goes on with it.
    async fn serve(&self, cx: &RunContext) -> Result<()> {
        let Some((_, socket)) = self.listens.get() else {
            cx.disabled();
            return Ok(());
        };
        // Its one client is stopped before it: nobody is waited for who might still say something.
        let limits = self.settings.load().settings.limits;
        let site = Arc::new(DemoSite::new(Limits { linger: Duration::ZERO, ..limits }));
        let socket = Arc::downgrade(socket);
        tokio::select! {
            served = serve(cx, &socket, &site) => served,
            never = site.panic_when_asked() => match never {},
        }
    }
}

#[async_trait]
impl Provider<Daemon> for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        match self.settings.load().settings.built_in() {
            Some(_) => self.listen().await.boxed(),
            // A reload that asks for it then is refused.
            None => Ok(()),
        }
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

impl Runnable<Daemon> for Demo {
    fn restart_policy(&self) -> RestartPolicy {
        // However often it fails, it may come back: it is tried for ever, and what does not need it serves on.
        RestartPolicy::on_failure().max_delay(Duration::from_secs(1)).unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| app.require::<Self>()?.serve(&cx).await)
    }
}
