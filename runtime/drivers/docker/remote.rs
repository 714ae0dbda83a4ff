//! An engine on another host: its socket travels through an SSH session, and nothing of it listens on the network.

mod answer;
mod looks;
mod way;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use looks::Looks;
pub(super) use way::Way;

/// A client for the engine that a way leads to.
pub(super) fn client(way: Way, seconds: u64) -> Result<Docker, Error> {
    let looks = Looks::new(way.clone());
    let looking = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(looks.clone());
    let working = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(4).build(way);
    let clients = Arc::new((looking, working));
    let has_worked = Arc::new(AtomicBool::new(false));
    let send = move |request: BollardRequest| -> Pin<Box<dyn Future<Output = _> + Send>> {
        let clients = Arc::clone(&clients);
        let is_look = looks::is_look(&request);
        if !is_look && !has_worked.swap(true, Ordering::Relaxed) {
            looks.prepare();
        }
        Box::pin(async move {
            let sent = if is_look { clients.0.request(request) } else { clients.1.request(request) };
            sent.await.map_err(Error::from)
        })
    };
    Docker::connect_with_custom_transport(send, Some("http://docker"), seconds, API_DEFAULT_VERSION)
}
