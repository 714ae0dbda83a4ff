//! Standing still: the run stops where it is, undoes nothing, and can be gone on with later.

use jiff::Timestamp;

use super::Execution;
use crate::journal::{Parked, RunState, Uncertain};
use crate::primitive::{Failure, FailureKind};

/// Why a run stands still.
#[derive(Clone, Debug)]
pub enum Halt {
    /// A person decides.
    Parked(Parked),
    /// Something is in the way that can be put right: the journal cannot be written, a probe finds no answer, the script
    /// is another one than the journal tells of.
    Stopped(Failure),
    /// All that was done before has been gone through, and nothing more was wanted.
    Replayed,
    /// A plan cannot look further: what follows depends on this.
    Unforeseen(Uncertain),
}

impl Halt {
    /// What is said about it.
    fn failure(&self) -> Failure {
        match self {
            Self::Parked(parked) => {
                let what =
                    if parked.state == RunState::Waiting { "waits for an answer to" } else { "is in doubt about" };
                Failure::new(FailureKind::Halted, format!("the run {what} `{}`", parked.question))
            }
            Self::Stopped(failure) => Failure { kind: FailureKind::Halted, carried: None, ..failure.clone() },
            Self::Unforeseen(end) => Failure::new(FailureKind::Halted, end.depends_on.clone().unwrap_or_default()),
            Self::Replayed => Failure::new(FailureKind::Halted, "everything that was done has been gone through"),
        }
    }
}

impl Execution {
    /// Why the run stands still, if it does.
    pub fn stands_still(&self) -> Option<Halt> {
        self.halted.get().cloned()
    }

    /// Brings the run to a stand; the first reason stays. The failure takes the script down, past every `catch`.
    pub(super) fn halt(&self, halt: Halt) -> Failure {
        let failure = halt.failure();
        let _ = self.halted.set(halt);
        failure
    }

    /// Brings the run to a stand for this reason: nothing is undone, and `runbook resume` goes on once it is mended.
    pub(in crate::run) fn stand(&self, failure: Failure) -> Failure {
        self.halt(Halt::Stopped(failure))
    }

    /// Fails when the run stands still.
    pub(super) fn still_going(&self) -> Result<(), Failure> {
        self.halted.get().map_or(Ok(()), |halt| Err(halt.failure()))
    }

    /// Stands still until a person decides on the call at `path`.
    pub(super) fn park(&self, state: RunState, path: &str, question: &str, expires: Option<Timestamp>) -> Failure {
        self.halt(Halt::Parked(Parked {
            state,
            path: path.to_owned(),
            question: question.to_owned(),
            digest: self.digest.clone(),
            expires,
            at: Timestamp::now(),
        }))
    }
}
