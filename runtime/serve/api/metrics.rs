//! Figures in the form that Prometheus reads.

use std::fmt::Write;

use hyper::StatusCode;
use jiff::Timestamp;

use super::answer::{Answer, with_type};
use super::backups;
use super::entry::State;
use super::handlers::LOOKED_AT;
use crate::failure::Failure;
use crate::journal::{FireFilter, FireState, NoticeState, SkipReason};

/// How long back fires count.
const DAY: i64 = 24 * 60 * 60;

/// Whoever is there has written a fire down by then.
const MINUTE: i64 = 60;

/// So many notices and fires are looked at.
const MOST: usize = 5_000;

/// All of them.
pub(super) fn metrics(state: &State) -> Result<Answer, Failure> {
    let journal = &state.api.journal;
    let mut text = String::new();
    head(&mut text, "runbook_runs_open", "gauge", "Runs that go on or stand still, by state.");
    for (run_state, number) in journal.runs_by_state()? {
        let word = serde_json::to_value(run_state).unwrap_or_default();
        line(&mut text, "runbook_runs_open", &[("state", word.as_str().unwrap_or_default())], number);
    }
    let statistics = journal.statistics(LOOKED_AT)?;
    head(&mut text, "runbook_runs", "gauge", "The newest 200 runs of a runbook that have ended, by result.");
    for one in &statistics {
        for (result, number) in [("ok", one.ok), ("failed", one.failed), ("cancelled", one.cancelled)] {
            let labels = [("runbook", one.runbook.as_str()), ("env", &one.environment), ("result", result)];
            line(&mut text, "runbook_runs", &labels, number);
        }
    }
    head(&mut text, "runbook_run_seconds", "gauge", "How long the newest runs that ended well took.");
    for one in &statistics {
        for (quantile, took) in [("0.5", one.median), ("0.95", one.p95)] {
            let labels = [("runbook", one.runbook.as_str()), ("env", &one.environment), ("quantile", quantile)];
            if let Some(took) = took {
                let seconds = format!("{}.{:03}", took / 1_000, took % 1_000);
                line(&mut text, "runbook_run_seconds", &labels, seconds);
            }
        }
    }
    head(&mut text, "runbook_last_success_timestamp_seconds", "gauge", "When a runbook last ended well.");
    for one in &statistics {
        if let Some((_, at)) = one.last_ok {
            let labels = [("runbook", one.runbook.as_str()), ("env", one.environment.as_str())];
            line(&mut text, "runbook_last_success_timestamp_seconds", &labels, at.as_second());
        }
    }
    of_fires(state, &mut text)?;
    of_backups(state, &mut text)?;
    let notices = journal.notices(MOST)?;
    head(&mut text, "runbook_notices", "gauge", "Notifications that wait to be sent, or were given up.");
    for (word, wanted) in [("waiting", NoticeState::Waiting), ("given_up", NoticeState::GivenUp)] {
        let number = notices.iter().filter(|notice| notice.state == wanted).count();
        line(&mut text, "runbook_notices", &[("state", word)], number);
    }
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text))
}

fn of_backups(state: &State, text: &mut String) -> Result<(), Failure> {
    head(text, "runbook_backup_age_seconds", "gauge", "How old the newest snapshot of a job is.");
    for (repository, job, age) in backups::ages(state)? {
        line(text, "runbook_backup_age_seconds", &[("repository", &repository), ("job", &job)], age);
    }
    Ok(())
}

fn of_fires(state: &State, text: &mut String) -> Result<(), Failure> {
    let now = Timestamp::now().as_second();
    let filter = FireFilter { schedule: None, since: Some(now - DAY), limit: Some(MOST) };
    let fires = state.api.journal.fires(&filter)?;
    head(text, "runbook_fires_skipped", "gauge", "Fires of a day that were left out, by reason.");
    for (word, reason) in [
        ("missed", SkipReason::Missed),
        ("overlap", SkipReason::Overlap),
        ("paused", SkipReason::Paused),
        ("deadline", SkipReason::Deadline),
        ("clock", SkipReason::Clock),
    ] {
        let number = fires.iter().filter(|fire| fire.reason == Some(reason)).count();
        line(text, "runbook_fires_skipped", &[("reason", word)], number);
    }
    head(text, "runbook_fire_lateness_seconds", "gauge", "How late the latest of the fires that are due is.");
    let due = fires.iter().filter(|fire| fire.state == FireState::Due && fire.due <= now);
    line(text, "runbook_fire_lateness_seconds", &[], due.map(|fire| now - fire.due).max().unwrap_or(0));
    head(text, "runbook_fire_begun_late_seconds", "gauge", "How late runs of a day began that were not tried again.");
    let first_try = fires.iter().filter(|fire| fire.attempt == 1 && fire.resumes == 0);
    let mut late: Vec<i64> = first_try.filter_map(|fire| Some((fire.run_since? - fire.due).max(0))).collect();
    late.sort_unstable();
    for (quantile, percent) in [("0.5", 50), ("0.99", 99), ("1", 100)] {
        if let Some(seconds) = late.get((late.len() * percent).div_ceil(100).max(1) - 1) {
            line(text, "runbook_fire_begun_late_seconds", &[("quantile", quantile)], seconds);
        }
    }
    head(text, "runbook_ledger_gaps", "gauge", "Schedules of which a fire was expected a minute ago that has no row.");
    line(text, "runbook_ledger_gaps", &[], state.api.surroundings.gaps(&state.api.journal.accounted()?, now - MINUTE)?);
    Ok(())
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}
