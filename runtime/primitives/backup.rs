//! `backup(source, #{ … })` and `restore(snapshot, target, #{ … })`: snapshots of folders and of what commands print, all of it
//! or nothing, and what was saved back in its place, compared with what it has to be.

mod check;
mod copy;
mod cutting;
mod database;
mod deployment;
mod drilled;
mod feeding;
mod find;
mod forget;
mod hosted;
mod import;
mod imported;
mod objects;
mod packing;
mod postgres;
mod private;
mod program;
mod prune;
mod record;
mod redis;
mod repository;
mod restore;
mod saving;
mod server;
mod source;
mod spool;
mod volume;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::drivers::backup::{self, Content, Manifest, Order, Part, Snapshot};
use crate::primitive::{
    Action, Arg, Call, Catalogued, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Sink, Span, Spec, Touches, Ty, unknown,
};

use crate::project::BEFORE_RESTORE;

use database::Database;
use deployment::{Deployment, ImagesPlacing};
use hosted::Hosted;
use objects::Bucket;
use postgres::Postgres;
use program::Program;
use redis::Redis;
use repository::{Opened, Place, told, wanted};
use saving::save;
use source::Kind;
use volume::Volume;

pub use import::{Imports, moment};

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[
    &Backup,
    &check::Check,
    &copy::Copy,
    &drilled::Drilled,
    &find::Find,
    &forget::Forget,
    &imported::Imported,
    &objects::Link,
    &prune::Prune,
    &record::Record,
    &restore::Restore,
];

crate::options! {
    /// Options of `backup`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        to: Option<String>,
        /// The job that the snapshot belongs to: what is kept is told for each job. Without it, the project's name.
        job: Option<String>,
        /// Tags of the snapshot.
        tags: Vec<String>,
        /// Patterns, as in `.gitignore`, of what is left out of every folder.
        exclude: Vec<String>,
        /// Where a source fails, save the others: the snapshot is marked as partial, and counts as none.
        partial: bool = false,
        /// How long everything may take.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Makes a snapshot.
pub struct Backup;

static SPEC: Spec = Spec {
    name: "backup",
    receiver: None,
    args: &[Arg::new(
        "source",
        Ty::OneOf(&[Ty::Str, Ty::Handle("folder"), Ty::Map, Ty::List]),
        "A folder; `#{ folder, host, exclude, name }`; `#{ volume, engine, exclude, pause, name }`; `#{ bucket, access_key, secret_key, … }`; `#{ sqlite, host, name }`; `#{ postgres, container, … }`; `#{ redis, container, … }`; `#{ deployment, images, … }`; `#{ command, container, engine, user, name }`; or a list of these.",
    )],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Saves folders and the output of commands as one snapshot; a fault in any of them means that there is none.",
    example: r#"backup("uploads", #{ to: "main", exclude: ["*.tmp"] });"#,
};

impl Primitive for Backup {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        source::needs(call.args.first())
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "to")]
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        Deployment::sinks(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let sources = source::read(call.args.first(), &options.exclude)?;
        let place = Place::of(context, options.to.as_deref())?;
        let order = order(context, &options);
        let (snapshot, manifest) = save(context, &place, &order, sources, options.within, options.partial)?;
        let without: Vec<&str> = manifest.missing.iter().map(|missing| missing.name.as_str()).collect();
        let partial =
            if without.is_empty() { String::new() } else { format!(", partial: without {}", without.join(", ")) };
        let note = format!("{} in {}, {} new{partial}", snapshot.short(), place.name, size(snapshot.added));
        let value = result(&place.name, &snapshot, &manifest);
        self::note(context, &place, &snapshot, manifest);
        Ok(Outcome::changed(value).note(note).made([change(&place.name, &order)]))
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    /// The snapshot comes into being in one piece, after everything else, and carries the call's name.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        // Left by the process that was killed over it.
        for source in source::read(call.args.first(), &options.exclude)? {
            if let Kind::Volume(volume) = source.kind {
                volume.tidy(context, &*volume.engine(context)?);
            }
        }
        probe_by_name(context, options.to.as_deref(), options.within)
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, "to")
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        source::read(call.args.first(), &options.exclude)?;
        let place = Place::of(context, options.to.as_deref())?;
        Ok(predicted(&place, &order(context, &options)))
    }
}

/// Was the snapshot made that carries this call's name?
fn probe_by_name(context: &Context<'_>, repository: Option<&str>, within: Span) -> Result<Probe, Failure> {
    let place = Place::of(context, repository)?;
    let repository = place.open(context, wanted(context, within))?;
    let key = context.key();
    let Some(snapshot) = repository.snapshots()?.into_iter().find(|made| made.call.as_ref() == Some(&key)) else {
        return Ok(Probe::NotDone);
    };
    let manifest = repository.manifest(&snapshot)?.unwrap_or_default();
    Ok(Probe::Done(Outcome::changed(result(&place.name, &snapshot, &manifest))))
}

fn predicted(place: &Place, order: &Order) -> Prediction {
    let known = |what: &str| unknown(format!("the {what} of the snapshot of `{}`", order.job));
    let value = json!({
        "id": known("name"), "repository": place.name, "job": order.job, "time": known("time"),
        "files": known("files"), "bytes": known("size"), "added": known("size"), "parts": known("parts"),
        "missing": known("missing parts"),
    });
    Prediction::one(change(&place.name, order), value)
}

/// The name of a repository in an option; nothing stands for the only one.
fn named(call: &Call, option: &str) -> Value {
    call.options.get(option).cloned().unwrap_or_default()
}

/// What is left out of a source, in the words of `.gitignore`.
fn excludes(patterns: &[String]) -> Result<Gitignore, Failure> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder
            .add_line(None, pattern)
            .map_err(|error| Failure::new(FailureKind::Option, format!("`{pattern}` cannot be excluded: {error}")))?;
    }
    builder.build().map_err(|error| Failure::new(FailureKind::Option, error.to_string()))
}

/// The repository that an option names.
fn touches(context: &Context<'_>, call: &Call, option: &str) -> Touches {
    let named = call.options.get(option).and_then(Value::as_str);
    Place::of(context, named).map_or(Touches::Nothing, |place| place.touches(context))
}

fn order(context: &Context<'_>, options: &Options) -> Order {
    let job = options.job.clone().unwrap_or_else(|| context.project.name().to_owned());
    Order { job, call: context.key(), tags: options.tags.clone(), ..Order::default() }
}

fn change(repository: &str, order: &Order) -> Change {
    Change::new(Action::Create, format!("snapshot of {} in {repository}", order.job))
}

/// Has the run log know of a new snapshot. It is there whether that succeeds or not: whoever opens the repository next finds it.
fn note(context: &Context<'_>, place: &Place, snapshot: &Snapshot, manifest: Manifest) {
    let Some(catalogue) = context.services.catalogue() else { return };
    let row = Catalogued::of(snapshot, manifest);
    if let Err(failure) = catalogue.note_snapshots(&place.name, &[row], &[], Timestamp::MIN) {
        let line = format!("the run log does not know of the snapshot yet: {}", failure.message);
        context.log(LogStream::Warn, &line);
    }
}

/// What a script gets.
fn result(repository: &str, snapshot: &Snapshot, manifest: &Manifest) -> Value {
    json!({
        "id": snapshot.id, "repository": repository, "job": snapshot.job, "time": snapshot.time.timestamp(),
        "files": snapshot.files, "bytes": snapshot.bytes, "added": snapshot.added,
        "parts": manifest.parts.iter().map(|part| &part.name).collect::<Vec<_>>(),
        "missing": manifest.missing.iter().map(|missing| &missing.name).collect::<Vec<_>>(),
    })
}

fn size(bytes: u64) -> String {
    let mut left = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if left < 10_240 || unit == "GiB" {
            return format!("{left} {unit}");
        }
        left /= 1024;
    }
    String::new()
}

/// What the snapshot is known by that is made of what a restore is about to replace.
fn before(context: &Context<'_>, job: &str) -> Order {
    let tags = vec!["before-restore".to_owned()];
    Order { job: format!("{job}{BEFORE_RESTORE}"), call: context.key(), tags, ..Order::default() }
}

/// Saves what a restore is about to replace; a database with what is in its write-ahead log.
fn save_before(
    context: &Context<'_>,
    place: &Place,
    job: &str,
    target: &std::path::Path,
    is_database: bool,
    within: Span,
) -> Result<(), Failure> {
    let order = before(context, job);
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let from = target.display().to_string();
    // One that is damaged, which may be why another is restored, is saved as the file it is.
    let copy = match is_database.then(|| Database::copy(context, target, 0)) {
        Some(Err(failure)) if failure.kind != FailureKind::Invalid => return Err(failure),
        copy => copy.and_then(Result::ok),
    };
    let content = if target.is_dir() {
        Content::Folder { root: target.to_owned(), excludes: Vec::new() }
    } else {
        let (pump, feed) = backup::feed();
        match &copy {
            Some(copy) => pump.file(copy.file().to_owned(), copy.facts()),
            None => pump.file(target.to_owned(), Value::Null),
        }
        Content::Stream(feed)
    };
    let repository = place.open(context, wanted(context, within))?;
    repository.save(&order, vec![Part { name, from, content }]).map(drop)
}
