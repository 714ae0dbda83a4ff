use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::CommandResult;
use super::history::{self, RunName};
use crate::failure::{Failure, FailureKind, nearest};
use crate::journal::{Journal, LogLine, LogQuery, RunRecord, RunState};
use crate::primitive::LogStream;
use crate::report;

/// How often a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(150);

const EXAMPLES: &str = "\
Lines of standard error, and warnings, are marked with `!`.

Examples:
  runbook logs last --follow
  runbook logs 12 --step migrate --stream stderr
  runbook logs --search '\"connection refused\" postgres*'

A search finds lines with all its words in any order; `word*` is a beginning,
and words in double quotes stand together.";

/// Print the output of a run, or search that of all runs.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Logs {
    /// The run's number, or `last`; left out, the lines of all runs are searched
    #[arg(value_name = "RUN")]
    run: Option<RunName>,
    /// Only lines from inside this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Only lines with these words
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only lines from these streams
    #[arg(long = "stream", value_name = "STREAM", value_delimiter = ',', value_parser = stream_parser())]
    streams: Vec<LogStream>,
    /// Only the newest N lines
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// Go on printing until the run ends
    #[arg(short, long, requires = "run")]
    follow: bool,
    /// Write one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Logs {
    /// Prints the lines.
    pub fn run(self) -> CommandResult {
        let Some(name) = self.run else { return self.across_runs() };
        let (journal, run) = history::open_run(name)?;
        if !self.follow {
            self.check_step(&journal, &run)?;
        }
        let mut printer = self.printer(false);
        let mut query = self.query(Some(run.id));
        if self.follow {
            self.keep_printing(&journal, query, printer)?;
        } else {
            let _ = print(&journal, &mut query, &mut printer)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn across_runs(&self) -> CommandResult {
        if self.search.is_none() {
            return Err(Failure::new(FailureKind::Argument, "which run?")
                .hint("write its number, or `last`; `--search WORDS` looks through all runs"));
        }
        if let Some(journal) = history::open()? {
            let _ = print(&journal, &mut self.query(None), &mut self.printer(true))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints what there is and what comes, until the run has ended or its process is gone.
    fn keep_printing(
        &self,
        journal: &Journal,
        mut query: LogQuery,
        mut printer: Option<report::LogLines>,
    ) -> Result<(), Failure> {
        let Some(id) = query.run else { return Ok(()) };
        loop {
            journal.settle()?;
            // Looked at before the lines are read: whoever sees the end of a run sees all its lines.
            let run = journal.run(id)?;
            if print(journal, &mut query, &mut printer)?.is_break() {
                return Ok(());
            }
            query.limit = None;
            if run.state != RunState::Running {
                report::note(&format!("run {id} {}", report::outcome(&run, report::Style::detect())));
                return self.check_step(journal, &run);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn query(&self, run: Option<i64>) -> LogQuery {
        LogQuery {
            run,
            step: self.step.clone(),
            streams: self.streams.clone(),
            search: self.search.clone(),
            after: None,
            limit: self.limit,
        }
    }

    /// How lines are shown to people; none for `--json`.
    fn printer(&self, many_runs: bool) -> Option<report::LogLines> {
        (!self.json).then(|| report::LogLines::new(many_runs, report::Style::detect_stdout()))
    }

    /// A name that is no step's is a mistake, not an empty answer.
    fn check_step(&self, journal: &Journal, run: &RunRecord) -> Result<(), Failure> {
        let Some(wanted) = &self.step else { return Ok(()) };
        let calls = journal.calls(run.id)?;
        let names: Vec<&str> = calls.iter().filter(|call| call.is_step()).map(|call| call.title.as_str()).collect();
        if names.contains(&wanted.as_str()) {
            return Ok(());
        }
        let failure = Failure::new(FailureKind::NotFound, format!("run {} has no step `{wanted}`", run.id));
        Err(match (nearest(wanted, names.iter().copied()), names.is_empty()) {
            (_, true) => failure.hint("it has no steps at all"),
            (Some(near), _) => failure.hint(format!("did you mean `{near}`?")),
            (None, _) => failure.hint(format!("its steps are {}", names.join(", "))),
        })
    }
}

/// Prints the lines that match, and moves the query behind them. Breaks off when nobody reads any more.
fn print(
    journal: &Journal,
    query: &mut LogQuery,
    printer: &mut Option<report::LogLines>,
) -> Result<ControlFlow<()>, Failure> {
    let mut out = BufWriter::new(report::stdout());
    let (mut written, mut last) = (Ok(()), None);
    journal.each_log(query, &mut |line: LogLine| {
        written = match printer {
            Some(printer) => printer.write(&mut out, &line),
            None => report::json_line(&mut out, &line),
        };
        last = Some(line.cursor);
        if written.is_ok() && !out.get_ref().is_closed() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| out.flush()).map_err(|error| Failure::system("write to standard output", &error))?;
    query.after = last.or(query.after.take());
    Ok(if out.get_ref().is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

fn stream_parser() -> impl TypedValueParser<Value = LogStream> {
    PossibleValuesParser::new(["stdout", "stderr", "info", "warn"])
        .try_map(|word| serde_json::from_value::<LogStream>(word.into()))
}
