//! What a shipped runbook changes, as the engine tells it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Ran;
use crate::runbooks::systems::{System, docker};

/// Where a runbook runs, and what can be seen of it.
pub trait World {
    /// `runbook WORDS…` there.
    fn command(&self, words: &[&str]) -> Command;
    /// The folder of its run log.
    fn state(&self) -> PathBuf;
    /// What is there now, a line each.
    fn look(&self) -> Vec<String>;
    /// The effect that an event of the engine tells of, if it is one of this world's.
    fn effect(&self, event: &Value) -> Option<String>;

    /// The effects since then that the engine does not tell of.
    fn effects(&self, _since: Duration) -> Vec<String> {
        Vec::new()
    }

    /// Runs it, and it has to end well.
    fn does(&self, words: &[&str]) {
        self.runs(words).success();
    }

    /// Runs it.
    fn runs(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }
}

/// Systems deployed from `runbooks/`.
pub struct Systems(System);

impl Systems {
    pub fn new(system: System) -> Self {
        // How long a gate waits is for people who look on. Here many systems start at once.
        let settings = system.project.read("runbook.toml").replace("wait = \"20s\"", "wait = \"2m\"");
        system.project.file_now("runbook.toml", &settings);
        Self(system)
    }

    pub fn system(&self) -> &System {
        &self.0
    }

    /// What can be seen of a system.
    pub fn seen(system: &System) -> Vec<String> {
        let mut seen: Vec<String> =
            system.containers().iter().map(|(name, image)| format!("{name} of {image}")).collect();
        seen.extend(system.answers());
        for kind in ["volume", "network"] {
            seen.extend(system.others(kind).into_iter().map(|name| format!("{kind} {name}")));
        }
        seen.extend(system.locks());
        seen
    }

    /// The start of a container of a system, if the event tells of one.
    pub fn start(system: &System, event: &Value) -> Option<String> {
        let attributes = &event["Actor"]["Attributes"];
        let is_mine = system.projects().iter().any(|name| attributes["com.docker.compose.project"] == **name);
        let service = attributes["com.docker.compose.service"].as_str().unwrap_or_default();
        let once = if attributes["com.docker.compose.oneoff"] == "True" { " once" } else { "" };
        (is_mine && event["Action"] == "start").then(|| format!("start {service}{once}"))
    }
}

impl World for Systems {
    fn command(&self, words: &[&str]) -> Command {
        self.0.project.command(words)
    }

    fn state(&self) -> PathBuf {
        self.0.project.path().join(".runbook")
    }

    fn look(&self) -> Vec<String> {
        Self::seen(&self.0)
    }

    fn effect(&self, event: &Value) -> Option<String> {
        Self::start(&self.0, event)
    }
}

/// The repository's own `runbooks/`, in which images are built of what is in the repository; with a run log elsewhere.
pub struct ImageFolder {
    state: tempfile::TempDir,
}

impl ImageFolder {
    pub fn new() -> Self {
        Self { state: tempfile::tempdir().unwrap() }
    }
}

impl World for ImageFolder {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(words).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/demo-app"));
        command
            .env_clear()
            .envs(std::env::vars_os())
            .env("RUNBOOK_STATE", self.state())
            .stdin(std::process::Stdio::null());
        command
    }

    fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }

    fn look(&self) -> Vec<String> {
        let images = docker(&["image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "demo/app"]);
        let mut images: Vec<String> = images.lines().map(str::to_owned).collect();
        images.sort();
        images
    }

    fn effect(&self, event: &Value) -> Option<String> {
        let name = event["Actor"]["Attributes"]["name"].as_str()?;
        (event["Action"] == "tag" && name.starts_with("demo/app:")).then(|| format!("tag {name}"))
    }
}
