//! What reaching a server of data takes, whichever it is: its tools here or in its container, and the secret it asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Program;
use crate::primitive::{Context, Failure, Need, text_of};

/// What reaching a server needs, as a script writes it: these tools, or leave to run them in `container`, and the secret
/// that `password` names.
pub fn needs(written: &Value, tools: &[&str]) -> Vec<Need> {
    let here = tools.iter().map(|tool| Need::command(*tool)).collect();
    let mut needs = Program::reached(here, written.get("container"), written.get("engine"));
    needs.extend(written.get("password").map(|name| Need::secret(text_of(Some(name)))));
    needs
}

/// Puts the password of that name into the variable in which the server's tools look for it.
pub fn unlock(
    context: &Context<'_>,
    password: Option<&str>,
    variable: &str,
    env: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    let Some(name) = password else { return Ok(()) };
    let password = context.secret_for(&format!("env.{variable}"), name)?;
    env.insert(variable.to_owned(), password.expose().to_owned());
    Ok(())
}
