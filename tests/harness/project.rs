//! A project folder and the built binary: tests that read as a story.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A project in a folder of its own, removed at the end.
pub struct Project {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What a command printed, and its exit code.
pub struct Ran {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
}

#[allow(dead_code)]
impl Project {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// A folder with one runbook, `test.rhai`.
    pub fn script(text: &str) -> Self {
        Self::new().file("test.rhai", text)
    }

    /// Adds a file.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a file in the middle of the story.
    pub fn file_now(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Sets an environment variable for the commands.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file's text.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The command, ready to be started: nothing of the tester's environment but what a command needs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        for name in ["PATH", "HOME", "DOCKER_HOST"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        command.env("RUNBOOK_USER", "tester").env("LC_ALL", "C.UTF-8").envs(self.environment.clone());
        command
    }

    /// Runs `runbook ARGUMENTS…` in the folder.
    pub fn runbook(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs `test.rhai`.
    pub fn run(&self) -> Ran {
        self.runbook(&["run", "test.rhai"])
    }

    /// Starts `runbook ARGUMENTS…`, sends the signal once `ready` says so, and waits for the end.
    pub fn interrupted(
        &self,
        arguments: &[&str],
        signal: rustix::process::Signal,
        ready: impl Fn() -> bool,
    ) -> (Ran, Duration) {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        while !ready() {
            assert!(began.elapsed() < Duration::from_secs(60), "never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        let sent = Instant::now();
        (Ran::from(child.wait_with_output().unwrap()), sent.elapsed())
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code().unwrap_or(-1) }
    }
}

#[allow(dead_code)]
impl Ran {
    /// Ended with code 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard error holds this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "\nmissing: {text}\nstderr:\n{}", self.stderr);
        self
    }

    /// Standard error does not hold this.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "\nunwanted: {text}\nstderr:\n{}", self.stderr);
        self
    }

    /// Standard output holds this.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "\nmissing: {text}\nstdout:\n{}", self.stdout);
        self
    }
}
