use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Sink, Style};
use crate::journal::Event;

/// Gives the text of a script or module by the name that places in it use.
pub type Sources = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The run as people see it, on standard error.
///
/// At the end of the run it shows the failure itself, from [`Event::RunFinished`], and the summary: whoever runs the
/// script prints nothing more.
pub struct Console {
    style: Style,
    #[allow(dead_code)]
    sources: Sources,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Console {
    /// On standard error.
    pub fn new(style: Style) -> Self {
        Self::to(Box::new(super::stderr()), style)
    }

    /// Somewhere else.
    pub fn to(out: Box<dyn Write + Send>, style: Style) -> Self {
        Self { style, sources: Box::new(|_| None), out: Mutex::new(out) }
    }

    /// Where the source lines of a failure come from; without it a place is shown as `file:line:column`.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Asks the person at the terminal and reads one line; nothing is redrawn meanwhile. `None` at the end of input.
    pub fn ask(&self, question: &str) -> Option<String> {
        let mut out = self.out();
        let _ = write!(out, "{question} ").and_then(|()| out.flush());
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer).ok()?;
        (read > 0).then(|| answer.trim().to_owned())
    }

    fn out(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Console {
    fn event(&self, event: &Event) {
        if let Event::Log { line, .. } = event {
            let _ = writeln!(self.out(), "{}", super::text::cut(line, self.style.width, "…"));
        }
    }
}
