use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandResult, Where, local, told};
use crate::cli::history;
use crate::drivers::backup::{Access, Damaged, PARTS};
use crate::primitive::{CheckScope, check_and_note};
use crate::report;

/// Look whether everything is there that snapshots need, and read the part of the data whose turn it is: one of 30 for each day since
/// the last time.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    place: Where,
    /// Read all data, and compare it with its hashes
    #[arg(long, visible_alias = "read-data")]
    all: bool,
    /// Read no data: only look whether it is there
    #[arg(long, conflicts_with = "all")]
    no_data: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Exits with 1 when something is damaged.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let opened = ground.open(Access::Shared)?;
        let scope = match (self.all, self.no_data) {
            (true, _) => CheckScope::All,
            (_, true) => CheckScope::Nothing,
            _ => CheckScope::Due,
        };
        let checking = || check_and_note(Some(&opened.journal), &ground.name, &opened.repository, scope);
        let (checked, read, advice) = told("check", self.json, &opened.repository.meter(), checking)?;
        let is_whole = checked.errors.is_empty();
        history::answer(|out| {
            if self.json {
                let mut document = json!(checked);
                document["parts_read"] = json!(read);
                return report::document(out, &document);
            }
            checked.errors.iter().try_for_each(|problem| writeln!(out, "damaged: {problem}"))?;
            checked.warnings.iter().try_for_each(|problem| writeln!(out, "note: {problem}"))?;
            checked.damaged.iter().try_for_each(|damaged| describe(out, damaged))?;
            let verdict = if is_whole { "is whole" } else { "is damaged" };
            writeln!(out, "the repository {} {verdict}{}", ground.name, how_much(read))
        })?;
        if !is_whole && !self.json {
            report::note("snapshots that do not need what is damaged can still be restored");
            for line in &advice {
                report::note(line);
            }
        }
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn how_much(read: u32) -> String {
    match read {
        0 => String::new(),
        PARTS => ", all data was read".to_owned(),
        read => format!(", {read} of {PARTS} parts of the data were read"),
    }
}

fn describe(out: &mut dyn std::io::Write, damaged: &Damaged) -> std::io::Result<()> {
    let short = damaged.id.get(..8).unwrap_or(&damaged.id);
    writeln!(out, "snapshot {short} of {} from {}:", damaged.job, local(damaged.time.timestamp()))?;
    damaged.files.iter().try_for_each(|file| writeln!(out, "  {file}"))?;
    let more = damaged.count.saturating_sub(damaged.files.len());
    if more == 0 { Ok(()) } else { writeln!(out, "  and {more} more") }
}
