use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use crate::harness::{Direct, primitive};

#[test]
fn the_space_of_a_file_system_is_that_of_df() {
    let direct = Direct::new();
    let outcome = direct.call(primitive("disk_free"), json!(["."]), Value::Null).unwrap();
    let df = std::process::Command::new("df").args(["-P", "-B1"]).arg(direct.path()).output().unwrap();
    let text = String::from_utf8(df.stdout).unwrap();
    let fields: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    let value = outcome.value;
    assert_eq!(value["$kind"], "disk");
    assert_eq!(value["path"], ".");
    assert_eq!(value["total"].to_string(), fields[1]);
    assert_eq!(value["mount"], fields[5]);
    let free: u64 = fields[3].parse().unwrap();
    assert!(value["free"].as_u64().unwrap().abs_diff(free) < 4 << 30, "{value} {fields:?}");
    let used: u64 = fields[4].trim_end_matches('%').parse().unwrap();
    assert!(value["used_percent"].as_u64().unwrap().abs_diff(used) <= 5, "{value} {fields:?}");
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let failure = Direct::new().call(primitive("disk_free"), json!(["no/such"]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.message, "cannot measure the file system of `no/such`: no such file or directory");
}
