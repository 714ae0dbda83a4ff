use std::collections::BTreeSet;

use serde_json::json;

use super::backup::{backup, restore, site};
use crate::harness::primitive;

#[test]
fn a_snapshot_is_found_by_its_name_as_the_newest_or_by_chance() {
    let direct = site();
    direct.write("uploads/a", "a");
    rusqlite::Connection::open(direct.path().join("app.db")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let source = json!(["uploads", { "sqlite": "app.db" }, { "command": ["echo", "1"], "name": "version" }]);
    let made: Vec<_> = (0..3)
        .map(|_| {
            direct.anew();
            backup(&direct, source.clone(), json!({ "tags": ["nightly"] })).unwrap().value
        })
        .collect();
    backup(&direct, json!("uploads"), json!({ "job": "other" })).unwrap();
    let find = |name: &str, options| direct.call(primitive("backup_find"), json!([name]), options);
    let found = find("latest", json!({})).unwrap().value;
    assert_eq!((&found["id"], &found["job"], &found["repository"]), (&made[2]["id"], &json!("shop"), &json!("main")));
    assert_eq!(found["tags"], json!(["nightly"]));
    let parts: Vec<_> =
        found["parts"].as_array().unwrap().iter().map(|part| (part["name"].clone(), part["holds"].clone())).collect();
    assert_eq!(json!(parts), json!([["app.db", "sqlite"], ["uploads", "files"], ["version", "output"]]));
    let id = made[0]["id"].as_str().unwrap();
    assert_eq!(find(&id[..12], json!({})).unwrap().value["id"], id);
    restore(&direct, found["id"].clone(), json!("back"), json!({ "part": "uploads" })).unwrap();

    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        seen.insert(find("random", json!({})).unwrap().value["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 3, "any of the job's, and of no other");
    let failure = find("random", json!({ "job": "none" })).unwrap_err();
    assert_eq!(failure.message, "there is no snapshot of the job `none`");
    assert_eq!(find("0000", json!({})).unwrap_err().message, "there is no snapshot `0000`");
}
