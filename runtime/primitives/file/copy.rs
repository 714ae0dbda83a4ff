use std::io::{ErrorKind, Read};

use serde_json::Value;

use super::super::writing;
use super::{FILE, place};
use crate::drivers::disk::{self, Place, Replacement, Written};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, Left, Need, Outcome, Prediction, Primitive,
    Probe, Recovery, Spec, Touches, Ty,
};

crate::options! {
    /// Options of `file.copy`.
    pub struct Options {
        /// The permissions of the copy; those of the original when left out.
        mode: Option<FileMode>,
    }
}

/// The largest text that a plan keeps in mind.
const LARGEST: ByteSize = ByteSize(1 << 20);

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path")), Need::write(call.needed(0))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("copy {} to {}", call.receiver_str("path"), destination(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let from = place(context, call)?;
        let to = context.writable(destination(call))?;
        let (mut source, metadata) = disk::open(&from)?;
        not_a_folder(&from, &to)?;
        let mode = options.mode.unwrap_or(FileMode::of(&metadata));
        let mut replacement = Replacement::begin(&to, Some(mode), &context.key())?;
        let equal = checksum_if_equal(context, &from, metadata.len(), &to)?;
        let written = replacement.difference(equal.is_some());
        if let Some(checksum) = equal {
            let outcome = writing::outcome(to.written(), &written);
            if written.changed {
                context.announce(&outcome, &writing::proof(context, &checksum, Some(mode))?)?;
                replacement.set_mode()?;
            }
            return Ok(outcome);
        }
        let mut chunk = vec![0; 1 << 20];
        let mut copied = 0;
        let mut checksum = disk::Checksum::default();
        loop {
            context.still_wanted()?;
            let length = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::system(format!("read `{}`", from.written()), &error)),
            };
            replacement.write(&chunk[..length])?;
            checksum.add(&chunk[..length]);
            copied += length as u64;
        }
        let outcome = writing::outcome(to.written(), &written).note(ByteSize(copied).to_string());
        let proof = writing::proof(context, &checksum.finish(), Some(mode))?;
        replacement.commit(&mut || context.announce(&outcome, &proof))?;
        Ok(outcome)
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        writing::probe(context, destination(call))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        context.touches(destination(call))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let from = place(context, call)?;
        let to = context.writable(destination(call))?;
        if context.left(&to).is_none() {
            not_a_folder(&from, &to)?;
        }
        let original = context.left(&from);
        if original.is_some() || (disk::exists(&from)?.is_none() && context.services.is_doubtful(&from.name())) {
            let text = if original.is_some() { writing::text_then(context, &from, LARGEST)? } else { None };
            let mode = options.mode.or_else(|| original.and_then(|(left, _)| left.mode()));
            return writing::foresee(context, to.written(), text.as_deref(), mode);
        }
        let (_, metadata) = disk::open(&from)?;
        let mode = options.mode.unwrap_or(FileMode::of(&metadata));
        if context.left(&to).is_some() {
            let text = disk::text(&from, LARGEST).ok();
            return writing::foresee(context, to.written(), text.as_deref(), Some(mode));
        }
        let written = match Replacement::begin(&to, Some(mode), &context.key()) {
            Ok(replacement) => {
                replacement.difference(checksum_if_equal(context, &from, metadata.len(), &to)?.is_some())
            }
            Err(failure) if failure.kind == FailureKind::NotFound && writing::may_come(context, &to) => {
                Written::created(None, Some(mode))
            }
            Err(failure) => return Err(failure),
        };
        let Outcome { value, changes, .. } = writing::outcome(to.written(), &written);
        if written.changed {
            let text = disk::text(&from, LARGEST).ok();
            context.services.leaves(&to.name(), Left::File { text, mode: Some(mode) });
        }
        Ok(Prediction { value, changes })
    }
}

fn not_a_folder(from: &Place, to: &Place) -> Result<(), Failure> {
    if disk::exists(to)?.is_none_or(|found| !found.is_dir()) {
        return Ok(());
    }
    let name = from.path().file_name().unwrap_or_default().to_string_lossy();
    Err(Failure::new(FailureKind::Invalid, format!("`{}` is a folder", to.written()))
        .hint(format!("name the copy: `{}/{name}`", to.written().trim_end_matches('/'))))
}

fn destination(call: &Call) -> &str {
    let argument = call.args.first();
    argument.and_then(|to| to.get("path").or(Some(to))).and_then(Value::as_str).unwrap_or_default()
}

/// The checksum of both, when the copy is as the original.
fn checksum_if_equal(context: &Context<'_>, from: &Place, length: u64, to: &Place) -> Result<Option<String>, Failure> {
    if disk::exists(to)?.is_none_or(|found| !found.is_file() || found.len() != length) {
        return Ok(None);
    }
    let wanted = || context.still_wanted();
    let checksum = disk::checksum(from, &wanted)?;
    Ok((checksum == disk::checksum(to, &wanted)?).then_some(checksum))
}
