//! The one thread that writes log lines: in batches, into the month's file, without ever holding up the script.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Transaction, params};

use super::columns::{Moment, Word};
use super::{Event, fault, locked, schema};
use crate::failure::{Failure, FailureKind};
use crate::primitive::LogStream;

/// Lines written in one transaction at most.
const BATCH: usize = 2_000;
/// Lines that may wait before whoever writes the next one has to wait too.
const QUEUE: usize = 20_000;
/// Lines kept, while they cannot be written, until they can be.
const KEPT: usize = 20_000;
/// How long the first line of a batch waits for more: what `logs --follow` lags behind.
const LINGER: Duration = Duration::from_millis(20);
/// How long a flush may take: longer than one batch that waits for a locked file.
const FLUSH: Duration = Duration::from_secs(30);

struct Line {
    run: i64,
    path: String,
    stream: LogStream,
    text: String,
    at: Timestamp,
}

enum Message {
    Line(Line),
    Flush(SyncSender<()>),
}

/// Takes lines and writes them behind the script's back. Its thread starts with the first line.
pub(super) struct LineWriter {
    folder: PathBuf,
    worker: OnceLock<Worker>,
}

struct Worker {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    /// Why lines were lost, until somebody is told.
    fault: std::sync::Arc<Mutex<Option<Failure>>>,
}

impl LineWriter {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), worker: OnceLock::new() }
    }

    /// Takes a line. Fails when earlier ones could not be written.
    pub(super) fn write(&self, run: i64, event: &Event) -> Result<(), Failure> {
        let Event::Log { path, stream, line, at } = event else { return Ok(()) };
        let line = Line { run, path: path.clone(), stream: *stream, text: line.clone(), at: *at };
        let worker = self.worker.get_or_init(|| Worker::start(self.folder.clone()));
        worker.send(Message::Line(line))?;
        worker.outcome()
    }

    /// Waits until every line taken so far is written. Fails when some could not be.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        let Some(worker) = self.worker.get() else { return Ok(()) };
        let (done, written) = sync_channel(1);
        worker.send(Message::Flush(done))?;
        written.recv_timeout(FLUSH).map_err(|_| {
            Failure::new(FailureKind::Timeout, format!("the log lines were not written within {}s", FLUSH.as_secs()))
                .hint(format!("is the disk under `{}` still answering?", self.folder.display()))
        })?;
        worker.outcome()
    }
}

impl Worker {
    fn start(folder: PathBuf) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let fault = std::sync::Arc::new(Mutex::new(None));
        let seen = fault.clone();
        let thread =
            std::thread::Builder::new().name("log lines".into()).spawn(move || work(&folder, &receiver, &seen)).ok();
        Self { sender: Some(sender), thread, fault }
    }

    fn send(&self, message: Message) -> Result<(), Failure> {
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(message).is_ok());
        if sent { Ok(()) } else { Err(Failure::new(FailureKind::System, "the writer of log lines has stopped")) }
    }

    fn outcome(&self) -> Result<(), Failure> {
        locked(&self.fault).take().map_or(Ok(()), Err)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without a sender the thread writes what is left and ends.
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(folder: &Path, receiver: &Receiver<Message>, fault: &Mutex<Option<Failure>>) {
    let mut months = Months { folder, open: None };
    // What could not be written yet, because the disk was full, or the file locked: the next batch tries again.
    let mut kept = Vec::new();
    while let Ok(first) = receiver.recv() {
        let (lines, flushes) = collect(first, receiver);
        kept.extend(lines);
        let (written, outcome) = months.write(&kept);
        kept.drain(..written);
        if let Err(mut failure) = outcome {
            let lost = kept.len().saturating_sub(KEPT);
            if lost > 0 {
                kept.drain(..lost);
                failure.message = format!("{lost} log lines were lost: {}", failure.message);
            }
            *locked(fault) = Some(failure);
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
    let _ = months.write(&kept);
}

/// A batch: the first message and what follows shortly, up to a full batch or a flush.
fn collect(first: Message, receiver: &Receiver<Message>) -> (Vec<Line>, Vec<SyncSender<()>>) {
    let (mut lines, mut flushes) = (Vec::new(), Vec::new());
    let until = Instant::now() + LINGER;
    let mut next = Ok(first);
    loop {
        match next {
            Ok(Message::Line(line)) => lines.push(line),
            Ok(Message::Flush(done)) => flushes.push(done),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        if lines.len() >= BATCH || !flushes.is_empty() {
            break;
        }
        next = receiver.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
    (lines, flushes)
}

/// The files by month, of which the one written last stays open.
struct Months<'a> {
    folder: &'a Path,
    open: Option<(String, PathBuf, Connection)>,
}

impl Months<'_> {
    /// Writes lines up to the first that cannot be written; says how many it wrote.
    fn write(&mut self, lines: &[Line]) -> (usize, Result<(), Failure>) {
        let mut written = 0;
        for part in lines.chunk_by(|a, b| month_of(a.at) == month_of(b.at)) {
            let Some(first) = part.first() else { continue };
            if let Err(failure) = self.write_part(&month_of(first.at), part) {
                // Whatever is wrong with the file, it is opened again.
                self.open = None;
                return (written, Err(failure));
            }
            written += part.len();
        }
        (written, Ok(()))
    }

    fn write_part(&mut self, month: &str, lines: &[Line]) -> Result<(), Failure> {
        let (file, connection) = self.file(month)?;
        insert(connection, lines).map_err(|error| fault::explain(file, "store log lines", &error))
    }

    fn file(&mut self, month: &str) -> Result<(&Path, &mut Connection), Failure> {
        let open = if let Some(open) = self.open.take().filter(|(present, ..)| present == month) {
            open
        } else {
            let file = self.folder.join(file_name(month));
            let connection = schema::LOGS.open(&file)?;
            (month.to_owned(), file, connection)
        };
        let (_, file, connection) = self.open.insert(open);
        Ok((file, connection))
    }
}

fn insert(connection: &mut Connection, lines: &[Line]) -> rusqlite::Result<()> {
    let transaction: Transaction<'_> =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut line =
            transaction.prepare_cached("INSERT INTO line (run, path, stream, at, text) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut words = transaction.prepare_cached("INSERT INTO line_text (rowid, text) VALUES (?1, ?2)")?;
        for Line { run, path, stream, text, at } in lines {
            let id = line.insert(params![run, path, Word(stream), Moment(*at), text])?;
            words.execute(params![id, text])?;
        }
    }
    transaction.commit()
}

/// The month of a moment in UTC, as in `2026-11`.
pub(super) fn month_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// The name of a month's file.
pub(super) fn file_name(month: &str) -> String {
    format!("logs-{month}.sqlite")
}

/// The month of a file of log lines; `None` for another file.
pub(super) fn month_of_file(name: &str) -> Option<&str> {
    name.strip_prefix("logs-")?.strip_suffix(".sqlite")
}
