//! Turns events into lines.

use std::io::Write;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::text::clean_lines;
use super::super::{Style, Verbosity, standing};
use super::Sources;
use super::origin::Origins;
use super::screen::Screen;
use super::summary::Totals;
use super::tree::{End, Item, Kind, Tree};
use crate::failure::{Evidence, Failure, FailureKind};
use crate::journal::Event;
use crate::primitive::{Effect, LogStream};

/// A pipe that was silent for so long gets a line saying what is waited for; some systems end silent jobs.
const SILENCE: Duration = Duration::from_secs(30);

/// A loop of fast calls must not spend its time on drawing.
const AT_MOST_EVERY: Duration = Duration::from_millis(40);

/// What has been shown, and what is still moving.
pub(super) struct View {
    pub(super) style: Style,
    pub(super) height: usize,
    pub(super) sources: Sources,
    pub(super) tree: Tree,
    pub(super) totals: Totals,
    pub(super) origins: Origins,
    /// Something redraws this regularly, so that events need not.
    pub(super) ticking: bool,
    screen: Screen,
    drawn: Instant,
    now: Timestamp,
    last_written: Timestamp,
}

impl View {
    pub(super) fn new(out: Box<dyn Write + Send>, style: Style) -> Self {
        Self {
            style,
            height: 24,
            sources: Box::new(|_| None),
            tree: Tree::default(),
            totals: Totals::default(),
            origins: Origins::default(),
            ticking: false,
            screen: Screen::new(out),
            drawn: Instant::now(),
            now: Timestamp::UNIX_EPOCH,
            last_written: Timestamp::now(),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.now = at(event).unwrap_or(self.now);
        let mut text = String::new();
        match event {
            Event::RunStarted { run, runbook, title, environment, parameters, .. } => {
                self.last_written = self.now;
                self.totals.runbook.clone_from(runbook);
                self.totals.environment.clone_from(environment);
                self.write_heading(*run, title, parameters, &mut text);
            }
            Event::RunResumed { run, runbook, environment, finished, .. } => {
                self.last_written = self.now;
                self.totals.runbook.clone_from(runbook);
                self.totals.environment.clone_from(environment);
                self.totals.resumed = true;
                text.push_str(&standing::resumed(*run, runbook, environment, *finished));
            }
            Event::RunParked { run, parked } => {
                self.write_unfinished(&mut text);
                text.push_str(&standing::parked(*run, parked));
            }
            Event::CallStarted { path, name, title, effect, arguments, at, .. } => {
                self.tree.start(path, (name, title), *effect, arguments, *at);
                if self.streams() && self.tree.get(path).is_some_and(|call| call.kind == Kind::Step) {
                    self.write_opened(path, &mut text);
                }
            }
            Event::CallFinished { path, state, changed, note, failure, milliseconds, .. } => {
                let effect = self.tree.get(path).map(|call| call.effect);
                self.totals.count(*state, *changed, effect);
                let shown = failure.as_ref().filter(|failure| failure.kind != FailureKind::Cancelled);
                let problem = shown.map_or_else(Vec::new, |failure| self.failed(path, failure));
                let (state, changed, note) = (*state, *changed, note.clone());
                self.finish(path, End { state, changed, note, problem, milliseconds: *milliseconds }, &mut text);
            }
            Event::Log { path, stream, line, .. } => {
                if !self.log(path, *stream, line, &mut text) {
                    return;
                }
            }
            // These come by the thousand in a pull: drawn with the next tick.
            Event::Progress { path, progress } => {
                if let Some(call) = self.tree.get_mut(path) {
                    call.advance(progress);
                }
                return;
            }
            Event::CallMarked { .. }
            | Event::ScriptEnded { .. }
            | Event::ScriptReplaced { .. }
            | Event::Decided { .. }
            | Event::PolicyApplied { .. }
            | Event::SecretUsed { .. }
            | Event::CancelRequested { .. } => {}
            Event::UndoStarted { blocks, .. } => {
                // Each host of a `rolling` is put back by itself.
                let (before, failed) = self.totals.undo.unwrap_or_default();
                self.totals.undo = Some((before + blocks, failed));
                // One that goes on afterwards stays open.
                if !self.tree.goes_on("rolling") {
                    self.write_unfinished(&mut text);
                }
                self.write_undo_heading(&mut text);
            }
            Event::RunFinished { run, state, failure, trace, milliseconds, .. } => {
                self.write_unfinished(&mut text);
                self.write_ending(failure.as_ref(), trace, &mut text);
                let step = failure.as_ref().and_then(|failure| self.origins.of(failure)?.step.as_deref());
                text.push_str(&self.totals.summary(*run, *state, *milliseconds, step, self.style));
            }
        }
        self.show(&text);
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut text = String::new();
        if !self.style.terminal && self.now.duration_since(self.last_written).unsigned_abs() >= SILENCE {
            self.write_sign_of_life(self.now, &mut text);
        }
        self.show(&text);
    }

    pub(super) fn resize(&mut self, width: Option<usize>, height: Option<usize>) {
        self.style.width = width.unwrap_or(self.style.width);
        self.height = height.unwrap_or(self.height);
    }

    pub(super) fn pause(&mut self) {
        self.screen.hold(self.style.width);
    }

    pub(super) fn resume(&mut self) {
        self.screen.release();
        self.show("");
    }

    /// Nothing is said of what runs any more.
    pub(super) fn forget(&mut self) {
        self.tree = Tree::default();
        self.ticking = false;
        self.show("");
    }

    /// Leaves the terminal with lines that stay, also when the run's end was never told.
    pub(super) fn end(&mut self) {
        let mut text = String::new();
        self.write_unfinished(&mut text);
        self.screen.release();
        self.screen.show(&text, &[], self.style.width);
    }

    /// Is this call worth a line? What `wait_until` tries is not: it tries a hundred times.
    pub(super) fn shows(&self, path: &str) -> bool {
        self.tree.get(path).is_some()
            && match self.style.verbosity {
                Verbosity::Quiet => false,
                Verbosity::Normal => !self.tree.ancestors(path).any(|(_, call)| call.name == "wait_until"),
                Verbosity::Verbose => true,
            }
    }

    /// Everything before a call's mark: two columns for each call above it, and the branch it runs in where lines of
    /// several branches come one after the other.
    pub(super) fn indent(&self, path: &str) -> String {
        let labelled = self.streams();
        let section = if path.starts_with("undo.") { "  " } else { "" };
        let above: Vec<_> = self.tree.ancestors(path).collect();
        above.iter().rev().fold(section.to_owned(), |indent, (_, call)| match call.kind {
            Kind::Branch if labelled => format!("{indent}[{}] ", call.title),
            _ => format!("{indent}  "),
        })
    }

    /// Lines are written one by one as things happen, rather than redrawn until the outermost step has ended.
    pub(super) fn streams(&self) -> bool {
        !self.style.terminal || self.style.verbosity == Verbosity::Verbose
    }

    /// Notes where a failure began, and gives the lines that tell it.
    fn failed(&mut self, path: &str, failure: &Failure) -> Vec<String> {
        // `retry` itself warns of each failed attempt, and fails with the last one.
        let shown = self.shows(path) && !self.tree.ancestors(path).any(|(_, call)| call.name == "retry");
        let (tree, verbose) = (&self.tree, self.style.verbosity == Verbosity::Verbose);
        let tell = self.origins.note(path, failure, shown, || {
            let own = tree.get(path).map(|call| (path, call));
            let step = own.into_iter().chain(tree.ancestors(path)).find(|(_, call)| call.kind == Kind::Step);
            let seen = tree.get(path).filter(|call| !call.tail.is_empty() && !verbose).map(|call| Evidence {
                title: format!("last lines of `{}`", call.title),
                text: Vec::from(call.tail.clone()).join("\n"),
            });
            (step.map(|(_, step)| step.title.clone()), seen)
        });
        let undone = path.strip_prefix("undo.").is_some_and(|block| !block.contains('.'));
        if let Some((_, failed)) = self.totals.undo.as_mut().filter(|_| undone) {
            *failed += 1;
        }
        if tell { clean_lines(&failure.message).lines().map(str::to_owned).collect() } else { Vec::new() }
    }

    fn finish(&mut self, path: &str, end: End, text: &mut String) {
        if !self.tree.finish(path, end, self.now) {
            return;
        }
        let is_outermost = self.tree.get(path).is_some_and(|call| call.parent.is_none());
        if self.streams() {
            self.write_finished(path, text);
        } else if is_outermost {
            self.write_tree(path, text);
        }
        if is_outermost || self.streams() || !self.shows(path) {
            self.tree.remove(path);
        }
    }

    /// Shows or keeps a line of output. False when there is nothing new to see.
    fn log(&mut self, path: &str, stream: LogStream, line: &str, text: &mut String) -> bool {
        // What a script says belongs to the step it says it in; what a call says of itself is its output.
        let by_call = self.tree.get(path).is_some_and(|call| call.effect != Effect::Flow);
        let to_people = stream == LogStream::Warn || (stream == LogStream::Info && !by_call);
        let stream = if to_people || stream != LogStream::Info { stream } else { LogStream::Stdout };
        if !to_people {
            if let Some(call) = self.tree.get_mut(path) {
                call.remember(line);
            }
            if self.style.verbosity < Verbosity::Verbose {
                return false;
            }
        }
        let own = self.tree.get(path).map(|_| path);
        let above = own.into_iter().chain(self.tree.ancestors(path).map(|(path, _)| path));
        let shown_in = above.into_iter().find(|path| self.shows(path)).map(str::to_owned);
        match shown_in {
            Some(inside) if self.streams() => self.write_line_inside(&inside, stream, line, text),
            Some(inside) => {
                if let Some(call) = self.tree.get_mut(&inside) {
                    call.items.push(Item::Line(stream, line.to_owned()));
                }
            }
            None => self.write_line(stream, line, text),
        }
        true
    }

    fn show(&mut self, text: &str) {
        if !text.is_empty() {
            self.last_written = self.now;
        } else if self.ticking && self.drawn.elapsed() < AT_MOST_EVERY {
            return;
        }
        self.drawn = Instant::now();
        let moving = match self.style.verbosity {
            Verbosity::Normal if self.style.terminal => self.moving_tree(self.now),
            Verbosity::Verbose if self.style.terminal => self.moving_calls(self.now),
            _ => Vec::new(),
        };
        self.screen.show(text, &moving, self.style.width);
    }
}

fn at(event: &Event) -> Option<Timestamp> {
    match event {
        Event::RunStarted { at, .. }
        | Event::RunResumed { at, .. }
        | Event::ScriptReplaced { at, .. }
        | Event::Decided { at, .. }
        | Event::PolicyApplied { at, .. }
        | Event::SecretUsed { at, .. }
        | Event::CancelRequested { at, .. }
        | Event::CallMarked { at, .. }
        | Event::ScriptEnded { at, .. }
        | Event::CallStarted { at, .. }
        | Event::CallFinished { at, .. }
        | Event::Log { at, .. }
        | Event::UndoStarted { at, .. }
        | Event::RunFinished { at, .. } => Some(*at),
        Event::RunParked { parked, .. } => Some(parked.at),
        Event::Progress { .. } => None,
    }
}
