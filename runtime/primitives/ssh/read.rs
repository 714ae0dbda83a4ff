use super::{ask, method, needs, told, touches_path};
use crate::drivers::ssh::{GO_HOME, Script, quoted};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches, Ty, text_of,
};

crate::options! {
    /// Options of `ssh.read`.
    pub struct Options {
        /// A larger file is a failure.
        max: ByteSize = ByteSize(1 << 20),
    }
}

/// Reads a file.
pub struct Read;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    ..method(
        "read",
        &[Arg::new("path", Ty::Str, "The file; relative to the home of whoever reads it.")],
        "Returns the text of a file of the host.",
        r#"let release = ssh("web-1").read("/etc/debian_version");"#,
    )
};

impl Primitive for Read {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::read(text_of(call.args.first()))])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("read {}", call.str(0)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let path = quoted(call.str(0));
        let text = format!(
            "{GO_HOME}\nif [ -d {path} ]; then finish folder {path}; exit; fi\n\
             if [ ! -e {path} ]; then finish absent {path}; exit; fi\n\
             if cat -- {path}; then finish done; else finish failed; fi"
        );
        let most = usize::try_from(options.max.0).unwrap_or(usize::MAX);
        let text = ask(context, call, "reading a file", Script::new(text), most).map_err(|failure| {
            let too_large = || {
                let message =
                    format!("`{}` on `{}` is larger than {}", call.str(0), call.receiver_str("name"), options.max);
                Failure::new(FailureKind::Invalid, message).hint("raise the option `max`, or fetch it with `download`")
            };
            if failure.kind == FailureKind::Invalid { too_large() } else { failure }
        })?;
        let text = String::from_utf8(text).map_err(|_| {
            let message = format!("`{}` on `{}` is not text", call.str(0), call.receiver_str("name"));
            Failure::new(FailureKind::Invalid, message).hint("`download` fetches files of any kind")
        })?;
        Ok(Outcome::from(serde_json::Value::from(text)))
    }

    fn touches(&self, _: &Context<'_>, call: &Call) -> Touches {
        touches_path(call, call.str(0))
    }
}
