//! Who answers what.

use std::sync::Arc;

use hyper::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::answer::{self, Answer};
use super::entry::{Asked, State};
use super::routes::{Does, Permission};
use super::{backups, follow, metrics, openapi, query, start};
use crate::failure::{Failure, FailureKind, in_plain_words};
use crate::journal::{FireFilter, LogQuery, Pause, RunFilter, RunRecord, RunState};

/// How many newest runs of each runbook are looked at for figures.
pub(super) const LOOKED_AT: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    runbook: String,
    env: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Yes {
    digest: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct No {
    reason: String,
}

/// Answers what was let through.
pub(super) async fn handle(state: &Arc<State>, asked: Asked) -> Answer {
    // Whoever scrapes figures may add words of its own.
    if matches!(asked.route.needs, Permission::Scope(_))
        && asked.route.does != Does::Metrics
        && let Err(failure) = query::check(&asked.query, asked.route.asks)
    {
        return answer::failed(&failure);
    }
    let answered = match asked.route.does {
        Does::Follow => follow::follow(state, &asked),
        Does::Metrics => metrics::metrics(state),
        Does::Start | Does::Cancel | Does::Resume | Does::Approve | Does::Reject => act(state, &asked).await,
        _ => look(state, &asked),
    };
    answered.unwrap_or_else(|failure| answer::failed(&failure))
}

fn look(state: &State, asked: &Asked) -> Result<Answer, Failure> {
    let journal = &state.api.journal;
    let ok = |value: Value| Ok(answer::document(StatusCode::OK, &value));
    match asked.route.does {
        Does::Health => ok(json!({ "status": "ok" })),
        Does::Ready => {
            journal.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?;
            ok(json!({ "status": "ready" }))
        }
        Does::Document => ok(openapi::document()),
        Does::Runs => {
            let states = match query::value(&asked.query, "state") {
                Some(words) => words.split(',').map(state_named).collect::<Result<_, _>>()?,
                None => Vec::new(),
            };
            let filter = RunFilter {
                runbook: query::value(&asked.query, "runbook"),
                environment: query::value(&asked.query, "env"),
                states,
                limit: Some(query::limit(&asked.query, 50)?),
                ..RunFilter::default()
            };
            ok(json!({ "runs": journal.runs(&filter)? }))
        }
        Does::Run => {
            let run = run_named(state, &asked.part)?;
            let calls = journal.calls(run.id)?;
            ok(json!({ "run": run, "calls": calls }))
        }
        Does::Logs => {
            let run = run_named(state, &asked.part)?;
            let lines = journal.logs(&LogQuery {
                run: Some(run.id),
                search: query::value(&asked.query, "search"),
                limit: Some(query::limit(&asked.query, 200)?),
                ..LogQuery::default()
            })?;
            ok(json!({ "lines": lines }))
        }
        Does::Schedules => ok(json!({ "schedules": state.api.surroundings.schedules()? })),
        Does::Fires => {
            let filter = FireFilter {
                schedule: query::value(&asked.query, "schedule"),
                since: None,
                limit: Some(query::limit(&asked.query, 50)?),
            };
            ok(json!({ "fires": journal.fires(&filter)? }))
        }
        Does::Pause | Does::Unpause => {
            let pauses = asked.route.does == Does::Pause;
            let pause = Pause { by: format!("api:{}", asked.who), at: Timestamp::now().as_second() };
            if !journal.pause(&asked.part, pauses.then_some(&pause))? {
                return Err(Failure::new(FailureKind::NotFound, format!("there is no schedule `{}`", asked.part)));
            }
            ok(json!({ "schedule": asked.part, "paused": pauses }))
        }
        Does::Backups => ok(json!({ "backups": backups::overview(state)? })),
        Does::Snapshots => ok(json!({ "snapshots": backups::snapshots(state, &asked.part)? })),
        Does::Statistics => ok(json!({ "statistics": journal.statistics(LOOKED_AT)? })),
        _ => ok(json!({ "notices": journal.notices(query::limit(&asked.query, 50)?)? })),
    }
}

async fn act(state: &State, asked: &Asked) -> Result<Answer, Failure> {
    let accepted = |run: i64| Ok(answer::document(StatusCode::ACCEPTED, &json!({ "run": run })));
    if asked.route.does == Does::Start {
        let Start { runbook, env, parameters } = body(asked)?;
        let words = state.api.surroundings.words(&runbook, env.as_deref(), &parameters)?;
        return accepted(start::run(state, words, env.as_deref(), &asked.who).await?);
    }
    let run = run_named(state, &asked.part)?;
    let number = run.id.to_string();
    let words = match asked.route.does {
        Does::Cancel => vec!["cancel".to_owned(), number],
        Does::Resume => vec!["resume".to_owned(), number],
        Does::Approve => {
            // A yes is to what was seen, and to nothing else.
            let Yes { digest } = body(asked)?;
            vec!["approve".to_owned(), number, format!("--digest={digest}")]
        }
        _ => {
            let No { reason } = if asked.body.is_empty() { No::default() } else { body(asked)? };
            vec!["reject".to_owned(), number, format!("--reason={reason}")]
        }
    };
    let words = words.into_iter().chain(["--quiet".to_owned()]).collect();
    start::command(state, words, Some(&run.environment), &asked.who).await?;
    accepted(run.id)
}

fn names(asked: &Asked) -> String {
    let names: Vec<String> = asked.route.takes.iter().map(|field| format!("`{}`", field.name)).collect();
    names.join(", ")
}

fn body<T: DeserializeOwned>(asked: &Asked) -> Result<T, Failure> {
    serde_json::from_slice(&asked.body).map_err(|error| {
        let said = error.to_string();
        let said = in_plain_words(said.split(" at line ").next().unwrap_or_default());
        Failure::new(FailureKind::Invalid, format!("the body is not what is expected: {said}"))
            .hint(format!("it is a JSON object with {}", names(asked)))
    })
}

pub(super) fn run_named(state: &State, part: &str) -> Result<RunRecord, Failure> {
    let number = part.parse().map_err(|_| Failure::new(FailureKind::NotFound, format!("there is no run `{part}`")))?;
    state.api.journal.run(number)
}

fn state_named(word: &str) -> Result<RunState, Failure> {
    serde_json::from_value(word.into())
        .map_err(|_| Failure::new(FailureKind::Argument, format!("runs are in no state that is called `{word}`")))
}
