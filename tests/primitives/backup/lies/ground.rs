//! A project with one source and one repository, to which everything happens.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook::drivers::backup::{Access, Keyring, Location, Repository};
use runbook::primitive::{Failure, target_named};
use runbook::project::ProjectFile;
use serde_json::{Value, json};

use super::super::{PASSWORD, backup, site};
use super::faults::{Break, Doing, Request};
use super::subjects::{Doomed, SOON, Subject};
use crate::harness::bucket::{Bucket, KEY};
use crate::harness::cut::Way;
use crate::harness::sshd::Sshd;
use crate::harness::strace::{Blow, Injection};
use crate::harness::{Direct, skip};

/// How the cases went.
#[derive(Default)]
pub struct Tally {
    /// It went well all the same, and came back as it was.
    well: u32,
    /// It was said.
    said: u32,
    /// How long the longest took, on top of what is usual.
    longest: Duration,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { well, said, longest } = self;
        write!(f, "{} faults: {said} said, {well} made good; the longest {longest:.1?}", well + said)
    }
}

enum Place {
    Folder,
    Bucket(Bucket),
    Host(Sshd),
}

/// What there is.
pub struct Ground<S> {
    direct: Direct,
    place: Place,
    location: Location,
    keyring: Keyring,
    subject: S,
    /// A good snapshot, and what it holds.
    first: (String, String),
    /// How long it takes when nothing goes wrong: a call, and a process.
    usual: (Duration, Duration),
    round: u64,
}

fn project(lines: &str) -> String {
    format!(
        "[project]\nname = 'shop'\n[backup.main]\n{lines}password = 'STORE'\n\
         [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n"
    )
}

fn at_host(host: &Sshd, port: u16) -> String {
    let store = host.file("store").display().to_string();
    project(&format!("host = 'web-1'\npath = '{store}'\n")) + host.entry_at("web-1", port).as_str()
}

fn located(host: &Sshd, port: u16) -> Location {
    let target = target_named(&ProjectFile::parse(&at_host(host, port), "shop").unwrap(), "web-1").unwrap();
    Location::Host(Box::new(target), host.file("store").display().to_string())
}

impl<S: Subject> Ground<S> {
    pub fn in_folder(subject: S) -> Self {
        let direct = site();
        let location = Location::Folder(direct.path().join("store"));
        Self::begin(direct, Place::Folder, location, subject)
    }

    pub fn in_bucket(subject: S, name: &str) -> Option<Self> {
        let bucket = Bucket::new(name)?;
        let direct = Direct::new();
        direct.write("runbook.toml", &project(&bucket.lines()));
        let location = bucket.location();
        Repository::init(&location, PASSWORD).unwrap();
        Some(Self::begin(direct, Place::Bucket(bucket), location, subject))
    }

    pub fn on_host(subject: S) -> Option<Self> {
        let host = Sshd::start()?;
        let direct = Direct::new();
        direct.write("runbook.toml", &at_host(&host, host.port()));
        let location = located(&host, host.port());
        Repository::init(&location, PASSWORD).unwrap();
        Some(Self::begin(direct, Place::Host(host), location, subject))
    }

    fn begin(direct: Direct, place: Place, location: Location, subject: S) -> Self {
        direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1));
        let first = (String::new(), String::new());
        let usual = (Duration::ZERO, Duration::ZERO);
        let mut ground =
            Self { direct, place, location, keyring: Keyring::default(), subject, first, usual, round: 1000 };
        // More than fits on the first page of a listing.
        for _ in 0..3 {
            ground.alter();
            let start = Instant::now();
            let made = backup(&ground.direct, ground.subject.source(), json!({})).unwrap().value;
            ground.first = (made["id"].as_str().unwrap().to_owned(), ground.subject.look(&ground.direct));
            ground.usual.0 = start.elapsed();
        }
        ground
    }

    fn alter(&mut self) {
        self.round += 1;
        self.subject.alter(&self.direct, self.round);
    }

    fn ids(&self) -> Result<Vec<String>, Failure> {
        let wanted = Arc::new(|| Ok(()));
        let repository = Repository::open_with(&self.location, PASSWORD, Access::Shared, wanted, &self.keyring)?;
        Ok(repository.snapshots()?.into_iter().map(|snapshot| snapshot.id).collect())
    }

    /// What has to be so after a case: what is new is what was to be saved, whether that was said or not.
    fn judge(&self, case: &str, before: &[String], result: &Result<Option<String>, String>, tally: &mut Tally) {
        let wanted = self.subject.look(&self.direct);
        let there = match self.ids() {
            Ok(there) => there,
            // A repository that cannot be read any more: nobody was told that anything is in it.
            Err(failure) => {
                assert!(result.is_err(), "{case}: it said ok, and then {failure:?}");
                tally.said += 1;
                return;
            }
        };
        let new: Vec<&String> = there.iter().filter(|id| !before.contains(id)).collect();
        if let Ok(made) = result {
            let is_there = made.as_ref().map_or(new.len() == 1, |made| new.contains(&made));
            assert!(is_there, "{case}: it said ok, and the snapshot is not there: {new:?}");
        }
        for id in new {
            let back = self.subject.come_back(&self.direct, id);
            match (&back, result) {
                (Ok(back), _) => assert_eq!(*back, wanted, "{case}: {result:?}"),
                (Err(failure), _) => panic!("{case}: {id} does not come back: {failure:?}; it was said: {result:?}"),
            }
        }
        *if result.is_ok() { &mut tally.well } else { &mut tally.said } += 1;
    }

    fn in_time(case: &str, took: Duration, usual: Duration, tally: &mut Tally) {
        assert!(took < usual + SOON, "{case} took {took:?}, usually {usual:?}");
        tally.longest = tally.longest.max(took.saturating_sub(usual));
    }

    /// What cannot end well of its own.
    pub fn doomed(&self) -> Vec<Doomed> {
        self.subject.doomed(&self.direct)
    }

    pub fn stand_doomed(&mut self, case: &Doomed, tally: &mut Tally) {
        let before = self.ids().unwrap();
        let start = Instant::now();
        let result = backup(&self.direct, case.source.clone(), case.options.clone());
        let name = format!("{}: {}", self.subject.name(), case.name);
        Self::in_time(&name, start.elapsed(), self.usual.0, tally);
        let failure = result.expect_err(&name);
        assert_eq!(self.ids().unwrap(), before, "{name}: {failure:?}");
        tally.said += 1;
    }

    pub fn stand_request(&mut self, case: &Request, tally: &mut Tally) {
        self.alter();
        let before = self.ids().unwrap();
        let name = format!("{}: {case:?}", self.subject.name());
        let Place::Bucket(bucket) = &self.place else { panic!("no bucket") };
        let faults = bucket.faults();
        bucket.rule(case.method, case.path, case.kind, 0, case.times);
        let start = Instant::now();
        if case.doing == Doing::Backup {
            let result = backup(&self.direct, self.subject.source(), json!({}));
            let took = start.elapsed();
            bucket.heal();
            let result = result.map(|made| Some(made.value["id"].as_str().unwrap().to_owned()));
            self.judge(&name, &before, &result.map_err(|failure| format!("{failure:?}")), tally);
            Self::in_time(&name, took, self.usual.0 * 3, tally);
        } else {
            let result = self.subject.come_back(&self.direct, &self.first.0);
            let took = start.elapsed();
            bucket.heal();
            match result {
                Ok(back) => {
                    assert_eq!(back, self.first.1, "{name}");
                    tally.well += 1;
                }
                Err(_) => tally.said += 1,
            }
            Self::in_time(&name, took, self.usual.0 * 3, tally);
        }
        assert!(bucket.faults() > faults, "{name}: nothing went wrong");
    }

    pub fn stand_way(&mut self, case: &Break, tally: &mut Tally) {
        self.alter();
        let before = self.ids().unwrap();
        let name = format!("{}: {case:?}", self.subject.name());
        let Place::Host(host) = &self.place else { panic!("no host") };
        let way = Way::until(host.port(), case.0, case.1, case.2);
        self.direct.write("runbook.toml", &at_host(host, way.port()));
        let start = Instant::now();
        let result = backup(&self.direct, self.subject.source(), json!({}));
        let took = start.elapsed();
        self.direct.write("runbook.toml", &at_host(host, host.port()));
        let result = result.map(|made| Some(made.value["id"].as_str().unwrap().to_owned()));
        let result = result.map_err(|failure| format!("{failure:?}"));
        self.judge(&name, &before, &result, tally);
        Self::in_time(&name, took, self.usual.0 * 3, tally);
    }

    /// Damage of the repository, which is put back as it was afterwards.
    pub fn stand_damage(&mut self, (what, script): &(&str, &str), tally: &mut Tally) {
        if script.contains("mount") && !rustix::process::geteuid().is_root() {
            return skip("the right to mount a small file system");
        }
        self.alter();
        let name = format!("{}: {what}", self.subject.name());
        let before = self.ids().unwrap();
        let run = |line: &str, folder: &str| {
            let mut command = Command::new("sh");
            command.args(["-ec", line]).current_dir(self.direct.path().join(folder));
            command.stderr(Stdio::null()).status().unwrap().success()
        };
        assert!(run("cp -a store whole", ""), "{name}");
        assert!(run(script, "store"), "{name}: the damage is done");
        let start = Instant::now();
        let result = backup(&self.direct, self.subject.source(), json!({}));
        let took = start.elapsed();
        let result = result.map(|made| Some(made.value["id"].as_str().unwrap().to_owned()));
        let result = result.map_err(|failure| format!("{failure:?}"));
        self.judge(&name, &before, &result, tally);
        run("umount -l store", "");
        assert!(run("rm -rf store && mv whole store", ""), "{name}");
        Self::in_time(&name, took, self.usual.0 * 3, tally);
    }

    fn command(&self) -> Command {
        self.direct.write("save.rhai", &format!("//! Save.\nbackup({});\n", rhai(&self.subject.source())));
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(["run", "save.rhai"]).current_dir(self.direct.path());
        for name in ["PATH", "HOME"] {
            command.env(name, std::env::var(name).unwrap_or_default());
        }
        command.env("RUNBOOK_STATE", self.direct.path().join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How long a process takes whose machine has no fault.
    fn usually(&mut self) {
        if self.usual.1 == Duration::ZERO {
            let start = Instant::now();
            let ran = self.command().output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            self.usual.1 = start.elapsed();
        }
    }

    fn run(&mut self, name: &str, mut command: Command, slowness: u32, tally: &mut Tally) {
        let before = self.ids().unwrap();
        let start = Instant::now();
        let ran = command.output().unwrap();
        let took = start.elapsed();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let result = if ran.status.success() { Ok(None) } else { Err(said) };
        self.judge(name, &before, &result, tally);
        Self::in_time(name, took, self.usual.1 * slowness, tally);
    }

    pub fn stand_call(&mut self, (syscall, blow, when): &(&str, Blow, usize), tally: &mut Tally) {
        self.usually();
        self.alter();
        let name = format!("{}: {syscall} {blow:?} {when}", self.subject.name());
        let injection = Injection { blow: *blow, syscall: (*syscall).to_owned(), when: *when, on: None };
        let mut command = injection.around(&self.command());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        // Whatever is traced is several times as slow.
        self.run(&name, command, 5, tally);
    }

    pub fn stand_limit(&mut self, (what, line): &(&str, &str), tally: &mut Tally) {
        self.usually();
        self.alter();
        let name = format!("{}: {what}", self.subject.name());
        let inner = self.command();
        let mut command = Command::new("sh");
        command.args(["-c", line, "sh"]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(self.direct.path()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        self.run(&name, command, 2, tally);
    }

    /// What was there in the beginning is there still, and everything else is whole; the source is used again.
    pub fn ends_well(self) -> S {
        let back = self.subject.come_back(&self.direct, &self.first.0).unwrap();
        assert_eq!(back, self.first.1, "{}", self.subject.name());
        let wanted = Arc::new(|| Ok(()));
        let repository =
            Repository::open_with(&self.location, PASSWORD, Access::Shared, wanted, &self.keyring).unwrap();
        let checked = repository.check(true).unwrap();
        assert!(checked.errors.is_empty(), "{}: {:?}", self.subject.name(), checked.errors);
        drop(repository);
        if let Place::Folder = self.place {
            let _ = super::super::restic(&self.direct, &["check", "--read-data"]);
        }
        self.subject
    }
}

/// A value as a script writes it.
pub fn rhai(value: &Value) -> String {
    value.to_string().replace('{', "#{")
}
