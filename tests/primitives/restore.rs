//! `restore` is tested beside `backup`, which makes what it restores; here is what it says when it cannot.

use serde_json::{Value, json};

use super::backup::{backup, restore, site};

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let direct = site();
    direct.write("uploads/a", "a");
    let message =
        |snapshot: Value, options: Value| restore(&direct, snapshot, json!("back"), options).unwrap_err().message;
    assert_eq!(message(json!("latest"), json!({})), "there is no snapshot of the job `shop`");
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    assert_eq!(message(json!("ffff0000"), json!({})), "there is no snapshot `ffff0000`");
    assert_eq!(
        message(json!({ "name": "x" }), json!({})),
        "argument `snapshot` is a map without `id`: `backup` returns one"
    );
    let short = &made["id"].as_str().unwrap()[..8];
    assert_eq!(message(made.clone(), json!({ "part": "other" })), format!("snapshot {short} has no part `other`"));
    assert_eq!(message(made.clone(), json!({ "from": "offsite" })), "there is no [backup.offsite] in runbook.toml");
    assert!(!direct.path().join("back").exists());

    let failure = restore(&direct, made.clone(), json!({ "command": ["cat"] }), json!({})).unwrap_err();
    assert_eq!(failure.message, "`data/uploads` is a folder: restore it to a path");
    let failure = restore(&direct, made, json!({ "program": "cat" }), json!({})).unwrap_err();
    assert_eq!(failure.message, "argument `target`: unknown option `program`");
}
