use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::drivers::backup::{Access, Repository, Snapshot, Wanted};
use crate::primitive::{Context, Failure, FailureKind, Need, Proof, ProofKind, Span, reconcile};
use crate::secrets::Sources;

/// A repository of the project.
pub struct Place {
    /// The name in `runbook.toml`.
    pub name: String,
    /// As it is written there.
    path: String,
    folder: PathBuf,
    password: String,
}

impl Place {
    /// The repository of that name; without one, the only one.
    pub fn of(context: &Context<'_>, name: Option<&str>) -> Result<Self, Failure> {
        let (name, entry) = context.project.backup(name)?;
        Ok(Self {
            name: name.to_owned(),
            path: entry.path.clone(),
            folder: context.project.backup_folder(entry),
            password: entry.password.clone(),
        })
    }

    /// Asks for what the project file names and the script does not.
    pub fn granted(&self, context: &Context<'_>) -> Result<(), Failure> {
        context.granted(&Need::secret(&self.password))?;
        context.granted(&Need::write(&self.path))
    }

    /// Opens it, to look into it or to add to it, for as long as that is wanted.
    pub fn open(&self, context: &Context<'_>, wanted: Wanted) -> Result<Repository, Failure> {
        self.open_for(context, Access::Shared, wanted)
    }

    /// Compares what the run log knows with what is there.
    pub fn reconcile(&self, context: &Context<'_>, repository: &Repository) -> Result<Vec<Snapshot>, Failure> {
        match context.services.catalogue() {
            Some(catalogue) => reconcile(catalogue, &self.name, repository).map(|(there, _)| there),
            None => repository.snapshots(),
        }
    }

    /// Notes that a snapshot was proven to be good.
    pub fn note_proof(&self, context: &Context<'_>, id: &str, how: ProofKind) -> Result<(), Failure> {
        let proof = Proof { how, at: Timestamp::now() };
        context.services.catalogue().map_or(Ok(()), |catalogue| catalogue.note_proof(&self.name, &[id], proof))
    }

    /// Opens it for that.
    pub fn open_for(&self, context: &Context<'_>, access: Access, wanted: Wanted) -> Result<Repository, Failure> {
        let password = Sources::of(context.project)?.get(&self.password)?.text;
        context.services.mask(password.expose());
        Repository::open(&self.folder, password.expose(), access, wanted).map_err(|failure| {
            if failure.kind == FailureKind::NotFound {
                return failure.hint(format!("`runbook backup init --repository {}` makes it", self.name));
            }
            failure
        })
    }
}

/// Until the run is told to stop or the time is over.
pub fn wanted(context: &Context<'_>, within: Span) -> Wanted {
    let (cancel, start) = (context.cancel.clone(), Instant::now());
    Arc::new(move || {
        if let Some(reason) = cancel.reason() {
            return Err(reason.into());
        }
        if start.elapsed() < within.0 {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Timeout, format!("it did not end within {within}"))
            .hint("the option `within` gives it longer"))
    })
}
