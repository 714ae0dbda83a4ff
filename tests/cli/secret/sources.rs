//! Sealed values among the other sources, and in a run.

use super::{PROD, Vault};

#[test]
fn a_sealed_value_goes_before_the_environment_and_a_refused_one_is_not_replaced_by_it() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the sealed value");
    let get = |name: &str| {
        let mut command = vault.command("alice", &["get", name, "--env", "prod", "-n"]);
        crate::harness::Ran::from(command.env("ALPHA", "from outside").env("BETA", "from outside").output().unwrap())
    };
    assert_eq!(get("ALPHA").success().stdout, "the sealed value");
    assert_eq!(get("BETA").success().stdout, "from outside");
    vault.write(PROD, &vault.read(PROD).replacen("serial = 1", "serial = 2", 1));
    assert_eq!(get("ALPHA").code(2).stdout, "");
    assert_eq!(get("BETA").code(2).stdout, "");
}

#[test]
fn without_sealed_values_no_key_and_no_list_is_needed() {
    let vault = Vault::new();
    let mut command = vault.command("alice", &["get", "BETA", "--env", "prod", "-n"]);
    let ran = crate::harness::Ran::from(command.env("BETA", "from outside").output().unwrap()).success();
    assert_eq!(ran.stdout, "from outside");
    assert!(!vault.project.path().join(".runbook").exists());
}
