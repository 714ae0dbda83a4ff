use std::io::{BufRead, Write};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::super::{CommandResult, history, places};
use super::registry::Registry;
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::schedule::{Answer, Definition, DstPolicy, Listing, Outcome, Question, Refusal, UnusualDay, Zone};

const EXAMPLES: &str = "\
Examples:
  runbook schedule next --days 7
  runbook schedule next --cron '30 2 * * *' --zone Europe/Berlin
  runbook schedule next --cron '30 2 * * *' --zone Europe/Berlin --from 2026-03-28 --until 2026-04-01 --json
  runbook schedule next --json < questions.jsonl      one JSON object a line, answered in order";

/// Say when the schedules of this project fire, or any cron expression: exactly as Debian's cron would.
///
/// With --json and without --cron and --days, questions are read from standard input, one JSON object a line.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Next {
    /// The expression: five fields, or `@daily` and the like
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "days")]
    cron: Option<String>,
    /// The time zone, as in `Europe/Berlin`; this machine's when left out
    #[arg(long, value_name = "ZONE", requires = "cron")]
    zone: Option<String>,
    /// From then on: `2026-03-29T02:30` in the zone, or with an offset or `Z`; now when left out
    #[arg(long, value_name = "TIME", requires = "cron")]
    from: Option<String>,
    /// Until then, that moment not included
    #[arg(long, value_name = "TIME", requires = "cron")]
    until: Option<String>,
    /// At most so many: ten when neither this nor --until is given
    #[arg(short = 'n', long, value_name = "N", requires = "cron")]
    limit: Option<usize>,
    /// What is done about times that a change of the clocks skips or repeats
    #[arg(long, value_name = "POLICY", value_parser = policy, default_value = "debian", requires = "cron")]
    dst: DstPolicy,
    /// The fires of this project's schedules in so many days; 7 when nothing else is asked
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4000))]
    days: Option<u16>,
    /// Write one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Next {
    /// Answers.
    pub fn run(self) -> CommandResult {
        let now = Timestamp::now();
        let Self { cron, zone, from, until, limit, dst, days, json } = self;
        let cron = match (cron, days, json) {
            (Some(cron), ..) => cron,
            (None, None, true) => return answer_lines(now),
            (None, days, json) => return of_project(now, days.unwrap_or(7), json),
        };
        let question = Question { id: None, cron, zone, from, until, limit, dst };
        let answer = question.answer(now);
        if json {
            let refused = matches!(answer.outcome, Outcome::Refused { .. });
            history::answer(|out| report::json_line(out, &answer))?;
            return Ok(ExitCode::from(if refused { 2 } else { 0 }));
        }
        let listing = match answer.outcome {
            Outcome::Fires(listing) => listing,
            Outcome::Refused { error } => return Err(failure(&error)),
        };
        let zone = question.zone().map_err(|error| failure(&error))?;
        let unusual = question.unusual(now).map_err(|error| failure(&error))?;
        history::answer(|out| show(out, &listing, &zone, &unusual))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Answers each line of standard input before it reads the next.
fn answer_lines(now: Timestamp) -> CommandResult {
    history::answer(|out| {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            report::json_line(out, &Answer::to_line(&line, now))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A fire that is to come.
#[derive(Serialize)]
struct Coming<'a> {
    schedule: &'a str,
    at: Timestamp,
    /// When it begins: its time and the schedule's jitter.
    due: Timestamp,
}

/// The fires of the project's schedules, in order.
fn of_project(now: Timestamp, days: u16, json: bool) -> CommandResult {
    let registry = Registry::load(&places::root_here()?)?;
    let until = now.as_second() + i64::from(days) * 24 * 60 * 60;
    let mut coming: Vec<(i64, &Definition)> = Vec::new();
    for definition in registry.definitions.values() {
        let fires = definition.fires_after(now.as_second()).take_while(|at| *at < until);
        coming.extend(fires.map(|at| (at, definition)));
    }
    coming.sort_by_key(|(at, definition)| (*at, definition.name().to_owned()));
    let moment = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    history::answer(|out| {
        for (at, definition) in coming {
            let schedule = definition.name();
            let coming = Coming { schedule, at: moment(at), due: moment(at + definition.jitter()) };
            if json {
                report::json_line(out, &coming)?;
            } else {
                let local = coming.at.to_zoned(definition.zone().time_zone().clone());
                writeln!(out, "{}  {schedule}", local.strftime("%a %Y-%m-%d %H:%M %:z"))?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut dyn Write, listing: &Listing, zone: &Zone, unusual: &[UnusualDay]) -> std::io::Result<()> {
    for at in &listing.fires {
        writeln!(out, "{}", at.to_zoned(zone.time_zone().clone()).strftime("%a %Y-%m-%d %H:%M %:z"))?;
    }
    if listing.fires.is_empty() {
        writeln!(out, "no fire in that time")?;
    }
    if listing.more {
        writeln!(out, "…")?;
    }
    if !unusual.is_empty() {
        writeln!(out, "\nunusual days of the next two years:")?;
    }
    for UnusualDay { date, fires, usual } in unusual {
        writeln!(out, "{date}  {fires} instead of {usual}")?;
    }
    for warning in &listing.warnings {
        writeln!(out, "\nwarning: {}", warning.with_caret())?;
    }
    Ok(())
}

fn failure(refusal: &Refusal) -> Failure {
    let message = refusal.marked.as_ref().unwrap_or(&refusal.message);
    let failure = Failure::new(FailureKind::Argument, message.clone());
    refusal.hint.iter().fold(failure, Failure::hint)
}

fn policy(word: &str) -> Result<DstPolicy, String> {
    serde_json::from_value(word.into()).map_err(|_| "write `debian`, `once`, `wall` or `skip`".into())
}
