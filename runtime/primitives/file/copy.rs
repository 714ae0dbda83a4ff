use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::{FILE, place, value};
use crate::drivers::disk::{self, Place, Replacement};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, Outcome, Primitive, Probe, Spec, Ty,
};

crate::options! {
    /// Options of `file.copy`.
    pub struct Options {
        /// The permissions of the copy; those of the original when left out.
        mode: Option<FileMode>,
    }
}

/// Copies a file.
pub struct Copy;

static SPEC: Spec = Spec {
    name: "copy",
    receiver: Some(FILE),
    args: &[Arg::new("to", Ty::OneOf(&[Ty::Str, Ty::Handle(FILE)]), "The path of the copy, not of a folder.")],
    options: Some(Options::SPEC),
    returns: Some(FILE),
    effect: Effect::Change,
    summary: "Copies the file, at once or not at all, and returns the copy; an equal copy is left alone.",
    example: r#"file("conf/app.toml").copy("conf/app.toml.bak");"#,
};

impl Primitive for Copy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("copy {} to {}", call.receiver_str("path"), destination(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let from = place(context, call)?;
        let to = Place::new(context.project.root(), destination(call))?;
        let (mut source, metadata) = disk::open(&from)?;
        if disk::exists(&to)?.is_some_and(|found| found.is_dir()) {
            let name = from.path().file_name().unwrap_or_default().to_string_lossy();
            return Err(Failure::new(FailureKind::Invalid, format!("`{}` is a folder", to.written()))
                .hint(format!("name the copy: `{}/{name}`", to.written().trim_end_matches('/'))));
        }
        let mode = options.mode.unwrap_or(FileMode(metadata.mode() & 0o7777));
        let mut replacement = Replacement::begin(&to, Some(mode))?;
        if is_equal(context, &from, metadata.len(), &to)? {
            let changed = replacement.keep()?.changed;
            let outcome = Outcome { changed: Some(changed), ..value(to.written(), changed).into() };
            return Ok(if changed { outcome.note(format!("mode {mode}")) } else { outcome });
        }
        let mut chunk = vec![0; 1 << 20];
        let mut copied = 0;
        loop {
            context.still_wanted()?;
            let length = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::system(format!("read `{}`", from.written()), &error)),
            };
            replacement.write(&chunk[..length])?;
            copied += length as u64;
        }
        replacement.commit()?;
        Ok(Outcome::changed(value(to.written(), true)).note(ByteSize(copied).to_string()))
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let to = Place::new(context.project.root(), destination(call))?;
        let from = place(context, call)?;
        let Some(metadata) = disk::exists(&from)? else { return Ok(Probe::NotDone) };
        Ok(if is_equal(context, &from, metadata.len(), &to)? {
            Probe::Done(Outcome::changed(value(to.written(), true)))
        } else {
            Probe::NotDone
        })
    }
}

fn destination(call: &Call) -> &str {
    let argument = call.args.first();
    argument.and_then(|to| to.get("path").or(Some(to))).and_then(Value::as_str).unwrap_or_default()
}

fn is_equal(context: &Context<'_>, from: &Place, length: u64, to: &Place) -> Result<bool, Failure> {
    if disk::exists(to)?.is_none_or(|found| !found.is_file() || found.len() != length) {
        return Ok(false);
    }
    let wanted = || context.still_wanted();
    Ok(disk::checksum(from, &wanted)? == disk::checksum(to, &wanted)?)
}
