//! `restore(snapshot, target, #{ … })`: a part of a snapshot to a folder, a file or a command, compared with the manifest.

mod database;
mod dry;
mod hosted;
mod images;
mod keys;
mod objects;
mod pouring;
mod volume;

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Bucket, Hosted, ImagesPlacing, Opened, Place, Postgres, Program, Redis, Volume, hosted as hosts, named,
    objects as buckets, postgres, redis, save_before, told, volume as volumes, wanted,
};
use crate::drivers::backup::{self, Access, PartRecord, Placing, Repository, Snapshot, Tally};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Probe,
    ProofKind, Recovery, Span, Spec, Touches, Ty, kind_of, parse_options, text_of, unknown,
};
use crate::primitives::on_engine::{engine_of, short_key};

pub use pouring::Pieces;

crate::options! {
    /// Options of `restore`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. A snapshot as `backup` returned it knows its own.
        from: Option<String>,
        /// The job whose snapshot `"latest"` means; the project's name when left out.
        job: Option<String>,
        /// The part of the snapshot; it may be left out when there is one.
        part: Option<String>,
        /// Give files back to the users and groups they belonged to, which takes root. With `false` they are whoever's
        /// `runbook` runs as.
        owners: bool = true,
        /// Something may be in the way. It is saved first, as a snapshot of the job with `.before-restore` behind its name,
        /// and removed once everything is in its place.
        replace: bool = false,
        /// Change nothing, and say what would be changed in a folder or volume.
        dry_run: bool = false,
        /// How long a PostgreSQL database that was replaced is kept, under another name.
        kept: Span = Span::seconds(7 * 24 * 60 * 60),
        /// How long everything may take.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Restores a part of a snapshot.
pub struct Restore;

static SPEC: Spec = Spec {
    name: "restore",
    receiver: None,
    args: &[
        Arg::new(
            "snapshot",
            Ty::OneOf(&[Ty::Map, Ty::Str]),
            "What `backup` returned, the first digits of a snapshot's name, or `\"latest\"`.",
        ),
        Arg::new(
            "target",
            Ty::OneOf(&[Ty::Str, Ty::Handle("folder"), Ty::Map]),
            "A path; `#{ path, host }`; `#{ volume, engine }`; `#{ bucket, access_key, secret_key, … }`; `#{ postgres, container, … }`; `#{ redis, container, … }`; `#{ images: true, engine, prefix }`; or a command that reads the part: `#{ command, container, engine, user }`.",
        ),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Destroy,
    summary: "Restores a part of a snapshot and compares it with what it has to be before it takes its place.",
    example: r#"restore("latest", "uploads", #{ replace: true });"#,
};

/// A command that a part is restored with.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    command: Vec<String>,
    container: Option<String>,
    engine: Option<Value>,
    user: Option<String>,
}

impl Primitive for Restore {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        let Some(target) = call.args.get(1) else { return Vec::new() };
        if target.get("postgres").is_some() {
            return Postgres::needs(target, &["psql", "pg_dump", "pg_dumpall", "pg_restore"]);
        }
        if target.get("redis").is_some() {
            return Redis::needs(target);
        }
        if target.get("volume").is_some() {
            return Volume::needs_for(target, "restore");
        }
        if target.get("bucket").is_some() {
            return Bucket::needs(target);
        }
        if target.get("images").is_some() {
            return ImagesPlacing::needs(target);
        }
        if let Some(host) = target.get("host") {
            return vec![Hosted::need(host)];
        }
        match (target.get("command"), path_of(target)) {
            (Some(command), None) => Program::needs(command, target.get("container"), target.get("engine")),
            (_, path) => vec![Need::write(path.unwrap_or_else(|| text_of(Some(target))))],
        }
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        let own = call.args.first().map(|snapshot| match snapshot.get("repository") {
            Some(name) => name.clone(),
            None if snapshot.is_string() => Value::Null,
            None => snapshot.clone(),
        });
        let named = named(call, "from");
        vec![if named.is_null() { own.unwrap_or_default() } else { named }]
    }

    /// A dry run changes nothing.
    fn effect(&self, call: &Call) -> Effect {
        if call.options.get("dry_run") == Some(&Value::Bool(true)) { Effect::Read } else { SPEC.effect }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let work = Work::begin(context, call, &options)?;
        let meter = work.repository.meter();
        if options.dry_run {
            return told(context, &meter, || match &work.target {
                Target::Bucket(placing) => work.compare_objects(context, placing),
                _ => work.compare_only(context, options.owners, options.within),
            });
        }
        let outcome = told(context, &meter, || work.restore(context, &options))?;
        work.prove(context)?;
        Ok(if outcome.changed == Some(false) { outcome } else { outcome.made([change(call)]) })
    }

    fn recovery(&self, call: &Call) -> Recovery {
        let target = call.args.get(1);
        let has = |key: &str| target.is_some_and(|target| target.get(key).is_some());
        let is_known = target.and_then(path_of).is_some()
            || has("host")
            || has("volume")
            || has("bucket")
            || has("images")
            || target.is_some_and(is_store);
        if is_known { Recovery::Probe } else { Recovery::Ask }
    }

    /// It happened when the target holds what the snapshot has to hold; else nothing was touched but what is beside it.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        let work = Work::begin(context, call, &options)?;
        let Some(outcome) = work.done(context, &options)? else { return Ok(Probe::NotDone) };
        work.prove(context)?;
        Ok(Probe::Done(outcome.made([change(call)])))
    }

    /// Only a command's end is asked about, and only the snapshot tells how much it was given.
    fn presumed(&self, call: &Call) -> Value {
        let snapshot = call.args.first().cloned().unwrap_or_default();
        let id = snapshot.get("id").cloned().unwrap_or(snapshot);
        json!({ "snapshot": id, "part": named(call, "part"), "files": null, "bytes": null })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        if let Some(Ok(place)) = call.args.get(1).and_then(place_of) {
            let parts = place.path.split('/').filter(|part| !part.is_empty());
            return Touches::one(["host", place.host(), "disk"].into_iter().chain(parts));
        }
        let path = call.args.get(1).and_then(path_of);
        path.map_or(Touches::Anything, |path| context.touches(&path))
    }

    fn foresees(&self, call: &Call) -> bool {
        call.args.get(1).is_some_and(|target| crate::primitive::unknown_within(target).is_none())
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let known = |what: &str| unknown(format!("the {what} of what is restored"));
        if call.args.get(1).is_some_and(is_store) {
            let names = ["snapshot", "time", "unix", "part", "database", "tables", "rows", "kept", "keys", "kinds"];
            let value = names.into_iter().map(|name| (name.to_owned(), known(name))).collect();
            return Ok(Prediction::one(change(call), Value::Object(value)));
        }
        if call.args.get(1).is_some_and(|target| target.get("bucket").is_some()) {
            let names = ["snapshot", "part", "files", "bytes", "written", "removed", "extra"];
            let value = names.into_iter().map(|name| (name.to_owned(), known(name))).collect();
            return Ok(Prediction::one(change(call), Value::Object(value)));
        }
        let value = json!({
            "snapshot": known("snapshot"), "part": known("name"), "files": known("files"), "bytes": known("size"),
            "images": known("images"),
        });
        Ok(Prediction::one(change(call), value))
    }
}

fn change(call: &Call) -> Change {
    let target = call.args.get(1);
    let what = match target.and_then(path_of) {
        None if target.is_some_and(|target| target.get("postgres").is_some()) => {
            format!("database `{}`", text_of(target.and_then(|target| target.get("postgres"))))
        }
        None if target.is_some_and(|target| target.get("redis").is_some()) => {
            format!("keys of `{}`", text_of(target.and_then(|target| target.get("container").or(target.get("redis")))))
        }
        Some(path) => format!("what `{path}` holds"),
        None if target.is_some_and(|target| target.get("host").is_some()) => {
            let place = target.and_then(place_of).and_then(Result::ok);
            format!("what `{}` holds", place.map_or_else(String::new, |place| place.shown()))
        }
        None if target.is_some_and(|target| target.get("bucket").is_some()) => {
            format!("what bucket `{}` holds", text_of(target.and_then(|target| target.get("bucket"))))
        }
        None if target.is_some_and(|target| target.get("volume").is_some()) => {
            format!("what volume `{}` holds", text_of(target.and_then(|target| target.get("volume"))))
        }
        None if target.is_some_and(|target| target.get("images").is_some()) => "images of a deployment".to_owned(),
        None => format!("what `{}` restores", text_of(target.and_then(|target| target.get("command")?.get(0)))),
    };
    Change::new(Action::Replace, what)
}

/// The path of a target that is one.
fn path_of(target: &Value) -> Option<String> {
    match (kind_of(target), target) {
        (Some("folder"), _) => Some(text_of(target.get("path"))),
        (None, Value::String(path)) => Some(path.clone()),
        _ => None,
    }
}

/// A target that is a path of a host.
fn place_of(target: &Value) -> Option<Result<Hosted, Failure>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        host: Value,
        path: String,
    }
    target.get("host")?;
    Some(parse_options(target).and_then(|Written { host, path }| Hosted::new(&host, &path)))
}

/// Is it a database with a server of its own?
fn is_store(target: &Value) -> bool {
    target.get("postgres").or_else(|| target.get("redis")).is_some()
}

enum Target {
    Path(Placing),
    There(Box<hosts::Placing>),
    Program(Program),
    Postgres(Box<postgres::Placing>),
    Redis(Box<redis::Placing>),
    Volume(Box<volumes::Placing>),
    Bucket(Box<buckets::Placing>),
    Images(ImagesPlacing),
}

/// What is restored, from where and to where.
struct Work {
    place: Place,
    repository: Repository,
    snapshot: Snapshot,
    /// Its path in the snapshot.
    inside: String,
    record: Option<PartRecord>,
    target: Target,
}

impl Work {
    fn begin(context: &Context<'_>, call: &Call, options: &Options) -> Result<Self, Failure> {
        let named = call.args.first().cloned().unwrap_or_default();
        let own = named.get("repository").and_then(Value::as_str);
        let name = options.from.as_deref().or(own);
        let Opened { place, repository, snapshots } = Opened::of(context, name, Access::Shared, options.within)?;
        let name = named.as_str().or_else(|| named.get("id")?.as_str()).ok_or_else(|| {
            Failure::new(FailureKind::Argument, "argument `snapshot` is a map without `id`: `backup` returns one")
        })?;
        let job = options.job.as_deref().unwrap_or(context.project.name());
        let snapshot = backup::find(snapshots, name, job)?;
        let target = target(context, call, options)?;
        let kind = match target {
            Target::Postgres(_) => Some("postgres"),
            Target::Redis(_) => Some("redis"),
            Target::Images(_) => Some("images"),
            Target::Path(_) | Target::There(_) | Target::Program(_) | Target::Volume(_) | Target::Bucket(_) => None,
        };
        let (inside, record) = part(&repository, &snapshot, options.part.as_deref(), kind)?;
        Ok(Self { place, repository, snapshot, inside, record, target })
    }

    fn restore(&self, context: &Context<'_>, options: &Options) -> Result<Outcome, Failure> {
        let tally = match &self.target {
            Target::Path(placing) => {
                placing.settle(self.record.as_ref())?;
                if placing.is_taken()? {
                    self.make_room(context, options)?;
                }
                self.repository.restore(&self.snapshot, &self.inside, self.record.as_ref(), placing)?
            }
            Target::There(placing) => return self.restore_there(context, placing, options),
            Target::Program(program) => self.feed(context, program, options.within)?,
            Target::Postgres(placing) => return self.restore_database(context, placing, options),
            Target::Redis(placing) => return self.restore_keys(context, placing, options),
            Target::Volume(placing) => return self.restore_volume(context, placing, options),
            Target::Bucket(placing) => return self.restore_objects(context, placing, options),
            Target::Images(placing) => return self.restore_images(context, placing),
        };
        let note = format!("{} files, verified", tally.files);
        Ok(Outcome::changed(self.result(&tally)).note(note))
    }

    /// What it came to when everything is where it has to be, as the snapshot says; none when something is not.
    fn done(&self, context: &Context<'_>, options: &Options) -> Result<Option<Outcome>, Failure> {
        match &self.target {
            Target::Path(placing) => {
                let Some(record) = &self.record else { return Ok(None) };
                if !placing.is_done(record, &wanted(context, options.within))? {
                    placing.settle(Some(record))?;
                    return Ok(None);
                }
                placing.tidy()?;
                Ok(Some(Outcome::changed(self.result(&record.tally))))
            }
            Target::There(placing) => Ok(self.is_there(context, placing)?.map(Outcome::changed)),
            Target::Program(_) => Ok(None),
            Target::Postgres(placing) => self.probe_database(context, placing),
            Target::Redis(placing) => self.is_in_server(context, placing),
            Target::Volume(placing) => Ok(self.is_in_volume(context, placing)?.map(Outcome::changed)),
            Target::Bucket(placing) => Ok(self.is_in_bucket(context, placing, options)?.map(Outcome::changed)),
            Target::Images(placing) => self.are_there(context, placing),
        }
    }

    /// Notes that the snapshot was restored and is what it has to be, where a manifest says what that is.
    fn prove(&self, context: &Context<'_>) -> Result<(), Failure> {
        if self.record.is_none() {
            return Ok(());
        }
        self.place.note_proof(context, &self.snapshot.id, ProofKind::Restored)
    }

    fn result(&self, tally: &Tally) -> Value {
        json!({
            "snapshot": self.snapshot.id, "part": self.inside, "files": tally.files, "bytes": tally.bytes,
        })
    }

    /// Saves what is in the way; without `replace`, nothing may be.
    fn make_room(&self, context: &Context<'_>, options: &Options) -> Result<(), Failure> {
        let Target::Path(placing) = &self.target else { return Ok(()) };
        let shown = placing.target.display();
        if !options.replace {
            return Err(Failure::new(FailureKind::Refused, format!("`{shown}` is not empty, and would be lost"))
                .hint("`replace: true` saves it as a snapshot first, and then puts what is restored in its place")
                .hint("or restore to another path, and compare"));
        }
        let job = self.snapshot.job.clone().unwrap_or_else(|| context.project.name().to_owned());
        let is_database = self.record.as_ref().is_some_and(|record| record.facts.get("sqlite").is_some());
        save_before(context, &self.place, &job, &placing.target, is_database, options.within).map_err(|mut failure| {
            failure.message = format!("`{shown}` could not be saved, so it was not replaced: {}", failure.message);
            failure
        })
    }

    /// Reads the part once to see that it is what it has to be, and once more into the command.
    fn feed(&self, context: &Context<'_>, program: &Program, within: Span) -> Result<Tally, Failure> {
        let (tally, inside) = (self.intact()?, &self.inside);
        let (poured, fed, taken) = self.pour_through(|input| program.feed(context, input, within));
        fed?;
        // What a pipe holds may be left in it unread; what did not even go into one was not read.
        if poured.is_err() || taken != tally.bytes {
            let message = format!("{} did not read all of `{inside}`", program.shown());
            return Err(Failure::new(FailureKind::Check, message));
        }
        Ok(tally)
    }
}

/// The part that is meant: its path in the snapshot, and what it has to be.
fn part(
    repository: &Repository,
    snapshot: &Snapshot,
    name: Option<&str>,
    kind: Option<&str>,
) -> Result<(String, Option<PartRecord>), Failure> {
    let Some(manifest) = repository.manifest(snapshot)? else {
        return Ok((name.unwrap_or_default().to_owned(), None));
    };
    let names = || manifest.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ");
    let found =
        match name {
            Some(name) => manifest.parts.iter().find(|part| part.name == name).ok_or_else(|| {
                let message = format!("snapshot {} has no part `{name}`", snapshot.short());
                Failure::new(FailureKind::NotFound, message).hint(format!("it has {}", names()))
            })?,
            None => match fitting(&manifest.parts, kind).as_slice() {
                [only] => *only,
                _ => {
                    return Err(Failure::new(FailureKind::Option, "which part? the option `part` names it")
                        .hint(format!("snapshot {} has {}", snapshot.short(), names())));
                }
            },
        };
    Ok((backup::inside(&found.name), Some(found.clone())))
}

/// The parts that can be restored to a target of this kind.
fn fitting<'a>(parts: &'a [PartRecord], kind: Option<&str>) -> Vec<&'a PartRecord> {
    parts.iter().filter(|part| kind.is_none_or(|kind| part.facts.get(kind).is_some())).collect()
}

fn target(context: &Context<'_>, call: &Call, options: &Options) -> Result<Target, Failure> {
    let value = call.args.get(1).cloned().unwrap_or_default();
    if let Some(path) = path_of(&value) {
        let target: PathBuf = context.writable(&path)?.entry()?.real().to_owned();
        let key = short_key(context);
        return Ok(Target::Path(Placing { target, key, owners: options.owners, replace: options.replace }));
    }
    let explained = |mut failure: Failure| {
        failure.message = format!("argument `target`: {}", failure.message);
        failure
    };
    if let Some(place) = place_of(&value) {
        let (target, key) = (place.map_err(explained)?, short_key(context));
        let Options { owners, replace, within, .. } = *options;
        return Ok(Target::There(Box::new(hosts::Placing { target, key, owners, replace, within })));
    }
    if value.get("postgres").is_some() {
        let target = Postgres::read(&value).map_err(explained)?.unlocked(context)?;
        let key = short_key(context);
        let Options { owners, kept, within, .. } = *options;
        return Ok(Target::Postgres(Box::new(postgres::Placing { target, key, owners, kept, within })));
    }
    if value.get("redis").is_some() {
        let target = Redis::read(&value).map_err(explained)?.unlocked(context)?;
        return Ok(Target::Redis(Box::new(redis::Placing { target, within: options.within })));
    }
    if value.get("volume").is_some() {
        let target = Volume::read(&value, &[]).map_err(explained)?;
        return Ok(Target::Volume(Box::new(volumes::Placing { target, within: options.within })));
    }
    if value.get("bucket").is_some() {
        let target = Bucket::read(&value, &[]).map_err(explained)?;
        return Ok(Target::Bucket(Box::new(buckets::Placing { target, within: options.within })));
    }
    if value.get("images").is_some() {
        let placing = ImagesPlacing::read(&value, options.replace, options.within).map_err(explained)?;
        return Ok(Target::Images(placing));
    }
    let Written { command, container, engine, user } = parse_options(&value).map_err(explained)?;
    let engine = engine.as_ref().map(engine_of).transpose()?;
    let engine = engine.and_then(|address| Some(address.as_str()?.to_owned()));
    Program::new(command, container, engine, user).map(Target::Program)
}
