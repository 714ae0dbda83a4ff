mod application;
mod texts;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use crate::failure::{Failure, FailureKind};
use crate::project::PROJECT_FILE;
use crate::report;

use application::Facts;

/// Write a project around an existing compose file.
#[derive(Args)]
pub struct Init {
    /// The folder of the project; the current one when left out
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The compose file, relative to the folder; found by its usual names when left out
    #[arg(long, value_name = "FILE")]
    compose: Option<PathBuf>,
}

/// The names Compose looks for, then those that projects give the file for their servers.
const USUAL: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.prod.yaml",
    "compose.prod.yml",
    "docker-compose.prod.yml",
    "docker-compose.prod.yaml",
];

/// What became of one file.
enum Fate {
    Wrote,
    Kept,
    Added(usize),
}

impl Init {
    /// Reads the compose file, then writes what is not there yet. Nothing is ever overwritten.
    pub fn run(self) -> CommandResult {
        let folder = self
            .folder
            .canonicalize()
            .map_err(|error| Failure::system(format!("open the folder `{}`", self.folder.display()), &error))?;
        let compose = self.compose_file(&folder)?;
        let facts = Facts::read(&folder, &compose)?;
        let mut fates = Vec::new();
        for (name, text) in [
            (PROJECT_FILE, texts::project(&facts)),
            ("deploy.rhai", texts::deploy(&facts)),
            ("rollback.rhai", texts::rollback(&facts)),
        ] {
            fates.push((name, write_new(&folder.join(name), &text)?));
        }
        fates.push((".gitignore", extend(&folder.join(".gitignore"), &[".runbook/", ".env"])?));
        tell(&facts, &fates).map_err(|error| Failure::system("say what was written", &error))?;
        Ok(ExitCode::SUCCESS)
    }

    fn compose_file(&self, folder: &Path) -> Result<String, Failure> {
        if let Some(file) = &self.compose {
            let full = folder.join(file);
            let full =
                full.canonicalize().map_err(|error| Failure::system(format!("read `{}`", full.display()), &error))?;
            let relative = full.strip_prefix(folder).unwrap_or(&full);
            return Ok(relative.display().to_string());
        }
        let found = USUAL.iter().find(|name| folder.join(name).is_file());
        found.map(|name| (*name).to_owned()).ok_or_else(|| {
            let message = format!("there is no compose file in `{}`", folder.display());
            Failure::new(FailureKind::NotFound, message).hint("name it: runbook init --compose path/to/compose.yaml")
        })
    }
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<Fate, Failure> {
    let wrote = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match wrote {
        Ok(()) => Ok(Fate::Wrote),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Fate::Kept),
        Err(error) => Err(Failure::system(format!("write `{}`", path.display()), &error)),
    }
}

/// Appends the lines that a list does not have yet.
fn extend(path: &Path, lines: &[&str]) -> Result<Fate, Failure> {
    let failed = |what: &str, error| Failure::system(format!("{what} `{}`", path.display()), &error);
    let present = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", error)),
    };
    let has = |line: &str| present.lines().any(|there| there.trim().trim_matches('/') == line.trim_matches('/'));
    let absent: Vec<&str> = lines.iter().copied().filter(|line| !has(line)).collect();
    if absent.is_empty() {
        return Ok(Fate::Kept);
    }
    let start = if present.is_empty() || present.ends_with('\n') { "" } else { "\n" };
    let mut file =
        std::fs::File::options().create(true).append(true).open(path).map_err(|error| failed("write", error))?;
    writeln!(file, "{start}{}", absent.join("\n")).map_err(|error| failed("write", error))?;
    Ok(if present.is_empty() { Fate::Wrote } else { Fate::Added(absent.len()) })
}

fn tell(facts: &Facts, fates: &[(&str, Fate)]) -> std::io::Result<()> {
    let mut out = report::stderr();
    writeln!(out, "{}: {} in {}", facts.name, services(facts), facts.compose_file)?;
    for (name, fate) in fates {
        match fate {
            Fate::Wrote => writeln!(out, "  wrote {name}")?,
            Fate::Kept => writeln!(out, "  kept  {name}, which was there already")?,
            Fate::Added(1) => writeln!(out, "  added 1 line to {name}")?,
            Fate::Added(lines) => writeln!(out, "  added {lines} lines to {name}")?,
        }
    }
    writeln!(out, "\nnext:")?;
    for (command, why) in texts::NEXT {
        writeln!(out, "  {command:36} {why}")?;
    }
    Ok(())
}

fn services(facts: &Facts) -> String {
    match facts.services.len() {
        1 => "1 service".to_owned(),
        count => format!("{count} services"),
    }
}
