use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::schedule::Registry;
use super::{CommandResult, history, places};
use crate::failure::Failure;
use crate::journal::{CallState, Journal, RunFilter, RunState};
use crate::report::{self, Overview, Style};
use crate::units::Span;

/// So many runs that ended, and fires to come, are shown.
const SHOWN: usize = 10;

/// Watch what goes on, until Ctrl-C.
#[derive(Args)]
pub struct Top {
    /// Show it once, and end: so it is also where nobody watches
    #[arg(long)]
    once: bool,
    /// How often to look
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "1s")]
    every: Span,
}

impl Top {
    /// Watches.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let registry = Registry::load(&root)?;
        let Some(journal) = history::open()? else {
            report::note("no runs yet");
            return Ok(ExitCode::SUCCESS);
        };
        let redraws = !self.once && std::io::stdout().is_terminal();
        loop {
            // That it cannot be written was said when it was opened, and keeps nobody from looking.
            let _ = journal.settle();
            let overview = overview(&journal, &registry)?;
            let (now, style) = (Timestamp::now(), Style::detect_stdout());
            history::answer(|out| report::top(out, &overview, now, style, redraws))?;
            if !redraws {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(self.every.0.max(Duration::from_millis(100)));
        }
    }
}

fn overview(journal: &Journal, registry: &Registry) -> Result<Overview, Failure> {
    let in_states = |states: &[RunState]| {
        journal.runs(&RunFilter { states: states.to_vec(), limit: Some(SHOWN), ..RunFilter::default() })
    };
    let mut running = Vec::new();
    for run in in_states(&[RunState::Running])? {
        let step = journal.calls(run.id)?.into_iter().rfind(|call| call.is_step() && call.state == CallState::Started);
        running.push((run, step.map(|call| call.title)));
    }
    let now = Timestamp::now().as_second();
    let mut next: Vec<(i64, String)> = registry
        .definitions
        .values()
        .filter_map(|definition| {
            let at = definition.fires_after(now).next()? + definition.jitter();
            Some((at, definition.name().to_owned()))
        })
        .collect();
    next.sort();
    next.truncate(SHOWN);
    let ended = [RunState::Ok, RunState::Failed, RunState::Cancelled, RunState::Killed];
    Ok(Overview {
        project: registry.file.name.clone(),
        running,
        waiting: in_states(&[RunState::Waiting, RunState::InDoubt])?,
        next,
        ended: in_states(&ended)?,
    })
}
