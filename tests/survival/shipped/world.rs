//! What a shipped runbook changes, as the engine tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// The effect that an event of the engine tells of, if it is one of this world's; `all` has what came after it too.
    fn effect(&self, event: &Value, all: &[Value]) -> Option<String>;

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
        Self(system)
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
        let mut seen: Vec<String> =
            self.0.containers().iter().map(|(name, image)| format!("{name} of {image}")).collect();
        seen.extend(self.0.answers());
        for kind in ["volume", "network"] {
            seen.extend(self.0.others(kind).into_iter().map(|name| format!("{kind} {name}")));
        }
        seen.extend(self.0.locks());
        seen
    }

    /// The start of a container, and a command that ran in one; not the health checks of the engine's own.
    ///
    /// The engine tells of the start of a command before it looks for its program, of its end only if it ran: these
    /// containers have no shell, and what is wrapped in one is tried first.
    fn effect(&self, event: &Value, all: &[Value]) -> Option<String> {
        let attributes = &event["Actor"]["Attributes"];
        let is_mine = self.0.projects().iter().any(|name| attributes["com.docker.compose.project"] == **name);
        let action = event["Action"].as_str().filter(|_| is_mine)?;
        let service = attributes["com.docker.compose.service"].as_str().unwrap_or_default();
        let once = if attributes["com.docker.compose.oneoff"] == "True" { " once" } else { "" };
        match action.split_once(": ") {
            None if action == "start" => Some(format!("start {service}{once}")),
            Some(("exec_start", command)) if command.contains("seeding.cli") => {
                let is_end = |other: &&Value| {
                    other["Action"] == "exec_die" && other["Actor"]["Attributes"]["execID"] == attributes["execID"]
                };
                all.iter().find(is_end).map(|_| format!("seed in {service}"))
            }
            _ => None,
        }
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

    fn effect(&self, event: &Value, _all: &[Value]) -> Option<String> {
        let name = event["Actor"]["Attributes"]["name"].as_str()?;
        (event["Action"] == "tag" && name.starts_with("demo/app:")).then(|| format!("tag {name}"))
    }
}
