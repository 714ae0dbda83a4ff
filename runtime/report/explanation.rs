use std::io::{Result, Write};

use super::text::clean;
use crate::compose::Explanation;

/// Tells where the value of a variable comes from, and where it goes.
pub fn explanation(out: &mut dyn Write, found: &Explanation) -> Result<()> {
    match &found.value {
        Some(value) => writeln!(out, "{} = {}", found.name, clean(value))?,
        None => writeln!(out, "{} is not set for the compose files", found.name)?,
    }
    let origin = |(at, origin): (usize, &crate::compose::Origin)| {
        let place = origin.place.clone().unwrap_or_else(|| "asked for, with --env or --inherit".to_owned());
        vec![place, clean(&origin.value), if at > 0 { "does not count".to_owned() } else { String::new() }]
    };
    section(out, "set by", &found.origins.iter().enumerate().map(origin).collect::<Vec<_>>())?;
    let used = found.uses.iter().map(|used| {
        let becomes = used.becomes.as_deref().map_or_else(|| "cannot be replaced".to_owned(), clean);
        vec![used.place.clone(), used.key.clone(), format!("{} → {becomes}", clean(&used.written))]
    });
    section(out, "used by", &used.collect::<Vec<_>>())?;
    let given = found.containers.iter().map(|given| {
        let value = given.value.as_deref().map_or_else(|| "taken away".to_owned(), clean);
        vec![given.service.clone(), value, given.place.clone()]
    });
    section(out, "in the containers of", &given.collect::<Vec<_>>())?;
    if !found.problems.is_empty() {
        writeln!(out, "\nthe files do not load, so containers are not known:")?;
        found.problems.iter().try_for_each(|problem| writeln!(out, "  {}", clean(problem)))?;
    }
    Ok(())
}

/// A title, and rows in columns below it; nothing when there are none.
fn section(out: &mut dyn Write, title: &str, rows: &[Vec<String>]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..3).map(|column| width(column).unwrap_or_default()).collect();
    writeln!(out, "\n{title}")?;
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "  {}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
