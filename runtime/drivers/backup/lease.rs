use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Wanted;
use super::repository::host;
use crate::drivers::bucket::{Bucket, Keys, Place, digest};
use crate::drivers::process::{Identity, boot_id};
use crate::failure::{Failure, FailureKind};

/// The object. restic does not look there.
const NAME: &str = "leases/alone";
/// How often the holder says that it lives.
const BEAT: Duration = Duration::from_secs(20);
/// A holder that could not say so for this long stops.
const FAINT: Duration = Duration::from_secs(60);
/// One that said nothing for this long while somebody listened is dead. No clocks of two machines are compared.
const SILENT: Duration = Duration::from_secs(90);
/// How long to wait for one that lives.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many this process has asked for.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The right to remove something from a repository in a bucket: an object that one makes where there is none, and says again
/// and again that it lives. Only whoever removes things needs it, and so only they need the right to remove it.
#[derive(Debug)]
pub struct Lease {
    bucket: Arc<Bucket>,
    state: Arc<State>,
    beat: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    is_over: AtomicBool,
    /// When it was last known to be ours.
    known: Mutex<Option<Instant>>,
}

/// What the object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// For people: the machine and the process.
    holder: String,
    /// The boot of the machine, by which those of the same machine know each other.
    boot: Option<String>,
    /// The process there, and when it started.
    process: Option<String>,
    /// Nobody else's.
    token: String,
    /// Grows while the holder lives.
    count: u64,
}

impl Note {
    fn new() -> Self {
        let process = i32::try_from(std::process::id()).ok().and_then(Identity::of);
        let holder = format!("{} (process {})", host(), std::process::id());
        let process = process.map(|process| process.to_string());
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        let token = format!("{holder} {} {number}", jiff::Timestamp::now().as_nanosecond());
        Self { holder, boot: boot_id(), process, token, count: 0 }
    }

    /// Is it certain that the holder is gone?
    fn is_dead(&self) -> bool {
        let process = self.process.as_deref().and_then(Identity::parse);
        self.boot.is_some() && self.boot == boot_id() && process.is_some_and(|process| !process.is_alive())
    }

    fn write(&self, bucket: &Bucket, is_new: bool) -> Result<bool, Failure> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let payload = digest(&text);
        bucket.put(NAME, &[text.into()], &payload, is_new)
    }
}

/// What is there now; what cannot be read is held by nobody who is known.
fn look(bucket: &Bucket) -> Result<Option<Note>, Failure> {
    let Some(reply) = bucket.get(NAME)? else { return Ok(None) };
    let unknown = || Note { holder: "somebody".into(), boot: None, process: None, token: String::new(), count: 0 };
    Ok(Some(serde_json::from_slice(&reply.body).unwrap_or_else(|_| unknown())))
}

/// Waits until nobody who lives holds the lease, and says who held it last.
fn silence(bucket: &Bucket, wanted: &Wanted) -> Result<Option<Note>, Failure> {
    let start = Instant::now();
    let mut heard: Option<(Note, Instant)> = None;
    loop {
        let Some(note) = look(bucket)? else { return Ok(None) };
        let since = match &heard {
            Some((last, since)) if *last == note => *since,
            _ => heard.insert((note.clone(), Instant::now())).1,
        };
        if note.is_dead() || since.elapsed() > SILENT {
            return Ok(Some(note));
        }
        if start.elapsed() > PATIENCE {
            let message = format!("{} was at work in the repository for ten minutes", note.holder);
            return Err(Failure::new(FailureKind::Timeout, message));
        }
        wanted()?;
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Waits until nobody removes anything; changes nothing.
pub fn wait(bucket: &Bucket, wanted: &Wanted) -> Result<(), Failure> {
    silence(bucket, wanted).map(drop)
}

impl Lease {
    /// Takes it, and waits for others up to ten minutes.
    pub fn take(place: &Place, keys: &Keys, wanted: &Wanted) -> Result<Self, Failure> {
        // It is given back even when nobody wants anything any more.
        let bucket = Arc::new(Bucket::new(place.clone(), keys.clone(), Arc::new(|| Ok(())))?);
        let note = Note::new();
        loop {
            if let Some(dead) = silence(&bucket, wanted)? {
                // Another may have found the same, and taken it since.
                if look(&bucket)?.as_ref() == Some(&dead) {
                    bucket.remove(NAME)?;
                }
            }
            // A server that does not know the condition lets two write: the last of them has it.
            if note.write(&bucket, true)? || look(&bucket)?.as_ref() == Some(&note) {
                std::thread::sleep(Duration::from_millis(500));
                if look(&bucket)?.as_ref() == Some(&note) {
                    break;
                }
            }
            wanted()?;
        }
        let state = Arc::new(State { is_over: AtomicBool::new(false), known: Mutex::new(Some(Instant::now())) });
        let (owned, seen) = (Arc::clone(&bucket), Arc::clone(&state));
        let beat = std::thread::Builder::new().name("lease".into()).spawn(move || keep(&owned, note, &seen));
        let beat = beat.map_err(|error| Failure::system("start a thread", &error))?;
        Ok(Self { bucket, state, beat: Some(beat) })
    }

    /// Is it still held?
    pub fn check(&self) -> Result<(), Failure> {
        let known = *self.state.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|known| known.elapsed() < FAINT) {
            return Ok(());
        }
        let message = format!("the lease on the repository `{}` was lost", self.bucket.place().shown());
        Err(Failure::new(FailureKind::Conflict, message).hint("run it again: what was done stays done"))
    }
}

/// Says again and again that the holder lives, for as long as it does and nobody else has taken the lease.
fn keep(bucket: &Bucket, mut note: Note, state: &State) {
    let mut last = Instant::now();
    while !state.is_over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if last.elapsed() < BEAT {
            continue;
        }
        last = Instant::now();
        match look(bucket) {
            // Whether the last word arrived or only its answer was lost: it is ours.
            Ok(Some(there)) if there.token == note.token => {}
            Ok(_) => {
                *state.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return;
            }
            Err(_) => continue,
        }
        note.count += 1;
        if note.write(bucket, false).is_ok() {
            *state.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        if let Some(beat) = self.beat.take() {
            let _ = beat.join();
        }
        if self.check().is_ok() {
            let _ = self.bucket.remove(NAME);
        }
    }
}
