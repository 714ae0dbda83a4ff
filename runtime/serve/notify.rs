//! What systemd is told: `sd_notify(3)`. Without systemd nobody listens, and nothing is sent.

use std::os::unix::net::UnixDatagram;

/// Where systemd listens.
pub(super) struct Notifier {
    address: Option<String>,
}

impl Notifier {
    /// As the environment says.
    pub(super) fn from_environment() -> Self {
        Self { address: std::env::var("NOTIFY_SOCKET").ok().filter(|address| !address.is_empty()) }
    }

    /// Sends `READY=1`, `WATCHDOG=1` or `STOPPING=1`. Whether it arrives is systemd's business.
    pub(super) fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let Ok(socket) = UnixDatagram::unbound() else { return };
        let _ = match address.strip_prefix('@') {
            Some(name) => send_abstract(&socket, name, state),
            None => socket.send_to(state.as_bytes(), address),
        };
    }
}

#[cfg(target_os = "linux")]
fn send_abstract(socket: &UnixDatagram, name: &str, state: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(state.as_bytes(), &address)
}

#[cfg(not(target_os = "linux"))]
fn send_abstract(_: &UnixDatagram, _: &str, _: &str) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}
