//! Lines of a run as they come, as server-sent events. Whoever reads slowly is waited for here; the run waits for nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::answer::{self, Answer};
use super::entry::{Asked, State};
use super::handlers::run_named;
use crate::failure::Failure;
use crate::journal::{LogCursor, LogQuery, RunState};

/// So many may follow at once.
const FOLLOWERS: usize = 64;

/// How often new lines are looked for.
const LOOK: Duration = Duration::from_millis(300);

/// So many lines are read at once.
const LINES: usize = 500;

/// How long somebody may take no line before it is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sign of life where there are no lines.
const SIGN: Duration = Duration::from_secs(15);

/// One less when it is over, however that came.
struct Place(Arc<State>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Follows a run until it ends, or stands still.
pub(super) fn follow(state: &Arc<State>, asked: &Asked) -> Result<Answer, Failure> {
    let run = run_named(state, &asked.part)?.id;
    let place = Place(state.clone());
    if state.followers.fetch_add(1, Ordering::Relaxed) >= FOLLOWERS {
        return Ok(answer::wrong(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many follow lines at this moment"));
    }
    let (send, receive) = mpsc::channel::<Bytes>(4);
    tokio::spawn(async move {
        let _ = feed(&place.0, run, &send).await;
        drop(place);
    });
    let frames = futures_util::stream::unfold(receive, |mut receive| async move {
        let bytes = receive.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), receive))
    });
    let mut answer = Response::new(StreamBody::new(frames).boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Sends what there is; ends when nobody takes it any more.
async fn feed(state: &State, run: i64, send: &mpsc::Sender<Bytes>) -> Option<()> {
    let mut query =
        LogQuery { run: Some(run), after: Some(LogCursor::default()), limit: Some(LINES), ..LogQuery::default() };
    let mut silent = Duration::ZERO;
    loop {
        // Looked at before the lines are read: whoever sees the end of a run has seen all its lines.
        let record = state.api.journal.run(run).ok()?;
        let lines = state.api.journal.logs(&query).ok()?;
        let (was_full, mut text) = (lines.len() == LINES, String::new());
        for line in lines {
            text.push_str(&format!("data: {}\n\n", serde_json::to_string(&line).unwrap_or_default()));
            query.after = Some(line.cursor);
        }
        let has_ended = record.state != RunState::Running;
        if has_ended && !was_full {
            text.push_str(&format!("event: end\ndata: {}\n\n", json!({ "run": run, "state": record.state })));
        }
        if text.is_empty() && silent >= SIGN {
            text.push_str(": still here\n\n");
        }
        if text.is_empty() {
            silent += LOOK;
        } else {
            silent = Duration::ZERO;
            tokio::time::timeout(PATIENCE, send.send(text.into())).await.ok()?.ok()?;
        }
        if has_ended && !was_full {
            return Some(());
        }
        if !was_full {
            tokio::time::sleep(LOOK).await;
        }
    }
}
