//! The last lines of a run: how it ended, and the command that shows more.

use super::super::style::Paint;
use super::super::text::columns;
use super::super::{Style, elapsed};
use crate::journal::{CallState, RunState};
use crate::primitive::Effect;

/// What is counted while the run goes on.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// The runbook's path.
    pub(super) runbook: String,
    /// The environment's name, empty without one.
    pub(super) environment: String,
    /// Calls that changed something.
    pub(super) changed: usize,
    /// Calls that found everything as it should be.
    pub(super) unchanged: usize,
    /// Calls that change things and did not say whether they did: commands, and whatever ended half-way.
    pub(super) unknown: usize,
    /// Did it go on after an interruption? Then the time and the counts are of what came since.
    pub(super) resumed: bool,
    /// How many undo blocks there were, and how many of them failed.
    pub(super) undo: Option<(usize, usize)>,
}

impl Totals {
    /// `deploy.rhai on prod`.
    pub(super) fn subject(&self) -> String {
        let on = if self.environment.is_empty() { String::new() } else { format!(" on {}", self.environment) };
        format!("{}{on}", self.runbook)
    }

    pub(super) fn count(&mut self, state: CallState, changed: Option<bool>, effect: Option<Effect>) {
        let alters = matches!(effect, Some(Effect::Change | Effect::Destroy));
        match (state, changed) {
            (CallState::Done, Some(true)) => self.changed += 1,
            // One that failed says so when it had not begun.
            (_, Some(false)) => self.unchanged += 1,
            _ => self.unknown += usize::from(alters),
        }
    }

    /// `failed: deploy.rhai on prod in 31.2s at `replace` — …`, and the commands that show more; `step` is where it failed.
    pub(super) fn summary(
        &self,
        run: i64,
        state: RunState,
        milliseconds: u64,
        step: Option<&str>,
        style: Style,
    ) -> String {
        let (label, paint) = match state {
            RunState::Ok => ("ok", Paint::Good),
            RunState::Failed => ("failed", Paint::Bad),
            RunState::Cancelled => ("cancelled", Paint::Warning),
            RunState::Waiting => ("waiting for a person", Paint::Warning),
            RunState::InDoubt => ("in doubt", Paint::Bad),
            RunState::Killed => ("killed", Paint::Bad),
            RunState::Running => ("running", Paint::Active),
        };
        let at = step.map_or_else(String::new, |step| format!(" at `{step}`"));
        let since = if self.resumed { " since it went on" } else { "" };
        let rest = format!(": {} in {}{since}{at}", self.subject(), elapsed(milliseconds));
        let (dash, balance) = (style.pick(" — ", " - "), self.balance(state));
        let fits = columns(label) + columns(&rest) + columns(dash) + columns(&balance) <= style.width;
        let indent = format!("\n{}", " ".repeat(columns(label) + 2));
        let between = if fits { dash } else { &indent };
        let mut text = format!("{}{rest}{between}{balance}\n", style.paint(paint, label));
        let mut commands = vec![format!("show more: runbook show {run}")];
        commands.extend(step.map(|step| format!("           runbook logs {run} --step {}", quoted(step))));
        for command in commands {
            text.push_str(&style.paint(Paint::Faint, &command));
            text.push('\n');
        }
        text
    }

    fn balance(&self, state: RunState) -> String {
        let blocks = |count: usize| if count == 1 { "1 undo block".to_owned() } else { format!("{count} undo blocks") };
        match self.undo {
            Some((all, failed)) if state != RunState::Ok && failed > 0 => {
                format!("{failed} of {} failed: look at the system", blocks(all))
            }
            Some((all, _)) if state != RunState::Ok => format!("{} put things back", blocks(all)),
            _ => self.changes(),
        }
    }

    /// `5 calls changed something, 2 may have, 3 did not`.
    fn changes(&self) -> String {
        if self.changed + self.unknown == 0 {
            return if self.resumed { "nothing changed in that time" } else { "nothing changed" }.into();
        }
        let counts = [
            (self.changed, "changed something", "changed something"),
            (self.unknown, "may have changed something", "may have"),
            (self.unchanged, "did not", "did not"),
        ];
        let counts = counts.into_iter().filter(|(count, ..)| *count > 0).enumerate();
        let parts = counts.map(|(place, (count, first, further))| match (place, count) {
            (0, 1) => format!("1 call {first}"),
            (0, _) => format!("{count} calls {first}"),
            _ => format!("{count} {further}"),
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
