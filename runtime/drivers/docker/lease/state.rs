//! What a holder says again and again, in a file inside its lock's container.

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use bytes::BytesMut;
use serde::{Deserialize, Serialize};

use super::process::HolderProcess;
use crate::drivers::docker::errors::failure;
use crate::drivers::docker::{Engine, stream};
use crate::failure::{Failure, FailureKind};

const FILE: &str = "/state.json";

/// The part of a lock that changes. A lock that is new has no such file yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// How often the holder has said something.
    pub beats: u64,
    /// Seconds from the container's creation to the last time.
    pub alive: u64,
    pub step: String,
    pub parked: bool,
    /// The process that took the lock up again, when it is not the one that created it.
    pub process: Option<HolderProcess>,
}

/// Writes it whole; the engine lets nobody read in between.
pub(super) async fn write(engine: &Engine, container: &str, state: &State) -> Result<(), Failure> {
    let text = serde_json::to_vec(state)
        .map_err(|error| Failure::new(FailureKind::System, format!("cannot write down who holds a lock: {error}")))?;
    engine.put_file(container, FILE, &text, 0o644, (0, 0)).await
}

/// Reads it; of a new lock it is the default.
pub(super) async fn read(engine: &Engine, container: &str) -> Result<State, Failure> {
    let what = || format!("read the lock in container `{container}`");
    let options = DownloadFromContainerOptionsBuilder::default().path(FILE).build();
    let api = engine.api().await?;
    let mut answers = std::pin::pin!(api.download_from_container(container, Some(options)));
    let mut archive = BytesMut::new();
    while let Some(piece) = stream::next(&mut answers, stream::IDLE, "reading a lock").await? {
        match piece {
            Ok(piece) => archive.extend_from_slice(&piece),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {
                return Ok(State::default());
            }
            Err(error) => return Err(failure(engine.address(), what(), error)),
        }
    }
    Ok(unpack(&archive))
}

/// A file that was damaged (the engine died while writing it) may have said that the run waits for a person: nobody is
/// replaced on a guess, and a living holder writes it anew within seconds.
fn unpack(archive: &[u8]) -> State {
    let parse = || {
        let mut archive = tar::Archive::new(archive);
        let entry = archive.entries().ok()?.next()?.ok()?;
        serde_json::from_reader(entry).ok()
    };
    parse().unwrap_or(State { beats: u64::MAX, parked: true, ..State::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_counts_as_waiting_for_a_person() {
        assert!(unpack(b"").parked);
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        archive.append_data(&mut header, "state.json", &b"{\"bea"[..]).unwrap();
        assert!(unpack(&archive.into_inner().unwrap()).parked);
    }
}
