//! What the entries of a run's chain say: everything that ever changed a row of the run, in the order in which it did.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::owner::Process;
use super::{Event, NewRun};
use crate::failure::Failure;
use crate::primitive::{Release, ReleaseState};

/// One entry. Applied one after the other, the entries of a run make its rows.
///
/// Old entries are read by every later program: fields are only ever added, with defaults that mean what was before.
#[derive(Clone, Debug)]
pub(super) enum Entry<'a> {
    /// Something that people are shown as well.
    Event(Cow<'a, Event>),
    /// Something between the journal and its processes.
    Fact(Cow<'a, Fact>),
}

/// What happens to a run without being an event of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Fact {
    /// The run was written down, before anything happened.
    RunBegun {
        /// All but the texts.
        #[serde(flatten)]
        new: Box<NewRun>,
        /// The texts' hashes.
        sources: Vec<HashedSource>,
        /// Who executes it.
        owner: Process,
        /// The end of the newest chain at this moment: what cannot be cut off unseen any more.
        after: Option<Anchor>,
        /// When.
        at: Timestamp,
    },
    /// The run is older than the chain: its rows as they were when the chain began.
    RunAdopted {
        /// Rows by table, each a map of its columns.
        rows: Value,
        /// When.
        at: Timestamp,
    },
    /// Another process goes on with the run.
    RunTakenUp {
        /// Which.
        owner: Process,
        /// `user@machine`.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The run's scripts were replaced.
    SourcesReplaced {
        /// The new texts' hashes.
        sources: Vec<HashedSource>,
        /// `user@machine`.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The run's process was found dead.
    RunBuried {
        /// What is said about it.
        failure: Failure,
        /// Its last sign of life.
        last_sign: Timestamp,
        /// When it was found.
        at: Timestamp,
    },
    /// A call recorded what runs now.
    ReleaseRecorded {
        /// The call.
        path: String,
        /// What.
        release: Release,
    },
    /// Older runs were dropped.
    RunsDropped {
        /// From which to which, several times.
        runs: Vec<(i64, i64)>,
        /// The hash of all that ever were.
        all: String,
        /// When.
        at: Timestamp,
    },
    /// It became clear what became of the pending releases.
    ReleasesSettled {
        /// What.
        state: ReleaseState,
        /// When.
        at: Timestamp,
    },
}

/// A text by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HashedSource {
    /// Relative to the project.
    pub path: String,
    /// SHA-256, in hexadecimal digits.
    pub hash: String,
}

/// An entry of another run's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// That run.
    pub run: i64,
    /// The entry's number.
    pub number: i64,
    /// The entry's hash, in hexadecimal digits.
    pub hash: String,
}

impl<'a> From<&'a Event> for Entry<'a> {
    fn from(event: &'a Event) -> Self {
        Self::Event(Cow::Borrowed(event))
    }
}

impl<'a> From<&'a Fact> for Entry<'a> {
    fn from(fact: &'a Fact) -> Self {
        Self::Fact(Cow::Borrowed(fact))
    }
}

impl Entry<'_> {
    /// As it stands in the chain.
    pub(super) fn body(&self) -> rusqlite::Result<String> {
        match self {
            Self::Event(event) => serde_json::to_string(event),
            Self::Fact(fact) => serde_json::to_string(fact),
        }
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }

    /// From what stands in the chain.
    pub(super) fn parse(body: &str) -> Result<Entry<'static>, serde_json::Error> {
        let event = serde_json::from_str(body).map(|event| Entry::Event(Cow::Owned(event)));
        event.or_else(|_| serde_json::from_str(body).map(|fact| Entry::Fact(Cow::Owned(fact))))
    }

    /// What was taken away from the run, when this is its beginning.
    pub(super) fn narrowing(&self) -> Option<Value> {
        match self {
            Self::Fact(fact) => match &**fact {
                Fact::RunBegun { new, .. } => Some(new.narrowing.clone()),
                _ => None,
            },
            Self::Event(_) => None,
        }
    }

    /// The call it is about; empty for the run itself.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Event(event) => match &**event {
                Event::CallStarted { path, .. }
                | Event::CallMarked { path, .. }
                | Event::CallFinished { path, .. }
                | Event::Decided { path, .. } => path,
                _ => "",
            },
            Self::Fact(fact) => match &**fact {
                Fact::ReleaseRecorded { path, .. } => path,
                _ => "",
            },
        }
    }
}
