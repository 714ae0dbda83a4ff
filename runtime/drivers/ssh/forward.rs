//! A port of this machine that leads to one that a host sees, for as long as somebody holds it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::hosts::Hosts;
use super::link::Purpose;
use super::target::Target;
use crate::failure::Failure;

/// Ends with its value: the port is closed, and so is what goes through it.
pub struct Forward {
    _stop: oneshot::Sender<()>,
    trouble: Arc<Mutex<Option<Failure>>>,
}

impl Forward {
    /// Why the last connection led nowhere, if one did.
    pub fn trouble(&self) -> Option<Failure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What goes on in the background while the port is open.
pub fn forward(
    hosts: Arc<Hosts>,
    target: Target,
    listener: std::net::TcpListener,
    to: (String, u16),
) -> (Forward, impl Future<Output = ()> + Send + 'static) {
    let (stop, mut stopped) = oneshot::channel();
    let trouble = Arc::new(Mutex::new(None));
    let troubles = Arc::clone(&trouble);
    let serving = async move {
        let Ok(listener) = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) else {
            return;
        };
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                // Dropping the set ends every connection.
                _ = &mut stopped => return,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let (hosts, target, to, troubles) = (Arc::clone(&hosts), target.clone(), to.clone(), Arc::clone(&troubles));
                    open.spawn(async move {
                        if let Err(failure) = carry(&hosts, &target, stream, to).await {
                            *troubles.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                        }
                    });
                }
                Some(_) = open.join_next() => {}
            }
        }
    };
    (Forward { _stop: stop, trouble }, serving)
}

async fn carry(hosts: &Hosts, target: &Target, mut stream: TcpStream, to: (String, u16)) -> Result<(), Failure> {
    let channel = hosts.open(target, &Purpose::Port(to.0, to.1)).await?;
    let link = channel.link;
    let mut io = UnixStream::from_std(channel.opened.io).map_err(|error| Failure::system("use a socket", &error))?;
    let _ = stream.set_nodelay(true);
    // Either side may end it as it likes; that is no trouble of the way.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut io).await;
    drop(link);
    Ok(())
}
