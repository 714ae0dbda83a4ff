use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::attempt::Attempts;
use crate::drivers::http::{Address, Answer};
use crate::primitive::{Failure, Outcome, unknown};

/// What the script gets: a map for one URL, a list of maps for a list; or the failure of all that did not pass.
pub(super) fn of(ended: Vec<Attempts>, many: bool, check: bool) -> Result<Outcome, Failure> {
    if check && ended.iter().any(|attempts| attempts.failure.is_some()) {
        return Err(merged(ended));
    }
    let note = note(&ended);
    let mut values: Vec<Value> = ended.iter().map(value).collect();
    let value = if many { Value::Array(values) } else { values.pop().unwrap_or_default() };
    Ok(Outcome::from(value).note(note))
}

fn value(attempts: &Attempts) -> Value {
    let mut map = Map::new();
    map.insert("ok".into(), attempts.failure.is_none().into());
    map.insert("problem".into(), attempts.failure.as_ref().map(|failure| failure.message.clone()).into());
    let answer = attempts.answer.as_ref();
    map.insert("url".into(), answer.map_or(attempts.url.as_str(), |answer| answer.url.as_str()).into());
    map.insert("status".into(), answer.map(|answer| answer.status).into());
    map.insert("body".into(), answer.map(Answer::text).into());
    map.insert("json".into(), answer.and_then(Answer::json).into());
    map.insert("headers".into(), answer.map_or(json!({}), headers));
    map.insert("milliseconds".into(), answer.map(milliseconds).into());
    map.insert("attempts".into(), attempts.count.into());
    let certificate = answer.and_then(|answer| answer.certificate.as_ref());
    map.insert("tls_days".into(), certificate.map(|certificate| certificate.days_left(Timestamp::now())).into());
    Value::Object(map)
}

/// What a script gets of a request of which a person only knows that it was received.
pub(super) fn presumed(url: String) -> Value {
    value(&Attempts { url, count: 1, ..Attempts::default() })
}

/// What a script gets before anybody was asked.
pub(super) fn foreseen(address: &Address, check: bool) -> Value {
    let later = |field: &str| unknown(format!("the {field} of {address}"));
    let mut map = Map::new();
    // Without `check: false` the call returns only when the answer is as expected.
    map.insert("ok".into(), if check { true.into() } else { later("answer") });
    map.insert("problem".into(), if check { Value::Null } else { later("answer") });
    map.insert("url".into(), address.to_string().into());
    for (field, words) in [
        ("status", "status"),
        ("body", "body"),
        ("json", "body"),
        ("headers", "headers"),
        ("milliseconds", "time"),
        ("attempts", "number of attempts"),
        ("tls_days", "certificate"),
    ] {
        map.insert(field.into(), later(words));
    }
    Value::Object(map)
}

/// What must be the same for a plan to stay true: bodies and headers may tell the time, and time itself always differs.
pub(super) fn observed(result: &Value) -> Value {
    match result {
        Value::Array(items) => items.iter().map(observed).collect(),
        one => json!({ "ok": one["ok"], "url": one["url"], "status": one["status"] }),
    }
}

/// One value per name; several of one name are joined with commas, as RFC 9110, section 5.3 allows.
fn headers(answer: &Answer) -> Value {
    let mut map: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &answer.headers {
        map.entry(name).and_modify(|all| all.push_str(&format!(", {value}"))).or_insert_with(|| value.clone());
    }
    json!(map)
}

fn milliseconds(answer: &Answer) -> u64 {
    u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX)
}

/// `200 in 12 ms`, or how many passed.
fn note(ended: &[Attempts]) -> String {
    match ended {
        [one] => match (&one.failure, &one.answer) {
            (None, Some(answer)) if one.count > 1 => {
                format!("{} in {} ms, attempt {}", answer.status, milliseconds(answer), one.count)
            }
            (None, Some(answer)) => format!("{} in {} ms", answer.status, milliseconds(answer)),
            _ => "did not pass".into(),
        },
        several => {
            let passed = several.iter().filter(|attempts| attempts.failure.is_none()).count();
            format!("{passed} of {} passed", several.len())
        }
    }
}

/// One failure that tells all of them.
fn merged(ended: Vec<Attempts>) -> Failure {
    let total = ended.len();
    let mut failures: Vec<Failure> = ended.into_iter().filter_map(|attempts| attempts.failure).collect();
    let failed = failures.len();
    let rest = failures.split_off(1);
    let mut all = failures.swap_remove(0);
    for failure in rest {
        all.message.push_str(&format!("; {}", failure.message));
        all.evidence.extend(failure.evidence);
        for hint in failure.hints {
            if !all.hints.contains(&hint) {
                all.hints.push(hint);
            }
        }
    }
    if total > 1 {
        all.message = format!("{failed} of {total} checks failed: {}", all.message);
    }
    all
}
