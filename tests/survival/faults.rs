//! What is wrong with the place of the run log while a run goes on: the run stops safe and says so, nothing is lost, and
//! it goes on without repair once the cause is gone.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use super::scenario;
use super::site::Site;
use crate::harness::strace::{Blow, Injection};
use crate::harness::{Ran, skip};

/// A run that waits in the middle for the file `go`.
struct Paused {
    site: Site,
    run: Option<Child>,
}

impl Paused {
    fn start(site: Site) -> Self {
        let mut command = site.command(&["run", "run.rhai"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let paused = Self { site, run: Some(child) };
        let began = Instant::now();
        while !paused.site.path("waiting").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "the run never came to its pause");
            std::thread::sleep(Duration::from_millis(5));
        }
        paused
    }

    /// Strikes from now on; it ends with the run.
    fn attach(&self, injection: &Injection) -> Option<Child> {
        let pid = self.run.as_ref().unwrap().id().to_string();
        let mut strace = Command::new("strace");
        strace.args(["--follow-forks", "--output=/dev/null", "--attach", &pid]).args(injection.arguments());
        let Ok(mut strace) = strace.stderr(Stdio::piped()).spawn() else {
            skip("strace (apt-get install strace)");
            return None;
        };
        // It says `strace: Process 12 attached` once it holds the process.
        let mut said = [0; 8];
        strace.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
        Some(strace)
    }

    /// Lets the run go on, and waits for its end.
    fn go(&mut self) -> Ran {
        std::fs::write(self.site.path("go"), "").unwrap();
        Ran::from(self.run.take().unwrap().wait_with_output().unwrap())
    }

    fn kill(&mut self) {
        let mut run = self.run.take().unwrap();
        run.kill().unwrap();
        run.wait().unwrap();
        std::fs::write(self.site.path("go"), "").unwrap();
    }

    fn resume(&self) -> Ran {
        self.site.runbook(&["resume", "2"])
    }

    /// The run goes on, and ends as if nothing had been.
    #[track_caller]
    fn ends_well(&self) {
        self.resume().success();
        let wanted = undisturbed();
        assert_eq!(Account::of(&self.site).differences(&wanted, true), [""; 0]);
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = std::fs::write(self.site.path("go"), "");
        if let Some(run) = &mut self.run {
            let _ = run.wait();
        }
    }
}

fn undisturbed() -> Account {
    let site = Site::prepared(&scenario::PAUSED);
    std::fs::write(site.path("go"), "").unwrap();
    site.runbook(&["run", "run.rhai"]).success();
    Account::of(&site)
}

/// A file system of a few MiB in the place of the state folder.
struct Small(PathBuf);

impl Small {
    /// `None`, said aloud, where this user may mount nothing.
    fn at(folder: &Path) -> Option<Self> {
        let saved = folder.with_extension("saved");
        std::fs::rename(folder, &saved).unwrap();
        std::fs::create_dir(folder).unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"], folder);
        let copied = Command::new("cp").arg("-a").arg(format!("{}/.", saved.display())).arg(folder).status();
        assert!(copied.unwrap().success());
        if !mounted {
            skip("the right to mount a file system");
            return None;
        }
        Some(Self(folder.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

fn mount(options: &[&str], place: &Path) -> bool {
    Command::new("mount").args(options).arg(place).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_stops_the_run_and_it_goes_on_when_there_is_space() {
    let site = Site::prepared(&scenario::PAUSED);
    let Some(_small) = Small::at(&site.state()) else { return };
    let mut paused = Paused::start(site);
    let filler = paused.site.state().join("filler");
    let full = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filler.display())).output();
    assert!(!full.unwrap().status.success());
    paused.go().code(1).says("no space left").says("runbook resume 2");
    assert_eq!(paused.site.effects(), ["first"]);
    // As long as it is full, nothing happens and it is said why.
    let refused = paused.resume();
    assert!(matches!(refused.code, 1 | 2), "{}", refused.stderr);
    refused.says("no space left");
    assert_eq!(paused.site.effects(), ["first"]);
    std::fs::remove_file(filler).unwrap();
    paused.ends_well();
}

#[test]
fn a_disk_that_turns_read_only_stops_the_run_and_it_goes_on_when_it_is_writable() {
    let site = Site::prepared(&scenario::PAUSED);
    let Some(small) = Small::at(&site.state()) else { return };
    let log = site.path("state/journal.sqlite-wal");
    let mut paused = Paused::start(site);
    // Nobody can turn a file system read-only while a file on it is open to be written, except the kernel itself.
    let refused = Injection { blow: Blow::Errors("EROFS"), syscall: "pwrite64".into(), when: 1, on: Some(log) };
    let Some(_strace) = paused.attach(&refused) else { return };
    paused.go().code(1).says("run log").says("runbook resume 2");
    let effects = paused.site.effects();
    assert!(mount(&["-o", "remount,ro"], &small.0));
    let ran = paused.resume();
    assert!(matches!(ran.code, 1 | 2), "{}", ran.stderr);
    ran.says("may not be written");
    assert_eq!(paused.site.effects(), effects);
    assert!(mount(&["-o", "remount,rw"], &small.0));
    paused.ends_well();
}

#[test]
fn a_log_that_another_process_keeps_locked_stops_the_run_and_it_goes_on_afterwards() {
    let mut paused = Paused::start(Site::prepared(&scenario::PAUSED));
    let other = rusqlite::Connection::open(paused.site.path("state/journal.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    paused.go().code(1).says("locked for 10s").says("runbook resume 2");
    assert_eq!(paused.site.effects(), ["first"]);
    other.execute_batch("ROLLBACK").unwrap();
    paused.ends_well();
}

#[test]
fn a_damaged_page_is_told_before_anything_happens_and_the_run_goes_on_with_the_file_put_right() {
    let mut paused = Paused::start(Site::prepared(&scenario::PAUSED));
    paused.kill();
    let log = paused.site.path("state/journal.sqlite");
    let calls: u64 = {
        let connection = rusqlite::Connection::open(&log).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'call'";
        connection.query_row(page, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
    };
    let good = std::fs::read(&log).unwrap();
    let mut bad = good.clone();
    let start = usize::try_from((calls - 1) * 4096).unwrap();
    bad[start..start + 4096].fill(0x5a);
    std::fs::write(&log, &bad).unwrap();
    let refused = paused.resume();
    assert!(matches!(refused.code, 1 | 2), "{}", refused.stderr);
    refused.says("damaged");
    assert_eq!(paused.site.effects(), ["first"]);
    std::fs::write(&log, &good).unwrap();
    paused.ends_well();
}

#[test]
fn a_log_of_a_newer_version_is_left_alone_and_the_run_goes_on_with_that_version() {
    let mut paused = Paused::start(Site::prepared(&scenario::PAUSED));
    paused.kill();
    let version = |number: i64| {
        let connection = rusqlite::Connection::open(paused.site.path("state/journal.sqlite")).unwrap();
        let before: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        connection.pragma_update(None, "user_version", number).unwrap();
        before
    };
    let own = version(99);
    let refused = paused.resume();
    assert!(matches!(refused.code, 1 | 2), "{}", refused.stderr);
    refused.says("format 99");
    assert_eq!(paused.site.effects(), ["first"]);
    version(own);
    paused.ends_well();
}
