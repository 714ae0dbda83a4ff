//! Is everything that was recorded still as it was recorded?
//!
//! The entries of a run are hashed again, and the rows they make are made again, in a database in memory, and compared with
//! those in the file. Whoever has the file and this program can write a whole new chain: what that cannot hide is told by
//! any copy of a later entry's hash, among them the one that the next run keeps in its first entry.

mod mirror;
mod whole;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::Journal;
use super::chain::{self, BEGINNING, Hash, hex};
use super::dropped;
use super::entry::{Anchor, Entry, Fact};
use crate::failure::Failure;
use mirror::Mirror;
pub use whole::StateVerdict;

/// What `verify` found out about a run.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The run.
    pub run: i64,
    /// How many entries its chain has.
    pub entries: usize,
    /// Is the run older than its chain? Then nothing is known about the time before.
    pub adopted: Option<jiff::Timestamp>,
    /// The hash of the last entry: of everything that was recorded of the run.
    pub hash: String,
    /// What is not as it was recorded, the first recorded first.
    pub problems: Vec<Problem>,
}

/// Something that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The entry that recorded it; none when none did.
    pub entry: Option<i64>,
    /// What, in words.
    pub what: String,
}

impl Verdict {
    /// Is everything as it was recorded?
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.entry {
            Some(number) => write!(f, "entry {number}, {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Journal {
    /// Compares everything recorded of a run with its chain.
    pub fn verify(&self, run: i64) -> Result<Verdict, Failure> {
        self.run(run)?;
        let mirror = Mirror::new()?;
        self.read("verify the run", |connection| {
            // One moment for all of it: the run may be going on.
            let moment = connection.unchecked_transaction()?;
            verify(&moment, &mirror, run)
        })
    }
}

/// An entry as it stands in the chain.
struct Link {
    number: i64,
    body: String,
    hash: Hash,
}

/// What is known of an entry that was applied: enough to name it.
struct Applied {
    number: i64,
    event: String,
    path: String,
}

fn verify(connection: &Connection, mirror: &Mirror, run: i64) -> rusqlite::Result<Verdict> {
    let links = links(connection, run)?;
    let mut verdict = Verdict { run, entries: links.len(), adopted: None, hash: String::new(), problems: Vec::new() };
    let mut previous = BEGINNING;
    let mut applied = Vec::new();
    let again = mirror.begin()?;
    for (expected, link) in (1..).zip(&links) {
        if link.number != expected {
            verdict.problems.push(Problem { entry: Some(expected), what: "which was removed".into() });
            return Ok(verdict);
        }
        let known = Entry::parse(&link.body);
        if chain::hash(&previous, run, link.number, &link.body) != link.hash {
            let about = known.as_ref().map(|entry| about(entry, &link.body)).unwrap_or_default();
            let what = format!("{about}the entry was altered, or is not where it was recorded");
            verdict.problems.push(Problem { entry: Some(expected), what });
            return Ok(verdict);
        }
        previous = link.hash;
        let Ok(entry) = known else {
            let what = "which this version of runbook does not understand".to_owned();
            verdict.problems.push(Problem { entry: Some(expected), what });
            return Ok(verdict);
        };
        if let Entry::Fact(fact) = &entry {
            match &**fact {
                Fact::RunAdopted { at, .. } => verdict.adopted = Some(*at),
                Fact::RunBegun { after: Some(anchor), .. } => {
                    verdict.problems.extend(broken_anchor(connection, run, anchor)?);
                }
                _ => {}
            }
        }
        again.apply(run, &entry)?;
        applied.push(Applied { number: expected, event: event_name(&link.body), path: entry.path().to_owned() });
    }
    verdict.hash = hex(&previous);
    if links.is_empty() {
        let what = "there are no entries for this run: they were removed".to_owned();
        verdict.problems.push(Problem { entry: Some(1), what });
        return Ok(verdict);
    }
    verdict.problems.extend(cut_off(connection, run, links.len())?);
    verdict.problems.extend(again.differences(connection, run, &applied)?);
    verdict.problems.extend(altered_texts(connection, run)?);
    verdict.problems.sort();
    Ok(verdict)
}

fn links(connection: &Connection, run: i64) -> rusqlite::Result<Vec<Link>> {
    connection
        .prepare_cached("SELECT number, body, hash FROM entry WHERE run = ?1 ORDER BY number")?
        .query_map([run], |row| Ok(Link { number: row.get(0)?, body: row.get(1)?, hash: row.get(2)? }))?
        .collect()
}

/// What an entry is about: `call 3.2 compose.up: `.
fn about(entry: &Entry<'_>, body: &str) -> String {
    let event = event_name(body).replace('_', " ");
    match entry.path() {
        "" => format!("`{event}`: "),
        path => format!("call {path}, `{event}`: "),
    }
}

fn event_name(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Name {
        event: String,
    }
    serde_json::from_str::<Name>(body).map(|name| name.event).unwrap_or_default()
}

/// The end of the newest run's chain at the time this run began: is it still what it was?
fn broken_anchor(connection: &Connection, run: i64, anchor: &Anchor) -> rusqlite::Result<Option<Problem>> {
    let hash: Option<Hash> = connection
        .prepare_cached("SELECT hash FROM entry WHERE run = ?1 AND number = ?2")?
        .query_row([anchor.run, anchor.number], |row| row.get(0))
        .optional()?;
    Ok(match hash {
        Some(hash) if hex(&hash) == anchor.hash => None,
        Some(_) => Some(format!("when it began, entry {} of run {} was another one", anchor.number, anchor.run)),
        None if was_dropped(connection, anchor)? => None,
        None => Some(format!("when it began, run {} had an entry {}, which was removed", anchor.run, anchor.number)),
    }
    .map(|what| Problem { entry: Some(1), what: format!("run {run}: {what}") }))
}

/// Was the run dropped, and is what is known of the end of its chain no other than what the later run saw?
fn was_dropped(connection: &Connection, anchor: &Anchor) -> rusqlite::Result<bool> {
    let range = dropped::find(connection, anchor.run)?;
    Ok(range
        .is_some_and(|range| (range.end.run, range.end.number) != (anchor.run, anchor.number) || range.end == *anchor))
}

/// The first entry of the next run knows how long this chain was at least.
fn cut_off(connection: &Connection, run: i64, entries: usize) -> rusqlite::Result<Option<Problem>> {
    let next: Option<String> = connection
        .prepare_cached("SELECT body FROM entry WHERE run > ?1 AND number = 1 ORDER BY run LIMIT 1")?
        .query_row([run], |row| row.get(0))
        .optional()?;
    let Some(Ok(Entry::Fact(fact))) = next.map(|body| Entry::parse(&body)) else { return Ok(None) };
    let Fact::RunBegun { after: Some(anchor), .. } = &*fact else { return Ok(None) };
    let is_missing = anchor.run == run && usize::try_from(anchor.number).is_ok_and(|number| number > entries);
    Ok(is_missing.then(|| Problem { entry: Some(anchor.number), what: "which the next run saw, was removed".into() }))
}

/// Scripts are kept by hash: a text that no longer has its hash was altered.
fn altered_texts(connection: &Connection, run: i64) -> rusqlite::Result<Vec<Problem>> {
    let texts: Vec<(String, String, Option<String>)> = connection
        .prepare_cached(
            "SELECT path, source.hash, text FROM source LEFT JOIN text ON text.hash = source.hash WHERE run = ?1
             ORDER BY position",
        )?
        .query_map(params![run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let problem = |(path, hash, text): (String, String, Option<String>)| match text {
        Some(text) if chain::text_hash(&text) == hash => None,
        Some(_) => Some(format!("script `{path}`: the text was altered")),
        None => Some(format!("script `{path}`: the text was removed")),
    };
    Ok(texts.into_iter().filter_map(problem).map(|what| Problem { entry: Some(1), what }).collect())
}
