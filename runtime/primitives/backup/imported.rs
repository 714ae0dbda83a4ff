//! `backup_import(files, #{ … })`: files of older backups become a snapshot.

use serde_json::Value;

use super::import::{Imports, moment};
use super::{Place, change, named, note, probe_by_name, result, size, told, touches, wanted};
use crate::drivers::backup::Order;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, LogStream, Need, Outcome, Prediction, Primitive, Probe, Recovery, Span, Spec,
    Touches, Ty,
};

crate::options! {
    /// Options of `backup_import`.
    pub struct Options {
        /// The repository: a `[backup.NAME]` of `runbook.toml`. It may be left out when there is one.
        to: Option<String>,
        /// The job that the snapshot belongs to; the project's name when left out.
        job: Option<String>,
        /// The name of the part, for one file; that of the file when left out.
        name: Option<String>,
        /// When it was made: `"2024-05-01"`, `"2024-05-01 03:00"` or with a zone; when the newest of the files was changed when left out.
        time: Option<String>,
        /// Tags of the snapshot, beside `imported`.
        tags: Vec<String>,
        /// How long everything may take.
        within: Span = Span::seconds(6 * 60 * 60),
    }
}

/// Takes files of older backups into a repository.
pub struct Imported;

static SPEC: Spec = Spec {
    name: "backup_import",
    receiver: None,
    args: &[Arg::new(
        "files",
        Ty::OneOf(&[Ty::Str, Ty::Strings]),
        "A file or several: tar archives, dumps of PostgreSQL and of Redis, also with gzip or zstd.",
    )],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Takes files of older backups into a repository, as one snapshot of the time they were made.",
    example: r#"backup_import("/old/shop-2024-05-01.dump", #{ job: "shop", time: "2024-05-01 03:00" });"#,
};

impl Primitive for Imported {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        files(call).into_iter().map(Need::read).collect()
    }

    fn repositories(&self, call: &Call) -> Vec<Value> {
        vec![named(call, "to")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = Place::of(context, options.to.as_deref())?;
        let given = options.time.as_deref().map(moment).transpose()?;
        let held = files(call).iter().map(|file| context.real(file)).collect::<Result<Vec<_>, Failure>>()?;
        let scratch = context.marker_folder().join("import");
        let Imports { parts, time, doubts, .. } = Imports::open(&held, options.name.as_deref(), given, &scratch)?;
        for doubt in &doubts {
            context.log(LogStream::Warn, doubt);
        }
        let order = Order { time: Some(time), ..order(context, &options) };
        let repository = place.open(context, wanted(context, options.within))?;
        place.reconcile(context, &repository)?;
        let meter = repository.meter();
        let (snapshot, manifest) = told(context, &meter, || repository.save(&order, parts))?;
        let words = format!("{} in {}, {} new", snapshot.short(), place.name, size(snapshot.added));
        let value = result(&place.name, &snapshot, &manifest);
        note(context, &place, &snapshot, manifest);
        Ok(Outcome::changed(value).note(words).made([change(&place.name, &order)]))
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    /// The snapshot comes into being in one piece, after everything else, and carries the call's name.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        probe_by_name(context, options.to.as_deref(), options.within)
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, "to")
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        options.time.as_deref().map(moment).transpose()?;
        let place = Place::of(context, options.to.as_deref())?;
        Ok(super::predicted(&place, &order(context, &options)))
    }
}

fn files(call: &Call) -> Vec<String> {
    match call.args.first() {
        Some(Value::String(one)) => vec![one.clone()],
        _ => call.strings(0),
    }
}

fn order(context: &Context<'_>, options: &Options) -> Order {
    let job = options.job.clone().unwrap_or_else(|| context.project.name().to_owned());
    let tags = ["imported".to_owned()].into_iter().chain(options.tags.clone()).collect();
    Order { job, call: context.key(), tags, ..Order::default() }
}
