use serde_json::Value;

/// How `found` fails to contain `expected`, one sentence each; empty when it does.
///
/// A map contains another if it has every key of it with a value that contains the expected one; lists must have the
/// same length; `()` stands for a value that is missing or null. A key that the found map does not have is read as a
/// path: `"checks.db.state"`, `"items.0.id"`.
pub(super) fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare(expected, Some(found), &mut Vec::new(), found, &mut differences);
    differences
}

fn compare(expected: &Value, found: Option<&Value>, path: &mut Vec<String>, root: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Null, None) => {}
        (_, None) => out.push(missing(expected, path, root)),
        (Value::Object(wanted), Some(found)) if found.is_object() || found.is_array() => {
            for (key, value) in wanted {
                let (steps, target) = find(key, found);
                path.extend(steps);
                compare(value, target, path, root, out);
                path.truncate(path.len() - if found.get(key).is_some() { 1 } else { key.split('.').count() });
            }
        }
        (Value::Array(wanted), Some(Value::Array(items))) if wanted.len() == items.len() => {
            for (index, (value, item)) in wanted.iter().zip(items).enumerate() {
                path.push(index.to_string());
                compare(value, Some(item), path, root, out);
                path.pop();
            }
        }
        (Value::Array(wanted), Some(Value::Array(items))) => {
            out.push(format!("{} has {} items, expected {}", place(path), items.len(), wanted.len()));
        }
        (expected, Some(found)) if same(expected, found) => {}
        (expected, Some(found)) => {
            out.push(format!("{} is {}, expected {}", place(path), short(found), short(expected)));
        }
    }
}

/// The value under a key, or at the end of a path; with the steps that lead there.
fn find<'a>(key: &str, found: &'a Value) -> (Vec<String>, Option<&'a Value>) {
    if let Some(value) = found.get(key) {
        return (vec![key.to_owned()], Some(value));
    }
    let steps: Vec<String> = key.split('.').map(str::to_owned).collect();
    let value = steps.iter().try_fold(found, |value, step| child(value, step));
    (steps, value)
}

fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    }
}

/// Numbers are compared by value: a script's `1` is the answer's `1.0`.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected.as_f64(), found.as_f64()) {
        (Some(a), Some(b)) if expected.as_i64().is_none() || found.as_i64().is_none() => a.total_cmp(&b).is_eq(),
        _ => expected == found,
    }
}

/// Says how far the path leads and what is there instead.
fn missing(expected: &Value, path: &[String], root: &Value) -> String {
    let mut here = root;
    let mut known = 0;
    while let Some(next) = path.get(known).and_then(|step| child(here, step)) {
        here = next;
        known += 1;
    }
    let owner = place(&path[..known]);
    let instead = match here {
        Value::Object(map) if map.is_empty() => format!("{owner} is empty"),
        Value::Object(map) => {
            let keys: Vec<&str> = map.keys().take(8).map(String::as_str).collect();
            format!("{owner} has {}{}", keys.join(", "), if map.len() > 8 { ", …" } else { "" })
        }
        Value::Array(items) => format!("{owner} has {} items", items.len()),
        other => format!("{owner} is {}", short(other)),
    };
    format!("{} is missing ({instead}), expected {}", place(path), short(expected))
}

fn place(path: &[String]) -> String {
    if path.is_empty() { "the body".into() } else { format!("`{}`", path.join(".")) }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 { text } else { text.chars().take(79).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subset_matches_and_more_keys_do_no_harm() {
        let found = json!({ "status": "ok", "checks": { "db": { "state": "up", "ms": 3 } }, "n": 1.0, "gone": null });
        for expected in [
            json!({}),
            json!({ "status": "ok", "n": 1 }),
            json!({ "checks": { "db": { "state": "up" } } }),
            json!({ "checks.db.state": "up", "checks.db": { "ms": 3 } }),
            json!({ "gone": null, "never.there": null }),
        ] {
            assert_eq!(differences(&expected, &found), [""; 0], "{expected}");
        }
    }

    #[test]
    fn every_difference_names_its_path_with_expected_and_found() {
        let found = json!({ "status": "down", "checks": { "db": { "state": "lost" } }, "list": [1, { "id": 2 }] });
        let expected = json!({
            "status": "ok", "checks.db.state": "connected", "checks.cache.state": "up", "list": [1, { "id": 3 }],
            "list.1.id": 4, "list.2": 5,
        });
        assert_eq!(
            differences(&expected, &found),
            [
                "`status` is \"down\", expected \"ok\"",
                "`checks.db.state` is \"lost\", expected \"connected\"",
                "`checks.cache.state` is missing (`checks` has db), expected \"up\"",
                "`list.1.id` is 2, expected 3",
                "`list.1.id` is 2, expected 4",
                "`list.2` is missing (`list` has 2 items), expected 5",
            ]
        );
    }

    #[test]
    fn a_key_with_a_dot_in_it_wins_over_the_path() {
        assert_eq!(differences(&json!({ "a.b": 1 }), &json!({ "a.b": 1, "a": { "b": 2 } })), [""; 0]);
    }

    #[test]
    fn the_whole_body_may_be_a_list_or_a_plain_value() {
        assert_eq!(differences(&json!("ok"), &json!("ok")), [""; 0]);
        assert_eq!(differences(&json!([]), &json!([1])), ["the body has 1 items, expected 0"]);
        assert_eq!(differences(&json!({ "a": 1 }), &json!(7)), ["the body is 7, expected {\"a\":1}"]);
    }
}
