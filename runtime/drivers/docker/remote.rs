//! An engine on another host: its socket travels through an SSH session, and nothing of it listens on the network.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tower_service::Service;

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
/// What an engine answers to a ping begins with this.
const ANSWER: &[u8] = b"HTTP/1.1 200";

/// A client for the engine of a host.
pub(super) fn client(hosts: Arc<Hosts>, target: Target, seconds: u64) -> Result<Docker, Error> {
    let way = Way { hosts, target: Arc::new(target), found: Arc::default() };
    let client = Arc::new(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(4).build(way));
    let send = move |request: BollardRequest| -> Pin<Box<dyn Future<Output = _> + Send>> {
        let client = Arc::clone(&client);
        Box::pin(async move { client.request(request).await.map_err(Error::from) })
    };
    Docker::connect_with_custom_transport(send, Some("http://docker"), seconds, API_DEFAULT_VERSION)
}

/// Connects to the socket, the way that was found to lead there.
#[derive(Clone)]
struct Way {
    hosts: Arc<Hosts>,
    target: Arc<Target>,
    found: Arc<OnceCell<Purpose>>,
}

impl Way {
    async fn open(&self) -> Result<Stream, Failure> {
        let purpose = self.found.get_or_try_init(|| self.find()).await?;
        Stream::new(self.hosts.open(&self.target, purpose).await?.opened)
    }

    async fn find(&self) -> Result<Purpose, Failure> {
        self.hosts.reach(&self.target).await?;
        let mut story = Vec::new();
        for (name, purpose) in WAYS {
            match tokio::time::timeout(CONTACT, self.attempt(purpose())).await {
                Ok(Ok(())) => return Ok(purpose()),
                Ok(Err(why)) => story.push(format!("{name}: {why}")),
                Err(_) => story.push(format!("{name}: no answer within 15s")),
            }
        }
        let message = format!("no way leads to the Docker engine of `{}`", self.target.name);
        Err(Failure::new(FailureKind::Unreachable, format!("{message}: {}", story.join("; "))))
    }

    /// Asks for a sign of life.
    async fn attempt(&self, purpose: Purpose) -> Result<(), String> {
        let opened = self.hosts.open(&self.target, &purpose).await.map_err(|failure| failure.message)?;
        let mut stream = Stream::new(opened.opened).map_err(|failure| failure.message)?;
        let ping = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";
        let _ = stream.io.inner_mut().write_all(ping).await;
        let mut answer = Vec::new();
        let mut limited = stream.io.inner_mut().take(4 << 10);
        while answer.len() < ANSWER.len() {
            if limited.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                break;
            }
        }
        if answer.starts_with(ANSWER) {
            return Ok(());
        }
        let mut said = String::from_utf8_lossy(&answer).into_owned();
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
struct Stream {
    io: TokioIo<UnixStream>,
    /// Kept open: what the Docker client of the host complains about must not end it.
    errors: Option<UnixStream>,
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
