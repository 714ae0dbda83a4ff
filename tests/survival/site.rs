//! A folder in which one scenario happens once: the project, its run log, and what its effects leave outside of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scenario::Scenario;
use crate::harness::Ran;
use crate::harness::strace::Injection;

/// A scenario's folder. Its copies are made from one that has been prepared.
pub struct Site {
    folder: tempfile::TempDir,
    pub scenario: &'static Scenario,
}

/// Everything that can be seen of the world: files with their modes, and the recorded effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub files: BTreeMap<String, (u32, String)>,
    pub effects: Vec<String>,
}

impl Site {
    /// The scenario before its run begins.
    pub fn prepared(scenario: &'static Scenario) -> Self {
        let site = Self { folder: folder(), scenario };
        for (name, text) in scenario.files.iter().chain(&[("run.rhai", scenario.script), ("before.rhai", "")]) {
            let path = site.project().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        (scenario.prepare)(site.folder.path());
        if scenario.has_log {
            // It leaves log lines too, so that both files are there.
            std::fs::write(site.project().join("before.rhai"), "info(\"before\");\n").unwrap();
            site.runbook(&["run", "before.rhai"]).success();
        }
        site
    }

    /// The same at another place.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: folder(), scenario: self.scenario };
        let from = format!("{}/.", self.folder.path().display());
        assert!(Command::new("cp").args(["-a", &from]).arg(copy.folder.path()).status().unwrap().success());
        copy
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps the folder for whoever looks into a failure.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    /// `runbook ARGUMENTS…` in the project, with nothing of the tester's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(arguments).current_dir(self.project()).stdin(std::process::Stdio::null());
        command.env_clear().env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8").env("RUNBOOK_USER", "tester");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("RUNBOOK_STATE", self.state());
        command
    }

    /// What starts the scenario's run.
    pub fn begin(&self) -> Vec<&'static str> {
        [&["run", "run.rhai"], self.scenario.options].concat()
    }

    pub fn runbook(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// The same with a blow at one of its system calls.
    pub fn struck(&self, arguments: &[&str], injection: &Injection) -> Ran {
        Ran::from(injection.around(&self.command(arguments)).output().unwrap())
    }

    /// The effects recorded outside of the project.
    pub fn effects(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("effects")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub fn world(&self) -> World {
        let mut files = BTreeMap::new();
        let mut open = vec![self.project()];
        while let Some(path) = open.pop() {
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            let text = if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                "a folder".to_owned()
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            };
            let name = path.strip_prefix(self.folder.path()).unwrap_or(&path);
            files.insert(name.to_string_lossy().into_owned(), (mode, text));
        }
        World { files, effects: self.effects() }
    }
}

/// In memory where possible: what is proved here is the order of things, and a disk's own speed would only cost time.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("runbook-survival-").tempdir_in(place).unwrap()
}
