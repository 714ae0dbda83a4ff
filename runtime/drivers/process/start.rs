use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Child;

use super::Command;
use super::search::{find, not_executable, search_path};
use crate::failure::{Failure, FailureKind};

/// Starts the program as the leader of a new process group. What is wrong with the command is found before anything runs.
pub fn start(command: &Command) -> Result<Child, Failure> {
    let (name, program) = look_up(command)?;
    let mut prepared = tokio::process::Command::new(&program);
    prepared.arg0(name).args(&command.argv[1..]);
    prepared.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    prepared.stdout(Stdio::piped()).stderr(Stdio::piped());
    surround(prepared.as_std_mut(), command);
    prepared.spawn().map_err(|error| not_started(name, &program, &error))
}

/// Checks the command and finds its program: the name it is called by, and its file.
pub fn look_up(command: &Command) -> Result<(&str, PathBuf), Failure> {
    refuse_nul(command)?;
    if let Some(folder) = &command.cwd
        && !folder.is_dir()
    {
        let what = if folder.exists() { "is not a folder" } else { "does not exist" };
        return Err(Failure::new(
            FailureKind::NotFound,
            format!("the folder to run in, `{}`, {what}", folder.display()),
        ));
    }
    let name = command.argv.first().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::new(FailureKind::Argument, "the argument list names no program"))?;
    Ok((name, find(name, command)?))
}

/// A group, a folder and an environment of its own.
pub fn surround(prepared: &mut std::process::Command, command: &Command) {
    prepared.process_group(0);
    if let Some(folder) = &command.cwd {
        prepared.current_dir(folder);
    }
    if command.clear_env {
        prepared.env_clear().env("PATH", search_path(command));
    }
    for (key, value) in &command.env {
        match value {
            Some(value) => prepared.env(key, value),
            None => prepared.env_remove(key),
        };
    }
}

/// NUL ends a string for the kernel, `=` ends a variable's name: both would run something else than was written.
fn refuse_nul(command: &Command) -> Result<(), Failure> {
    let invalid = |what: String| Err(Failure::new(FailureKind::Argument, what));
    if let Some(index) = command.argv.iter().position(|word| word.contains('\0')) {
        return invalid(format!("word {} of the argument list holds a NUL byte", index + 1));
    }
    for (key, value) in &command.env {
        if key.is_empty() || key.contains(['=', '\0']) {
            return invalid(format!("`{}` cannot be the name of an environment variable", key.escape_debug()));
        }
        if value.as_ref().is_some_and(|value| value.contains('\0')) {
            return invalid(format!("the value of `{key}` holds a NUL byte"));
        }
    }
    Ok(())
}

/// The kernel's refusal in words: it says "no such file" for a script whose interpreter is missing.
pub fn not_started(name: &str, program: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => match interpreter(program) {
            Some(line) => Failure::new(
                FailureKind::NotFound,
                format!("`{name}` starts with `{line}`, and that interpreter does not exist"),
            ),
            None => Failure::new(FailureKind::NotFound, format!("`{name}` cannot be started: its loader is missing"))
                .hint("the program was built for another system: a static build runs everywhere"),
        },
        ErrorKind::PermissionDenied => not_executable(name, program),
        ErrorKind::ArgumentListTooLong => {
            Failure::new(FailureKind::Argument, format!("the argument list of `{name}` is too long for the kernel"))
                .hint("hand long text over with the option `stdin`, or in a file")
        }
        ErrorKind::ExecutableFileBusy => {
            Failure::new(FailureKind::Conflict, format!("`{name}` is being written by another process"))
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            Failure::new(FailureKind::Invalid, format!("`{name}` is no program this machine can execute"))
                .hint("a script needs a first line such as `#!/bin/sh`; a program must be built for this processor")
        }
        _ => Failure::system(format!("start `{name}`"), error),
    }
}

/// The `#!` line of a script.
fn interpreter(program: &Path) -> Option<String> {
    let mut start = Vec::new();
    std::fs::File::open(program).ok()?.take(200).read_to_end(&mut start).ok()?;
    let text = String::from_utf8_lossy(&start);
    text.lines().next().filter(|line| line.starts_with("#!")).map(str::to_owned)
}
