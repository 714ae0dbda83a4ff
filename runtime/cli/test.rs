use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Args;

use super::{CommandResult, places};
use crate::failure::{Failure, FailureKind};
use crate::report;

/// What the name of a test ends in.
const SUFFIX: &str = "_test.rhai";

/// Run test runbooks, each with a run log of its own that is thrown away
#[derive(Args)]
pub struct Test {
    /// Files, or folders in which every `*_test.rhai` is a test; without any, the whole project
    paths: Vec<PathBuf>,
    /// The environment of the project file to run them on
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

impl Test {
    /// Runs one after the other and shows what a failed one printed; exits with 1 when one failed.
    pub fn run(self) -> CommandResult {
        let roots = if self.paths.is_empty() { vec![places::root_here()?] } else { self.paths.clone() };
        let mut tests = Vec::new();
        for root in &roots {
            collect(root, &mut tests)?;
        }
        if tests.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no test: no file is named `*{SUFFIX}`")));
        }
        let state = std::env::temp_dir().join(format!("runbook-test-{}", std::process::id()));
        let mut failed = 0;
        for test in &tests {
            if !self.passes(test, &state)? {
                failed += 1;
            }
            // The next one gets a fresh log; one that cannot be removed is only in the way of nothing.
            let _ = std::fs::remove_dir_all(&state);
        }
        write(&format!("{} passed, {failed} failed\n", tests.len() - failed))?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    /// A test is a process of its own, as every run is.
    fn passes(&self, test: &Path, state: &Path) -> Result<bool, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        let mut command = Command::new(program);
        command.arg("run").arg(test).arg("--verbose").env("RUNBOOK_STATE", state).stdin(Stdio::null());
        if let Some(environment) = &self.env {
            command.args(["--env", environment]);
        }
        let began = Instant::now();
        let output = command.output().map_err(|error| Failure::system("start a test", &error))?;
        let took = report::elapsed(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let verdict = if output.status.success() { "ok" } else { "FAILED" };
        write(&format!("test {} ... {verdict} ({took})\n", test.display()))?;
        if !output.status.success() {
            write(&String::from_utf8_lossy(&output.stdout))?;
            write(&String::from_utf8_lossy(&output.stderr))?;
        }
        Ok(output.status.success())
    }
}

/// A file is a test by being named; in a folder, by its name.
fn collect(path: &Path, tests: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error| Failure::system(format!("read `{}`", path.display()), &error);
    if path.metadata().map_err(unreadable)?.is_file() {
        tests.push(path.to_path_buf());
        return Ok(());
    }
    let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(unreadable)?.collect();
    let mut entries: Vec<PathBuf> = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if entry.is_dir() && !entry.is_symlink() && !name.starts_with('.') && name != "target" {
            collect(&entry, tests)?;
        } else if name.ends_with(SUFFIX) {
            tests.push(entry);
        }
    }
    Ok(())
}

fn write(text: &str) -> Result<(), Failure> {
    report::stdout().write_all(text.as_bytes()).map_err(|error| Failure::system("write the result", &error))
}
