//! The run as people see it.

mod line;
mod live;
mod origin;
mod screen;
mod summary;
mod tree;
mod view;
mod written;

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec};

use self::view::View;
use super::style::{terminal_height, terminal_width};
use super::text::clean;
use super::{Sink, Style, Verbosity};
use crate::journal::Redacted;

/// Gives the text of a script or module by the name that places in it use.
pub type Sources = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How often running lines are redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// How often a pipe is looked at for having been silent too long.
const LOOK: Duration = Duration::from_secs(1);

/// The run as people see it, on standard error.
///
/// On a terminal each outermost step is redrawn as a tree until it ends, and then stays as it is. In a pipe, and with
/// `-v`, lines are written as things happen. At the end it shows the failure itself, from
/// [`Event::RunFinished`], and the summary: whoever runs the script prints nothing more.
pub struct Console {
    view: Arc<Mutex<View>>,
}

impl Console {
    /// On standard error, redrawn and kept alive by a thread of its own until the console is dropped.
    pub fn new(style: Style) -> Self {
        let console = Self::to(Box::new(super::stderr()), style);
        if style.verbosity > Verbosity::Quiet {
            let view = Arc::downgrade(&console.view);
            // Without this thread lines are still written, only nothing moves between them.
            let thread = std::thread::Builder::new().name("console".into()).spawn(move || keep_drawing(&view, style));
            lock(&console.view).ticking = thread.is_ok();
        }
        console
    }

    /// Somewhere else; redrawn only by events and [`Console::tick`].
    pub fn to(out: Box<dyn Write + Send>, style: Style) -> Self {
        Self { view: Arc::new(Mutex::new(View::new(out, style))) }
    }

    /// Where the source lines of a failure come from; without it a place is shown as `file:line:column`.
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Self {
        lock(&self.view).sources = sources;
        self
    }

    /// Time has passed: moves what moves, and gives a sign of life in a pipe that has been silent for long.
    pub fn tick(&self, now: Timestamp) {
        lock(&self.view).tick(now);
    }

    /// Nothing is left of calls that run: what comes of them is told elsewhere.
    pub fn forget(self) {
        lock(&self.view).forget();
    }

    /// Holds everything back until the returned guard is dropped, so that a question can be asked on the terminal.
    pub fn pause(&self) -> Pause {
        lock(&self.view).pause();
        Pause { view: Arc::clone(&self.view) }
    }

    /// Asks the person at the terminal and reads one line from standard input; nothing is redrawn meanwhile. `None` at
    /// the end of input, and as soon as `abandoned` says that nobody waits for the answer any more.
    pub fn ask(&self, question: &str, abandoned: &dyn Fn() -> bool) -> Option<String> {
        let _paused = self.pause();
        let mut out = super::stderr();
        let _ = write!(out, "{} ", clean(question)).and_then(|()| out.flush());
        let answer = answer(abandoned);
        if answer.is_none() {
            let _ = writeln!(out);
        }
        answer
    }
}

impl Sink for Console {
    fn event(&self, event: &Redacted) {
        lock(&self.view).event(event);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        lock(&self.view).end();
    }
}

/// Nothing is written to the terminal while this lives.
pub struct Pause {
    view: Arc<Mutex<View>>,
}

impl Drop for Pause {
    fn drop(&mut self) {
        lock(&self.view).resume();
    }
}

fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for an answer a few times a second: a blocking read would outlive the run.
fn answer(abandoned: &dyn Fn() -> bool) -> Option<String> {
    let stdin = std::io::stdin();
    loop {
        if abandoned() {
            return None;
        }
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match rustix::event::poll(&mut waiting, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let mut answer = String::new();
                let read = stdin.read_line(&mut answer).ok()?;
                return (read > 0).then(|| answer.trim().to_owned());
            }
            Err(_) => return None,
        }
    }
}

fn keep_drawing(view: &Weak<Mutex<View>>, style: Style) {
    loop {
        std::thread::sleep(if style.terminal { REDRAW } else { LOOK });
        let Some(view) = view.upgrade() else { return };
        let mut view = lock(&view);
        if style.terminal && std::env::var_os("COLUMNS").is_none() {
            view.resize(terminal_width(), terminal_height());
        }
        view.tick(Timestamp::now());
    }
}
