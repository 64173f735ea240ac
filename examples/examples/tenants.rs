//! How do I serve tenants that come and go by a reload, where one that fails is restarted alone?

use std::collections::BTreeSet;

use mainstay::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// The names in config/tenants.txt, one a line.
#[derive(Default)]
struct Names(Snapshot<BTreeSet<String>>);

#[async_trait]
impl Provider<Daemon> for Names {
    fn name(&self) -> &'static str {
        "names"
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        self.reload(app).await
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Names {
    async fn reload(&self, app: &Daemon) -> Result<()> {
        let text = tokio::fs::read_to_string(app.config_dir().join("tenants.txt")).await?;
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        self.0.publish(names.map(str::to_owned).collect());
        Ok(())
    }
}

/// Makes what runs what the list says, now and after each reload.
async fn tenants(app: Daemon, cx: RunContext) -> Result<()> {
    let names = app.require::<Names>()?;
    loop {
        let changed = names.0.changed(); // from before the look at the list, so that no change is lost
        let wanted = names.0.load();
        for child in cx.children().list() {
            if !wanted.contains(&child.name)
                && let Some(gone) = cx.children().get(&child.name)
            {
                gone.stop().await?; // what it does it may finish, up to the stop deadline
                gone.remove()?;
                println!("{} is gone", child.name);
            }
        }
        for name in wanted.iter().filter(|name| cx.children().get(name).is_none()) {
            let tenant = name.clone();
            // Started again after a failure, with growing delays, as a new generation; the others do not notice.
            cx.supervise(name.clone(), RestartPolicy::on_failure().degrade(), move |cx| {
                serve(tenant.clone(), cx)
            })?;
        }
        if cx.until_shutdown(changed).await.is_none() {
            return Ok(()); // its children are asked to stop, and waited for
        }
    }
}

/// One generation of one tenant. What it holds (a listener, its connections) ends with it.
async fn serve(tenant: String, cx: RunContext) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{tenant} #{} on {}", cx.generation(), listener.local_addr()?);
    while let Some(accepted) = cx.until_shutdown(listener.accept()).await {
        let (stream, _) = accepted?;
        let (tenant, child) = (tenant.clone(), cx.clone());
        cx.spawn("connection", async move {
            child.until_shutdown(answer(stream, &tenant, child.generation())).await.unwrap_or(Ok(()))
        });
    }
    Ok(())
}

async fn answer(stream: TcpStream, tenant: &str, generation: u64) -> Result<()> {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        assert_ne!(line.trim(), "crash", "{tenant} was asked to");
        stream.write_all(format!("{tenant} #{generation}: {}\n", line.trim()).as_bytes()).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("tenants")
        .insert(Names::default())
        .insert(runnable("tenants", tenants).requires::<Names>())
        .main()
}
