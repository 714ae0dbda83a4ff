//! The project file and the files it names.

use std::path::Path;

use serde_json::Value;

use super::Ward;
use crate::project::{Environment, PROJECT_FILE, ProjectFile};
use crate::report::Condition;

pub(super) fn look(ward: &Ward) -> Vec<Condition> {
    let mut all = Vec::new();
    if ward.root.join(PROJECT_FILE).is_file() {
        match ProjectFile::load(&ward.root) {
            Ok(file) => {
                all.push(Condition::ok("project file", described(&file)));
                all.extend(file.environments.values().map(|environment| files(&ward.root, environment)));
                all.extend(
                    file.registries.iter().filter_map(|(address, login)| password(address, &login.password_env)),
                );
            }
            Err(failure) => {
                all.push(Condition::missing("project file", failure.message).fix(format!("mend {PROJECT_FILE}")));
            }
        }
    } else {
        all.push(Condition::warn("project file", "none here or above").fix("runbook init"));
    }
    all
}

fn described(file: &ProjectFile) -> String {
    let names: Vec<&str> = file.environments.keys().map(String::as_str).collect();
    match names.len() {
        0 => format!("{}, no environments", file.name),
        _ => format!("{}, environments {}", file.name, names.join(", ")),
    }
}

/// The compose files and the environment file that an environment names.
fn files(root: &Path, environment: &Environment) -> Condition {
    let name = format!("files of {}", environment.name);
    let compose: Vec<&str> = match environment.values.get("compose_files") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let env_file = environment.str("env_file");
    let named: Vec<&str> = compose.into_iter().chain(env_file).collect();
    let absent: Vec<&str> = named.iter().copied().filter(|file| !root.join(file).is_file()).collect();
    if named.is_empty() {
        return Condition::ok(name, "names no compose files");
    }
    if absent.is_empty() {
        return Condition::ok(name, named.join(", "));
    }
    let condition = Condition::missing(name, format!("{} not found", absent.join(", ")));
    absent.iter().fold(condition, |condition, file| {
        let example = ["example", "sample", "template", "dist"].iter().map(|end| format!("{file}.{end}"));
        match example.into_iter().find(|example| root.join(example).is_file()) {
            Some(example) => condition.fix(format!("cp {example} {file}, and fill it in")),
            None if Some(*file) == env_file => condition.fix(format!("write {file}")),
            None => condition.fix(format!("put {file} there, or correct [env.{}] in {PROJECT_FILE}", environment.name)),
        }
    })
}

/// A registry whose password is not in the environment cannot be pulled from.
fn password(address: &str, variable: &str) -> Option<Condition> {
    if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let found = format!("the variable {variable} with its password is not set");
    Some(Condition::warn(format!("registry {address}"), found).fix(format!("export {variable}=…")))
}
