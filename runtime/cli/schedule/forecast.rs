use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::{CommandResult, history};
use super::registry::here;
use crate::failure::Failure;
use crate::journal::{Journal, RunFilter, RunState};
use crate::report;
use crate::schedule::Definition;

/// Runs from whose times the next one's is guessed.
const LOOKED_AT: usize = 20;

/// Say what the coming days bring: how many fires, how long they will take by what earlier runs took, and how many at
/// the same minute.
#[derive(Args)]
pub struct Forecast {
    /// For so many days
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
    /// Write a JSON array, one object a day
    #[arg(long)]
    json: bool,
}

/// One day.
#[derive(Debug, Default, Serialize)]
struct Day {
    date: Date,
    fires: usize,
    /// What the runs will take together, where earlier ones tell.
    seconds: u64,
    /// Fires of which no earlier run tells.
    unknown: usize,
    /// The most that begin in one minute, and that minute.
    most: usize,
    at: Option<Timestamp>,
}

impl Forecast {
    /// Foretells.
    pub fn run(self) -> CommandResult {
        let (_, registry, journal) = here()?;
        let now = Timestamp::now().as_second();
        let until = now + i64::from(self.days) * 24 * 60 * 60;
        let mut days: BTreeMap<Date, Day> = BTreeMap::new();
        let mut take: BTreeMap<Date, Duration> = BTreeMap::new();
        let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
        for definition in registry.definitions.values() {
            let takes = usual_time(&journal, definition)?;
            for at in definition.fires_after(now).map(|at| at + definition.jitter()).take_while(|at| *at < until) {
                let day = days.entry(date_of(at)).or_insert_with(|| Day { date: date_of(at), ..Day::default() });
                day.fires += 1;
                day.unknown += usize::from(takes.is_none());
                *take.entry(day.date).or_default() += takes.unwrap_or_default();
                *minutes.entry(at.div_euclid(60)).or_default() += 1;
            }
        }
        for (minute, fires) in minutes {
            if let Some(day) = days.get_mut(&date_of(minute * 60)).filter(|day| day.most < fires) {
                (day.most, day.at) = (fires, Timestamp::from_second(minute * 60).ok());
            }
        }
        let of_runs = |day: &Day| take.get(&day.date).copied().unwrap_or_default();
        let days: Vec<Day> = days.into_values().map(|day| Day { seconds: of_runs(&day).as_secs(), ..day }).collect();
        let show = |out: &mut dyn Write| show(out, &days, &of_runs, self.days);
        history::answer(|out| if self.json { report::document(out, &days) } else { show(out) })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn show(out: &mut dyn Write, days: &[Day], of_runs: &dyn Fn(&Day) -> Duration, asked: u16) -> std::io::Result<()> {
    for day in days {
        let Day { date, fires, unknown, most, at, .. } = day;
        let minute = at.map(|at| at.to_zoned(TimeZone::system()).strftime("%H:%M").to_string()).unwrap_or_default();
        let took = of_runs(day).as_millis();
        let of_runs = report::elapsed(u64::try_from(took).unwrap_or(u64::MAX));
        let takes = match unknown {
            0 => format!("{of_runs} of runs"),
            all if all == fires => "of unknown length".to_owned(),
            some => format!("{of_runs} of runs, {some} of unknown length"),
        };
        let word = if *fires == 1 { "fire" } else { "fires" };
        writeln!(out, "{date}  {fires} {word}, {takes}, at most {most} in one minute ({minute})")?;
    }
    if days.is_empty() {
        writeln!(out, "no fire in {asked} days")?;
    }
    Ok(())
}

fn date_of(at: i64) -> Date {
    TimeZone::system().to_datetime(Timestamp::from_second(at).unwrap_or(Timestamp::MAX)).date()
}

/// The median of what its newest runs took that went well; none where there was none.
fn usual_time(journal: &Journal, definition: &Definition) -> Result<Option<Duration>, Failure> {
    let filter = RunFilter {
        runbook: Some(definition.runbook().to_owned()),
        environment: definition.entry().env.clone(),
        states: vec![RunState::Ok],
        limit: Some(LOOKED_AT),
        ..RunFilter::default()
    };
    let mut took: Vec<u64> = journal.runs(&filter)?.into_iter().filter_map(|run| run.milliseconds).collect();
    took.sort_unstable();
    Ok(took.get(took.len() / 2).copied().map(Duration::from_millis))
}
