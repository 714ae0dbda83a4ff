mod desk;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, Where};
use crate::failure::{Failure, FailureKind, position};
use crate::secrets::SecretText;
use crate::secrets::sealed::{Draft, Value};

use desk::Desk;

/// Change all values of an environment in an editor: `$VISUAL`, `$EDITOR` or `vi`.
///
/// The values are in a file in memory (`/dev/shm`) while the editor runs, which only you may read, and which is wiped afterwards.
#[derive(Args)]
pub struct Edit {
    #[command(flatten)]
    place: Where,
}

/// A value before it was edited, and the seal it came out of.
struct Before {
    text: SecretText,
    sealed: Value,
}

impl Edit {
    /// Opens the editor, and takes over what is different afterwards.
    pub fn run(self) -> CommandResult {
        let ground = self.place.ground()?;
        let identity = ground.identity()?;
        let mut before = BTreeMap::new();
        if let Some(opened) = ground.store.open(&ground.environment().name)? {
            for name in opened.names() {
                if let (Some(text), Some(sealed)) = (opened.get(&name, &identity)?, opened.value(&name).cloned()) {
                    before.insert(name, Before { text, sealed });
                }
            }
        }
        let after = parsed(Desk::lay(&written(&ground.environment().name, &before))?.edited()?.expose())?;
        let mut touched = Vec::new();
        let change = ground.store.change(ground.environment(), &identity, |draft| {
            touched = take_over(draft, &before, &after)?;
            Ok(())
        })?;
        ground.told(&format!("changed {}", touched.join(", ")), change);
        Ok(ExitCode::SUCCESS)
    }
}

/// What the editor shows.
fn written(environment: &str, before: &BTreeMap<String, Before>) -> SecretText {
    let values: BTreeMap<&str, &str> =
        before.iter().map(|(name, value)| (name.as_str(), value.text.expose())).collect();
    let head = format!(
        "# The secrets of `{environment}`, as TOML: NAME = \"value\".\n# A line that is removed removes its secret. Save and close to seal them.\n\n"
    );
    SecretText::new(head + toml::to_string_pretty(&values).unwrap_or_default().as_str())
}

/// What was made of it. No message shows a value.
fn parsed(text: &str) -> Result<BTreeMap<String, SecretText>, Failure> {
    let invalid = |why: String| {
        Failure::new(FailureKind::Invalid, format!("what was edited {why}: nothing was changed"))
            .hint("write each value as NAME = \"value\", or between ''' and ''' when it has several lines")
    };
    let table: toml::Table = toml::from_str(text).map_err(|error: toml::de::Error| {
        let (line, _) = position(text, error.span().map_or(0, |span| span.start));
        invalid(format!("is no TOML in line {line}"))
    })?;
    let value = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(text) => Ok((name, SecretText::new(text))),
        _ => Err(invalid(format!("has a value for `{name}` that is not between quotes"))),
    };
    table.into_iter().map(value).collect()
}

/// Makes the difference. What somebody else changed meanwhile is not overwritten.
fn take_over(
    draft: &mut Draft<'_>,
    before: &BTreeMap<String, Before>,
    after: &BTreeMap<String, SecretText>,
) -> Result<Vec<String>, Failure> {
    let mut touched = Vec::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let is_same = match (old, new) {
            (Some(old), Some(new)) => old.text.equals(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if is_same {
            continue;
        }
        let now = draft.opened().value(name);
        if now.map(|value| (value.changed, &value.by)) != old.map(|old| (old.sealed.changed, &old.sealed.by)) {
            let by = now.map_or("somebody", |value| value.by.as_str());
            let message = format!("`{name}` was changed by {by} while you edited it: nothing was changed");
            return Err(
                Failure::new(FailureKind::Conflict, message).hint("edit again, starting from what is there now")
            );
        }
        match new {
            Some(new) => drop(draft.set(name, new, None)?),
            None => drop(draft.remove(name)),
        }
        touched.push(name.clone());
    }
    Ok(touched)
}
