//! Connections: so many at once, each with limits on size and time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::Api;
use super::entry::{State, enter};
use crate::failure::{Failure, FailureKind};

/// Connections at once.
const CONNECTIONS: usize = 256;

/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(5);

/// And how large it may be.
const HEAD_SIZE: usize = 16 << 10;

enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Listens, and answers on a thread of its own.
pub(super) fn start(api: Api) -> Result<String, Failure> {
    let listen = api.section.listen.clone();
    let failed = |error: &std::io::Error| {
        Failure::system(format!("listen on `{listen}`"), error)
            .hint("`listen` in [api] of runbook.toml names another place")
    };
    let (listener, place) = if let Some(path) = listen.strip_prefix("unix:") {
        let path = api.root.join(path);
        // Only one service has this state folder: a socket that lies there was left by one that is gone.
        if std::fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            let _ = std::fs::remove_file(&path);
        }
        let listener = std::os::unix::net::UnixListener::bind(&path).map_err(|error| failed(&error))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(|error| failed(&error))?;
        (Listener::Unix(listener), format!("unix:{}", path.display()))
    } else {
        let address = loopback(&listen)?;
        let listener = std::net::TcpListener::bind(address).map_err(|error| failed(&error))?;
        let place = listener.local_addr().map_or(listen.clone(), |address| address.to_string());
        (Listener::Tcp(listener), format!("http://{place}"))
    };
    match &listener {
        Listener::Tcp(listener) => listener.set_nonblocking(true),
        Listener::Unix(listener) => listener.set_nonblocking(true),
    }
    .map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start the HTTP API", &error))?;
    let state = Arc::new(State::new(api));
    std::thread::Builder::new()
        .name("api".into())
        .spawn(move || runtime.block_on(accept(listener, state)))
        .map_err(|error| Failure::system("start a thread", &error))?;
    Ok(place)
}

/// An address that only this machine reaches.
fn loopback(listen: &str) -> Result<SocketAddr, Failure> {
    let address: SocketAddr = listen.parse().map_err(|_| {
        Failure::new(FailureKind::Invalid, format!("`listen` in [api] is `{listen}`"))
            .hint("write `127.0.0.1:7423`, or `unix:PATH`")
    })?;
    if !address.ip().is_loopback() {
        let message = format!("`listen` in [api] is `{listen}`, which others can reach without TLS");
        return Err(Failure::new(FailureKind::Refused, message)
            .hint("listen on 127.0.0.1 and put a proxy with TLS in front of it"));
    }
    Ok(address)
}

async fn accept(listener: Listener, state: Arc<State>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    match listener {
        Listener::Tcp(listener) => {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => serve(stream, peer.ip().to_string(), false, &state, &free),
                    // Too many open files, most likely: others end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
        Listener::Unix(listener) => {
            let Ok(listener) = UnixListener::from_std(listener) else { return };
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => serve(stream, "socket".to_owned(), true, &state, &free),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
    }
}

fn serve<S>(stream: S, peer: String, is_socket: bool, state: &Arc<State>, free: &Arc<Semaphore>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // One too many is closed at once.
    let Ok(place) = free.clone().try_acquire_owned() else { return };
    let state = state.clone();
    tokio::spawn(async move {
        let service = service_fn(|request| {
            let (state, peer) = (state.clone(), peer.clone());
            async move { Ok::<_, Infallible>(enter(&state, request, &peer, is_socket).await) }
        });
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_SIZE)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        drop(place);
    });
}
