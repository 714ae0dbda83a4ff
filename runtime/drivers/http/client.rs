use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use super::lookup::Lookup;
use super::request::Leg;
use super::sight::Sight;
use super::{Address, Request, Trust, trust};
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
    let mut builder = builder(&request.trust, &leg.address, resolved.map(without_port), is_named, sight)?
        .pool_max_idle_per_host(0)
        .connect_timeout(left);
    if resolved.is_some() || leg.address.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| broken(&leg.address, &error))
}

/// What every client has: nothing is followed, repeated or told to others.
pub(super) fn builder(
    trusted: &Trust,
    address: &Address,
    instead: Option<SocketAddr>,
    is_named: bool,
    sight: &Sight,
) -> Result<ClientBuilder, Failure> {
    let tls = trust::config(trusted, address.host(), sight).map_err(|error| broken(address, &error))?;
    let lookup = Lookup { instead, address: address.clone(), is_named, sight: sight.clone() };
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(lookup))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION"))))
}

/// A request that cannot even be put together.
pub(super) fn broken(address: &Address, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::System, format!("cannot prepare a request to `{address}`: {why}"))
}

/// The port is written into the URL, which the client library prefers to this one.
fn without_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}
