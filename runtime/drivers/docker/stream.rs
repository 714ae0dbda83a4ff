//! Deadlines for streams that should be moving.

use std::time::Duration;

use futures_util::{Stream, StreamExt};

use crate::failure::{Failure, FailureKind};

/// Longest silence of a stream that should be moving.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// The next item, `None` at the end, a failure after too long a silence; `what` completes "… while …".
pub(super) async fn next<S: Stream + Unpin>(
    stream: &mut S,
    idle: Duration,
    what: impl std::fmt::Display,
) -> Result<Option<S::Item>, Failure> {
    tokio::time::timeout(idle, stream.next()).await.map_err(|_| {
        let span = crate::units::Span(idle);
        Failure::new(FailureKind::Timeout, format!("the Docker engine was silent for {span} while {what}"))
    })
}
