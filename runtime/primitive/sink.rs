use super::{Failure, FailureKind, Spec};

/// What the handle that a method is called on is recorded under.
pub const ON: &str = "on";

/// A place of a call in which a secret may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sink {
    /// The argument or option, with everything in it, by name.
    pub at: &'static str,
    /// What becomes of the secret there: `the environment of the program`.
    pub what: &'static str,
    /// What is to be done before a secret may stand there; none when it may already.
    pub once: Option<&'static str>,
}

impl Sink {
    /// A secret may stand there.
    pub const fn new(at: &'static str, what: &'static str) -> Self {
        Self { at, what, once: None }
    }

    /// A secret may stand there unless this is still to be done.
    pub const fn once(mut self, is_done: bool, what: &'static str) -> Self {
        if !is_done {
            self.once = Some(what);
        }
        self
    }
}

/// The secret of that name stands in a place of a call that is none of these sinks, or not yet one: why not, and where it may.
pub fn misplaced(spec: &Spec, at: &str, secret: &str, sinks: &[Sink]) -> Option<Failure> {
    let sink = sinks.iter().find(|sink| sink.at == at);
    let once = match sink {
        Some(Sink { once: None, .. }) => return None,
        Some(sink) => sink.once,
        None => None,
    };
    let called = spec.qualified_name();
    let message = format!("the secret `{secret}` may not stand in {} of `{called}`", place(at));
    let failure = Failure::new(FailureKind::Secret, message);
    if let Some(once) = once {
        return Some(failure.hint(once));
    }
    let open: Vec<String> = sinks.iter().map(|sink| format!("{} ({})", place(sink.at), sink.what)).collect();
    Some(match open.as_slice() {
        [] => failure
            .hint("a secret may go into an environment, a file of mode 0600, standard input, a header, or a login"),
        open => failure.hint(format!("of `{called}` it may stand in {}", open.join(", "))),
    })
}

/// A place of a call in words.
pub fn place(at: &str) -> String {
    if at == ON { "the handle".into() } else { format!("`{at}`") }
}
