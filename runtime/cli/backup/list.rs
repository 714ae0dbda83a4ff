use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CommandResult, Where, local, moment};
use crate::cli::history;
use crate::drivers::backup::{Access, Snapshot};
use crate::primitive::{Catalogued, standing};
use crate::report::{self, Style};

/// List snapshots, and what is wrong with how old, how large and how well tried they are.
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
        let opened = ground.open(Access::Shared)?;
        let is_meant = |job: &str| self.job.as_ref().is_none_or(|only| job == only);
        let mut findings = standing(&opened.journal, &ground.name, &ground.entry, Timestamp::now())?;
        findings.retain(|finding| is_meant(&finding.job));
        let row = |snapshot: Snapshot| {
            let known = opened.known.iter().find(|row| row.id == snapshot.id);
            (snapshot, known)
        };
        let all: Vec<(Snapshot, Option<&Catalogued>)> =
            opened.snapshots.into_iter().filter(|snapshot| is_meant(&snapshot.group())).map(row).collect();
        history::answer(|out| {
            if self.json {
                let snapshots: Vec<Value> = all.iter().map(document).collect();
                let document = json!({ "repository": ground.name, "snapshots": snapshots, "findings": findings });
                return report::document(out, &document);
            }
            let rows: Vec<_> = all.iter().map(line).collect();
            let titles = ["ID", "TIME", "FILES", "SIZE", "NEW", "VERIFIED", "HOST", "JOB"];
            report::listing(out, titles, &rows, Style::detect_stdout())
        })?;
        if !self.json {
            for finding in findings {
                report::note(&format!("warning: {}", finding.text));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn document((snapshot, known): &(Snapshot, Option<&Catalogued>)) -> Value {
    let mut value = json!(snapshot);
    if let (Some(fields), Some(known)) = (value.as_object_mut(), known) {
        fields.insert("parts".into(), json!(known.parts));
        fields.insert("proofs".into(), json!(known.proofs));
        fields.insert("copies".into(), json!(known.copies));
    }
    value
}

fn line((snapshot, known): &(Snapshot, Option<&Catalogued>)) -> [String; 8] {
    let tags = snapshot.tags.iter().fold(String::new(), |text, tag| format!("{text}  #{tag}"));
    let proof = known.and_then(Catalogued::proven);
    [
        snapshot.short().to_owned(),
        moment(snapshot),
        snapshot.files.to_string(),
        report::bytes(snapshot.bytes),
        report::bytes(snapshot.added),
        proof.map_or_else(|| "-".to_owned(), |proof| format!("{} {}", proof.how.word(), local(proof.at))),
        snapshot.host.clone(),
        format!("{}{tags}", snapshot.group()),
    ]
}
