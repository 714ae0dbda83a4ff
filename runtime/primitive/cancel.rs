use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, FailureKind};

/// Why work was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Ctrl-C, SIGTERM or `runbook cancel`.
    Person,
    /// The run's `@timeout` passed.
    Deadline,
    /// Another branch of the same `parallel` failed.
    Sibling,
    /// Somebody else may change the application now: the run stands still, and nothing is undone.
    LockLost,
}

impl From<CancelReason> for Failure {
    fn from(reason: CancelReason) -> Self {
        let message = match reason {
            CancelReason::Person => "cancelled",
            CancelReason::Deadline => "the run's time limit passed",
            CancelReason::Sibling => "stopped because another branch failed",
            CancelReason::LockLost => {
                return Self::new(FailureKind::Halted, "stopped because the lock of the application was lost");
            }
        };
        Self::new(FailureKind::Cancelled, message)
    }
}

/// A request to stop that a waiting call can listen to. Clones share it; children stop with their parent, not vice versa.
#[derive(Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
    parent: Option<Arc<Cancel>>,
}

impl Cancel {
    /// A request nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A narrower scope, cancelled with this one or alone.
    pub fn child(&self) -> Self {
        Self { token: self.token.child_token(), reason: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Makes the request; the first reason stays.
    pub fn cancel(&self, reason: CancelReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// The reason, once the request was made here or above.
    pub fn reason(&self) -> Option<CancelReason> {
        if !self.token.is_cancelled() {
            return None;
        }
        let own = self.reason.get().copied();
        own.or_else(|| self.parent.as_ref().and_then(|parent| parent.reason())).or(Some(CancelReason::Person))
    }

    /// Ends when the request is made.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }
}
