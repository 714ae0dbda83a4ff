use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{CommandResult, Where, local};
use crate::cli::history;
use crate::cli::run::Run;
use crate::failure::{Failure, FailureKind};
use crate::journal::Journal;
use crate::primitive::Drill as Drilled;
use crate::project::{BackupRepository, PROJECT_FILE};
use crate::report::{self, Style};
use crate::script::{Header, Library};
use crate::units::Span;

/// Restore a snapshot where it harms nobody and see that it works, with the runbook that `[backup.NAME.job.JOB]` names; or show how
/// drills went.
#[derive(Args)]
pub struct Drill {
    /// The job; the project's name when left out
    job: Option<String>,
    /// The first digits of the snapshot's name
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "random")]
    snapshot: Option<String>,
    /// Any snapshot of the job, in place of the newest
    #[arg(long)]
    random: bool,
    /// Take the snapshot out of this repository: a copy elsewhere
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Drill nothing: list the drills so far, and how the recovery time develops
    #[arg(long, conflicts_with_all = ["snapshot", "random", "from"])]
    history: bool,
    #[command(flatten)]
    place: Where,
    /// With `--history`: write one JSON object, with the evidence of each; else events of the run, one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Drill {
    /// Exits as the run of the runbook does.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        if self.history {
            return self.look_back(&ground.name, &ground.entry, &Journal::open(&ground.project.state_folder())?);
        }
        let job = self.job.clone().unwrap_or_else(|| ground.project.name().to_owned());
        let Some(runbook) = ground.entry.drill_of(&job) else {
            let message =
                format!("[backup.{}.job.{job}] of {PROJECT_FILE} names no runbook for its drill", ground.name);
            return Err(Failure::new(FailureKind::Argument, message)
                .hint("add `drill = \"restore-drill.rhai\"`, a runbook that calls `drill::job` of `std/drill`"));
        };
        let root = ground.project.root();
        let library = Library::load(root, runbook)?;
        let header = Header::parse(library.text(library.runbook()).unwrap_or_default());
        let mut words: Vec<OsString> = vec![root.join(runbook).into()];
        let chosen = if self.random { Some("random".to_owned()) } else { self.snapshot.clone() };
        for (name, value) in [("snapshot", chosen), ("from", self.from.clone())] {
            let Some(value) = value else { continue };
            if !header.params.iter().any(|param| param.name == name) {
                let message = format!("`{}` always drills the same: it has no parameter `{name}`", runbook.display());
                return Err(Failure::new(FailureKind::Argument, message)
                    .hint(format!("declare it, `@param {name}: string = …`, and hand it on to `drill::job`")));
            }
            words.extend([format!("--{name}").into(), value.into()]);
        }
        if let Some(env) = &self.place.env {
            words.extend(["--env".into(), env.into()]);
        }
        if self.json {
            words.push("--json".into());
        }
        Run::of(words).run()
    }

    fn look_back(&self, name: &str, entry: &BackupRepository, journal: &Journal) -> CommandResult {
        let mut drills = journal.drilled(name)?;
        drills.retain(|drill| self.job.as_ref().is_none_or(|job| drill.job == *job));
        let trends: Vec<Trend> = trends(&drills, entry);
        history::answer(|out| {
            if self.json {
                let trends: Vec<Value> = trends.iter().map(Trend::document).collect();
                return report::document(out, &json!({ "repository": name, "drills": drills, "trends": trends }));
            }
            if drills.is_empty() {
                return writeln!(out, "no drill was recorded of {}", self.job.as_deref().unwrap_or(name));
            }
            let rows: Vec<_> = drills.iter().rev().map(line).collect();
            let titles = ["BEGUN", "JOB", "RESULT", "RECOVERY TIME", "DATA OLD", "SNAPSHOT", "RUN", "WHY"];
            report::listing(out, titles, &rows, Style::detect_stdout())?;
            trends.iter().try_for_each(|trend| writeln!(out, "{}", trend.text()))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn line(drill: &Drilled) -> [String; 8] {
    let result = if drill.ok { "ok" } else { "FAILED" };
    let short = drill.snapshot.get(..8).unwrap_or("-").to_owned();
    let known = |text: String| if drill.snapshot.is_empty() { "-".to_owned() } else { text };
    [
        local(drill.at),
        drill.job.clone(),
        result.to_owned(),
        known(seconds(drill.recovery_time)),
        known(Span::seconds(u64::try_from(drill.recovery_point).unwrap_or_default()).to_string()),
        short,
        drill.run.to_string(),
        drill.failure.clone(),
    ]
}

/// How the recovery time of a job develops.
struct Trend {
    job: String,
    drills: usize,
    failed: usize,
    last: u64,
    median: u64,
    slowest: u64,
    limit: Option<Span>,
}

/// The drills that count: the newest of them that went well.
const COUNTED: usize = 12;

fn trends(drills: &[Drilled], entry: &BackupRepository) -> Vec<Trend> {
    let mut jobs: Vec<&str> = drills.iter().map(|drill| drill.job.as_str()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    let of = |job: &str| {
        let own: Vec<&Drilled> = drills.iter().filter(|drill| drill.job == job).collect();
        let good = own.iter().filter(|drill| drill.ok).map(|drill| drill.recovery_time);
        let newest: Vec<u64> = good.rev().take(COUNTED).collect();
        let mut sorted = newest.clone();
        sorted.sort_unstable();
        Trend {
            job: job.to_owned(),
            drills: own.len(),
            failed: own.iter().filter(|drill| !drill.ok).count(),
            last: newest.first().copied().unwrap_or_default(),
            median: sorted.get(sorted.len() / 2).copied().unwrap_or_default(),
            slowest: sorted.last().copied().unwrap_or_default(),
            limit: entry.recovery_time_of(job),
        }
    };
    jobs.into_iter().map(of).collect()
}

impl Trend {
    fn text(&self) -> String {
        let Self { job, drills, failed, .. } = self;
        let budget = self.limit.map(|limit| format!(", {limit} are allowed")).unwrap_or_default();
        if drills == failed {
            return format!("{job}: {drills} drills, none went well{budget}");
        }
        let [last, median, slowest] = [self.last, self.median, self.slowest].map(seconds);
        format!(
            "{job}: {drills} drills, {failed} failed; recovery time {last}, median {median}, slowest {slowest}{budget}"
        )
    }

    fn document(&self) -> Value {
        json!({
            "job": self.job, "drills": self.drills, "failed": self.failed, "last_ms": self.last, "median_ms": self.median,
            "slowest_ms": self.slowest, "limit_seconds": self.limit.map(|limit| limit.0.as_secs()),
        })
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
