//! `backup_find(snapshot, #{ … })`: which snapshot that is, and what is in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

use serde_json::{Value, json};

use super::{Opened, Place, named, touches};
use crate::drivers::backup::{self, Access, Manifest, PartRecord, Snapshot};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Span, Spec, Touches, Ty,
    unknown,
};

crate::options! {
    /// Options of `backup_find`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        from: Option<String>,
        /// The job whose snapshots `"latest"` and `"random"` mean; the project's name when left out.
        job: Option<String>,
        /// How long it may take.
        within: Span = Span::seconds(15 * 60),
    }
}

/// Finds a snapshot.
pub struct Find;

static SPEC: Spec = Spec {
    name: "backup_find",
    receiver: None,
    args: &[Arg::new(
        "snapshot",
        Ty::Str,
        "The first digits of its name, `\"latest\"`, or `\"random\"`: any of the job.",
    )],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Finds a snapshot in a repository, and says what is in it.",
    example: r#"for part in backup_find("latest").parts { info(`${part.name} holds ${part.holds}`); }"#,
};

impl Primitive for Find {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "from")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let Opened { place, repository, snapshots: all } =
            Opened::of(context, options.from.as_deref(), Access::Shared, options.within)?;
        let job = options.job.as_deref().unwrap_or(context.project.name());
        let snapshot = match call.str(0) {
            "random" => any(all, job)?,
            name => backup::find(all, name, job)?,
        };
        let manifest = repository.manifest(&snapshot)?.unwrap_or_default();
        let note = format!("{} of {}", snapshot.short(), snapshot.group());
        Ok(Outcome::from(value(&place.name, &snapshot, &manifest)).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, "from")
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.from.as_deref())?;
        let known = |what: &str| unknown(format!("the {what} of the snapshot"));
        let names = ["id", "job", "host", "time", "unix", "tags", "files", "bytes", "parts", "missing"];
        let mut value: Value = names.into_iter().map(|name| (name.to_owned(), known(name))).collect();
        value["repository"] = json!(place.name);
        Ok(Prediction { value, changes: Vec::new() })
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        result.get("repository").cloned().unwrap_or_default()
    }
}

/// Any snapshot of a job, each as likely as the others.
fn any(all: Vec<Snapshot>, job: &str) -> Result<Snapshot, Failure> {
    let mut own: Vec<Snapshot> =
        all.into_iter().filter(|snapshot| snapshot.group() == job && !snapshot.is_partial()).collect();
    if own.is_empty() {
        return backup::find(own, "latest", job);
    }
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut chance| chance.read_exact(&mut bytes))
        .map_err(|error| Failure::system("read chance from `/dev/urandom`", &error))?;
    let chosen = u64::from_ne_bytes(bytes) % own.len() as u64;
    let chosen =
        usize::try_from(chosen).map_err(|_| Failure::new(FailureKind::System, "there are too many snapshots"))?;
    Ok(own.swap_remove(chosen))
}

fn value(repository: &str, snapshot: &Snapshot, manifest: &Manifest) -> Value {
    let time = snapshot.time.timestamp();
    let globals: BTreeSet<&str> =
        manifest.parts.iter().filter_map(|part| part.facts["postgres"]["globals"].as_str()).collect();
    let part = |part: &PartRecord| {
        json!({
            "name": part.name, "from": part.from, "files": part.tally.files, "bytes": part.tally.bytes,
            "holds": holds(part, globals.contains(part.name.as_str())),
            "database": part.facts["postgres"]["database"]["name"], "deployment": part.facts["deployment"],
        })
    };
    json!({
        "id": snapshot.id, "repository": repository, "job": snapshot.group(), "host": snapshot.host, "time": time,
        "unix": time.as_second(), "tags": snapshot.tags, "files": snapshot.files, "bytes": snapshot.bytes,
        "parts": manifest.parts.iter().map(part).collect::<Vec<_>>(),
        "missing": manifest.missing.iter().map(|missing| &missing.name).collect::<Vec<_>>(),
    })
}

/// What kind of thing a part holds: what its facts are about, else how it was read.
fn holds(part: &PartRecord, is_globals: bool) -> String {
    let about = part.facts.as_object().and_then(|facts| facts.keys().next());
    match about {
        Some(kind) => kind.clone(),
        None if is_globals => "roles".to_owned(),
        None if part.kind == "folder" => "files".to_owned(),
        None => "output".to_owned(),
    }
}
