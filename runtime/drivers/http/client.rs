use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

use super::lookup::Lookup;
use super::request::Leg;
use super::sight::Sight;
use super::{Request, trust};
use crate::failure::{Failure, FailureKind};

/// A client for one exchange.
///
/// Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`, …), except for this machine itself and for a
/// redirected connection, which no proxy could reach.
pub(super) fn build(
    request: &Request,
    leg: &Leg,
    is_named: bool,
    sight: &Sight,
    left: Duration,
) -> Result<Client, Failure> {
    let resolved = request.resolved(&leg.address);
    let broken = |why: &dyn std::fmt::Display| {
        Failure::new(FailureKind::System, format!("cannot prepare a request to `{}`: {why}", leg.address))
    };
    let tls = trust::config(&request.trust, leg.address.host(), sight).map_err(|error| broken(&error))?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(Lookup {
            instead: resolved.map(without_port),
            address: leg.address.clone(),
            is_named,
            sight: sight.clone(),
        }))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(left)
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")));
    if resolved.is_some() || leg.address.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| broken(&error))
}

/// The port is written into the URL, which the client library prefers to this one.
fn without_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}
