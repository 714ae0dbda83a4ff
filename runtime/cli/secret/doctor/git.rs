//! Plain values where they do not belong: in files that git has.

use std::path::Path;
use std::time::Duration;

use crate::compose::dotenv;
use crate::drivers::{Drivers, process};
use crate::report::Condition;
use crate::secrets::{is_placeholder, secret_in};

/// How long git may take.
const GIT: Duration = Duration::from_secs(30);

/// Endings of files that show what has to be filled in.
const EXAMPLES: [&str; 5] = ["example", "sample", "template", "dist", "test"];

/// Files of variables in git that hold something that looks like a secret. Nothing outside of a git repository.
pub(super) fn look(root: &Path) -> Vec<Condition> {
    let mut command = process::Command::new(["git", "ls-files", "-z"]);
    command.cwd = Some(root.to_owned());
    command.keep = 16 << 20;
    let drivers = Drivers::default();
    let work = drivers.processes().run(&command, |_, _| {});
    let listed = match drivers.block_on(async { tokio::time::timeout(GIT, work).await }) {
        Ok(Ok(exit)) if exit.is_ok() => exit.stdout.into_bytes(),
        _ => return vec![Condition::warn("git", "not looked at: `git ls-files` says nothing here")],
    };
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let files = listed.split('\0').filter(|file| is_of_variables(file));
    files.filter_map(|file| exposed(root, file)).collect()
}

/// `.env`, `.env.prod`, `prod.env`; not `.env.example`.
fn is_of_variables(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    let is_one = name == ".env" || name.starts_with(".env.") || name.strip_suffix(".env").is_some();
    is_one && !name.split('.').any(|part| EXAMPLES.contains(&part))
}

fn exposed(root: &Path, file: &str) -> Option<Condition> {
    let text = std::fs::read_to_string(root.join(file)).ok()?;
    let found = dotenv::parse(&text, file).ok()?;
    let is_secret = |name: &str, value: &str| {
        secret_in(name, value).is_some_and(|secret| !secret.is_empty() && !is_placeholder(secret))
    };
    let names: Vec<String> =
        found.into_iter().filter(|found| is_secret(&found.name, &found.value)).map(|found| found.name).collect();
    (!names.is_empty()).then(|| {
        Condition::missing(file, format!("is in git, unsealed, with {}", names.join(", ")))
            .fix(format!("runbook secret import {file}"))
            .fix(format!("git rm --cached {file}, and rotate what was in it: git remembers"))
    })
}
