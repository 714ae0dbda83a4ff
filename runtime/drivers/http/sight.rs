use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Certificate;
use crate::failure::Failure;

/// How far an exchange came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connecting, or shaking hands for TLS.
    #[default]
    Connecting,
    /// Looking up the host's name.
    LookingUp,
}

/// What the parts of a connection saw, kept beside the client library, whose errors forget it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    phase: Phase,
    lookup: Option<Failure>,
    distrust: Option<Failure>,
    certificate: Option<Certificate>,
}

impl Sight {
    pub(super) fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    pub(super) fn lookup_failed(&self, failure: Failure) {
        self.lock().lookup = Some(failure);
    }

    pub(super) fn shown(&self, certificate: Certificate) {
        self.lock().certificate = Some(certificate);
    }

    pub(super) fn distrust(&self, failure: Failure) {
        self.lock().distrust = Some(failure);
    }

    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.lock().certificate.clone()
    }

    /// The reason a part of the connection gave for its end, which is better than the client library's.
    pub(super) fn reason(&self) -> Option<Failure> {
        let seen = self.lock();
        seen.distrust.clone().or_else(|| seen.lookup.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
