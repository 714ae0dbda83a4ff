//! What a command of this machine and one of a host have in common: most of their options, what is heard of them while they
//! run, and what is told of their end.

use serde_json::{Value, json};

use crate::drivers::process::{Exit, LastLines, Stream};
use crate::primitive::{Call, Context, Effect, Failure, LogStream, Sink};

/// Declares the options of a command: those that every command has, after those of its own.
macro_rules! command_options {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($own:tt)* }) => {
        $crate::options! {
            $(#[$meta])*
            $vis struct $name {
                $($own)*
                /// Text it reads from its standard input; without it, the input is empty.
                stdin: Option<String>,
                /// How long it may run; then it and everything it started are ended.
                timeout: $crate::primitive::Span = Span::seconds(600),
                /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
                check: bool = true,
                /// How much of the end of each stream is returned. The log has every line, whatever is returned.
                capture: $crate::primitive::ByteSize = ByteSize(1 << 20),
                /// Running it twice does no more than running it once: when nobody knows how it ended, a resumed run repeats it.
                idempotent: bool = false,
                /// Asked when nobody knows how it ended: `true` if it happened, `false` if not, or a map as the result.
                probe: Option<$crate::primitive::BlockRef>,
                /// It only looks and changes nothing: a plan runs it for real.
                read_only: bool = false,
            }
        }

        impl $name {
            fn keep(&self) -> usize {
                usize::try_from(self.capture.0).unwrap_or(usize::MAX)
            }
        }
    };
}
pub(super) use command_options;

/// An option turns it into a look.
pub(super) fn effect(call: &Call) -> Effect {
    let read_only = call.options.get("read_only").and_then(Value::as_bool).unwrap_or(false);
    if read_only { Effect::Read } else { Effect::Change }
}

/// What a secret may be handed over in.
pub(super) fn sinks() -> Vec<Sink> {
    vec![Sink::new("env", "the environment of the program"), Sink::new("stdin", "its standard input")]
}

/// A line that it wrote.
pub(super) fn hear(context: &Context<'_>, last_lines: &mut LastLines, stream: Stream, text: &str) {
    last_lines.push(stream, text);
    context.log(if stream == Stream::Stdout { LogStream::Stdout } else { LogStream::Stderr }, text);
}

/// Its time was over.
pub(super) fn timed_out(failure: Failure, last_lines: LastLines) -> Failure {
    last_lines.explain(failure.hint("raise the option `timeout` if it needs longer"))
}

/// The result of a command that ended well, and of whose output nothing is known.
pub(super) fn presumed() -> Value {
    json!({ "code": 0, "ok": true, "signal": null, "truncated": false, "stdout": "", "stderr": "" })
}

/// The result of a command that ended.
pub(super) fn result(exit: Exit) -> Value {
    json!({
        "code": exit.end.code(),
        "ok": exit.is_ok(),
        "signal": exit.end.signal(),
        "truncated": exit.stdout.is_truncated() || exit.stderr.is_truncated(),
        "stdout": exit.stdout.into_text(),
        "stderr": exit.stderr.into_text(),
    })
}
