use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use crate::harness::{Direct, primitive};

#[test]
fn enough_space_passes_and_too_little_names_both_numbers() {
    let direct = Direct::new();
    let disk = direct.call(primitive("disk_free"), json!(["."]), Value::Null).unwrap().value;
    let at_least = |size: &str| direct.method("disk.at_least", disk.clone(), json!([size]), Value::Null);
    assert_eq!(at_least("1KiB").unwrap().value["path"], ".");
    let failure = at_least("900TiB").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    let words: Vec<&str> = failure.message.split(" free, ").collect();
    assert!(words[0].starts_with("`.` has "), "{}", failure.message);
    let mount = disk["mount"].as_str().unwrap();
    assert!(words[1].starts_with(&format!("900.0 TiB are needed (`{mount}`: ")), "{}", failure.message);
    assert!(failure.hints[0].contains("`docker system prune`"));
    assert_eq!(at_least("a lot").unwrap_err().kind, FailureKind::Argument);
}
