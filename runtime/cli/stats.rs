use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, history};
use crate::report;

/// Say how the newest runs of each runbook went.
#[derive(Args)]
pub struct Stats {
    /// Only of this runbook: its path, or its name with or without `.rhai`
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// Only on this environment
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
    /// So many of each are looked at
    #[arg(long, value_name = "N", default_value_t = 200)]
    last: usize,
    /// Write a JSON array
    #[arg(long)]
    json: bool,
}

impl Stats {
    /// Counts.
    pub fn run(self) -> CommandResult {
        let mut found = match history::open()? {
            Some(journal) => journal.statistics(self.last)?,
            None => Vec::new(),
        };
        let plain = |text: &str| text.trim_end_matches(".rhai").to_owned();
        found.retain(|one| {
            self.env.as_ref().is_none_or(|env| *env == one.environment)
                && self.runbook.as_ref().is_none_or(|name| {
                    let (path, name) = (plain(&one.runbook), plain(name));
                    path == name || path.ends_with(&format!("/{name}"))
                })
        });
        if self.json {
            history::answer(|out| report::document(out, &found))?;
        } else if found.is_empty() {
            report::note("no run matches");
        } else {
            history::answer(|out| report::statistics(out, &found, report::Style::detect_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
