//! Starting processes for those who ask, as the service starts them for schedules.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::entry::State;
use crate::failure::{Failure, FailureKind};
use crate::journal::RunFilter;
use crate::serve::worker::{Start, Worker};

/// How long it may take until a run has begun.
const BEGIN: Duration = Duration::from_secs(20);

/// How long other commands are watched: what is refused is refused at once.
const WATCH: Duration = Duration::from_secs(3);

/// The processes that go on.
#[derive(Default)]
pub(super) struct Started(Mutex<Vec<Worker>>);

impl Started {
    /// Those that still go on; the others are let go.
    fn going_on(&self) -> usize {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain_mut(|worker| !worker.has_ended());
        workers.len()
    }

    fn keep(&self, worker: Worker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }
}

/// Starts a run, and says its number.
pub(super) async fn run(
    state: &State,
    words: Vec<String>,
    environment: Option<&str>,
    who: &str,
) -> Result<i64, Failure> {
    let mut worker = start(state, words, who)?;
    let pid = i64::from(worker.pid());
    let began = Instant::now();
    while began.elapsed() < BEGIN {
        let newest = state.api.journal.runs(&RunFilter { limit: Some(20), ..RunFilter::default() })?;
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let own = |run: &&crate::journal::RunRecord| {
            let age = jiff::Timestamp::now().duration_since(run.started_at).as_secs();
            run.pid == pid && run.machine == machine && age < 60
        };
        if let Some(run) = newest.iter().find(own) {
            let run = run.id;
            state.started.keep(worker);
            return Ok(run);
        }
        if worker.has_ended() {
            let words = said(state, worker, environment).await?;
            let failure = retold(FailureKind::Invalid, &words);
            return Err(Failure { message: format!("the run did not begin: {}", failure.message), ..failure });
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    state.started.keep(worker);
    Err(Failure::new(FailureKind::Timeout, "the run has not begun yet; `GET /v1/runs` will show it"))
}

/// Starts a command about a run; fails with its words when it ends at once and did not do it.
pub(super) async fn command(
    state: &State,
    words: Vec<String>,
    environment: Option<&str>,
    who: &str,
) -> Result<(), Failure> {
    let mut worker = start(state, words, who)?;
    let began = Instant::now();
    while began.elapsed() < WATCH {
        if worker.has_ended() {
            let refused = worker.code() == Some(2);
            let words = said(state, worker, environment).await?;
            return if refused { Err(retold(FailureKind::Refused, &words)) } else { Ok(()) };
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    state.started.keep(worker);
    Ok(())
}

/// What a process said that has ended.
async fn said(state: &State, worker: Worker, environment: Option<&str>) -> Result<String, Failure> {
    let environment = environment.map(str::to_owned);
    state.aside(move |project| worker.bury(|text| project.redact(environment.as_deref(), text))).await
}

/// What a command wrote for a person before it ended, as a failure again: its message, and what it advised.
fn retold(kind: FailureKind, words: &str) -> Failure {
    let (hints, message): (Vec<&str>, Vec<&str>) = words.lines().partition(|line| line.starts_with("hint: "));
    let message = message.join("\n");
    let failure = Failure::new(kind, message.trim().trim_start_matches("error: "));
    hints.iter().filter_map(|line| line.strip_prefix("hint: ")).fold(failure, Failure::hint)
}

fn start(state: &State, words: Vec<String>, who: &str) -> Result<Worker, Failure> {
    if state.started.going_on() >= state.api.runs {
        let message = format!("{} runs go on already", state.api.runs);
        return Err(
            Failure::new(FailureKind::Conflict, message).hint("`runs` in [service] of runbook.toml allows more")
        );
    }
    let name = format!("api-{}.txt", jiff::Timestamp::now().as_nanosecond());
    Worker::start(Start {
        program: &state.api.program,
        root: &state.api.root,
        output: state.api.journal.state_folder().join("runs").join(name),
        arguments: words.into_iter().map(OsString::from).collect(),
        memory: state.api.memory,
        user: Some(format!("api:{who}")),
        listens: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_said_is_a_message_and_what_it_advised() {
        let failure = retold(FailureKind::Refused, "error: it is late\n\nhint: go home\nhint: sleep");
        assert_eq!(failure.message, "it is late");
        assert_eq!(failure.hints, ["go home", "sleep"]);
        let bare = retold(FailureKind::Refused, "killed by SIGKILL");
        assert_eq!((bare.message.as_str(), bare.hints.len()), ("killed by SIGKILL", 0));
    }
}
