//! `this_machine`: facts about the machine.

use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

#[test]
fn the_facts_are_those_of_this_machine() {
    let value = Direct::new().call(primitive("this_machine"), json!([]), Value::Null).unwrap().value;
    let told = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(value["hostname"], told("uname", &["-n"]));
    assert_eq!(value["kernel"], told("uname", &["-r"]));
    assert_eq!(value["arch"], told("uname", &["-m"]));
    assert_eq!(value["user"], told("id", &["-un"]));
    assert_eq!(value["cpus"].to_string(), told("nproc", &[]));
    assert_eq!(value["os"], "linux");
    assert!(value["memory"].as_u64().unwrap() > 64 << 20, "{value}");
}

#[test]
fn a_script_reads_them() {
    Project::script("info(`on ${this_machine().os}`)").run().success().says("info: on ");
}
