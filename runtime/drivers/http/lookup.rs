use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

use super::sight::{Phase, Sight};
use super::{Address, reach};
use crate::failure::{Failure, FailureKind};

/// Looks names up on a thread of its own.
///
/// The system's resolver cannot be interrupted and may take half a minute to give up. On a thread of the runtime it
/// would hold up the end of the process that long; this thread is simply left behind.
pub(super) struct Lookup {
    /// Answers every name instead of the system: the `resolve` option.
    pub(super) instead: Option<SocketAddr>,
    /// For whose sake names are looked up. Another name than its host is that of a proxy.
    pub(super) address: Address,
    /// May its host lie in a private network?
    pub(super) is_named: bool,
    pub(super) sight: Sight,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        if let Some(address) = self.instead {
            return Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) });
        }
        let host = name.as_str().to_owned();
        let sight = self.sight.clone();
        let judged = (host == self.address.host()).then(|| (self.address.clone(), self.is_named));
        Box::pin(async move {
            sight.enter(Phase::LookingUp);
            let found = ask_system(host).await.and_then(|addresses| {
                if let Some((url, is_named)) = &judged {
                    // One bad address among good ones is refused as a whole: which of them is tried is not up to us.
                    addresses.iter().try_for_each(|address| reach::check(url, address.ip(), *is_named))?;
                }
                Ok(addresses)
            });
            match found {
                Ok(addresses) => {
                    sight.enter(Phase::Connecting);
                    Ok(Box::new(addresses.into_iter()) as Addrs)
                }
                Err(failure) => {
                    sight.lookup_failed(failure.clone());
                    Err(failure.into())
                }
            }
        })
    }
}

async fn ask_system(host: String) -> Result<Vec<SocketAddr>, Failure> {
    let (answer, answered) = oneshot::channel();
    let name = host.clone();
    let asked = std::thread::Builder::new().name("lookup".into()).spawn(move || {
        let _ = answer.send((name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    asked.map_err(|error| Failure::system("start a thread", &error))?;
    let reason = match answered.await {
        Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
        Ok(Ok(_)) | Err(_) => "it has no address".to_owned(),
        Ok(Err(error)) => {
            let text = error.to_string();
            text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_lowercase()
        }
    };
    let failure = Failure::new(FailureKind::Unreachable, format!("the name `{host}` cannot be looked up: {reason}"));
    Err(failure.hint(format!("is `{host}` spelled right, and does it have a DNS record?")))
}
