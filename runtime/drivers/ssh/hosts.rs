//! All connections of the process: one to each host, shared by all calls, and another one where a server has no room for
//! more channels on the first (`MaxSessions`).

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::{self, Phase};
use super::key::PublicKey;
use super::link::{Link, Opened, Purpose, Refusal};
use super::target::Target;
use super::waiting::Waiting;
use crate::failure::{Failure, FailureKind};

/// Connections to one host at the same time.
const MOST_LINKS: usize = 8;

type Links = Arc<tokio::sync::Mutex<Vec<Arc<Link>>>>;

/// The connections to all hosts.
#[derive(Default)]
pub struct Hosts {
    links: Mutex<HashMap<Target, Links>>,
    /// How often something was begun on each host, by its name.
    spoken: Mutex<HashMap<String, u64>>,
    pub(super) waiting: Waiting,
}

/// A channel, and the connection it is on.
pub struct OnLink {
    /// The channel.
    pub opened: Opened,
    /// The connection.
    pub link: Arc<Link>,
}

impl Hosts {
    /// How often a host was spoken to so far: while that number stays, nothing is begun there.
    pub fn spoken_to(&self, host: &str) -> u64 {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied().unwrap_or_default()
    }

    /// Opens a channel on a connection to the host, which is made where there is none with room.
    pub async fn open(&self, target: &Target, purpose: &Purpose) -> Result<OnLink, Failure> {
        let channel = self.open_somewhere(target, purpose).await?;
        self.speaks_to(target);
        Ok(channel)
    }

    /// Counts something that is begun on a host.
    pub(super) fn speaks_to(&self, target: &Target) {
        *self.spoken.lock().unwrap_or_else(PoisonError::into_inner).entry(target.name.clone()).or_default() += 1;
    }

    fn open_somewhere<'a>(
        &'a self,
        target: &'a Target,
        purpose: &'a Purpose,
    ) -> Pin<Box<dyn Future<Output = Result<OnLink, Failure>> + Send + 'a>> {
        // Boxed, because the way to a host leads through other hosts.
        Box::pin(async move {
            let links = self.links(target);
            let mut links = links.lock().await;
            links.retain(|link| link.lost().is_none());
            for link in links.iter() {
                if let Ok(opened) = link.open(purpose.clone()).await {
                    return Ok(OnLink { opened, link: Arc::clone(link) });
                }
            }
            links.retain(|link| link.lost().is_none());
            if links.len() >= MOST_LINKS {
                return Err(denied(target, purpose, &format!("on {MOST_LINKS} connections")));
            }
            let link = Arc::new(self.connect(target).await?);
            match link.open(purpose.clone()).await {
                Ok(opened) => {
                    // The newest first: it is the one with room.
                    links.insert(0, Arc::clone(&link));
                    Ok(OnLink { opened, link })
                }
                Err(Refusal::Denied(why)) => Err(denied(target, purpose, &why)),
                Err(Refusal::Lost(_)) => Err(link.cut()),
            }
        })
    }

    /// Makes sure that there is a connection.
    pub async fn reach(&self, target: &Target) -> Result<(), Failure> {
        let links = self.links(target);
        let mut links = links.lock().await;
        links.retain(|link| link.lost().is_none());
        if links.is_empty() {
            links.push(Arc::new(self.connect(target).await?));
        }
        Ok(())
    }

    /// Makes a new connection, which takes the place of those there are.
    pub async fn renew(&self, target: &Target) -> Result<(), Failure> {
        self.settle(self.waiting.free(target).into_iter().collect()).await;
        let links = self.links(target);
        let mut links = links.lock().await;
        let link = Arc::new(self.connect(target).await?);
        links.clear();
        links.push(link);
        Ok(())
    }

    /// The key that the host shows, whether it is known or not.
    pub async fn shown_key(&self, target: &Target) -> Result<PublicKey, Failure> {
        Link::glimpse(target, self.carrier(target).await?).await
    }

    async fn connect(&self, target: &Target) -> Result<Link, Failure> {
        Link::connect(target, self.carrier(target).await?).await
    }

    /// The way through another host, where there is one to go through.
    async fn carrier(&self, target: &Target) -> Result<Option<Opened>, Failure> {
        let Some(through) = &target.through else { return Ok(None) };
        let way = Purpose::Port(target.address.clone(), target.port);
        let carrier = self.open(through, &way).await.map_err(|failure| on_the_way(target, failure))?;
        Ok(Some(carrier.opened))
    }

    fn links(&self, target: &Target) -> Links {
        let mut all = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(target.clone()).or_default())
    }
}

fn on_the_way(target: &Target, failure: Failure) -> Failure {
    let message = format!("`{}`: on the way to it, {}", target.name, failure.message);
    Failure { message, ..failure }.hint(fault::same_with_ssh(target))
}

fn denied(target: &Target, purpose: &Purpose, why: &str) -> Failure {
    let what = match purpose {
        Purpose::Command(_) => "the server starts no command".to_owned(),
        Purpose::Socket(path) => format!("the server does not lead to the socket `{path}`"),
        Purpose::Port(host, port) => format!("the server does not lead to `{host}:{port}`"),
    };
    let why = if why.is_empty() { what } else { format!("{what} ({})", why.to_lowercase()) };
    fault::in_phase(target, Phase::Opening, FailureKind::Unreachable, &why)
}
