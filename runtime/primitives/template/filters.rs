use minijinja::{Environment, Error, ErrorKind, Value};

use crate::secrets::env_file::Dialect;

/// Adds what configuration files need and MiniJinja has not, or has in a form made for HTML.
pub fn add(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", tojson);
    environment.add_filter("quote", quote);
    environment.add_filter("env_quote", env_quote);
}

/// JSON, which is also a YAML value: `tojson` in one line, `tojson(2)` in indented lines. `<`, `>` and `&` stay as they are.
fn tojson(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let failed = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let Some(indent) = indent else { return serde_json::to_string(value).map_err(failed) };
    let spaces = vec![b' '; indent.min(16)];
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(failed)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// One word of a POSIX shell, whatever it holds.
fn quote(value: &Value) -> Result<String, Error> {
    let text = scalar(value, "quote")?;
    if is_plain(&text) { Ok(text) } else { Ok(format!("'{}'", text.replace('\'', r"'\''"))) }
}

/// A value of an `.env` file as Compose reads it: what it reads back is the value, character by character.
fn env_quote(value: &Value) -> Result<String, Error> {
    let text = scalar(value, "env_quote")?;
    let quoted = if text.contains('\0') { None } else { Dialect::Compose.quoted(&text) };
    quoted.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "`env_quote` cannot write a value with a zero byte"))
}

/// Characters that no shell gives a meaning.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c))
}

fn scalar(value: &Value, filter: &str) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.is_none() || matches!(value.kind(), minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Map) {
        let what = format!("`{filter}` takes one value, got {}", value.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    Ok(value.to_string())
}
