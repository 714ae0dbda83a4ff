//! At a terminal: values are typed unseen, and not shown unasked.

use super::{Vault, has};
use crate::harness;

fn at_terminal(vault: &Vault, arguments: &[&str], answers: &[(&str, &[u8])]) -> (String, bool) {
    let home = vault.home("alice").display().to_string();
    harness::at_terminal(
        &vault.project,
        &[("HOME", &home), ("USER", "alice")],
        &[&["secret"], arguments].concat(),
        answers,
    )
}

#[test]
fn a_value_is_typed_twice_and_never_shown() {
    if !has("script") {
        return;
    }
    let vault = Vault::begun();
    let set = ["set", "ALPHA", "--env", "prod"];
    let twice: [(&str, &[u8]); 2] =
        [("value of ALPHA: ", "hunter2-typx\x7fed ü\r".as_bytes()), ("once more: ", "hunter2-typed ü\r".as_bytes())];
    let (shown, is_ok) = at_terminal(&vault, &set, &twice);
    assert!(is_ok && !shown.contains("hunter2"), "{shown}");
    assert_eq!(vault.get("alice", "ALPHA"), "hunter2-typed ü");
    let different: [(&str, &[u8]); 2] = [("value of ALPHA: ", b"hunter2-one\r"), ("once more: ", b"hunter2-two\r")];
    let (shown, is_ok) = at_terminal(&vault, &set, &different);
    assert!(!is_ok && shown.contains("the two are not the same") && !shown.contains("hunter2"), "{shown}");
    let (shown, is_ok) = at_terminal(&vault, &set, &[("value of ALPHA: ", b"hunter2\x03")]);
    assert!(!is_ok && shown.contains("nothing was changed") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(vault.get("alice", "ALPHA"), "hunter2-typed ü");
}

#[test]
fn a_value_is_shown_on_a_terminal_only_when_that_is_said() {
    if !has("script") {
        return;
    }
    let vault = Vault::begun();
    vault.set("ALPHA", "hunter2-sealed");
    let (shown, is_ok) = at_terminal(&vault, &["get", "ALPHA", "--env", "prod"], &[]);
    assert!(!is_ok && shown.contains("--reveal") && !shown.contains("hunter2"), "{shown}");
    let (shown, is_ok) = at_terminal(&vault, &["get", "ALPHA", "--env", "prod", "--reveal"], &[]);
    assert!(is_ok && shown.contains("hunter2-sealed"), "{shown}");
}
