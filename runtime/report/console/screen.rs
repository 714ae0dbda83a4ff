//! Lines that stay, and below them lines that are redrawn.

use std::io::Write;

use super::super::text::columns;

/// Where the console writes: finished lines scroll away, running lines stay below them and are redrawn in place.
pub(super) struct Screen {
    out: Box<dyn Write + Send>,
    /// Columns of each redrawn line now on the terminal.
    drawn: Vec<usize>,
    /// What to write once a question has been answered.
    held: Option<String>,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, drawn: Vec::new(), held: None }
    }

    /// Writes finished lines above the redrawn ones, and redraws those.
    pub(super) fn show(&mut self, finished: &str, running: &[String], width: usize) {
        if let Some(held) = &mut self.held {
            held.push_str(finished);
            return;
        }
        if finished.is_empty() && running.is_empty() && self.drawn.is_empty() {
            return;
        }
        let mut text = self.erase(width);
        text.push_str(finished);
        for line in running {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = running.iter().map(|line| columns(&super::super::text::clean(line))).collect();
        self.write(&text);
    }

    /// Clears the redrawn lines and holds everything back, so that a question can be asked.
    pub(super) fn hold(&mut self, width: usize) {
        let text = self.erase(width);
        self.drawn.clear();
        self.write(&text);
        self.held.get_or_insert_default();
    }

    /// Writes what was held back.
    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.write(&held);
        }
    }

    /// A terminal that became narrower has wrapped the lines it shows: count rows, not lines.
    fn erase(&self, width: usize) -> String {
        let rows: usize = self.drawn.iter().map(|columns| columns.div_ceil(width.max(1)).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\x1b[{rows}A\r\x1b[J") }
    }

    /// One write for everything: no flicker, and nobody else's text in the middle. A terminal that went away must not
    /// stop a deployment, so errors are left alone.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}
