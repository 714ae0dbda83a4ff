use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::identity::{made, make_own};
use super::{CommandResult, recipient};
use crate::cli::places;
use crate::drivers::disk;
use crate::failure::{Failure, FailureKind};
use crate::project::{PROJECT_FILE, ProjectFile};
use crate::report;
use crate::secrets::sealed::{Card, Identity, PEOPLE_FILE, PublicKey, Store};

/// Begin to keep secrets in this repository: a key of your own, the list of people with you on it, and a second key.
///
/// Everything is sealed to two people at least, because a key can be lost. Name a colleague's key, or have one made that you
/// keep elsewhere.
#[derive(Args)]
pub struct Init {
    /// What others call you
    #[arg(long, env = "USER")]
    name: String,
    /// A colleague's public key: `NAME=age1…`, or `NAME=ssh-ed25519 …`
    #[arg(long, value_name = "NAME=KEY", value_parser = named)]
    recipient: Vec<(String, String)>,
    /// Make a second key in a new file, to be moved to a safe place, and let it in as `recovery`
    #[arg(long, value_name = "FILE", required_unless_present = "recipient")]
    recovery: Option<PathBuf>,
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, key) = text.split_once('=').ok_or("write NAME=KEY")?;
    Ok((name.to_owned(), key.to_owned()))
}

impl Init {
    /// Makes what is not there yet. Nothing is overwritten.
    pub fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let store = Store::of(&root, &ProjectFile::load(&root)?)?;
        if store.is_begun() {
            return Err(Failure::new(FailureKind::Conflict, format!("{PEOPLE_FILE} exists already"))
                .hint("`runbook secret recipient list` shows who is on it"));
        }
        let others = self.recipient.iter().map(|(name, key)| Ok((name.clone(), Card::parse(key)?)));
        let mut others = others.collect::<Result<Vec<_>, Failure>>()?;
        let identity = match Identity::find()? {
            Some(identity) => identity,
            None => make_own()?,
        };
        if let Some(file) = &self.recovery {
            others.push(("recovery".to_owned(), made(file)?.card().clone()));
        }
        pin(&root, &identity.signer()?)?;
        let store = Store::of(&root, &ProjectFile::load(&root)?)?;
        store.begin(&self.name, &identity)?;
        report::note(&format!("wrote {PEOPLE_FILE}, begun by {}, whose key is pinned in {PROJECT_FILE}", self.name));
        for (name, card) in &others {
            store.admit(name, card, None, &identity)?;
            report::note(&recipient::described(name, card, None));
        }
        report::note("\nnext: runbook secret set NAME, and commit what changed");
        Ok(ExitCode::SUCCESS)
    }
}

/// Pins the key of whoever begins the list in the project file, which is written by hand otherwise: one line is added.
fn pin(root: &Path, key: &PublicKey) -> Result<(), Failure> {
    let path = root.join(PROJECT_FILE);
    let failed = |error: std::io::Error| Failure::system(format!("read `{}`", path.display()), &error);
    let text = if path.exists() { std::fs::read_to_string(&path).map_err(failed)? } else { String::new() };
    let line = format!("root = \"{key}\"");
    let has_root = ProjectFile::load(root)?.secrets.root;
    let pinned = match (has_root, text.lines().position(|line| line.trim() == "[secrets]")) {
        (Some(root), _) if root == key.to_string() => return Ok(()),
        (Some(_), _) => {
            return Err(Failure::new(
                FailureKind::Conflict,
                format!("another key is pinned in {PROJECT_FILE} already"),
            )
            .hint("whoever it is of began the list: is `secrets/people.toml` in git?"));
        }
        (None, Some(at)) => {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.insert(at + 1, &line);
            lines.join("\n") + "\n"
        }
        (None, None) => {
            let gap = if text.is_empty() { "" } else { "\n" };
            format!(
                "{text}{gap}[secrets]\n# Whoever has the private half of this began the list of people in {PEOPLE_FILE}.\n{line}\n"
            )
        }
    };
    let place = disk::Place::new(root, PROJECT_FILE)?;
    let replacement = disk::Replacement::begin(&place, None, &std::process::id().to_string())?;
    disk::write(replacement, pinned.as_bytes(), &mut |_| Ok(())).map(drop)
}
