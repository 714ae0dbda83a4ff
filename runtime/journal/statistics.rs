//! Figures about runs, and pages of them, that take no longer in a log of a million runs: every question is answered by a few
//! short walks along an index.

use jiff::Timestamp;
use rusqlite::types::Value as Column;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::Serialize;

use super::columns::{Moment, Word, count};
use super::{Journal, RunFilter, RunState};
use crate::failure::Failure;

/// The states of runs, those first that most are in.
pub(super) const STATES: [RunState; 7] = [
    RunState::Ok,
    RunState::Failed,
    RunState::Cancelled,
    RunState::Killed,
    RunState::Running,
    RunState::Waiting,
    RunState::InDoubt,
];

/// With more pairs of runbook and environment than this, walking along each is no shorter than looking at all runs.
const MOST_PAIRS: usize = 2_000;

/// So many runs begun in a span of time are sorted; of more, the newest are soon found among all.
const FEW: usize = 2_000;

/// So many runs may have begun in a time that the clock showed twice.
const SET_BACK: i64 = 10_000;

/// How the newest runs of a runbook on an environment went.
#[derive(Clone, Debug, Serialize)]
pub struct RunbookStatistics {
    /// The runbook.
    pub runbook: String,
    /// The environment.
    pub environment: String,
    /// How many runs that have ended were looked at: the newest.
    pub runs: usize,
    /// How many of them ended well.
    pub ok: usize,
    /// How many failed or died.
    pub failed: usize,
    /// How many were stopped.
    pub cancelled: usize,
    /// The share of those that ended well among those that were not stopped; none when there are none.
    pub success: Option<f64>,
    /// Half of those that ended well took no longer, in milliseconds.
    pub median: Option<u64>,
    /// 95 of 100 took no longer.
    pub p95: Option<u64>,
    /// The last that ended well, whenever that was.
    pub last_ok: Option<(i64, Timestamp)>,
    /// How the newest ended.
    pub last: Option<RunState>,
}

impl Journal {
    /// How runs went, by runbook and environment: of each the newest `newest`.
    pub fn statistics(&self, newest: usize) -> Result<Vec<RunbookStatistics>, Failure> {
        self.read("count the runs", |connection| {
            let pairs = pairs(connection, usize::MAX)?.unwrap_or_default();
            pairs.into_iter().map(|(runbook, environment)| of_pair(connection, runbook, environment, newest)).collect()
        })
    }

    /// How many runs are in each state.
    pub fn runs_by_state(&self) -> Result<Vec<(RunState, usize)>, Failure> {
        let open = [RunState::Running, RunState::Waiting, RunState::InDoubt];
        self.read("count the runs", |connection| {
            open.into_iter()
                .map(|state| {
                    let sql = "SELECT count(*) FROM run WHERE state = ?1";
                    let number: i64 = connection.prepare_cached(sql)?.query_row([Word(state)], |row| row.get(0))?;
                    Ok((state, super::columns::size(number)))
                })
                .collect()
        })
    }
}

fn of_pair(
    connection: &Connection,
    runbook: String,
    environment: String,
    newest: usize,
) -> rusqlite::Result<RunbookStatistics> {
    let mut ended: Vec<(i64, RunState, Option<u64>)> = Vec::new();
    for state in STATES.into_iter().take(4) {
        let mut statement = connection.prepare_cached(
            "SELECT id, milliseconds FROM run WHERE runbook = ?1 AND environment = ?2 AND state = ?3 ORDER BY id DESC LIMIT ?4",
        )?;
        let rows = statement.query_map(params![runbook, environment, Word(state), count(newest)], |row| {
            Ok((row.get(0)?, state, row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned)))
        })?;
        ended.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    let last_ok = ended.iter().find(|(_, state, _)| *state == RunState::Ok).map(|(run, ..)| *run);
    let last_ok = match last_ok {
        Some(run) => connection
            .prepare_cached("SELECT ifnull(finished_at, started_at) FROM run WHERE id = ?1")?
            .query_row([run], |row| row.get::<_, Moment>(0))
            .optional()?
            .map(|at| (run, at.0)),
        None => None,
    };
    ended.sort_unstable_by_key(|(run, ..)| std::cmp::Reverse(*run));
    ended.truncate(newest);
    let of = |wanted: &[RunState]| ended.iter().filter(|(_, state, _)| wanted.contains(state)).count();
    let (ok, failed) = (of(&[RunState::Ok]), of(&[RunState::Failed, RunState::Killed]));
    let mut took: Vec<u64> =
        ended.iter().filter(|(_, state, _)| *state == RunState::Ok).filter_map(|(.., took)| *took).collect();
    took.sort_unstable();
    let share = |percent: usize| (!took.is_empty()).then(|| took[(took.len() * percent).div_ceil(100).max(1) - 1]);
    #[allow(clippy::cast_precision_loss)]
    let success = (ok + failed > 0).then(|| ok as f64 / (ok + failed) as f64);
    Ok(RunbookStatistics {
        runs: ended.len(),
        ok,
        failed,
        cancelled: of(&[RunState::Cancelled]),
        success,
        median: share(50),
        p95: share(95),
        last_ok,
        last: ended.first().map(|(_, state, _)| *state),
        runbook,
        environment,
    })
}

/// Every runbook with every environment it ran on; none when there are more than `most`.
fn pairs(connection: &Connection, most: usize) -> rusqlite::Result<Option<Vec<(String, String)>>> {
    // One step along the index for each: SQLite would rather read all runs of a runbook.
    let mut next_runbook =
        connection.prepare_cached("SELECT min(runbook) FROM run INDEXED BY run_by_outcome WHERE runbook > ?1")?;
    let mut next_environment = connection.prepare_cached(
        "SELECT min(environment) FROM run INDEXED BY run_by_outcome WHERE runbook = ?1 AND environment > ?2",
    )?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut runbook = String::new();
    while let Some(next) = next_runbook.query_row([&runbook], |row| row.get::<_, Option<String>>(0))? {
        runbook = next;
        let mut environment = String::new();
        while let Some(next) =
            next_environment.query_row([&runbook, &environment], |row| row.get::<_, Option<String>>(0))?
        {
            if found.len() == most {
                return Ok(None);
            }
            environment.clone_from(&next);
            found.push((runbook.clone(), next));
        }
    }
    Ok(Some(found))
}

/// Does a runbook go by that name: its path, or its name with or without folder and `.rhai`?
fn is_called(runbook: &str, name: &str) -> bool {
    let plain = |text: &str| text.strip_suffix(".rhai").unwrap_or(text).to_owned();
    runbook == name
        || runbook.strip_suffix(".rhai") == Some(name)
        || [runbook.to_owned(), plain(runbook)].iter().any(|path| path.ends_with(&format!("/{name}")))
}

/// The numbers of the newest runs that pass the filter, newest first; none when walking along an index is no shorter than
/// looking at all runs.
pub(super) fn page(connection: &Connection, filter: &RunFilter, limit: usize) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut slices: Vec<(String, Vec<Column>)> = Vec::new();
    let word = |state: &RunState| -> Column {
        serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default().into()
    };
    let dimensions = [filter.runbook.is_some(), filter.environment.is_some(), !filter.states.is_empty()];
    match dimensions {
        [false, false, false] => slices.push(("true".to_owned(), Vec::new())),
        [false, true, false] => {
            slices.push(("environment = ?".to_owned(), vec![filter.environment.clone().unwrap_or_default().into()]));
        }
        [false, false, true] => {
            slices.extend(filter.states.iter().map(|state| ("state = ?".to_owned(), vec![word(state)])));
        }
        _ => {
            let Some(pairs) = pairs(connection, MOST_PAIRS)? else { return Ok(None) };
            let states: &[RunState] = if filter.states.is_empty() { &STATES } else { &filter.states };
            let wanted = pairs.into_iter().filter(|(runbook, environment)| {
                filter.runbook.as_ref().is_none_or(|name| is_called(runbook, name))
                    && filter.environment.as_ref().is_none_or(|name| name == environment)
            });
            for (runbook, environment) in wanted {
                for state in states {
                    let values = vec![runbook.clone().into(), environment.clone().into(), word(state)];
                    slices.push(("runbook = ? AND environment = ? AND state = ?".to_owned(), values));
                }
            }
        }
    }
    let (mut time, mut times) = (String::new(), Vec::new());
    for (text, moment) in [(" AND started_at >= ?", filter.since), (" AND started_at < ?", filter.until)] {
        if let Some(moment) = moment {
            time.push_str(text);
            times.push(Column::from(moment.as_microsecond()));
        }
    }
    if !times.is_empty() && is_few(connection, &time, &times)? {
        return Ok(None);
    }
    if let Some(until) = filter.until {
        // Numbers and times grow together, but for a clock that was set back: so many numbers on, it is looked all the same.
        let last: Option<i64> = connection
            .prepare_cached("SELECT id FROM run WHERE started_at < ?1 ORDER BY started_at DESC LIMIT 1")?
            .query_row([until.as_microsecond()], |row| row.get(0))
            .optional()?;
        time.push_str(" AND id <= ?");
        times.push(Column::from(last.unwrap_or(0).saturating_add(SET_BACK)));
    }
    let mut found: Vec<i64> = Vec::new();
    for (condition, mut values) in slices {
        values.extend(times.iter().cloned());
        let sql = format!("SELECT id FROM run WHERE {condition}{time} ORDER BY id DESC LIMIT {}", count(limit));
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(&values), |row| row.get(0))?;
        found.extend(rows.collect::<rusqlite::Result<Vec<i64>>>()?);
    }
    found.sort_unstable_by_key(|run| std::cmp::Reverse(*run));
    found.truncate(limit);
    Ok(Some(found))
}

/// Began only few runs in that time?
fn is_few(connection: &Connection, time: &str, times: &[Column]) -> rusqlite::Result<bool> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM run WHERE true{time} LIMIT {})", count(FEW));
    let number: i64 = connection.prepare_cached(&sql)?.query_row(params_from_iter(times), |row| row.get(0))?;
    Ok(number < count(FEW))
}

#[cfg(test)]
mod tests {
    use super::is_called;

    #[test]
    fn a_runbook_goes_by_its_path_and_by_its_name() {
        for name in ["shop/deploy.rhai", "shop/deploy", "deploy.rhai", "deploy"] {
            assert!(is_called("shop/deploy.rhai", name), "{name}");
        }
        for name in ["ploy", "shop", "deploy.rh", "hop/deploy"] {
            assert!(!is_called("shop/deploy.rhai", name), "{name}");
        }
    }
}
