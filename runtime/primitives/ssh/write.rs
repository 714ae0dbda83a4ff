use super::super::writing::{self, PRIVATE, is_private};
use super::placed::Placed;
use super::{method, needs, told, touches_path};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FileMode, Need, Outcome, Prediction, Primitive, Probe, Recovery, Sink, Spec,
    Touches, Ty, text_of, unknown_in_text, unknown_within,
};

crate::options! {
    /// Options of `ssh.write`.
    pub struct Options {
        /// The permissions, as in `"0600"`. Without it an existing file keeps its own and a new one gets `0644`.
        mode: Option<FileMode>,
        /// User and group, as in `"www-data:www-data"`. Without it an existing file keeps its own.
        owner: Option<String>,
    }
}

/// Replaces the content of a file.
pub struct Write;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "write",
        &[
            Arg::new("path", Ty::Str, "The file; relative to the home of whoever writes it."),
            Arg::new("text", Ty::Str, "The whole new content."),
        ],
        "Makes this the content of a file of the host, at once or not at all; the same content changes nothing.",
        r#"ssh("web-1").write("/etc/motd", "Managed by runbook.\n", #{ mode: "0644" });"#,
    )
};

impl Primitive for Write {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::write(text_of(call.args.first()))])
    }

    fn preview(&self, call: &Call) -> String {
        let size = writing::size(call.args.get(1).and_then(|text| text.as_str()));
        told(call, format!("write {}{size}", call.str(0)))
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        vec![Sink::new("text", "a file of mode 0600").once(is_private(call), PRIVATE)]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        placed(call)?.write(context, call)
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        placed(call)?.probe(context, call)
    }

    fn touches(&self, _: &Context<'_>, call: &Call) -> Touches {
        touches_path(call, call.str(0))
    }

    fn foresees(&self, call: &Call) -> bool {
        unknown_within(&call.receiver).or(unknown_within(&call.options)).is_none()
            && unknown_within(&call.args[0]).is_none()
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        placed(call)?.foresee(context, call)
    }
}

fn placed(call: &Call) -> Result<Placed<'_>, Failure> {
    let options: Options = call.options()?;
    Ok(Placed { path: call.str(0), text: known_text(call), mode: options.mode, owner: options.owner })
}

/// The text, unless a plan does not know it.
fn known_text(call: &Call) -> Option<&str> {
    call.args.get(1)?.as_str().filter(|text| unknown_in_text(text).is_none())
}
