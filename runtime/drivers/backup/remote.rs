use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustic_core::{FileType, Id};
use tokio::runtime::Runtime;

use super::Wanted;
use super::grip::{self, Grip};
use super::repository::Access;
use super::store::{Hold, Store};
use crate::drivers::bucket::digest;
use crate::drivers::pace::Paces;
use crate::drivers::ssh::{Hosts, Script, Target, is_silence, quoted};
use crate::failure::{Failure, FailureKind};

/// What a whole listing of a repository may come to.
const LISTING: usize = 1 << 30;
/// The largest file of a repository.
const FILE: usize = u32::MAX as usize;
/// How long a request may take besides what travels. A host that is dead is given up sooner, by its connection.
const SLOW: Duration = Duration::from_secs(120);
/// What every line manages, in bytes a second.
const SLOWEST: usize = 16 << 10;
/// The pauses before a request is made again whose connection was lost.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)];
/// How long a new connection may take then.
const RECONNECT: Duration = Duration::from_secs(5);

/// A repository in a folder of a host, laid out as restic does, by a shell there. A file is whole, compared with its hash and
/// on the disk, or not there.
pub struct Remote {
    line: Line,
    /// The folder.
    root: String,
    /// What whoever adds a snapshot or removes something has to hold.
    held: Mutex<Weak<Grip>>,
}

/// The way to the host.
pub struct Line {
    pub hosts: Arc<Hosts>,
    pub target: Target,
    pub runtime: Runtime,
    pub paces: Arc<Paces>,
    pub wanted: Wanted,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Line {
    /// Runs a script to its end that may be run twice: where the connection is lost, over a new one. A host that says nothing is not
    /// waited for any longer, and one that cannot be reached at all is no connection that was lost.
    fn insist(&self, script: &Script, most: usize, bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let lost = match self.ask(script, most, bytes) {
                Err(failure) if failure.kind == FailureKind::Unreachable && !is_silence(&failure) => failure,
                done => return done,
            };
            loop {
                let Some(pause) = pauses.next() else { return Err(lost) };
                (self.wanted)()?;
                std::thread::sleep(pause);
                let reach = async { tokio::time::timeout(RECONNECT, self.hosts.reach(&self.target)).await };
                match self.runtime.block_on(reach) {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) => {}
                    Err(_) => return Err(lost),
                }
            }
        }
    }

    /// Runs a script to its end, for as long as that is wanted.
    fn ask(&self, script: &Script, most: usize, bytes: usize) -> Result<Vec<u8>, Failure> {
        let limit = SLOW + Duration::from_secs((bytes / SLOWEST) as u64) + self.paces.patience(bytes as u64);
        let start = Instant::now();
        self.runtime.block_on(async {
            let work = self.hosts.ask(&self.target, script, most);
            tokio::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => return done.map(|(output, _)| output),
                    () = tokio::time::sleep(Duration::from_millis(250)) => (self.wanted)()?,
                }
                if start.elapsed() > limit {
                    let message = format!("`{}` did not answer for {}s", self.target.name, limit.as_secs());
                    return Err(Failure::new(FailureKind::Timeout, message));
                }
            }
        })
    }
}

impl Remote {
    /// The folder, of which nothing is asked yet.
    pub fn new(target: &Target, root: &str, paces: &Arc<Paces>, wanted: &Wanted) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::system("start threads", &error))?;
        let (paces, wanted) = (Arc::clone(paces), Arc::clone(wanted));
        let line = Line { hosts: Arc::default(), target: target.clone(), runtime, paces, wanted };
        let root = root.trim_end_matches('/').to_owned();
        Ok(Self { line, root, held: Mutex::default() })
    }

    fn path(&self, kind: FileType, id: &Id) -> String {
        let name = id.to_hex();
        match kind {
            FileType::Config => format!("{}/config", self.root),
            FileType::Pack => format!("{}/data/{}/{}", self.root, &name[..2], &name[..]),
            _ => format!("{}/{}/{}", self.root, kind.dirname(), &name[..]),
        }
    }

    /// Runs a script that may be run twice.
    fn ask(&self, text: String, most: usize) -> Result<Vec<u8>, Failure> {
        self.line.insist(&Script::new(text).paced(&self.line.paces), most, most.min(64 << 20))
    }

    /// Does this hold there?
    fn is_so(&self, condition: &str) -> Result<bool, Failure> {
        let text = format!("if {condition}; then echo yes; else echo no; fi\nfinish done");
        match self.ask(text, 16)?.as_slice() {
            b"yes\n" => Ok(true),
            b"no\n" => Ok(false),
            _ => Err(Failure::new(FailureKind::System, format!("`{}` gave no answer", self.line.target.name))),
        }
    }

    fn still_held(&self) -> Result<(), Failure> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        held.map_or_else(|| Err(grip::lost(&self.shown())), |grip| grip.check())
    }

    fn find(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure> {
        let folder = quoted(&format!("{}/{}", self.root, kind.dirname()));
        let text = format!(
            "if find {folder} -type f -exec stat -c '%s %n' {{}} +; then finish done; else finish failed the files \
             cannot be listed; fi"
        );
        let listed = self.ask(text, LISTING)?;
        let wrong = |line: &str| {
            let message = format!("the listing of `{}` has the line `{}`", self.shown(), line.escape_debug());
            Failure::new(FailureKind::Invalid, message)
        };
        let listed = String::from_utf8(listed).map_err(|_| wrong("which is no text"))?;
        let mut found = Vec::new();
        for line in listed.lines() {
            let (size, path) = line.split_once(' ').ok_or_else(|| wrong(line))?;
            let size: u64 = size.parse().map_err(|_| wrong(line))?;
            let name = path.rsplit('/').next().filter(|name| name.len() == 64);
            let Some(id) = name.and_then(|name| name.parse::<Id>().ok()) else { continue };
            if self.path(kind, &id) == path {
                found.push((id, u32::try_from(size).unwrap_or(u32::MAX)));
            }
        }
        Ok(found)
    }
}

impl Store for Remote {
    fn shown(&self) -> String {
        format!("{}:{}", self.line.target.name, self.root)
    }

    fn shown_file(&self, kind: FileType, id: &Id) -> String {
        format!("{}:{}", self.line.target.name, self.path(kind, id))
    }

    fn is_there(&self) -> Result<bool, Failure> {
        self.is_so(&format!("[ -f {} ]", quoted(&self.path(FileType::Config, &Id::default()))))
    }

    fn is_vacant(&self) -> Result<bool, Failure> {
        let root = quoted(&self.root);
        self.is_so(&format!("[ ! -e {root} ] || [ -d {root} -a -z \"$(ls -A {root})\" ]"))
    }

    fn create(&self) -> Result<(), Failure> {
        let root = quoted(&self.root);
        let mut text = format!(
            "umask 077\nif mkdir -p {root} && cd {root} && mkdir -p index keys locks snapshots unfinished data"
        );
        text.push_str(" && (cd data && mkdir -p");
        for byte in 0..=255 {
            let _ = write!(text, " {byte:02x}");
        }
        text.push_str("); then finish done; else finish failed the folders cannot be made; fi");
        self.ask(text, 1 << 10).map(drop)
    }

    fn list(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure> {
        if kind == FileType::Config {
            return Ok(if self.is_there()? { vec![(Id::default(), 0)] } else { Vec::new() });
        }
        // Another process may forget something while it is listed: then the host says that something is missing.
        let again = |failure: Failure| match failure.kind {
            FailureKind::Unreachable | FailureKind::Timeout | FailureKind::Cancelled => Err(failure),
            _ => self.find(kind),
        };
        self.find(kind).or_else(again).or_else(again)
    }

    fn read(&self, kind: FileType, id: &Id) -> Result<Bytes, Failure> {
        let path = quoted(&self.path(kind, id));
        let text = format!(
            "if [ ! -e {path} ]; then finish absent {path}; exit; fi\n\
             if cat -- {path}; then finish done; else finish failed; fi"
        );
        self.ask(text, FILE).map(Bytes::from)
    }

    fn read_part(&self, kind: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure> {
        self.read_on(kind, id, offset, length, length)
    }

    fn read_on(&self, kind: FileType, id: &Id, offset: u32, length: u32, most: u32) -> Result<Bytes, Failure> {
        let (path, first) = (quoted(&self.path(kind, id)), u64::from(offset) + 1);
        let text = format!(
            "if [ ! -e {path} ]; then finish absent {path}; exit; fi\n\
             if tail -c +{first} -- {path} | head -c {most}; then finish done; else finish failed; fi"
        );
        let part = self.ask(text, most as usize)?;
        if part.len() >= length as usize {
            return Ok(part.into());
        }
        let message =
            format!("`{}` is shorter than {} bytes", self.shown_file(kind, id), u64::from(offset) + u64::from(length));
        Err(Failure::new(FailureKind::System, message))
    }

    fn is_far(&self) -> bool {
        true
    }

    /// Aside first, compared with its hash, and only then under its name.
    fn write(&self, kind: FileType, id: &Id, pieces: &[Bytes]) -> Result<(), Failure> {
        if kind == FileType::Snapshot {
            self.still_held()?;
        }
        let content = pieces.concat();
        let hash = if kind == FileType::Config { digest(&content) } else { id.to_hex()[..].to_owned() };
        let path = self.path(kind, id);
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        // Of two who make a repository at one time, one does.
        let put = if kind == FileType::Config { "ln" } else { "mv -f" };
        let text = format!(
            "umask 077\nt={unfinished}/{hash}.$$\nmkdir -p {unfinished} {folder}\n\
             if ! cat >\"$t\"; then rm -f \"$t\"; finish failed the disk does not take it; exit; fi\n\
             s=$(sha256sum <\"$t\")\n\
             if [ \"${{s%% *}}\" != {hash} ]; then rm -f \"$t\"; finish failed something else arrived; exit; fi\n\
             sync \"$t\" 2>/dev/null || sync\n\
             if {put} \"$t\" {path}; then rm -f \"$t\"; sync {folder} 2>/dev/null || sync; finish done\n\
             else rm -f \"$t\"; finish failed it does not get its name; fi",
            unfinished = quoted(&format!("{}/unfinished", self.root)),
            folder = quoted(folder),
            path = quoted(&path),
        );
        let bytes = content.len();
        let script = Script::new(text).reading(content).paced(&self.line.paces);
        let written = match kind {
            // Done twice, it would look as if another had done it first.
            FileType::Config => self.line.ask(&script, 1 << 10, bytes),
            _ => self.line.insist(&script, 1 << 10, bytes),
        };
        written.map(drop).map_err(|mut failure| {
            failure.message = format!("cannot write into the repository `{}`: {}", self.shown(), failure.message);
            if failure.message.to_lowercase().contains("no space left") {
                return failure.hint("make room there: `runbook backup forget` and `prune`, or a larger disk");
            }
            failure
        })
    }

    fn remove(&self, kind: FileType, id: &Id) -> Result<(), Failure> {
        self.still_held()?;
        let path = quoted(&self.path(kind, id));
        let text = format!("if rm -f -- {path}; then finish done; else finish failed {path} cannot be removed; fi");
        // Not over a new connection: the hold went with the old one.
        self.line.ask(&Script::new(text), 1 << 10, 1 << 10).map(drop)
    }

    fn hold(&self, access: Access, wanted: &Wanted) -> Result<Box<dyn Hold>, Failure> {
        if !self.is_so(&format!("[ -z \"$(ls -A {} 2>/dev/null)\" ]", quoted(&format!("{}/locks", self.root))))? {
            let message = format!("`restic` is at work in the repository `{}`, or was killed there", self.shown());
            return Err(Failure::new(FailureKind::Conflict, message)
                .hint("wait for it; when none is running, remove what it left with `restic unlock`"));
        }
        let grip = Arc::new(Grip::take(&self.line, &self.root, &self.shown(), access, wanted)?);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&grip);
        Ok(Box::new(grip))
    }

    fn tidy(&self) {
        let unfinished = quoted(&format!("{}/unfinished", self.root));
        let _ = self.ask(format!("rm -rf -- {unfinished}; mkdir -p -m 0700 {unfinished}; finish done"), 1 << 10);
    }
}
