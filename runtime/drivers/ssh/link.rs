//! One connection to one host, as the rest of the program sees it: channels are asked for, and plain sockets come back.
//!
//! The session itself lives on a thread of its own (`owner`), and nothing of it ever leaves that thread: libssh2 is not
//! safe to share, and a thread that only reads and writes without blocking can be told to stop at any time.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Instant;

use rustix::net::{Shutdown, shutdown};
use tokio::sync::oneshot;

use super::fault::{self, Phase};
use super::key::PublicKey;
use super::owner;
use super::target::Target;
use crate::failure::{Failure, FailureKind};

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To run this command line; the user's login shell reads it.
    Command(String),
    /// To reach a socket file of the host.
    Socket(String),
    /// To reach a port as the host sees it.
    Port(String, u16),
}

/// A channel that is open.
pub struct Opened {
    /// What is written is the other side's input, what is read its output.
    pub io: UnixStream,
    /// The standard error of a command.
    pub errors: Option<UnixStream>,
    /// How it ended. Never answered when the connection was lost before the end was certain.
    pub end: oneshot::Receiver<Closing>,
}

/// What the server said about the end of a channel that ended well: all of its output came, then its close.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// The signal that ended the command, without `SIG`.
    pub signal: Option<String>,
    /// The exit code; also 0 when the server named none.
    pub status: i32,
}

/// Why a channel was not opened.
#[derive(Debug)]
pub enum Refusal {
    /// The server has no room for another, or does not allow this kind.
    Denied(String),
    /// The connection is gone.
    Lost(String),
}

pub(super) struct Request {
    pub purpose: Purpose,
    pub reply: oneshot::Sender<Result<Opened, Refusal>>,
}

/// What both sides of a link see of it.
#[derive(Default)]
pub(super) struct Shared {
    phase: Mutex<Phase>,
    lost: OnceLock<String>,
    socket: OnceLock<OwnedFd>,
    host_key: OnceLock<PublicKey>,
    channels: AtomicUsize,
}

impl Shared {
    pub fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn saw_key(&self, key: PublicKey) {
        let _ = self.host_key.set(key);
    }

    /// Notes why the connection is no more; the first reason stays.
    pub fn lose(&self, why: impl Into<String>) {
        let _ = self.lost.set(why.into());
    }

    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Hands over what is needed to end every wait on the network at once.
    pub fn can_shut(&self, socket: OwnedFd) {
        let _ = self.socket.set(socket);
    }

    pub fn shut(&self) {
        if let Some(socket) = self.socket.get() {
            let _ = shutdown(socket, Shutdown::Both);
        }
    }

    pub fn has_channels(&self, count: usize) {
        self.channels.store(count, Ordering::Relaxed);
    }
}

/// A connection to a host.
pub struct Link {
    target: Target,
    requests: mpsc::Sender<Request>,
    wake: UnixStream,
    shared: Arc<Shared>,
    since: Instant,
}

impl Link {
    /// Connects and logs in, through another link where the target says so.
    pub async fn connect(target: &Target, carrier: Option<Opened>) -> Result<Self, Failure> {
        let (link, result) = Self::begin(target, carrier).await?;
        result.map(|()| link)
    }

    /// The key that a host shows, whether it is known or not.
    pub async fn glimpse(target: &Target, carrier: Option<Opened>) -> Result<PublicKey, Failure> {
        let (link, result) = Self::begin(target, carrier).await?;
        let nothing = || fault::in_phase(target, Phase::Greeting, FailureKind::Unreachable, "the host shows no key");
        match (link.shared.host_key.get(), result) {
            (Some(key), _) => Ok(key.clone()),
            (None, result) => Err(result.err().unwrap_or_else(nothing)),
        }
    }

    /// Whoever stops waiting drops the link, and with it everything the thread waits for.
    async fn begin(target: &Target, carrier: Option<Opened>) -> Result<(Self, Result<(), Failure>), Failure> {
        let (requests, asked) = mpsc::channel();
        let (wake, woken) = UnixStream::pair().map_err(|error| Failure::system("make a pair of sockets", &error))?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(|error| Failure::system("make a socket not block", &error))?;
        }
        let shared = Arc::new(Shared::default());
        let link = Self { target: target.clone(), requests, wake, shared: Arc::clone(&shared), since: Instant::now() };
        let (ready, is_ready) = oneshot::channel();
        let owned = target.clone();
        std::thread::Builder::new()
            .name(format!("ssh {}", target.name))
            .spawn(move || owner::own(&owned, carrier, &asked, &woken, &shared, ready))
            .map_err(|error| Failure::system("start a thread", &error))?;
        let result = match tokio::time::timeout(target.patience, is_ready).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                Err(fault::in_phase(target, link.shared.phase(), FailureKind::Unreachable, "the connection broke"))
            }
            Err(_) => Err(fault::timed_out(target, link.shared.phase(), target.patience)),
        };
        Ok((link, result))
    }

    /// Opens a channel; it is closed when its sockets are dropped.
    pub async fn open(&self, purpose: Purpose) -> Result<Opened, Refusal> {
        let (reply, answer) = oneshot::channel();
        let gone = || Refusal::Lost(self.shared.lost().unwrap_or("the connection is closed").to_owned());
        self.requests.send(Request { purpose, reply }).map_err(|_| gone())?;
        self.nudge();
        match tokio::time::timeout(self.target.patience, answer).await {
            Ok(answer) => answer.map_err(|_| gone())?,
            Err(_) => Err(Refusal::Lost("it opens no channel".into())),
        }
    }

    /// Why the connection is no more; `None` while it is.
    pub fn lost(&self) -> Option<&str> {
        self.shared.lost()
    }

    /// How many channels are open.
    pub fn channels(&self) -> usize {
        self.shared.channels.load(Ordering::Relaxed)
    }

    /// The host.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The failure for work that the loss of this connection cut short.
    pub fn cut(&self) -> Failure {
        let why = self.lost().unwrap_or("the channel ended before its command had");
        fault::cut(&self.target, why, self.since.elapsed())
    }

    fn nudge(&self) {
        let _ = (&self.wake).write(&[1]);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.shared.phase() < Phase::Opening {
            self.shared.lose("nobody waits for it any more");
            self.shared.shut();
        }
        self.nudge();
    }
}
