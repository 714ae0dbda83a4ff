use super::super::writing::{self, PRIVATE, is_private};
use super::{FILE, place, touches};
use crate::drivers::disk;
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, Left, Need, Outcome, Prediction, Primitive,
    Probe, Recovery, Sink, Spec, Touches, Ty, unknown_in_text, unknown_within,
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        format!(
            "write {}{}",
            call.receiver_str("path"),
            writing::size(call.args.first().and_then(|text| text.as_str()))
        )
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        vec![Sink::new("text", "a file of mode 0600").once(is_private(call), PRIVATE)]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        writing::write(context, call.receiver_str("path"), call.str(0), options.mode)
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        writing::probe(context, call.receiver_str("path"))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        writing::foresee(context, call.receiver_str("path"), known_text(call), options.mode)
    }

    fn foresees(&self, call: &Call) -> bool {
        only_text_is_unknown(call)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("append a line to {}", call.receiver_str("path"))
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        vec![Sink::new("line", "a file of mode 0600").once(is_private(call), PRIVATE)]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let text = with_line(context, call)?.unwrap_or_default();
        writing::write(context, call.receiver_str("path"), &text, options.mode)
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        writing::probe(context, call.receiver_str("path"))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let is_known = unknown_within(&call.args[0]).is_none();
        let text = if is_known { with_line(context, call)? } else { None };
        writing::foresee(context, call.receiver_str("path"), text.as_deref(), options.mode)
    }

    fn foresees(&self, call: &Call) -> bool {
        only_text_is_unknown(call)
    }
}

/// The text, unless a plan does not know it.
fn known_text(call: &Call) -> Option<&str> {
    call.args.first()?.as_str().filter(|text| unknown_in_text(text).is_none())
}

/// Which file is written, and with what mode, is what a plan must know.
fn only_text_is_unknown(call: &Call) -> bool {
    unknown_within(&call.receiver).or(unknown_within(&call.options)).is_none()
}

/// The file's text with the line in it; `None` when a plan does not know the text.
fn with_line(context: &Context<'_>, call: &Call) -> Result<Option<String>, Failure> {
    let (place, line) = (place(context, call)?, call.str(0));
    if line.contains(['\n', '\r']) {
        return Err(Failure::new(FailureKind::Argument, "argument `line` holds a line break")
            .hint("call `append_line` once per line"));
    }
    let is_there = match context.left(&place) {
        Some((left, _)) => left != Left::Gone,
        None => disk::exists(&place)?.is_some(),
    };
    let text = if is_there { writing::text_then(context, &place, LARGEST)? } else { Some(String::new()) };
    Ok(text.map(|mut text| {
        if !text.lines().any(|present| present == line) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }))
}
