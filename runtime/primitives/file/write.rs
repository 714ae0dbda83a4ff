use super::{FILE, outcome, place};
use crate::drivers::disk::{self, Place};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, Outcome, Primitive, Probe, Spec, Ty,
};

crate::options! {
    /// Options of `file.write` and `file.append_line`.
    pub struct Options {
        /// The permissions, as in `"0600"`. Without it an existing file keeps its own and a new one gets the usual ones.
        mode: Option<FileMode>,
    }
}

/// The largest file that a line is added to.
const LARGEST: ByteSize = ByteSize(16 << 20);

/// Replaces the content.
pub struct Write;

static WRITE: Spec = Spec {
    name: "write",
    receiver: Some(FILE),
    args: &[Arg::new("text", Ty::Str, "The whole new content.")],
    options: Some(Options::SPEC),
    returns: Some(FILE),
    effect: Effect::Change,
    summary: "Makes this the content of the file, at once or not at all; the same content changes nothing.",
    example: r#"file(".env").write("TAG=v2\n", #{ mode: "0600" });"#,
};

impl Primitive for Write {
    fn spec(&self) -> &'static Spec {
        &WRITE
    }

    fn preview(&self, call: &Call) -> String {
        format!("write {} ({})", call.receiver_str("path"), ByteSize(call.str(0).len() as u64))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let written = disk::write(&place(context, call)?, call.str(0).as_bytes(), options.mode)?;
        Ok(outcome(context, call.receiver_str("path"), &written))
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        holds(&place(context, call)?, call, |text| text == call.str(0))
    }
}

/// Makes sure of one line.
pub struct AppendLine;

static APPEND_LINE: Spec = Spec {
    name: "append_line",
    receiver: Some(FILE),
    args: &[Arg::new("line", Ty::Str, "The line, without a line break.")],
    options: Some(Options::SPEC),
    returns: Some(FILE),
    effect: Effect::Change,
    summary: "Adds a line at the end of the file, unless the file already has that line; a missing file is made.",
    example: r#"file(".gitignore").append_line(".env");"#,
};

impl Primitive for AppendLine {
    fn spec(&self) -> &'static Spec {
        &APPEND_LINE
    }

    fn preview(&self, call: &Call) -> String {
        format!("append a line to {}", call.receiver_str("path"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let (place, line) = (place(context, call)?, call.str(0));
        if line.contains(['\n', '\r']) {
            return Err(Failure::new(FailureKind::Argument, "argument `line` holds a line break")
                .hint("call `append_line` once per line"));
        }
        let mut text = match disk::exists(&place)? {
            Some(_) => disk::text(&place, LARGEST)?,
            None => String::new(),
        };
        if !text.lines().any(|present| present == line) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(line);
            text.push('\n');
        }
        let written = disk::write(&place, text.as_bytes(), options.mode)?;
        Ok(outcome(context, call.receiver_str("path"), &written))
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        holds(&place(context, call)?, call, |text| text.lines().any(|line| line == call.str(0)))
    }
}

/// The rename is the whole effect, so the file tells whether it happened; when in doubt, doing it again is safe.
fn holds(place: &Place, call: &Call, is_done: impl Fn(&str) -> bool) -> Result<Probe, Failure> {
    if disk::exists(place)?.is_none_or(|metadata| !metadata.is_file()) {
        return Ok(Probe::NotDone);
    }
    Ok(match disk::text(place, LARGEST) {
        Ok(text) if is_done(&text) => Probe::Done(Outcome::changed(super::value(call.receiver_str("path"), true))),
        _ => Probe::NotDone,
    })
}
