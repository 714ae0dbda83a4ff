//! What happened, kept: runs, calls, logs, releases and locks.
//!
//! A state folder holds `journal.sqlite`, one `logs-<year>-<month>.sqlite` per month so that old lines can be dropped
//! by file, and `runs/<id>.lock` for every run that goes on. Processes share them: each opens its own [`Journal`].

mod adoption;
mod audit;
mod bytes;
mod catalogue;
mod chain;
mod columns;
mod copy;
mod decide;
mod difference;
mod drills;
mod dropped;
mod entry;
mod event;
mod fault;
mod fire;
mod fires;
mod head;
mod interruptions;
mod leases;
mod lines;
mod logs;
mod notice;
mod notices;
mod offer;
mod owner;
mod plan;
mod pulse;
mod queries;
mod records;
mod redacted;
mod releases;
mod retention;
mod rows;
mod schema;
mod statistics;
mod store;
mod table;
mod take_up;
mod tokens;
mod verify;
mod words;

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use crate::primitive::{Catalogued, Drill};
pub use audit::{Deed, What};
pub use copy::Copied;
pub use difference::{Difference, Hunk, ScriptChange, ScriptLine, StepChange, StepSide, ValueChange, value_changes};
pub use dropped::RunRules;
pub use event::{CallState, Decision, Event, Parked, RunState, ScriptEnd, each_string};
pub use fire::{ClockReading, Fire, FireChange, FireResult, FireState, FireTicket, Pause, ScheduleRow, SkipReason};
pub use fires::FireFilter;
pub use interruptions::Interruption;
pub use logs::{LogCursor, LogLine, LogQuery};
pub use notice::{NewNotice, Notice, NoticeState, RunSign, RunSignKind, Sending};
pub use offer::{Begun, Offer, Offered};
pub use plan::{Look, Plan, PlannedCall, Uncertain};
pub use records::{CallRecord, NewRun, RunFilter, RunRecord, Source, around};
pub use redacted::Redacted;
pub use retention::{LogMonth, Pruned};
pub use statistics::RunbookStatistics;
pub use take_up::has_ended;
pub use tokens::TokenRow;
pub use verify::{Problem, StateVerdict, Verdict};

use crate::failure::{Failure, FailureKind};
use bytes::Bytes;
use head::Head;
use lines::LineWriter;
use owner::Claim;
use store::Writer;

/// The name of the run log in the state folder.
const FILE: &str = "journal.sqlite";

/// The run log of a state folder. Share it in an `Arc`; dropping it gives up the runs it began.
pub struct Journal {
    folder: PathBuf,
    file: PathBuf,
    writer: Mutex<Writer>,
    head: Mutex<Head>,
    lines: LineWriter,
    claims: Mutex<HashMap<i64, Claim>>,
    /// Below the connection, which has to be closed first.
    bytes: Bytes,
}

impl Journal {
    /// Opens the run log in `state_folder`, and creates or migrates it when need be.
    ///
    /// Fails with words when the file is newer than this program, damaged, locked or not writable.
    pub fn open(state_folder: &Path) -> Result<Self, Failure> {
        let file = state_folder.join(FILE);
        if !file.exists() {
            create(state_folder)?;
        }
        let connection = schema::JOURNAL.open(&file)?;
        head::check(state_folder, &connection)?;
        let bytes =
            Bytes::hold(state_folder).map_err(|error| Failure::system(format!("read `{}`", file.display()), &error))?;
        Ok(Self {
            folder: state_folder.to_path_buf(),
            lines: LineWriter::new(state_folder),
            writer: Mutex::new(Writer::new(connection)),
            head: Mutex::new(Head::new(state_folder)),
            claims: Mutex::default(),
            bytes,
            file,
        })
    }

    /// Opens the run log in `state_folder` if there is one, and creates nothing otherwise.
    pub fn open_existing(state_folder: &Path) -> Result<Option<Self>, Failure> {
        if state_folder.join(FILE).exists() { Self::open(state_folder).map(Some) } else { Ok(None) }
    }

    /// The folder it was opened in.
    pub fn state_folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a run: stores everything a reader will need, takes the lock that proves its process lives, and returns
    /// its number. The lock is kept until the run finishes or the journal is dropped.
    pub fn begin(&self, new: &NewRun) -> Result<i64, Failure> {
        self.refuse_copy()?;
        store::check_depth(&[&new.environment_values, &new.parameters])?;
        let (run, claim) = self.write("begin the run", |writer| writer.begin(&self.folder, new))??;
        locked(&self.claims).insert(run, claim.beating());
        Ok(run)
    }

    /// Stores an event.
    ///
    /// A `CallStarted` that changes something is on the disk when this returns. Everything else survives the death of
    /// the process at once and a power cut from the next such call on. Log lines go to their own writer; progress is
    /// not stored.
    pub fn record(&self, run: i64, event: &Redacted) -> Result<(), Failure> {
        let event: &Event = event;
        match event {
            Event::Progress { .. } | Event::RunStarted { .. } => return Ok(()),
            Event::Log { .. } => return self.lines.write(run, event),
            Event::CallStarted { arguments: value, .. }
            | Event::CallFinished { result: value, .. }
            | Event::RunFinished { result: value, .. } => store::check_depth(&[value])?,
            Event::ScriptEnded { end, .. } => store::check_depth(&[&end.result])?,
            Event::CallMarked { marker, .. } => store::check_depth(&[marker])?,
            Event::RunResumed { .. }
            | Event::ScriptReplaced { .. }
            | Event::RunParked { .. }
            | Event::Decided { .. }
            | Event::PolicyApplied { .. }
            | Event::SecretUsed { .. }
            | Event::CancelRequested { .. }
            | Event::UndoStarted { .. } => {}
        }
        if matches!(event, Event::RunFinished { .. } | Event::RunParked { .. }) {
            return self.finish(run, event);
        }
        self.write("write to the run log", |writer| writer.record(run, event))?
    }

    /// Tells the living process of a run to stop in good order, as Ctrl-C would.
    pub fn tell_to_stop(&self, run: i64) -> Result<(), Failure> {
        let process = self.read("read the run", |connection| store::running_owner(connection, run))?;
        match process.filter(|process| owner::is_alive(&self.folder, run, process)) {
            Some(process) => process.tell_to_stop(),
            None => Err(Failure::new(FailureKind::NotFound, format!("run {run} has no living process"))),
        }
    }

    /// Waits until every log line recorded so far is stored. Fails when some could not be.
    pub fn flush(&self) -> Result<(), Failure> {
        self.lines.flush()
    }

    /// Ends, as `killed`, the runs whose process is gone, and returns their numbers. Their releases count as failed,
    /// their locks are freed.
    pub fn settle(&self) -> Result<Vec<i64>, Failure> {
        if self.is_copy() {
            // Its runs may be alive elsewhere.
            return Ok(Vec::new());
        }
        let running = self.read("read the runs", store::running)?;
        let mut killed = Vec::new();
        for (run, process) in running {
            if owner::is_alive(&self.folder, run, &process) {
                continue;
            }
            let last_line = self.last_line_at(run)?;
            let buried = self.write("settle a killed run", |writer| {
                writer.set_durable(false)?;
                let transaction = writer.transaction()?;
                let buried = store::bury(&transaction, &self.folder, run, last_line)?;
                transaction.commit()?;
                Ok(buried)
            })?;
            if buried {
                killed.push(run);
            }
        }
        Ok(killed)
    }

    fn finish(&self, run: i64, event: &Event) -> Result<(), Failure> {
        // Whoever sees that the run is over also sees all its lines; lost ones do not keep it from being over, and the
        // next flush tells of them.
        let _ = self.lines.flush();
        self.write("write to the run log", |writer| writer.record(run, event))??;
        if let Some(claim) = locked(&self.claims).remove(&run) {
            claim.end();
        }
        Ok(())
    }

    fn write<T>(&self, what: &str, work: impl FnOnce(&mut Writer) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let mut writer = locked(&self.writer);
        let done = work(&mut writer).map_err(|error| fault::explain(&self.file, what, &error))?;
        locked(&self.head).note(&writer.connection);
        Ok(done)
    }

    fn read<T>(&self, what: &str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        work(&locked(&self.writer).connection).map_err(|error| fault::explain(&self.file, what, &error))
    }
}

/// Makes the state folder, out of sight of git: what is in it belongs to this machine.
fn create(folder: &Path) -> Result<(), Failure> {
    let make = || {
        // What a run was given and returned is nobody else's business.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join("runs"))?;
        let ignore = folder.join(".gitignore");
        if ignore.exists() { Ok(()) } else { std::fs::write(ignore, "*\n") }
    };
    make().map_err(|error| {
        Failure::system(format!("create the state folder `{}`", folder.display()), &error)
            .hint("set RUNBOOK_STATE to a folder you can write to")
    })
}

/// A lock whose holder panicked still guards whole data here: every change of it is one transaction or one insert.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
