//! Asks name servers, each question anew: what an answer is worth for how long is kept elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use mainstay::BoxError;
use tokio::time::timeout;

use super::known::Answer;

/// What one question may take with all that a resolver tries: two servers, two times, 5 s each, is the default of
/// `resolv.conf`, and nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The resolver of one reading.
pub(super) struct Asker(TokioResolver);

impl Asker {
    /// Asks as the system is configured: its servers, search domains and timeouts, and its file of hosts first. All of
    /// it is read here, so that a reload reads it again.
    pub(super) async fn of_the_system() -> Result<Self, BoxError> {
        tokio::task::spawn_blocking(|| {
            let (config, options) = read_system_conf()?;
            Self::build(config, options)
        })
        .await?
    }

    /// Asks these servers, after the system's file of hosts.
    pub(super) fn of(servers: &[SocketAddr], options: ResolverOpts) -> Result<Self, BoxError> {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        Self::build(ResolverConfig::from_name_servers(servers.collect()), options)
    }

    fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, BoxError> {
        // What is known is kept where a request reads it.
        options.cache_size = 0;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self(builder.with_options(options).build()?))
    }

    /// Where a name leads to now.
    ///
    /// # Errors
    ///
    /// Why there is no answer, or no address in it.
    pub(super) async fn ask(&self, host: &str) -> Result<Answer, String> {
        // Its cache takes nothing in, but only some time later.
        self.0.clear_cache();
        let found = match timeout(PATIENCE, self.0.lookup_ip(host)).await {
            Ok(found) => found.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("nothing in {PATIENCE:?}")),
        };
        let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min().unwrap_or_default();
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err("there is no address in the answer".to_owned());
        }
        Ok(Answer { addresses, ttl: Duration::from_secs(ttl.into()) })
    }
}
