use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{CommandResult, Ground, Where};
use crate::cli::history;
use crate::drivers::{Drivers, process};
use crate::failure::{Failure, FailureKind};
use crate::project::Project;
use crate::report::{self, Style};
use crate::secrets::sealed::{Fingerprints, Identity, Opened, file_of};

/// How long git may take.
const GIT: Duration = Duration::from_secs(30);

/// The largest file that is read from git, in bytes.
const LARGEST: usize = 16 << 20;

/// Compare an environment with another one, or with itself at a git revision, by name and fingerprint.
///
/// A fingerprint is a hash under a key that is made for this command and forgotten with it: it tells which values are the same, and
/// nothing else.
#[derive(Args)]
pub struct Diff {
    /// Another environment, or a git revision as in `HEAD~1` or `v1.4`
    other: String,
    #[command(flatten)]
    place: Where,
    /// Show what is the same as well
    #[arg(long)]
    all: bool,
}

/// Which names each side has, with their fingerprints.
struct Row {
    name: String,
    here: Option<String>,
    there: Option<String>,
}

impl Diff {
    /// Prints what is different.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let identity = ground.identity()?;
        let here = ground.opened()?;
        let there = self.there(&ground)?;
        let rows = compared(&here, &there, &identity)?;
        let different = rows.iter().filter(|row| row.here != row.there).count();
        let cell = |fingerprint: &Option<String>| fingerprint.clone().unwrap_or_else(|| "-".to_owned());
        let shown = rows.iter().filter(|row| self.all || row.here != row.there);
        let lines: Vec<_> = shown.map(|row| [row.name.clone(), cell(&row.here), cell(&row.there)]).collect();
        if !lines.is_empty() {
            history::answer(|out| report::listing(out, ["NAME", "HERE", "THERE"], &lines, Style::detect_stdout()))?;
        }
        let environment = &ground.environment().name;
        report::note(&format!(
            "{environment} here, {} there: {different} different, {} the same",
            self.other,
            rows.len() - different
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn there(&self, ground: &Ground) -> Result<Opened, Failure> {
        let file = ground.project.file();
        if let Some(other) = file.environments.get(&self.other) {
            return Ground::of(Project::new(ground.root(), file.clone(), other.clone()))?.opened();
        }
        let environment = &ground.environment().name;
        let text = at_revision(ground, &self.other)?;
        ground.store.open_old(environment, &text, &format!("{}:{}", self.other, file_of(environment)))
    }
}

fn compared(here: &Opened, there: &Opened, identity: &Identity) -> Result<Vec<Row>, Failure> {
    let fingerprints = Fingerprints::new()?;
    let of =
        |opened: &Opened, name: &str| Ok::<_, Failure>(opened.get(name, identity)?.map(|text| fingerprints.of(&text)));
    let mut names = here.names();
    names.extend(there.names());
    names.sort();
    names.dedup();
    let row = |name: String| Ok(Row { here: of(here, &name)?, there: of(there, &name)?, name });
    names.into_iter().map(row).collect()
}

/// The environment's file as git has it at that revision.
fn at_revision(ground: &Ground, revision: &str) -> Result<String, Failure> {
    let file = file_of(&ground.environment().name);
    let unknown = || {
        let names: Vec<&str> = ground.project.file().environments.keys().map(String::as_str).collect();
        Failure::new(
            FailureKind::NotFound,
            format!("`{revision}` is neither an environment nor a git revision with {file}"),
        )
        .hint(format!("the environments are {}", names.join(", ")))
    };
    if revision.starts_with('-') {
        return Err(unknown());
    }
    let mut command = process::Command::new(["git", "show", &format!("{revision}:./{file}")]);
    command.cwd = Some(ground.root());
    command.keep = LARGEST;
    let drivers = Drivers::default();
    let work = drivers.processes().run(&command, |_, _| {});
    let exit = drivers.block_on(async { tokio::time::timeout(GIT, work).await });
    let exit = exit.map_err(|_| Failure::new(FailureKind::Timeout, "`git show` does not end"))??;
    if exit.is_ok() && !exit.stdout.is_truncated() {
        return String::from_utf8(exit.stdout.into_bytes())
            .map_err(|_| Failure::new(FailureKind::Invalid, format!("{file} is not text at `{revision}`")));
    }
    Err(unknown().evidence("git", exit.stderr.into_text()))
}
