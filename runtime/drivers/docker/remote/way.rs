//! The way to the socket of an engine through an SSH session, found once.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tower_service::Service;

use super::answer::Answer;
use crate::drivers::ssh::{Hosts, Opened, Purpose, Target};
use crate::failure::{Failure, FailureKind};

/// The ways to an engine's socket, in the order in which they are tried: the SSH server itself leads there; the Docker
/// client of the host does; the same for a user who may only use it through `sudo`.
const WAYS: &[NamedWay] = &[
    ("the SSH server", || Purpose::Socket("/var/run/docker.sock".into())),
    ("`docker system dial-stdio`", || Purpose::Command("exec docker system dial-stdio".into())),
    ("`sudo -n docker system dial-stdio`", || Purpose::Command("exec sudo -n docker system dial-stdio".into())),
];
type NamedWay = (&'static str, fn() -> Purpose);

/// How long a way may take to show whether it leads there.
const CONTACT: Duration = Duration::from_secs(15);
/// A question that any engine answers, and the status of the answer.
const PING: (&[u8], u16) = (b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n", 200);

/// Connects to the socket, the way that was found to lead there.
#[derive(Clone)]
pub struct Way {
    hosts: Arc<Hosts>,
    target: Arc<Target>,
    found: Arc<OnceCell<Found>>,
}

/// The way that leads there.
struct Found {
    purpose: Purpose,
    /// The newest version of its API that the engine speaks.
    api: Option<String>,
    /// The connection over which the engine gave a sign of life, for whoever needs one first.
    first: Mutex<Option<Stream>>,
}

impl Way {
    /// The way to the engine of a host.
    pub fn new(hosts: Arc<Hosts>, target: Target) -> Self {
        Self { hosts, target: Arc::new(target), found: Arc::default() }
    }

    /// The host.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The newest version of its API that the engine says it speaks.
    pub async fn api(&self) -> Result<Option<&str>, Failure> {
        Ok(self.found().await?.api.as_deref())
    }

    pub(super) async fn open(&self) -> Result<Stream, Failure> {
        let found = self.found().await?;
        if let Some(first) = found.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(first);
        }
        self.open_another().await
    }

    /// The same, and the connection that was used to find the way is left to others.
    pub(super) async fn open_another(&self) -> Result<Stream, Failure> {
        let found = self.found().await?;
        Stream::new(self.hosts.open(&self.target, &found.purpose).await?.opened)
    }

    async fn found(&self) -> Result<&Found, Failure> {
        self.found.get_or_try_init(|| self.find()).await
    }

    async fn find(&self) -> Result<Found, Failure> {
        self.hosts.reach(&self.target).await?;
        let mut story = Vec::new();
        for (name, purpose) in WAYS {
            match tokio::time::timeout(CONTACT, self.attempt(purpose())).await {
                Ok(Ok((stream, api))) => return Ok(Found { purpose: purpose(), api, first: Mutex::new(Some(stream)) }),
                Ok(Err(why)) => story.push(format!("{name}: {why}")),
                Err(_) => story.push(format!("{name}: no answer within 15s")),
            }
        }
        let message = format!("no way leads to the Docker engine of `{}`", self.target.name);
        Err(Failure::new(FailureKind::Unreachable, format!("{message}: {}", story.join("; "))))
    }

    /// Asks for a sign of life.
    async fn attempt(&self, purpose: Purpose) -> Result<(Stream, Option<String>), String> {
        let opened = self.hosts.open(&self.target, &purpose).await.map_err(|failure| failure.message)?;
        let mut stream = Stream::new(opened.opened).map_err(|failure| failure.message)?;
        let _ = stream.io.inner_mut().write_all(PING.0).await;
        let (mut answer, mut said, mut is_one) = (Answer::default(), Vec::new(), true);
        while is_one && !answer.is_over() && said.len() < 4 << 10 {
            let before = said.len();
            if stream.io.inner_mut().read_buf(&mut said).await.unwrap_or(0) == 0 {
                break;
            }
            is_one = answer.take(&said[before..]).is_ok();
        }
        if is_one && answer.is_over() && answer.status() == PING.1 {
            let api = answer.header("api-version").map(str::to_owned);
            return Ok((stream, api));
        }
        let mut said = String::from_utf8_lossy(&said).into_owned();
        if let Some(errors) = &mut stream.errors {
            let mut text = Vec::new();
            let _ = errors.take(1 << 10).read_to_end(&mut text).await;
            said.push_str(&String::from_utf8_lossy(&text));
        }
        let first = said.lines().map(str::trim).find(|line| !line.is_empty());
        Err(first.unwrap_or("it says nothing").to_owned())
    }
}

impl Service<Uri> for Way {
    type Response = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let way = self.clone();
        Box::pin(async move { way.open().await.map_err(std::io::Error::other) })
    }
}

/// One connection to the socket.
pub struct Stream {
    pub(super) io: TokioIo<UnixStream>,
    /// Kept open: what the Docker client of the host complains about must not end it.
    pub(super) errors: Option<UnixStream>,
}

impl Stream {
    fn new(opened: Opened) -> Result<Self, Failure> {
        let system = |error: std::io::Error| Failure::system("use a socket", &error);
        let io = TokioIo::new(UnixStream::from_std(opened.io).map_err(system)?);
        let errors = opened.errors.map(UnixStream::from_std).transpose().map_err(system)?;
        Ok(Self { io, errors })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
