use std::io::{Error, Result, Write};

use serde::Serialize;

/// Writes one JSON document, indented for people who look at it.
pub fn document(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(Error::from)?;
    writeln!(out)
}

/// Writes one JSON object as one line.
pub fn json_line(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(Error::from)?;
    writeln!(out)
}
