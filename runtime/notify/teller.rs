//! Who looks what happened, and sends what is due, beside everything else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Way, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::backups::stale;
use super::happening::{happened, happens, next_too_long};
use super::message::Message;
use super::send::{Parcel, Sender, runtime};
use super::{Happening, rules};
use crate::failure::Failure;
use crate::journal::{Journal, Notice, Sending};
use crate::project::{PROJECT_FILE, Project, ProjectFile, state_folder};
use crate::secrets::redactor_as_far_as_known;

/// No wait is longer: disks fill up, and clocks are set.
const SLICE: Duration = Duration::from_secs(300);

/// Looks that are asked for within so long are one.
const TOGETHER: Duration = Duration::from_millis(200);

/// The first wait after something could not be sent; each later one is twice as long, up to an hour.
const BACKOFF: i64 = 30;

/// So many bundled messages are sent together at most.
const MOST: usize = 50;

/// A thread that tells people what happens. Whatever goes wrong with that stays with it.
pub struct Teller {
    asked: Way<Asked>,
    ended: Receiver<Ending>,
}

/// What was left when it ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Channels on which something could not be sent, and why: it is tried again by whoever comes next.
    pub unsent: BTreeMap<String, String>,
}

enum Asked {
    Look,
    End,
}

impl Teller {
    /// Begins to tell what happens to the runs of the project at `root` from now on; `None` where nobody is to be told. With
    /// `waits`, it begins also where that is so, and sees when the project says otherwise.
    pub fn start(root: &Path, waits: bool) -> Result<Option<Self>, Failure> {
        let read = read(root)?;
        let is_idle = read.1.notify.is_idle();
        if !waits && is_idle {
            return Ok(None);
        }
        let (asked, asks) = channel();
        let (end, ended) = channel();
        let mut work = Work { root: root.to_path_buf(), read, unsent: BTreeMap::new() };
        let journal = Journal::open(&state_folder(root))?;
        if !is_idle {
            journal.watch_from_here()?;
        }
        std::thread::Builder::new()
            .name("teller".into())
            .spawn(move || {
                work.go_on(&journal, &asks);
                let _ = end.send(Ending { unsent: work.unsent });
            })
            .map_err(|error| Failure::system("start a thread", &error))?;
        Ok(Some(Self { asked, ended }))
    }

    /// Has it look what happened.
    pub fn look(&self) {
        let _ = self.asked.send(Asked::Look);
    }

    /// Something that can be told to look, from elsewhere.
    pub fn looker(&self) -> impl Fn() + Send + Sync + use<> {
        let asked = std::sync::Mutex::new(self.asked.clone());
        move || {
            if let Ok(asked) = asked.lock() {
                let _ = asked.send(Asked::Look);
            }
        }
    }

    /// Has it look once more and send what is due, and waits for that, but not for longer than `patience`.
    pub fn end(self, patience: Duration) -> Ending {
        let _ = self.asked.send(Asked::End);
        self.ended
            .recv_timeout(patience)
            .unwrap_or_else(|_| Ending { unsent: BTreeMap::from([("all".to_owned(), "it took too long".to_owned())]) })
    }
}

struct Work {
    root: PathBuf,
    /// The project file, and how it looked when it was read: it is looked at whenever something happens.
    read: (Look, Arc<ProjectFile>),
    /// Why something could not be sent the last time, by channel.
    unsent: BTreeMap<String, String>,
}

impl Work {
    fn go_on(&mut self, journal: &Journal, asks: &Receiver<Asked>) {
        let mut is_last = false;
        loop {
            let wait = match self.round(journal) {
                Ok(wait) => wait,
                Err(failure) => {
                    self.unsent.insert("the run log".to_owned(), failure.message);
                    SLICE
                }
            };
            if is_last {
                return;
            }
            match asks.recv_timeout(wait) {
                Ok(Asked::Look) => {
                    let began = Instant::now();
                    while let Some(left) = TOGETHER.checked_sub(began.elapsed()) {
                        match asks.recv_timeout(left) {
                            Ok(Asked::Look) => {}
                            Ok(Asked::End) | Err(RecvTimeoutError::Disconnected) => {
                                is_last = true;
                                break;
                            }
                            Err(RecvTimeoutError::Timeout) => break,
                        }
                    }
                }
                Ok(Asked::End) | Err(RecvTimeoutError::Disconnected) => is_last = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Looks, writes down what is to be told, sends what is due; says how long there is nothing to do.
    fn round(&mut self, journal: &Journal) -> Result<Duration, Failure> {
        let file = self.file()?;
        if file.notify.is_idle() {
            return Ok(SLICE);
        }
        journal.watch_from_here()?;
        let now = Timestamp::now().as_second();
        let oldest = now.saturating_sub(i64::try_from(file.notify.give_up.0.as_secs()).unwrap_or(i64::MAX));
        let found = happened(journal, &file.name, oldest)?;
        let mut happenings = found.happenings;
        happenings.extend(happens(journal, &file.name, &file.notify, journal.state_folder())?);
        happenings.extend(stale(journal, &file.name, file.backups.iter())?);
        for happening in &mut happenings {
            self.redact(&file, happening);
        }
        let notices = rules::notices(&file.notify, &happenings, now);
        if found.until > journal.told()? || !found.fires.is_empty() || !notices.is_empty() {
            journal.add_notices(&notices, now, found.until, &found.fires)?;
        }
        let next = [self.send_due(journal, &file)?, next_too_long(journal, &file.notify)?].into_iter().flatten().min();
        let now = Timestamp::now().as_second();
        Ok(next
            .map_or(SLICE, |next| Duration::from_secs(u64::try_from(next - now).unwrap_or(0)))
            .clamp(TOGETHER, SLICE))
    }

    fn file(&mut self) -> Result<Arc<ProjectFile>, Failure> {
        let now = look(&self.root.join(PROJECT_FILE));
        if now.is_none() || now != self.read.0 {
            self.read = read(&self.root)?;
        }
        Ok(self.read.1.clone())
    }

    /// The run log holds nothing that did not pass the redactor; secrets that are new since then are masked here.
    fn redact(&self, file: &ProjectFile, happening: &mut Happening) {
        let name = Some(happening.message.environment.as_str()).filter(|name| !name.is_empty());
        let Ok(environment) = file.environment(name) else { return };
        let redactor = redactor_as_far_as_known(&Project::new(self.root.clone(), file.clone(), environment));
        happening.message.each_text(&mut |text| {
            redactor.redact(text);
        });
    }

    fn send_due(&mut self, journal: &Journal, file: &ProjectFile) -> Result<Option<i64>, Failure> {
        let due = journal.claim_notices(Timestamp::now().as_second())?;
        if !due.is_empty() {
            let (sender, runtime) = (Sender::new(&self.root, file.clone()), runtime()?);
            for parcel in parcels(due) {
                self.deliver(journal, &sender, &runtime, &parcel)?;
            }
        }
        journal.next_notice()
    }

    fn deliver(
        &mut self,
        journal: &Journal,
        sender: &Sender,
        runtime: &tokio::runtime::Runtime,
        notices: &[Notice],
    ) -> Result<(), Failure> {
        let Some(first) = notices.first() else { return Ok(()) };
        let messages: Vec<Message> =
            notices.iter().filter_map(|notice| serde_json::from_value(notice.message.clone()).ok()).collect();
        let problem = match sender.file().notify.channel.get(&first.channel) {
            None => Some((format!("there is no [notify.channel.{}] any more", first.channel), true)),
            Some(channel) => {
                let id = format!("{}-{}-{}", sender.file().name, first.id, first.created);
                let parcel = Parcel { messages: &messages, id: &id, environment: &first.environment };
                let sent = runtime.block_on(sender.send(channel, parcel));
                sent.err().map(|failure| (sender.in_words(&failure), false))
            }
        };
        match &problem {
            None => self.unsent.remove(&first.channel),
            Some((problem, _)) => self.unsent.insert(first.channel.clone(), problem.clone()),
        };
        let now = Timestamp::now().as_second();
        for notice in notices {
            let sending = match &problem {
                None => Sending::Sent,
                Some((problem, for_good)) => {
                    let wait = BACKOFF.saturating_mul(1 << notice.attempt.saturating_sub(1).min(7)).min(3_600);
                    if *for_good || now + wait > notice.expires {
                        Sending::GivenUp { problem: problem.clone() }
                    } else {
                        Sending::Again { due: now + wait, problem: problem.clone() }
                    }
                }
            };
            journal.settle_notice(notice.id, &sending)?;
        }
        Ok(())
    }
}

/// When it was written, which file it is, and how large.
type Look = Option<(i64, i64, u64, u64)>;

fn look(file: &Path) -> Look {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).ok().map(|data| (data.mtime(), data.mtime_nsec(), data.ino(), data.size()))
}

/// Reads it without schedules: there may be many, and they are others' business.
fn read(root: &Path) -> Result<(Look, Arc<ProjectFile>), Failure> {
    let look = look(&root.join(PROJECT_FILE));
    Ok((look, Arc::new(ProjectFile::load_without_schedules(root)?)))
}

/// What is sent together: bundled notices of one channel and environment.
fn parcels(due: Vec<Notice>) -> Vec<Vec<Notice>> {
    let mut parcels: Vec<Vec<Notice>> = Vec::new();
    for notice in due {
        let fitting = parcels.iter_mut().find(|parcel| {
            parcel.len() < MOST
                && notice.bundled
                && parcel.first().is_some_and(|first| {
                    first.bundled && first.channel == notice.channel && first.environment == notice.environment
                })
        });
        match fitting {
            Some(parcel) => parcel.push(notice),
            None => parcels.push(vec![notice]),
        }
    }
    parcels
}
