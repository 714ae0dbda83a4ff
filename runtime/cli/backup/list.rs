use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{CommandResult, Where, by_job, moment};
use crate::cli::history;
use crate::drivers::backup::{Access, Snapshot};
use crate::report::{self, Style};
use crate::units::Span;

/// List snapshots, and what is wrong with how old and how large they are.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    place: Where,
    /// Only those of this job
    #[arg(long)]
    job: Option<String>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints a line for each.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let mut all = ground.open(Access::Shared)?.snapshots()?;
        all.retain(|snapshot| self.job.as_ref().is_none_or(|job| snapshot.group() == *job));
        let findings: Vec<String> = by_job(all.clone())
            .iter()
            .flat_map(|(job, snapshots)| findings(job, snapshots, ground.max_age, Timestamp::now()))
            .collect();
        history::answer(|out| {
            if self.json {
                let document = json!({ "repository": ground.name, "snapshots": all, "findings": findings });
                return report::document(out, &document);
            }
            let rows: Vec<_> = all.iter().map(row).collect();
            let titles = ["ID", "TIME", "FILES", "SIZE", "NEW", "HOST", "JOB"];
            report::listing(out, titles, &rows, Style::detect_stdout())
        })?;
        if !self.json {
            for finding in findings {
                report::note(&format!("warning: {finding}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(snapshot: &Snapshot) -> [String; 7] {
    let tags = snapshot.tags.iter().fold(String::new(), |text, tag| format!("{text}  #{tag}"));
    [
        snapshot.short().to_owned(),
        moment(snapshot),
        snapshot.files.to_string(),
        report::bytes(snapshot.bytes),
        report::bytes(snapshot.added),
        snapshot.host.clone(),
        format!("{}{tags}", snapshot.group()),
    ]
}

/// What somebody should look at: a newest snapshot that is too old, comes from the future, or is half as large as the one
/// before.
fn findings(job: &str, snapshots: &[Snapshot], max_age: Option<Span>, now: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    let Some(newest) = snapshots.last() else { return found };
    let age = now.duration_since(newest.time.timestamp());
    if age.as_secs() < -3600 {
        found.push(format!("the newest snapshot of {job} is from the future: a clock is wrong"));
    }
    let limit = max_age.and_then(|limit| i64::try_from(limit.0.as_secs()).ok());
    if let (Some(limit), Some(max_age)) = (limit, max_age)
        && age.as_secs() > limit
    {
        let hours = age.as_secs() / 3600;
        found.push(format!("the newest snapshot of {job} is {hours}h old, and {max_age} are allowed"));
    }
    if let [.., before, newest] = snapshots
        && newest.bytes < before.bytes / 2
    {
        let (now, then) = (report::bytes(newest.bytes), report::bytes(before.bytes));
        found.push(format!("the newest snapshot of {job} has {now}, the one before had {then}"));
    }
    found
}
