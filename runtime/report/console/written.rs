//! The lines that stay.

use jiff::Timestamp;
use serde_json::Value;

use super::super::style::Paint;
use super::super::text::{clean, cut};
use super::super::{Verbosity, failure};
use super::line;
use super::live::doing;
use super::tree::{Item, Kind};
use super::view::View;
use crate::failure::{Failure, FailureKind};
use crate::primitive::{LogStream, Site};

impl View {
    /// `run 12: deploy.rhai on prod — Deploy the shop`, and the parameters below.
    pub(super) fn write_heading(&self, run: i64, title: &str, parameters: &Value, text: &mut String) {
        if self.style.verbosity == Verbosity::Quiet {
            return;
        }
        let ellipsis = self.style.pick("…", "...");
        let dash = if title.is_empty() { "" } else { self.style.pick(" — ", " - ") };
        let line = format!("run {run}: {}{dash}{}", clean(&self.totals.subject()), clean(title));
        push(text, &self.style.paint(Paint::Strong, &cut(&line, self.style.columns(), ellipsis)));
        if let Some(parameters) = line::parameters(parameters) {
            let line = cut(&format!("  {parameters}"), self.style.columns(), ellipsis);
            push(text, &self.style.paint(Paint::Faint, &line));
        }
        text.push('\n');
    }

    /// The first lines of a call and of everything above it, where they are not written yet.
    pub(super) fn write_opened(&mut self, path: &str, text: &mut String) {
        let above: Vec<String> = self.tree.ancestors(path).map(|(path, _)| path.to_owned()).collect();
        for path in above.iter().rev().map(String::as_str).chain([path]) {
            if !self.shows(path) {
                continue;
            }
            let indent = self.indent(path);
            let Some(call) = self.tree.get_mut(path).filter(|call| !call.opened) else { continue };
            call.opened = true;
            if call.kind != Kind::Branch {
                push(text, &line::opened(call, &indent, self.style));
                self.write_arguments(path, &indent, text);
            }
        }
    }

    /// The last line of a call.
    pub(super) fn write_finished(&mut self, path: &str, text: &mut String) {
        if !self.shows(path) {
            return;
        }
        if let Some(parent) = self.tree.get(path).and_then(|call| call.parent.clone()) {
            self.write_opened(&parent, text);
        }
        let indent = self.indent(path);
        let Some(call) = self.tree.get(path) else { return };
        push(text, &line::finished(call, &indent, self.style));
        if !call.opened {
            self.write_arguments(path, &indent, text);
        }
        self.write_problem(path, &indent, text);
    }

    /// A call with everything below it, now that the outermost has ended.
    pub(super) fn write_tree(&self, path: &str, text: &mut String) {
        let Some(call) = self.tree.get(path).filter(|_| self.shows(path)) else { return };
        let indent = self.indent(path);
        push(text, &line::finished(call, &indent, self.style));
        for item in &call.items {
            match item {
                Item::Call(path) => self.write_tree(path, text),
                Item::Line(stream, line) => {
                    push(text, &line::logged(*stream, line, &format!("{indent}  "), self.style));
                }
            }
        }
        self.write_problem(path, &indent, text);
    }

    /// What was begun and will not end, when the run ends before it.
    pub(super) fn write_unfinished(&mut self, text: &mut String) {
        for root in self.tree.roots().to_vec() {
            if !self.streams() {
                self.write_tree(&root, text);
            }
            self.tree.remove(&root);
        }
    }

    /// A line said inside a call.
    pub(super) fn write_line_inside(&mut self, path: &str, stream: LogStream, line: &str, text: &mut String) {
        self.write_opened(path, text);
        let is_branch = self.tree.get(path).is_some_and(|call| call.kind == Kind::Branch);
        let indent = if is_branch { String::new() } else { "  ".to_owned() };
        let label =
            self.tree.get(path).filter(|_| is_branch).map_or(String::new(), |call| format!("[{}] ", call.title));
        push(text, &line::logged(stream, line, &format!("{}{label}{indent}", self.indent(path)), self.style));
    }

    /// A line said outside any call that is shown.
    pub(super) fn write_line(&self, stream: LogStream, line: &str, text: &mut String) {
        push(text, &line::logged(stream, line, "", self.style));
    }

    pub(super) fn write_undo_heading(&self, text: &mut String) {
        if self.style.verbosity > Verbosity::Quiet {
            text.push('\n');
            push(text, &self.style.paint(Paint::Strong, "putting things back"));
        }
    }

    /// The failure itself, and a blank line before the summary.
    pub(super) fn write_ending(&self, cause: Option<&Failure>, trace: &[Site], text: &mut String) {
        let quiet = self.style.verbosity == Verbosity::Quiet;
        let told = cause.filter(|cause| {
            cause.kind != FailureKind::Cancelled || !cause.hints.is_empty() || cause.message != "cancelled"
        });
        if let Some(cause) = told {
            let mut cause = cause.clone();
            if cause.evidence.is_empty() {
                cause.evidence.extend(self.origins.of(&cause).and_then(|origin| origin.seen.clone()));
            }
            let mut rendered = Vec::new();
            // Writing to memory cannot fail.
            let _ = failure(&mut rendered, &cause, trace, &self.sources, self.style);
            if !quiet {
                text.push('\n');
            }
            text.push_str(&String::from_utf8_lossy(&rendered));
        }
        if !quiet || told.is_some() {
            text.push('\n');
        }
    }

    /// What is being waited for, in a pipe that has been silent.
    pub(super) fn write_sign_of_life(&self, now: Timestamp, text: &mut String) {
        let mut leaves = Vec::new();
        for root in self.tree.roots() {
            self.leaves(root, &mut leaves);
        }
        for path in leaves {
            let Some(call) = self.tree.get(&path) else { continue };
            push(text, &line::waiting(call, &self.indent(&path), &doing(call, self.style), now, self.style));
        }
    }

    fn write_arguments(&self, path: &str, indent: &str, text: &mut String) {
        let is_call = |call: &&super::tree::Call| call.kind == Kind::Call;
        let call = self.tree.get(path).filter(is_call).filter(|_| self.style.verbosity == Verbosity::Verbose);
        if let Some(arguments) = call.and_then(|call| line::arguments(&call.arguments)) {
            push(text, &self.style.paint(Paint::Faint, &format!("{indent}    {arguments}")));
        }
    }

    fn write_problem(&self, path: &str, indent: &str, text: &mut String) {
        let problem = self.tree.get(path).and_then(|call| call.end.as_ref()).map_or(&[][..], |end| &end.problem);
        for line in problem {
            push(text, format!("{indent}  {line}").trim_end());
        }
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
