//! From a name to a session: the network, the greeting, the host's key, the login. It may block; whoever has waited long
//! enough shuts the socket.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use ssh2::{MethodType, Session};

use super::fault::{self, Phase};
use super::key::PublicKey;
use super::link::{Opened, Shared};
use super::target::Target;
use super::{known, login};
use crate::failure::{Failure, FailureKind};

/// A session of a user that is logged in, and the socket it runs over.
pub fn session(target: &Target, carrier: Option<Opened>, shared: &Shared) -> Result<(Session, OwnedFd), Failure> {
    let deadline = Instant::now() + target.patience;
    let socket: OwnedFd = match carrier {
        Some(opened) => opened.io.into(),
        None => dial(target, shared, deadline)?.into(),
    };
    let copy = |socket: &OwnedFd| socket.try_clone().map_err(|error| Failure::system("copy a socket", &error));
    shared.can_shut(copy(&socket)?);
    shared.enter(Phase::Greeting);
    let session = greet(target, copy(&socket)?, shared, deadline)?;
    shared.enter(Phase::LoggingIn);
    login::log_in(&session, target)?;
    Ok((session, socket))
}

/// Tries each address of the name.
fn dial(target: &Target, shared: &Shared, deadline: Instant) -> Result<TcpStream, Failure> {
    let addresses = (target.address.as_str(), target.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| {
        let why = format!("the name is not known ({error})");
        fault::in_phase(target, Phase::LookingUp, FailureKind::Unreachable, &why)
    })?;
    shared.enter(Phase::Connecting);
    let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => why = error,
        }
    }
    if why.kind() == io::ErrorKind::TimedOut {
        return Err(fault::timed_out(target, Phase::Connecting, target.patience));
    }
    let why = match why.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        _ => why.to_string(),
    };
    Err(fault::in_phase(target, Phase::Connecting, FailureKind::Unreachable, &why))
}

/// Agrees on keys, and makes sure that the host is the one it should be: libssh2 would take any.
fn greet(target: &Target, socket: OwnedFd, shared: &Shared, deadline: Instant) -> Result<Session, Failure> {
    let broken = |error: &ssh2::Error| {
        fault::in_phase(target, Phase::Greeting, FailureKind::Unreachable, &error.message().to_lowercase())
    };
    let known = target.known_keys()?;
    let mut session = Session::new().map_err(|error| broken(&error))?;
    session.method_pref(MethodType::HostKey, &known.preference()).map_err(|error| broken(&error))?;
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    session.set_timeout(u32::try_from(left).unwrap_or(u32::MAX).max(1));
    rustix::io::ioctl_fionbio(socket.as_fd(), false)
        .map_err(|error| Failure::system("prepare a socket", &error.into()))?;
    session.set_tcp_stream(socket);
    session.handshake().map_err(|error| broken(&error))?;
    let key = session.host_key().and_then(|(blob, _)| PublicKey::new(blob));
    let Some(key) = key else {
        return Err(fault::in_phase(target, Phase::Greeting, FailureKind::Unauthorized, "the host shows no key"));
    };
    shared.saw_key(key.clone());
    let refusal = known::refused(known.verdict(&key), &target.known_as, target.port, &target.name, &key);
    refusal.map_or(Ok(session), Err)
}
