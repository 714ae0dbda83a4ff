use serde::Serialize;
use serde_json::Value;

/// A value that two runs do not share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueChange {
    /// Where it stands, as in `services.api.image`; empty for the whole.
    pub path: String,
    /// What run `a` has; none when it has nothing there.
    pub a: Option<Value>,
    /// What run `b` has; none when it has nothing there.
    pub b: Option<Value>,
}

/// The innermost values that differ, in the order of `a`, then what only `b` has.
pub fn changes(a: &Value, b: &Value) -> Vec<ValueChange> {
    let mut found = Vec::new();
    compare(String::new(), Some(a), Some(b), &mut found);
    found
}

fn compare(path: String, a: Option<&Value>, b: Option<&Value>, found: &mut Vec<ValueChange>) {
    match (a, b) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_in_b = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(only_in_b) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(path, a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for place in 0..a.len().max(b.len()) {
                compare(format!("{path}[{place}]"), a.get(place), b.get(place), found);
            }
        }
        (a, b) => found.push(ValueChange { path, a: a.cloned(), b: b.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_innermost_differing_values_are_named() {
        let a = json!({ "tag": "v1", "same": [1, 2], "api": { "image": "x", "ports": [80, 443] }, "gone": true });
        let b = json!({ "tag": "v2", "same": [1, 2], "api": { "image": "x", "ports": [80] }, "new": null });
        let shown: Vec<String> = changes(&a, &b).iter().map(|c| format!("{} {:?} {:?}", c.path, c.a, c.b)).collect();
        assert_eq!(
            shown,
            [
                "tag Some(String(\"v1\")) Some(String(\"v2\"))",
                "api.ports[1] Some(Number(443)) None",
                "gone Some(Bool(true)) None",
                "new None Some(Null)",
            ]
        );
        assert_eq!(changes(&json!(1), &json!(2))[0].path, "");
    }
}
