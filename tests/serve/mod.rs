//! The service with real processes.

mod ahead;
mod api;
mod full;
mod limits;
mod storm;
mod story;
mod systemd;
mod unit;
mod zones;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use runbook::journal::{Fire, FireFilter, Journal};

use crate::harness::Project;

/// A service that is killed at the end, if it is still there.
pub struct Service {
    child: Child,
    is_left: bool,
}

impl Service {
    pub fn start(project: &Project) -> Self {
        Self::start_with(project, &[])
    }

    pub fn start_with(project: &Project, options: &[&str]) -> Self {
        let mut command = project.command(&[&["serve"], options].concat());
        Self { child: command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), is_left: false }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Leaves it to itself: it ends when its runs have.
    pub fn leave(&mut self) {
        self.is_left = true;
    }

    pub fn wait(&mut self) -> i32 {
        wait_until("the service ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.is_left {
            let _ = self.child.try_wait();
            return;
        }
        self.kill();
    }
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(90), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn journal(project: &Project) -> Option<Journal> {
    Journal::open_existing(&project.path().join(".runbook")).unwrap()
}

pub fn fires(project: &Project) -> Vec<Fire> {
    journal(project).map(|journal| journal.fires(&FireFilter::default()).unwrap()).unwrap_or_default()
}

/// A project with a runbook that writes a line into `log` for every run.
pub fn project(schedules: &str) -> Project {
    Project::new()
        .file("note.rhai", "//! Notes that it ran.\n//! @param word: string = \"ran\"\n//! @param seconds: string = \"0s\"\nsleep(param(\"seconds\"));\nsh([\"sh\", \"-c\", \"echo ${WORD} >> log\"], #{ env: #{ WORD: param(\"word\") } });\n")
        .file("runbook.toml", schedules)
}

pub fn lines(project: &Project) -> usize {
    std::fs::read_to_string(project.path().join("log")).unwrap_or_default().lines().count()
}
