use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::super::{CommandResult, history};
use super::registry::here;
use crate::journal::{Fire, FireFilter, Pause};
use crate::report::{self, ScheduleLine};
use crate::schedule::{Definition, UnusualDay};

/// So many fires to come are shown of a schedule.
const COMING: usize = 3;

/// List the schedules of this project: registered with this, as by the service.
#[derive(Args)]
pub struct List {
    /// Write a JSON array
    #[arg(long)]
    json: bool,
}

/// A schedule for programs.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    runbook: &'a str,
    env: Option<&'a str>,
    when: String,
    zone: &'a str,
    paused: Option<&'a Pause>,
    next: Vec<Timestamp>,
    unusual_days: Vec<UnusualDay>,
    last: Option<&'a Fire>,
}

impl List {
    /// Lists them.
    pub fn run(self) -> CommandResult {
        let (_, registry, journal) = here()?;
        let new = registry.register(&journal)?;
        journal.settle()?;
        let (rows, now) = (journal.schedules()?, Timestamp::now());
        let mut last = Vec::new();
        for name in registry.definitions.keys() {
            let filter = FireFilter { schedule: Some(name.clone()), limit: Some(1), ..FireFilter::default() };
            last.extend(journal.fires(&filter)?);
        }
        let listed = registry.definitions.values().map(|definition| {
            let name = definition.name();
            let paused = rows.iter().find(|row| row.name == name).and_then(|row| row.paused.as_ref());
            listed(definition, paused, last.iter().find(|fire| fire.schedule == name), now)
        });
        let listed: Vec<Listed<'_>> = listed.collect();
        if self.json {
            history::answer(|out| report::document(out, &listed))?;
        } else if listed.is_empty() {
            report::note(
                "no schedules: `[schedule.NAME]` in runbook.toml, or `@schedule` in a runbook's header, makes one",
            );
        } else {
            let lines: Vec<ScheduleLine> = listed.iter().map(line).collect();
            history::answer(|out| report::schedules(out, &lines, report::Style::detect_stdout()))?;
            for definition in new {
                let coming = definition.coming(now.as_second(), COMING);
                report::note(&format!("`{}` is registered; it fires {coming}", definition.name()));
            }
            for schedule in &listed {
                for UnusualDay { date, fires, usual } in &schedule.unusual_days {
                    report::note(&format!("{}: {date} has {fires} fires instead of {usual}", schedule.name));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listed<'a>(
    definition: &'a Definition,
    paused: Option<&'a Pause>,
    last: Option<&'a Fire>,
    now: Timestamp,
) -> Listed<'a> {
    let next = definition.fires_after(now.as_second()).take(COMING);
    Listed {
        name: definition.name(),
        runbook: definition.runbook(),
        env: definition.entry().env.as_deref(),
        when: definition.when(),
        zone: definition.zone().name(),
        paused,
        next: next.filter_map(|at| Timestamp::from_second(at).ok()).collect(),
        unusual_days: definition.unusual_days(now.as_second()),
        last,
    }
}

fn line(listed: &Listed<'_>) -> ScheduleLine {
    ScheduleLine {
        name: listed.name.to_owned(),
        when: listed.when.clone(),
        zone: listed.zone.to_owned(),
        next: listed.next.first().copied(),
        runbook: listed.runbook.to_owned(),
        environment: listed.env.unwrap_or_default().to_owned(),
        paused: listed.paused.map(|pause| pause.by.clone()),
        last: listed.last.map(report::fire_word),
    }
}
