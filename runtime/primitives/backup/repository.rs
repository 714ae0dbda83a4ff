use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::drivers::backup::{Access, Meter, Repository, Snapshot, Wanted};
use crate::primitive::{
    Context, Failure, FailureKind, Proof, ProofKind, Span, Touches, opening, reconcile, repository_needs,
};
use crate::project::{BackupRepository, RepositoryPlace};

/// A repository of the project.
pub struct Place {
    /// The name in `runbook.toml`.
    pub name: String,
    entry: BackupRepository,
}

impl Place {
    /// The repository of that name; without one, the only one.
    pub fn of(context: &Context<'_>, name: Option<&str>) -> Result<Self, Failure> {
        let (name, entry) = context.project.backup(name)?;
        Ok(Self { name: name.to_owned(), entry: entry.clone() })
    }

    /// The host and the folder of it in which it is, where it is in one.
    pub fn on_host(&self) -> Option<(String, String)> {
        match self.entry.place() {
            Ok(RepositoryPlace::Host { host, path }) => Some((host.to_owned(), path.to_owned())),
            _ => None,
        }
    }

    /// What a call touches that adds to it.
    pub fn touches(&self, context: &Context<'_>) -> Touches {
        match self.entry.place() {
            Ok(RepositoryPlace::Folder(path)) => context.touches(path),
            _ => Touches::one(["repository", &self.name]),
        }
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

    /// Opens it for that. What the project file says of it is asked for here, too: nobody opens one without a grant.
    pub fn open_for(&self, context: &Context<'_>, access: Access, wanted: Wanted) -> Result<Repository, Failure> {
        repository_needs(&self.entry)?.iter().try_for_each(|need| context.granted(need))?;
        let (location, password) = opening(context.project, &self.entry, &|sink, name| context.secret_for(sink, name))?;
        let keyring = context.drivers.keyring();
        Repository::open_with(location, password.expose(), access, wanted, keyring).map_err(|failure| {
            if failure.kind == FailureKind::NotFound {
                return failure.hint(format!("`runbook backup init --repository {}` makes it", self.name));
            }
            failure
        })
    }
}

/// A repository that a call works in.
pub struct Opened {
    pub place: Place,
    pub repository: Repository,
    /// What is in it, as the run log knows by now.
    pub snapshots: Vec<Snapshot>,
}

impl Opened {
    /// Opens the repository of that name; without one, the only one.
    pub fn of(context: &Context<'_>, name: Option<&str>, access: Access, within: Span) -> Result<Self, Failure> {
        let place = Place::of(context, name)?;
        let repository = place.open_for(context, access, wanted(context, within))?;
        let snapshots = place.reconcile(context, &repository)?;
        Ok(Self { place, repository, snapshots })
    }
}

/// Does some work, and tells whoever looks at the run how far it is.
pub fn told<T>(context: &Context<'_>, meter: &Meter, work: impl FnOnce() -> T) -> T {
    meter.watch(&|reach| context.progress(reach.into()), work)
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
