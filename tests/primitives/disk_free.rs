use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

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

#[test]
fn a_script_stops_before_it_fills_the_disk() {
    let script = "let disk = disk_free(\".\").at_least(\"1KiB\");\ninfo(`${disk.total > disk.free}`);\ndisk.at_least(\"900TiB\");";
    Project::script(script).run().code(1).says("true").says("900.0 TiB are needed").says("docker system prune");
}

#[test]
fn a_plan_takes_it_that_there_will_be_enough_and_is_not_stale_for_a_byte() {
    let direct = Direct::new();
    let disk = direct.call(primitive("disk_free"), json!(["."]), Value::Null).unwrap().value;
    let later = json!({ "$unknown": "how much will be free at `.`" });
    let predicted = direct.predict("disk_free", Value::Null, json!(["."]), Value::Null).unwrap();
    assert_eq!((&predicted.value["total"], &predicted.value["free"]), (&disk["total"], &later));
    let predicted = direct.predict("disk.at_least", disk.clone(), json!(["900TiB"]), Value::Null).unwrap();
    assert_eq!((&predicted.value["mount"], &predicted.value["used_percent"]), (&disk["mount"], &later));
    direct.look(primitive("disk_free"), json!(["."]), Value::Null, |_, call| {
        let seen = primitive("disk_free").observed(call, &disk);
        assert_eq!(seen, json!({ "$kind": "disk", "path": ".", "mount": disk["mount"], "total": disk["total"] }));
    });
}
