//! Containers that do one thing and end. They stay until their end is in the journal: it must be known whatever happens.

use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{KEY, is_own, noted};
use crate::drivers::docker::{Container, ContainerSpec, ContainerState, Engine, Lines, LogRequest, OutputStream};
use crate::primitive::{Change, Context, Failure, FailureKind, LogStream};

/// How long removing one may take, also when the run was told to stop.
const REMOVING: Duration = Duration::from_secs(10);

/// What a call notes about its container for later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// What was changed to make it possible: an image pulled, a network created.
    pub made: Vec<Change>,
    /// The container got all of its input.
    pub fed: bool,
    /// Its time was over, and it was killed.
    pub late: bool,
}

impl Note {
    /// What an earlier process noted of this call.
    pub fn of(context: &Context<'_>) -> Self {
        noted(context).unwrap_or_default()
    }

    /// Notes it.
    pub fn mark(&self, context: &Context<'_>) -> Result<(), Failure> {
        context.mark(&json!(self))
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its exit code.
    pub code: i64,
    /// Was it for want of memory?
    pub out_of_memory: bool,
    /// Did it use up its time, and was killed?
    pub late: bool,
}

/// Creates the container of this call, which carries its name. One that an earlier process created and never started
/// makes way.
pub async fn create(context: &Context<'_>, engine: &Engine, spec: &ContainerSpec) -> Result<String, Failure> {
    let refused = match engine.create(spec).await {
        Err(failure) if failure.kind == FailureKind::Conflict => failure,
        created => return created,
    };
    match engine.find(&spec.name).await? {
        Some(found) if is_own(context, &found.labels, KEY) && found.state == ContainerState::Created => {
            engine.discard(&found.id).await?;
            engine.create(spec).await
        }
        _ => Err(refused),
    }
}

/// The container that this call made before its process died.
pub fn find(context: &Context<'_>, engine: &Engine) -> Result<Option<Container>, Failure> {
    let mine = format!("{KEY}={}", context.key());
    context.wait("looking for the container of this call", REMOVING * 6, async {
        match engine.containers(&[mine]).await?.first() {
            Some(found) => engine.find(&found.id).await,
            None => Ok(None),
        }
    })
}

/// Follows a container that an earlier process started to its end: everything it printed, and how it ended. It has as
/// much time as it was given.
pub fn follow(
    context: &Context<'_>,
    engine: &Engine,
    container: &Container,
    limit: Duration,
    on_line: &mut (dyn FnMut(OutputStream, &str) + Send),
) -> Result<End, Failure> {
    let mut lines = Lines::default();
    let reading = async {
        let mut stream = std::pin::pin!(engine.follow(&container.id, &LogRequest::default()).await?);
        // Some log drivers cannot be read: then there is no output, but still an exit code.
        while let Some(Ok(chunk)) = stream.next().await {
            lines.push(&chunk, on_line);
        }
        engine.wait(&container.id).await.map(drop)
    };
    let spent = Timestamp::now().duration_since(moment(&container.started)).unsigned_abs();
    let what = format!("waiting for the end of container `{}`", container.name);
    let read = context.wait(&what, limit.saturating_sub(spent) + Duration::from_secs(1), reading);
    lines.finish(on_line);
    let mut late = Note::of(context).late;
    match read {
        Err(failure) if failure.kind == FailureKind::Timeout => {
            late = true;
            end(context, engine);
        }
        other => other?,
    }
    let ended = context.wait(&what, REMOVING * 6, async { engine.inspect(&container.id).await })?;
    Ok(End { code: ended.exit_code.unwrap_or_default(), out_of_memory: ended.oom_killed, late })
}

/// Ends the container of this call because its time is over. It stays, to be known by.
pub fn end_late(context: &Context<'_>, engine: &Engine, note: Note) -> Result<(), Failure> {
    Note { fed: true, late: true, ..note }.mark(context)?;
    end(context, engine);
    Ok(())
}

/// Ends the container of this call, which must not run any longer. It stays, to be known by.
pub fn end(context: &Context<'_>, engine: &Engine) {
    let mine = format!("{KEY}={}", context.key());
    let work = async {
        let killing = async {
            for found in engine.containers(&[mine]).await? {
                engine.kill(&found.id, "SIGKILL").await?;
                engine.wait(&found.id).await?;
            }
            Ok::<_, Failure>(())
        };
        tokio::time::timeout(Duration::from_millis(1_500), killing).await
    };
    // One that ended meanwhile, or was never made, needs no killing.
    let _ = context.drivers.block_on(work);
}

/// Removes the container of this call.
pub fn remove(context: &Context<'_>, engine: &Engine) {
    let mine = format!("{KEY}={}", context.key());
    let work = async {
        for found in engine.containers(&[mine]).await? {
            engine.remove(&found.id, true).await?;
        }
        Ok::<_, Failure>(())
    };
    let removed = context.drivers.block_on(async { tokio::time::timeout(REMOVING, work).await });
    let trouble = match removed {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => failure.message,
        Err(_) => "the engine does not answer".to_owned(),
    };
    context.log(LogStream::Warn, &format!("the container of this call could not be removed: {trouble}"));
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| Timestamp::now())
}
