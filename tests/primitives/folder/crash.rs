//! Making and removing a folder when the process dies in between, and as a plan foresees it.

use std::os::unix::fs::PermissionsExt;

use runbook::primitive::{Action, Change, Outcome, Probe};
use serde_json::{Value, json};

use super::folder;
use crate::harness::{Direct, primitive};

fn probe(direct: &Direct, method: &str, path: &str, options: &Value) -> Option<Outcome> {
    match direct.probe_with(primitive(method), folder(path), json!([]), options.clone()).unwrap() {
        Probe::Done(outcome) => Some(outcome),
        Probe::NotDone => None,
        other => panic!("{other:?}"),
    }
}

fn change(action: Action, what: &str, detail: &[&str]) -> Vec<Change> {
    let detail = detail.iter().map(ToString::to_string).collect();
    vec![Change { detail, ..Change::new(action, what) }]
}

#[test]
fn a_folder_that_was_being_made_is_this_calls_doing_however_far_it_got() {
    let (direct, options) = (Direct::new(), json!({ "mode": "0700" }));
    let made = change(Action::Create, "folder a/b", &["mode: 0700"]);
    assert!(probe(&direct, "folder.create", "a/b", &options).is_none(), "died before anything");
    direct.dies_before_its_effect("folder.create", folder("a/b"), json!([]), options.clone());
    assert!(probe(&direct, "folder.create", "a/b", &options).is_none(), "died before the effect");
    std::fs::create_dir_all(direct.path().join("a/b")).unwrap();
    std::fs::set_permissions(direct.path().join("a/b"), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(probe(&direct, "folder.create", "a/b", &options).is_none(), "died before the mode was set");
    let outcome = direct.again("folder.create", folder("a/b/"), json!([]), options.clone()).unwrap();
    assert_eq!((outcome.changed, &outcome.changes), (Some(true), &made));
    let outcome = probe(&direct, "folder.create", "a/b", &options).expect("died after the effect");
    assert_eq!(
        (outcome.changed, outcome.value["changed"].as_bool(), &outcome.changes),
        (Some(true), Some(true), &made)
    );
    assert!(probe(direct.anew(), "folder.create", "a/b", &options).is_none(), "it was there before");
    assert_eq!(direct.method("folder.create", folder("a/b"), json!([]), options).unwrap().changed, Some(false));
}

#[test]
fn a_folder_that_was_being_removed_is_removed_to_the_end() {
    let (direct, options) = (Direct::new(), json!({ "recursive": true }));
    direct.write("a/1", "").write("a/2", "");
    let removed = change(Action::Remove, "folder a", &[]);
    direct.dies_before_its_effect("folder.remove", folder("a"), json!([]), options.clone());
    std::fs::remove_file(direct.path().join("a/1")).unwrap();
    assert!(probe(&direct, "folder.remove", "a", &options).is_none(), "died half way");
    assert_eq!(direct.again("folder.remove", folder("a"), json!([]), options.clone()).unwrap().changes, removed);
    let outcome = probe(&direct, "folder.remove", "a", &options).expect("died after the effect");
    assert_eq!((outcome.value.as_bool(), outcome.changed, outcome.changes), (Some(true), Some(true), removed));
    assert!(probe(direct.anew(), "folder.remove", "a", &options).is_none(), "there was none to remove");
}

#[test]
fn making_and_removing_are_foreseen() {
    let direct = Direct::new();
    let agreed = |method: &str, options: Value| {
        let predicted = direct.predict(method, folder("a/b"), json!([]), options.clone()).unwrap();
        let outcome = direct.method(method, folder("a/b"), json!([]), options).unwrap();
        assert_eq!((&predicted.changes, &predicted.value), (&outcome.changes, &outcome.value), "{method}");
        outcome.changes
    };
    assert_eq!(agreed("folder.remove", Value::Null), []);
    assert_eq!(
        agreed("folder.create", json!({ "mode": "0755" })),
        change(Action::Create, "folder a/b", &["mode: 0755"])
    );
    assert_eq!(agreed("folder.create", Value::Null), []);
    assert_eq!(
        agreed("folder.create", json!({ "mode": "0700" })),
        change(Action::Update, "folder a/b", &["mode: 0755 → 0700"])
    );
    assert_eq!(agreed("folder.remove", Value::Null), change(Action::Remove, "folder a/b", &[]));
    let refused = direct.predict("folder.remove", folder("/usr"), json!([]), Value::Null).unwrap_err();
    assert_eq!(refused.message, "`/usr` is `/usr`, a folder of the system");
}
