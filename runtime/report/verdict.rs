use std::io::{Result, Write};

use super::Style;
use super::style::Paint;
use super::text::clean;
use crate::journal::{StateVerdict, Verdict};

/// Problems shown of one run: the first tells most, and thousands tell no more.
const SHOWN: usize = 20;

/// Says whether everything recorded of a run is as it was recorded.
pub fn verdict(out: &mut dyn Write, verdict: &Verdict, style: Style) -> Result<()> {
    if verdict.is_whole() {
        writeln!(out, "{}", style.paint(Paint::Good, &format!("run {} is as it was recorded", verdict.run)))?;
        writeln!(out, "{} entries, the last with hash {}", verdict.entries, verdict.hash)?;
        if let Some(adopted) = verdict.adopted {
            let at = adopted.strftime("%Y-%m-%d %H:%M:%S UTC");
            writeln!(out, "it is older than its first entry, of {at}: nothing is known about the time before")?;
        }
        return Ok(());
    }
    writeln!(out, "{}", style.paint(Paint::Bad, &format!("run {} is not as it was recorded", verdict.run)))?;
    for problem in verdict.problems.iter().take(SHOWN) {
        writeln!(out, "  {}", clean(&problem.to_string()))?;
    }
    match verdict.problems.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

/// Says whether the whole run log is as it was recorded.
pub fn state_verdict(out: &mut dyn Write, state: &StateVerdict, style: Style) -> Result<()> {
    for problem in &state.problems {
        writeln!(out, "{}", style.paint(Paint::Bad, &clean(problem)))?;
    }
    for run in state.runs.iter().filter(|run| !run.is_whole()) {
        verdict(out, run, style)?;
    }
    let entries: usize = state.runs.iter().map(|run| run.entries).sum();
    let runs = if state.runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", state.runs.len()) };
    let all = format!("{runs} with {entries} entries");
    if state.is_whole() {
        return writeln!(out, "{}", style.paint(Paint::Good, &format!("{all}: everything is as it was recorded")));
    }
    let broken = state.runs.iter().filter(|run| !run.is_whole()).count();
    let broken = if broken == 1 { "1 run is".to_owned() } else { format!("{broken} runs are") };
    writeln!(out, "\n{all}: {broken} not as recorded")
}
