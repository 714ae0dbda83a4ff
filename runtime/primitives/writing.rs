//! Writing a text file as `file.write`, `file.append_line` and `template` do: announced before the effect, found again after a
//! crash, foreseen by a plan.

use serde_json::{Value, json};

use crate::drivers::disk::{self, Place, Replacement, Written};
use crate::primitive::{
    Action, ByteSize, Call, Change, Context, Failure, FailureKind, FileMode, Left, LogStream, Outcome, Prediction,
    Probe, handle, unknown, unknown_in_text, unknown_of, unknown_within,
};
use crate::secrets::{Key, is_token_in};

/// What is to be done before a secret may be written into a file.
pub(super) const PRIVATE: &str = "give the file `mode: \"0600\"`, so that nobody else can read it";

/// Is the file to be written for its owner alone? A mode that only the run knows is judged when it is known.
pub(super) fn is_private(call: &Call) -> bool {
    if unknown_of(&call.options).is_some() {
        return true;
    }
    let Some(mode) = call.options.get("mode") else { return false };
    unknown_within(mode).is_some() || serde_json::from_value(mode.clone()).is_ok_and(FileMode::is_private)
}

/// How long the text is that is written, behind what says where: ` (21 B)`. Nothing where that is not known yet, or a secret
/// is in it, of which nobody is told the length.
pub(super) fn size(text: Option<&str>) -> String {
    let known = text.filter(|text| unknown_in_text(text).is_none() && !is_token_in(text));
    known.map(|text| format!(" ({})", ByteSize(text.len() as u64))).unwrap_or_default()
}

/// Makes `text` the content of the file; the log gets the lines that differ.
pub(super) fn write(context: &Context<'_>, path: &str, text: &str, mode: Option<FileMode>) -> Result<Outcome, Failure> {
    let written = write_as(context, path, text, mode, &|written| outcome(path, written))?;
    for line in written.shown() {
        context.log(LogStream::Info, &line);
    }
    Ok(outcome(path, &written))
}

/// Makes `text` the content of the file and logs nothing; `tell` is what the call returns.
pub(super) fn write_as(
    context: &Context<'_>,
    path: &str,
    text: &str,
    mode: Option<FileMode>,
    tell: &dyn Fn(&Written) -> Outcome,
) -> Result<Written, Failure> {
    let place = context.writable(path)?;
    let replacement = Replacement::begin(&place, mode, &context.key())?;
    let proof = proof(context, &disk::checksum_of(text.as_bytes()), mode)?;
    disk::write(replacement, text.as_bytes(), &mut |written| context.announce(&tell(written), &proof))
}

/// Would writing this text change the file or its mode?
pub(super) fn would_change(
    context: &Context<'_>,
    path: &str,
    text: &str,
    mode: Option<FileMode>,
) -> Result<bool, Failure> {
    let place = context.writable(path)?;
    Ok(Replacement::begin(&place, mode, &context.key())?.compare(text.as_bytes())?.changed)
}

/// Did the write that was started and never finished happen? Takes away what it had of the new content.
pub(super) fn probe(context: &Context<'_>, path: &str) -> Result<Probe, Failure> {
    let place = context.writable(path)?;
    if let Ok(replacement) = Replacement::begin(&place, None, &context.key()) {
        replacement.clear()?;
    }
    let Some(announcement) = context.announced() else { return Ok(Probe::NotDone) };
    let Some(found) = disk::exists(&place)?.filter(std::fs::Metadata::is_file) else { return Ok(Probe::NotDone) };
    let checksum = disk::checksum(&place, &|| context.still_wanted())?;
    let mode = announcement.proof.get("mode").is_some_and(|mode| !mode.is_null());
    let found = proof(context, &checksum, mode.then(|| FileMode::of(&found)))?;
    Ok(if found == announcement.proof { Probe::Done(announcement.outcome) } else { Probe::NotDone })
}

/// What the write would change, found out by looking only; `None` is a text that is not known yet.
pub(super) fn foresee(
    context: &Context<'_>,
    path: &str,
    text: Option<&str>,
    mode: Option<FileMode>,
) -> Result<Prediction, Failure> {
    foresee_as(context, path, text, mode, &|written| outcome(path, written))
}

/// The same where the call returns what `tell` says.
pub(super) fn foresee_as(
    context: &Context<'_>,
    path: &str,
    text: Option<&str>,
    mode: Option<FileMode>,
    tell: &dyn Fn(&Written) -> Outcome,
) -> Result<Prediction, Failure> {
    let foreseen = |written: &Written| foreseen(tell(written), written);
    let place = context.writable(path)?;
    let in_place = |context: &Context<'_>| {
        let before = context
            .left(&place)
            .map_or_else(|| place.path().metadata().ok().as_ref().map(FileMode::of), |(left, _)| left.mode());
        (depending(path, Action::Update), mode.or(before))
    };
    let (prediction, mode) = match (context.left(&place), text) {
        (Some((Left::Folder { .. } | Left::Tree, _)), _) => {
            return Err(Failure::new(FailureKind::Invalid, format!("`{path}` is a folder, not a file")));
        }
        (Some((Left::Gone, _)), _) => {
            let above = place.name().parent().and_then(|above| context.services.left(above));
            if above.is_some_and(|(above, is_certain)| is_certain && above == Left::Gone) {
                return Err(no_folder(path));
            }
            foreseen(&Written::created(text, mode))
        }
        (Some((Left::File { text: Some(before), mode: mode_before }, _)), Some(after)) => {
            foreseen(&Written::between(&before, after, mode_before, mode))
        }
        (Some(_), _) => in_place(context),
        (None, text) => match Replacement::begin(&place, mode, &context.key()) {
            Ok(replacement) => match text {
                Some(text) => foreseen(&replacement.compare(text.as_bytes())?),
                None if replacement.difference(false).created => foreseen(&Written::created(text, mode)),
                None => in_place(context),
            },
            Err(failure) if failure.kind == FailureKind::NotFound && may_come(context, &place) => {
                foreseen(&Written::created(text, mode))
            }
            Err(failure) => return Err(failure),
        },
    };
    if !prediction.changes.is_empty() {
        note_found(context, &place)?;
        context.services.leaves(&place.name(), Left::File { text: text.map(str::to_owned), mode });
    }
    Ok(prediction)
}

/// What a plan says of a write, and the mode that the file has then.
fn foreseen(told: Outcome, written: &Written) -> (Prediction, Option<FileMode>) {
    let Outcome { value, changes, .. } = told;
    (Prediction { value, changes }, written.mode.or_else(|| disk::usual_mode(0o666)))
}

/// Notes for a plan what a file holds that a planned change replaces or takes away: whoever looked at the plan meant this.
pub(super) fn note_found(context: &Context<'_>, place: &Place) -> Result<(), Failure> {
    if !context.planning || context.left(place).is_some() || !place.path().is_file() {
        return Ok(());
    }
    let checksum = disk::checksum(place, &|| context.still_wanted())?;
    context.services.found(context.path, &format!("the content of `{}`", place.written()), &checksum)
}

/// May the folder of a file come with a planned change?
pub(super) fn may_come(context: &Context<'_>, place: &Place) -> bool {
    let folder = place.name();
    let Some(above) = folder.parent() else { return false };
    context.services.left(above).is_some_and(|(left, _)| left != Left::Gone) || context.services.is_doubtful(above)
}

fn no_folder(path: &str) -> Failure {
    let folder = std::path::Path::new(path).parent().unwrap_or(std::path::Path::new("."));
    Failure::new(FailureKind::NotFound, format!("the folder of `{path}` does not exist"))
        .hint(format!("make it first: `folder({:?}).create()`", folder.display().to_string()))
}

/// A write of which nobody knows yet whether it will change anything.
pub(super) fn depending(path: &str, action: Action) -> Prediction {
    let changed = unknown(format!("what `{path}` will hold"));
    let value = handle("file", json!({ "path": path, "changed": changed }));
    Prediction::one(Change::depending(action, format!("file {path}")), value)
}

/// The text of a file as the changes planned so far leave it; `None` when it is not known. Outside of plans it is that of
/// the file.
pub(super) fn text_then(context: &Context<'_>, place: &Place, limit: ByteSize) -> Result<Option<String>, Failure> {
    match context.left(place) {
        None => disk::text(place, limit).map(Some),
        Some((Left::File { text, .. }, is_certain)) => Ok(text.filter(|_| is_certain)),
        Some((Left::Gone, true)) => {
            let what = format!("read `{}`", place.written());
            Err(Failure::system(what, &std::io::ErrorKind::NotFound.into()))
        }
        Some((Left::Folder { .. } | Left::Tree, true)) => {
            Err(Failure::new(FailureKind::Invalid, format!("`{}` is a folder, not a file", place.written())))
        }
        Some(_) => Ok(None),
    }
}

/// What a written file looks like to a script: with `changed` for those that act on it.
pub(super) fn outcome(path: &str, written: &Written) -> Outcome {
    let value = handle("file", json!({ "path": path, "changed": written.changed }));
    let changes = written.changed.then(|| change(path, written));
    Outcome { value, changed: Some(written.changed), note: written.note(), changes: changes.into_iter().collect() }
}

fn change(path: &str, written: &Written) -> Change {
    let action = if written.created { Action::Create } else { Action::Update };
    Change { detail: written.details(), ..Change::new(action, format!("file {path}")) }
}

/// What proves that a write happened: this content, and this mode where one was asked for. The content of a file that is not
/// for everybody may be a secret that can be guessed: its hash is keyed.
pub(super) fn proof(context: &Context<'_>, checksum: &str, mode: Option<FileMode>) -> Result<Value, Failure> {
    let is_for_everybody = mode.is_none_or(|mode| mode.0 & 0o007 != 0);
    let content = if is_for_everybody {
        checksum.to_owned()
    } else {
        Key::of(&context.project.state_folder())?.fingerprint(&[checksum])
    };
    Ok(json!({ "content": content, "mode": mode.map(|mode| mode.to_string()) }))
}
