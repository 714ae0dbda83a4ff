//! `python -m seeding.cli`: sends the rows of `seed_data_*.json` to the API, which keeps what it does not have yet.

use std::process::ExitCode;

use serde_json::Value;

use super::client;

const KINDS: [&str; 3] = ["enums", "spells", "monsters"];

/// `--api-base-url URL --all`: idempotent, and says what it did.
pub fn run(arguments: &[&str]) -> ExitCode {
    let ["--api-base-url", base, "--all"] = arguments else {
        eprintln!("usage: python -m seeding.cli --api-base-url URL --all");
        return ExitCode::from(2);
    };
    let (mut inserted, mut updated) = (0, 0);
    for kind in KINDS {
        match seed(base, kind) {
            Ok((new, changed)) => (inserted, updated) = (inserted + new, updated + changed),
            Err(problem) => {
                eprintln!("seeding {kind} failed: {problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{inserted} inserted, {updated} updated");
    ExitCode::SUCCESS
}

fn seed(base: &str, kind: &str) -> Result<(usize, usize), String> {
    let file = format!("seed_data_{kind}.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let (mut inserted, mut updated) = (0, 0);
    for (id, row) in rows(serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?) {
        let url = format!("{}/{kind}/{id}", base.trim_end_matches('/'));
        match client::request("PUT", &url, &row.to_string()).map_err(|trouble| trouble.to_string())? {
            (201, _) => inserted += 1,
            (200, _) => updated += 1,
            (204, _) => {}
            (status, body) => return Err(format!("{url} answered {status}: {body}")),
        }
    }
    Ok((inserted, updated))
}

/// A list of objects with an `id` or a `name`, or a map by id.
fn rows(file: Value) -> Vec<(String, Value)> {
    match file {
        Value::Object(map) => map.into_iter().collect(),
        Value::Array(items) => items.into_iter().enumerate().map(|(place, item)| (id(place, &item), item)).collect(),
        _ => Vec::new(),
    }
}

fn id(place: usize, item: &Value) -> String {
    let name =
        item.get("id").or_else(|| item.get("name")).map(|name| name.as_str().map_or(name.to_string(), str::to_owned));
    let name = name.unwrap_or_else(|| place.to_string());
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
