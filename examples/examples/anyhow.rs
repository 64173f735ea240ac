//! How do I use anyhow in hooks and around them? By `.boxed()` inside, by `into_std` and `into_result` outside.

use std::sync::Arc;

use anyhow::Context as _;
use mainstay::prelude::*;

/// A library of yours that speaks anyhow.
mod store {
    use anyhow::{Context as _, ensure};

    pub(crate) async fn connect(url: &str) -> anyhow::Result<()> {
        let port = url.rsplit(':').next().unwrap_or_default();
        let port: u16 = port.parse().with_context(|| format!("`{port}` is no port"))?;
        let found = tokio::net::lookup_host(("127.0.0.1", port)).await?.next();
        found.map(drop).context("the name leads to no address")
    }

    pub(crate) fn check(url: &str) -> anyhow::Result<()> {
        ensure!(url.starts_with("store://"), "`{url}` is no url of a store");
        Ok(())
    }
}

struct Store {
    url: String,
}

#[async_trait]
impl Provider<()> for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    /// Inside a hook: anyhow becomes mainstay's. A failed boot is worth a retry.
    async fn boot(&self, _state: &()) -> Result<()> {
        store::connect(&self.url).await.context("no store").boxed()
    }

    /// The same for what no retry will cure.
    fn validate(&self, _state: &()) -> Result<()> {
        store::check(&self.url).invalid()
    }
}

/// A function of yours that speaks mainstay's.
fn url(arg: Option<String>) -> Result<String> {
    arg.ok_or_else(|| Error::msg("say where the store is, for example store://127.0.0.1:5432"))
}

/// Outside: mainstay's becomes anyhow. The exit code of such a `main` is 1 for every failure; one that
/// returns the [`Outcome`] keeps 75 and 78.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = url(std::env::args().nth(1)).map_err(Error::into_std).context("a bad command line")?;
    let registry = Registry::new();
    registry.insert(Arc::new(Store { url }));
    let outcome = Runtime::new(registry, ()).run().await;
    outcome.into_result().context("the store is not served")?;
    Ok(())
}
