use std::io::Write;
use std::thread;

use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::super::feeding::{Pour, Taps, tap};
use super::rdb::{Entry, Item};
use super::{Facts, Redis, facts};
use crate::primitive::{Context, Failure, FailureKind, Span};

/// Keys that end within this many milliseconds are not compared: they may be gone before they are looked at.
const ENDING: i64 = 15 * 60 * 1000;

/// A server that gets the keys of a dump.
pub struct Placing {
    /// The server.
    pub target: Redis,
    /// How long each step may take.
    pub within: Span,
}

/// Writes what a snapshot holds to whoever reads it.
pub type Pouring<'a> = &'a (dyn Fn(&mut dyn Write) -> Result<(), Failure> + Sync);

impl Placing {
    /// Has the server any keys?
    pub fn holds_something(&self, context: &Context<'_>) -> Result<bool, Failure> {
        let asked = self.target.client(&["INFO", "keyspace"]);
        let text =
            context.wait(&format!("asking {}", self.target.shown()), self.within.0, asked.text(context, None))?;
        if !text.starts_with("# Keyspace") {
            let message = format!("{} does not answer: {}", self.target.shown(), text.trim());
            return Err(Failure::new(FailureKind::Unreachable, message));
        }
        Ok(text.lines().any(|line| line.starts_with("db")))
    }

    /// Gives every key to the server, as it runs: whatever it writes to its own files has them as well.
    pub fn fill(&self, context: &Context<'_>, pouring: Pouring<'_>) -> Result<(), Failure> {
        let (sender, commands) = mpsc::channel::<std::io::Result<Bytes>>(64);
        let commands = unfold(commands, async |mut commands| Some((commands.recv().await?, commands)));
        let input = StreamReader::new(Box::pin(commands));
        let Taps { pour, tapped } = tap();
        let (poured, read, fed) = thread::scope(|scope| {
            let poured = scope.spawn(move || pouring(&mut Poured(pour)));
            let read = scope.spawn(move || {
                let mut database = None;
                let send = |words: &[&[u8]]| {
                    sender.blocking_send(Ok(command(words))).map_err(|_| "the server takes no more".to_owned())
                };
                send(&[b"FLUSHALL"])?;
                let now = jiff::Timestamp::now().as_millisecond();
                facts(tapped, None, &mut |item| match item {
                    Item::About(..) => Ok(()),
                    Item::Functions(code) => send(&[b"FUNCTION", b"LOAD", b"REPLACE", code]),
                    Item::Entry(Entry { expires: Some(expires), .. }) if *expires <= now => Ok(()),
                    Item::Entry(entry) => {
                        if database != Some(entry.database) {
                            send(&[b"SELECT", entry.database.to_string().as_bytes()])?;
                            database = Some(entry.database);
                        }
                        let expires = entry.expires.unwrap_or_default().to_string();
                        send(&[b"RESTORE", &entry.key, expires.as_bytes(), &entry.payload, b"REPLACE", b"ABSTTL"])
                    }
                })
                .map(drop)
            });
            let fed = self.target.client(&["--pipe"]).feed(context, input, self.within);
            (poured.join(), read.join(), fed)
        });
        let lost = |_| Failure::new(FailureKind::System, "what was restored was not read to its end");
        fed?;
        poured.map_err(lost)??;
        read.map_err(lost)?.map_err(|why| Failure::new(FailureKind::Check, format!("the dump cannot be read: {why}")))
    }

    /// Looks whether the server has what the snapshot holds.
    pub fn verify(&self, context: &Context<'_>, pouring: Pouring<'_>) -> Result<Facts, Failure> {
        let moment = Some(jiff::Timestamp::now().as_millisecond() + ENDING);
        let wanted = read(pouring, moment)?;
        let mut ignored = |_: &[u8]| {};
        let looking = self.target.dump_after(context, moment, &mut ignored, None);
        let found = context.wait(&format!("comparing {}", self.target.shown()), self.within.0, looking)?;
        let differences = wanted.differences(&found);
        let Some(first) = differences.first() else { return Ok(found) };
        let message = format!("what {} has now is not what was saved: {first}", self.target.shown());
        Err(Failure::new(FailureKind::Check, message)
            .evidence(format!("{} differences", differences.len()), differences.join("\n"))
            .hint("does anybody write to it meanwhile?"))
    }
}

/// What a snapshot holds.
pub fn read(pouring: Pouring<'_>, moment: Option<i64>) -> Result<Facts, Failure> {
    let Taps { pour, tapped } = tap();
    let (poured, found) = thread::scope(|scope| {
        let poured = scope.spawn(move || pouring(&mut Poured(pour)));
        let found = facts(tapped, moment, &mut |_| Ok(()));
        (poured.join(), found)
    });
    poured.map_err(|_| Failure::new(FailureKind::System, "what was restored was not read to its end"))??;
    found.map_err(|why| Failure::new(FailureKind::Check, format!("the dump cannot be read: {why}")))
}

/// A command as the server reads it.
fn command(words: &[&[u8]]) -> Bytes {
    let mut text = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        text.extend(format!("${}\r\n", word.len()).bytes());
        text.extend_from_slice(word);
        text.extend(b"\r\n");
    }
    text.into()
}

struct Poured(Pour);

impl Write for Poured {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.pour(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
