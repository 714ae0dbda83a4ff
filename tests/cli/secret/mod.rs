//! Tests of `runbook secret`: several people, each with a key of their own, and one repository.

mod diff;
mod doctor;
mod edit;
mod keys;
mod people;
mod refused;
mod sources;
mod terminal;
mod values;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Project, Ran};

const PROJECT: &str = "[project]\nname = \"shop\"\n\n[env.prod]\nprotected = true\n\n[env.demo]\n";

/// The sealed values of `prod`.
const PROD: &str = "secrets/prod.toml";
const PEOPLE: &str = "secrets/people.toml";

/// A repository in which secrets are kept, and the home folders of people.
struct Vault {
    project: Project,
    homes: tempfile::TempDir,
}

impl Vault {
    /// A project in which nobody keeps secrets yet.
    fn new() -> Self {
        Self { project: Project::new().file("runbook.toml", PROJECT), homes: tempfile::tempdir().unwrap() }
    }

    /// Begun by alice, with a second key elsewhere.
    fn begun() -> Self {
        let vault = Self::new();
        let recovery = vault.homes.path().join("recovery.key");
        vault.as_alice(&["init", "--recovery", recovery.to_str().unwrap()]).success();
        vault
    }

    /// Begun, and with bob on the list, who may do what alice may.
    fn of_two() -> Self {
        let vault = Self::begun();
        let card = vault.card("bob");
        vault.as_alice(&["recipient", "add", "bob", &card]).success();
        vault
    }

    fn home(&self, person: &str) -> PathBuf {
        self.homes.path().join(person)
    }

    fn command(&self, person: &str, arguments: &[&str]) -> Command {
        self.command_in(self.project.path(), person, arguments)
    }

    fn command_in(&self, folder: &Path, person: &str, arguments: &[&str]) -> Command {
        let mut command = self.project.command(&[&["secret"], arguments].concat());
        command.current_dir(folder).env("HOME", self.home(person)).env("USER", person);
        command
    }

    /// Runs `runbook secret ARGUMENTS…` as that person.
    fn as_person(&self, person: &str, arguments: &[&str]) -> Ran {
        Ran::from(self.command(person, arguments).output().unwrap())
    }

    fn as_alice(&self, arguments: &[&str]) -> Ran {
        self.as_person("alice", arguments)
    }

    /// The same with something on standard input.
    fn fed(&self, person: &str, arguments: &[&str], input: &str) -> Ran {
        fed(self.command(person, arguments), input)
    }

    /// Sets a value of `prod`.
    fn set(&self, name: &str, value: &str) {
        self.fed("alice", &["set", name, "--env", "prod"], value).success();
    }

    /// The value of a name in `prod`, as that person reads it.
    fn get(&self, person: &str, name: &str) -> String {
        self.as_person(person, &["get", name, "--env", "prod", "--no-newline"]).success().stdout
    }

    /// Makes a key for a person, and returns what that person hands out.
    fn card(&self, person: &str) -> String {
        self.as_person(person, &["identity", "--new"]).success().stdout.trim().to_owned()
    }

    /// Another machine: it has the repository, and remembers nothing.
    fn on_another_machine(&self) {
        std::fs::remove_dir_all(self.project.path().join(".runbook")).unwrap();
    }

    fn read(&self, file: &str) -> String {
        self.project.read(file)
    }

    fn write(&self, file: &str, text: &str) {
        self.project.file_now(file, text);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=alice", "-c", "user.email=alice@example.com"]).args(arguments);
        let ran = Ran::from(command.current_dir(self.project.path()).output().unwrap()).success();
        ran.stdout.trim().to_owned()
    }
}

fn fed(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever is refused before reading closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ran::from(child.wait_with_output().unwrap())
}

/// Is the program there? Says so otherwise, and fails where everything is required.
fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !is_there {
        crate::harness::skip(program);
    }
    is_there
}
