//! A plan as people read it.

use std::io::{self, Write};

use super::Style;
use super::style::Paint;
use crate::journal::{Plan, PlannedCall};
use crate::primitive::Action;

/// Writes what would change, step by step, where the plan ends, and how much it is in all.
pub fn plan(out: &mut dyn Write, plan: &Plan, style: Style) -> io::Result<()> {
    writeln!(out, "Plan for {} on {}", plan.runbook, plan.environment)?;
    let mut step = None;
    for call in &plan.calls {
        if step != Some(&call.step) {
            writeln!(out, "\n{}", if call.step.is_empty() { "outside of steps" } else { &call.step })?;
            step = Some(&call.step);
        }
        one(out, call, style)?;
    }
    writeln!(out)?;
    for question in &plan.questions {
        writeln!(out, "A person will be asked: {question}")?;
    }
    for name in &plan.undo {
        writeln!(out, "Should it fail: {name}")?;
    }
    if let Some(end) = &plan.certain_until {
        let place = end.site.as_ref().map_or_else(String::new, |site| format!(" up to {site}"));
        let on = end.depends_on.as_ref().map_or_else(String::new, |what| format!(", which depends on {what}"));
        writeln!(out, "Certain{place}{on}. What follows is not planned.")?;
    }
    if let Some(failure) = &plan.failure {
        writeln!(out, "It would fail: {failure}")?;
        failure.hints.iter().try_for_each(|hint| writeln!(out, "  hint: {hint}"))?;
    }
    writeln!(out, "{}", footer(plan))
}

fn one(out: &mut dyn Write, call: &PlannedCall, style: Style) -> io::Result<()> {
    for change in &call.changes {
        let symbol = style.paint(paint(change.action), &change.action.symbol().to_string());
        writeln!(out, "  {symbol} {}", change.what)?;
        change.detail.iter().try_for_each(|line| writeln!(out, "      {line}"))?;
        change.condition.iter().try_for_each(|condition| writeln!(out, "      only if {condition}"))?;
    }
    Ok(())
}

fn paint(action: Action) -> Paint {
    match action {
        Action::Create => Paint::Good,
        Action::Remove => Paint::Bad,
        Action::Update | Action::Replace | Action::Run => Paint::Warning,
    }
}

/// `2 changes: 1 to create, 1 to replace`, in the order of the signs.
fn footer(plan: &Plan) -> String {
    let counts = plan.counts();
    let total: usize = counts.values().sum();
    if total == 0 {
        return "No changes: everything is as the runbook wants it.".into();
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(action, count)| {
            let (sign, word) = (
                action.symbol(),
                match action {
                    Action::Create => "to create",
                    Action::Update => "to change",
                    Action::Remove => "to remove",
                    Action::Replace => "to replace",
                    Action::Run => "to run",
                },
            );
            format!("{sign} {count} {word}")
        })
        .collect();
    format!("{total} {}: {}", if total == 1 { "change" } else { "changes" }, parts.join(", "))
}
