use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use crate::failure::{Failure, FailureKind};
use crate::report;
use crate::secrets::sealed::{Identity, default_identity_file};

/// Print what others need to let you in: your public keys. With `--new` or `--recovery`, make a key first.
#[derive(Args)]
pub struct Identify {
    /// Make a key for you, in `~/.config/runbook/identity`
    #[arg(long, conflicts_with = "recovery")]
    new: bool,
    /// Make a key to be kept elsewhere, in a new file: move it to a safe place, away from this machine
    #[arg(long, value_name = "FILE")]
    recovery: Option<PathBuf>,
}

impl Identify {
    /// Prints the public keys, for `runbook secret recipient add`.
    pub fn run(self) -> CommandResult {
        let identity = match (&self.recovery, self.new) {
            (Some(file), _) => made(file)?,
            (None, true) => make_own()?,
            (None, false) => Identity::require()?,
        };
        writeln!(report::stdout(), "{}", identity.card()).map_err(|error| Failure::system("write the keys", &error))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the identity of whoever runs this, where it is looked for.
pub(super) fn make_own() -> Result<Identity, Failure> {
    let file = default_identity_file().ok_or_else(|| {
        Failure::new(FailureKind::NotFound, "there is no home folder to keep an identity in").hint("set HOME")
    })?;
    made(&file)
}

/// Makes an identity in a new file.
pub(super) fn made(file: &Path) -> Result<Identity, Failure> {
    let identity = Identity::generate();
    identity.write_new(file)?;
    report::note(&format!("wrote {}, which only you may read: keep a copy in a safe place", file.display()));
    Ok(identity)
}
