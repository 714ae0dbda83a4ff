use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// End in good order.
    Stop,
    /// Read the project anew.
    Reload,
    /// A worker may have ended.
    Look,
}

/// The signals a service listens to.
pub(super) struct Signals {
    stop: [Signal; 2],
    reload: Signal,
    child: Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::system("listen to signals", &error));
        Ok(Self {
            stop: [listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?],
            reload: listen(SignalKind::hangup())?,
            child: listen(SignalKind::child())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Asked {
        let [terminate, interrupt] = &mut self.stop;
        tokio::select! {
            _ = terminate.recv() => Asked::Stop,
            _ = interrupt.recv() => Asked::Stop,
            _ = self.reload.recv() => Asked::Reload,
            _ = self.child.recv() => Asked::Look,
        }
    }
}
