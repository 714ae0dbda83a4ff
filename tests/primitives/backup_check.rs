use runbook::primitive::FailureKind;
use serde_json::json;

use super::backup::{backup, open, site};
use crate::harness::primitive;

#[test]
fn a_check_of_what_is_damaged_fails_and_names_what_needs_it() {
    let direct = site();
    direct.write("uploads/a", "a");
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    for folder in std::fs::read_dir(direct.path().join("store/data")).unwrap() {
        for pack in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = pack.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[10] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    assert!(open(&direct).check(false).is_ok(), "only what is read tells");
    let failure = direct.call(primitive("backup_check"), json!([]), json!({ "all": true })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    let told = &failure.evidence[1].text;
    assert!(told.starts_with(&made["id"].as_str().unwrap()[..8]), "{failure:?}");
    assert!(failure.hints[0].contains("no whole snapshot of shop is left"), "{failure:?}");
}
