use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::super::{CommandResult, history};
use super::registry::here;
use crate::journal::FireFilter;
use crate::report;
use crate::units::Span;

/// List the fires that were expected, newest first: each ran, or was left out for a reason.
#[derive(Args)]
pub struct History {
    /// Only those of this schedule
    #[arg(value_name = "SCHEDULE")]
    name: Option<String>,
    /// Only those expected since so long ago, as in 7d
    #[arg(long, value_name = "DURATION", value_parser = Span::parse)]
    since: Option<Span>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Write a JSON array with everything known of each fire
    #[arg(long)]
    json: bool,
}

impl History {
    /// Lists them.
    pub fn run(self) -> CommandResult {
        let (_, registry, journal) = here()?;
        journal.settle()?;
        registry.settle(&journal)?;
        let now = Timestamp::now().as_second();
        let since = self.since.map(|span| now.saturating_sub(i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX)));
        let fires = journal.fires(&FireFilter { schedule: self.name.clone(), since, limit: Some(self.limit) })?;
        if let Some(name) = self.name.filter(|_| fires.is_empty()) {
            // One that the project no longer has may have rows from before.
            let any = journal.fires(&FireFilter { schedule: Some(name.clone()), since: None, limit: Some(1) })?;
            if any.is_empty() {
                registry.named(&name)?;
            }
        }
        if self.json {
            history::answer(|out| report::document(out, &fires))?;
        } else if fires.is_empty() {
            report::note("no fire was expected in that time");
        } else {
            history::answer(|out| report::fires(out, &fires, report::Style::detect_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
