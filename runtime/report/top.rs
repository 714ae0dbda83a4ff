use std::io::{Result, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::style::Paint;
use super::text::clean;
use super::{Style, runs};
use crate::journal::RunRecord;

/// What goes on at a moment.
#[derive(Default)]
pub struct Overview {
    /// The project.
    pub project: String,
    /// Runs that go on, with the step each is at.
    pub running: Vec<(RunRecord, Option<String>)>,
    /// Runs that wait for somebody or are in doubt.
    pub waiting: Vec<RunRecord>,
    /// What comes next: when, and which schedule.
    pub next: Vec<(i64, String)>,
    /// What ended, newest first.
    pub ended: Vec<RunRecord>,
}

/// Shows it; with `redraws`, in place of what was shown before.
pub fn top(out: &mut dyn Write, overview: &Overview, now: Timestamp, style: Style, redraws: bool) -> Result<()> {
    let mut text: Vec<u8> = Vec::new();
    let title = |text: &mut Vec<u8>, words: &str| writeln!(text, "{}", style.paint(Paint::Strong, words));
    let clock = now.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let Overview { project, running, waiting, next, ended } = overview;
    writeln!(text, "{}  {clock}", style.paint(Paint::Strong, &clean(project)))?;
    writeln!(text)?;
    title(&mut text, &format!("running ({})", running.len()))?;
    for (run, step) in running {
        let took = super::state::duration(run, now);
        let step = step.as_deref().unwrap_or("beginning");
        writeln!(
            text,
            "  {:>6}  {:<28} {:<10} {took:>8}  {}",
            run.id,
            clean(&run.runbook),
            clean(&run.environment),
            clean(step)
        )?;
    }
    if !waiting.is_empty() {
        title(&mut text, &format!("waiting for somebody ({})", waiting.len()))?;
        for run in waiting {
            let question = run.parked.as_ref().map(|parked| clean(&parked.question)).unwrap_or_default();
            writeln!(text, "  {:>6}  {:<28} {:<10} {question}", run.id, clean(&run.runbook), clean(&run.environment))?;
        }
    }
    if !next.is_empty() {
        title(&mut text, "next")?;
        for (at, schedule) in next {
            let left = u64::try_from(at - now.as_second()).unwrap_or(0);
            let at = Timestamp::from_second(*at).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system());
            let at = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
            writeln!(text, "  {at}  in {:>8}  {}", super::elapsed(left * 1_000), clean(schedule))?;
        }
    }
    title(&mut text, "ended")?;
    runs(&mut text, ended, now, style)?;
    if redraws {
        // To the corner, each line to its end, the rest of the screen.
        let shown = String::from_utf8_lossy(&text).replace('\n', "\x1b[K\r\n");
        write!(out, "\x1b[H{shown}\x1b[J")?;
    } else {
        out.write_all(&text)?;
    }
    out.flush()
}
