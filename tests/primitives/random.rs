//! `random`: chance.

use std::collections::BTreeSet;

use runbook::primitive::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

fn random(options: Value) -> Result<Value, Failure> {
    Direct::new().call(primitive("random"), json!([]), options).map(|outcome| outcome.value)
}

#[test]
fn digits_numbers_and_items() {
    let digits = random(json!({ "bytes": 16 })).unwrap();
    let digits = digits.as_str().unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    let ids: BTreeSet<String> = (0..100).map(|_| random(json!({ "bytes": 8 })).unwrap().to_string()).collect();
    assert_eq!(ids.len(), 100);
    let rolls: BTreeSet<i64> =
        (0..300).map(|_| random(json!({ "from": -1, "to": 2 })).unwrap().as_i64().unwrap()).collect();
    assert_eq!(rolls, BTreeSet::from([-1, 0, 1, 2]));
    assert_eq!(random(json!({ "from": 7, "to": 7 })).unwrap(), 7);
    random(json!({ "from": i64::MIN, "to": i64::MAX })).unwrap();
    let items: BTreeSet<String> =
        (0..100).map(|_| random(json!({ "of": ["a", { "b": 1 }] })).unwrap().to_string()).collect();
    assert_eq!(items, BTreeSet::from(["\"a\"".to_owned(), "{\"b\":1}".to_owned()]));
}

#[test]
fn what_it_cannot_draw_it_refuses() {
    for (options, message) in [
        (json!({}), "`random`: needs `bytes`, `from` with `to`, or `of`, and only one of them"),
        (json!({ "from": 1 }), "`random`: needs `bytes`, `from` with `to`, or `of`, and only one of them"),
        (json!({ "bytes": 1, "of": [1] }), "`random`: needs `bytes`, `from` with `to`, or `of`, and only one of them"),
        (json!({ "bytes": 0 }), "`random`: `bytes` must be 1 to 1024"),
        (json!({ "bytes": 1025 }), "`random`: `bytes` must be 1 to 1024"),
        (json!({ "from": 2, "to": 1 }), "`random`: `from` (2) is larger than `to` (1)"),
        (json!({ "of": [] }), "`random`: `of` is an empty list"),
    ] {
        let failure = random(options).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Option, message));
    }
}

#[test]
fn a_script_draws() {
    let script = "let id = random(#{ bytes: 4 }); if id.len() == 8 { info(`drew ${random(#{ from: 5, to: 5 })}`) }";
    Project::script(script).run().success().says("drew 5");
}
