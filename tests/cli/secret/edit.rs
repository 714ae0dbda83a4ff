//! Editing all values of an environment at once.

use std::os::unix::fs::PermissionsExt;

use super::Vault;
use crate::harness::Ran;

/// Edits `prod` with a shell script as the editor; the file is `$1`.
fn edited(vault: &Vault, script: &str) -> Ran {
    let editor = vault.homes.path().join("editor");
    std::fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = vault.command("alice", &["edit", "--env", "prod"]);
    Ran::from(command.env("EDITOR", &editor).output().unwrap())
}

#[test]
fn values_are_changed_added_and_removed_in_an_editor() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.set("BETA", "two\nlines and a ''' quote \"\"\"");
    vault.set("GAMMA", "the third value");
    let seen = vault.homes.path().join("seen");
    let script = format!(
        "stat -c '%a %n' \"$1\" >{0}; stat -f -c %T \"$1\" >>{0}; sed -i -e 's/the first/a new/' -e '/GAMMA/d' \"$1\"; echo \"DELTA = 'added here'\" >>\"$1\"",
        seen.display()
    );
    edited(&vault, &script).success().says("changed ALPHA, DELTA, GAMMA: secrets/prod.toml, serial 4");
    assert_eq!(vault.get("alice", "ALPHA"), "a new value");
    assert_eq!(vault.get("alice", "BETA"), "two\nlines and a ''' quote \"\"\"");
    assert_eq!(vault.get("alice", "DELTA"), "added here");
    vault.as_alice(&["get", "GAMMA", "--env", "prod"]).code(2);
    let seen = std::fs::read_to_string(seen).unwrap();
    let (first, kind) = seen.trim().split_once('\n').unwrap();
    let (mode, file) = first.split_once(' ').unwrap();
    assert_eq!((mode, kind), ("600", "tmpfs"));
    assert!(!std::path::Path::new(file).parent().unwrap().exists(), "{file}");
}

#[test]
fn nothing_changes_when_nothing_was_edited_or_the_editor_failed() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    edited(&vault, "true").success().says("nothing to do");
    edited(&vault, "sed -i s/first/second/ \"$1\"; exit 1").code(130).says("nothing was changed");
    edited(&vault, "echo 'BETA = hunter2-unquoted' >>\"$1\"").code(2).says("is no TOML in line").never_says("hunter2");
    edited(&vault, "echo 'BETA = 12345678' >>\"$1\"")
        .code(2)
        .says("a value for `BETA` that is not between quotes")
        .never_says("12345678");
    edited(&vault, "sed -i s/first.value/x/ \"$1\"").code(2).says("the secret `ALPHA` is shorter than 8 characters");
    assert_eq!(vault.get("alice", "ALPHA"), "the first value");
}

#[test]
fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.set("BETA", "the second value");
    let runbook = env!("CARGO_BIN_EXE_runbook");
    let set = |name: &str| format!("echo 'changed meanwhile' | {runbook} secret set {name} --env prod");
    let ran = edited(&vault, &format!("{}; sed -i 's/the first/my own/' \"$1\"", set("ALPHA"))).code(2);
    ran.says("`ALPHA` was changed by alice while you edited it: nothing was changed");
    assert_eq!(vault.get("alice", "ALPHA"), "changed meanwhile");
    edited(&vault, &format!("{}; sed -i 's/the second/my own/' \"$1\"", set("ALPHA2"))).success();
    assert_eq!(vault.get("alice", "BETA"), "my own value");
    assert_eq!(vault.get("alice", "ALPHA2"), "changed meanwhile");
}
