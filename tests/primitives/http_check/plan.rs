//! What a plan says of an answer that nobody has asked for yet, and what becomes of a request that was cut short.

use runbook::primitive::{Action, Change, Recovery};
use serde_json::{Value, json};

use super::primitive;
use crate::harness::Direct;
use crate::harness::http::{Reply, Server};

#[test]
fn a_gate_is_taken_to_hold_and_nothing_else_is_known_of_the_answer() {
    let server = Server::start(|_| Reply::text(200, "never asked"));
    let direct = Direct::new();
    let predicted = direct.predict("http_check", Value::Null, json!([server.url("/a")]), Value::Null).unwrap();
    assert_eq!((&predicted.value["ok"], &predicted.value["url"]), (&json!(true), &json!(server.url("/a"))));
    assert_eq!(predicted.value["body"], json!({ "$unknown": format!("the body of {}", server.url("/a")) }));
    assert!(predicted.changes.is_empty());
    let args = || json!([[server.url("/a"), server.url("/b")]]);
    let predicted = direct.predict("http_check", Value::Null, args(), json!({ "check": false })).unwrap();
    assert_eq!(predicted.value[1]["ok"], json!({ "$unknown": format!("the answer of {}", server.url("/b")) }));
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let real = direct.call(primitive(), args(), Value::Null).unwrap().value;
    assert_eq!(fields(&predicted.value[0]), fields(&real[0]));
    let refused = direct.predict("http_check", Value::Null, json!(["http://"]), Value::Null);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_request_that_changes_something_is_foreseen_by_its_method_and_address() {
    let server = Server::start(|_| Reply::text(200, "done"));
    let direct = Direct::new();
    let (args, options) = (|| json!([server.url("/jobs")]), || json!({ "body": { "n": 1 } }));
    let predicted = direct.predict("http_check", Value::Null, args(), options()).unwrap();
    assert!(server.asked().is_empty());
    let outcome = direct.call(primitive(), args(), options()).unwrap();
    assert_eq!(predicted.changes, outcome.changes);
    assert_eq!(outcome.changes, [Change::new(Action::Run, format!("POST {}", server.url("/jobs")))]);
    assert!(direct.call(primitive(), args(), Value::Null).unwrap().changes.is_empty());
}

#[test]
fn a_request_that_was_cut_short_is_made_again_where_twice_is_once() {
    let direct = Direct::new();
    for (options, recovery) in [
        (json!({}), Recovery::Pure),
        (json!({ "method": "HEAD" }), Recovery::Pure),
        (json!({ "method": "PUT" }), Recovery::Idempotent),
        (json!({ "method": "DELETE" }), Recovery::Idempotent),
        (json!({ "method": "PATCH" }), Recovery::Ask),
        (json!({ "body": "x" }), Recovery::Ask),
    ] {
        direct.look(primitive(), json!(["http://127.0.0.1/"]), options, |_, call| {
            assert_eq!(primitive().recovery(call), recovery, "{}", call.options);
        });
    }
}

#[test]
fn times_and_bodies_make_no_plan_stale() {
    let direct = Direct::new();
    direct.look(primitive(), json!(["http://127.0.0.1/"]), Value::Null, |_, call| {
        let one = json!({ "ok": true, "url": "u", "status": 200, "milliseconds": 3, "body": "12:00", "attempts": 2 });
        let seen = json!({ "ok": true, "url": "u", "status": 200 });
        assert_eq!(primitive().observed(call, &one), seen);
        assert_eq!(primitive().observed(call, &json!([one])), json!([seen]));
    });
}
