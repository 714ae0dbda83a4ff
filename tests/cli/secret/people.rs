//! Letting people in, taking them off the list, and what each of them may do.

use super::{PROD, Vault};

#[test]
fn whoever_is_let_in_reads_what_was_there_before() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    let card = vault.card("bob");
    vault.as_person("bob", &["get", "ALPHA", "--env", "prod"]).code(2).says("is not sealed to the identity");
    let ran = vault.fed("bob", &["set", "ALPHA", "--env", "prod"], "a value of bob").code(2);
    ran.says("is not on the list of people of this project").says("runbook secret recipient add NAME 'age1");
    vault.as_alice(&["recipient", "add", "bob", &card]).success().says("bob may read and change all: age1");
    assert_eq!(vault.get("bob", "ALPHA"), "the first value");
    vault.fed("bob", &["set", "ALPHA", "--env", "prod"], "a value of bob").success();
    assert_eq!(vault.get("alice", "ALPHA"), "a value of bob");
    let listed = vault.as_alice(&["recipient", "list"]).success().stdout;
    let names: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["alice", "bob", "recovery"]);
}

#[test]
fn whoever_leaves_reads_nothing_new_and_what_they_know_is_listed() {
    let vault = Vault::of_two();
    vault.set("BY_HAND", "given by somebody");
    vault.as_alice(&["generate", "KEY", "--env", "prod"]).success();
    vault.fed("alice", &["set", "OF_DEMO", "--env", "demo"], "a demo value").success();
    let ran = vault.as_alice(&["recipient", "remove", "bob"]).success();
    ran.says("bob still knows 2 of secrets/prod.toml, until they are changed:\n  BY_HAND\n  KEY\n")
        .says("-> runbook secret rotate --known-by bob --env prod")
        .says("bob still knows 1 of secrets/demo.toml");
    vault.as_person("bob", &["get", "KEY", "--env", "prod"]).code(2).says("is not sealed to the identity");
    vault.as_alice(&["list", "--env", "prod"]).success().says("sealed to alice, recovery");
    vault.as_alice(&["doctor"]).success().prints("bob, who is off the list, knows BY_HAND, KEY");

    let ran = vault.as_alice(&["rotate", "--known-by", "bob", "--env", "prod"]).code(1);
    ran.says("rotated KEY: ").says("still known, because they were not generated here: BY_HAND");
    vault.set("BY_HAND", "a new one");
    let doctor = vault.as_alice(&["doctor"]).success().stdout;
    assert!(!doctor.contains("BY_HAND") && doctor.contains("knows OF_DEMO"), "{doctor}");
    let ran = vault.as_alice(&["rotate", "--known-by", "carol", "--env", "prod"]).code(2);
    ran.says("nobody called `carol` was taken off the list");
}

#[test]
fn one_environment_can_be_all_that_somebody_reads() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.fed("alice", &["set", "ALPHA", "--env", "demo"], "a demo value").success();
    let card = vault.card("carol");
    vault
        .as_alice(&["recipient", "add", "carol", &card, "--env", "demo"])
        .success()
        .says("carol may read and change demo");
    let ran = vault.as_person("carol", &["get", "ALPHA", "--env", "demo", "-n"]).success();
    assert_eq!(ran.stdout, "a demo value");
    vault.as_person("carol", &["get", "ALPHA", "--env", "prod"]).code(2).says("is not sealed to the identity");
    let before = vault.read(PROD);
    vault.fed("carol", &["set", "OTHER", "--env", "prod"], "must not be").code(2).says("`carol` may not change");
    assert_eq!(vault.read(PROD), before);
    let mallory = vault.card("mallory");
    let ran = vault.as_person("carol", &["recipient", "add", "mallory", &mallory]).code(2);
    ran.says("`carol` may not do this for environments that `carol` cannot read");
    vault.as_person("carol", &["recipient", "remove", "alice"]).code(2).says("`carol` may not do this");
    vault.as_alice(&["recipient", "add", "dave", &mallory, "--env", "prdo"]).code(2).says("no environment `prdo`");
}

#[test]
fn a_machine_reads_and_changes_nothing() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    let card = vault.card("server");
    vault.as_alice(&["recipient", "add", "server", &card, "--env", "prod", "--read-only"]).success();
    assert_eq!(vault.get("server", "ALPHA"), "the first value");
    let ran = vault.fed("server", &["set", "ALPHA", "--env", "prod"], "must not be").code(2);
    ran.says("`server` may not change the secrets of `prod`");
}

#[test]
fn the_list_keeps_somebody_who_can_change_it_and_two_who_can_read() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.as_alice(&["recipient", "remove", "alice"]).code(2).says("nobody takes themselves off the list");
    vault.as_alice(&["recipient", "remove", "recovery"]).code(2).says("only `alice` could read the secrets of `prod`");
    vault.as_alice(&["recipient", "remove", "nobody"]).code(2).says("there is no `nobody` on the list");
    let card = vault.card("bob");
    vault.as_alice(&["recipient", "add", "alice", &card]).code(2).says("`alice` is on the list already");
    vault.as_alice(&["recipient", "add", "bob", &card]).success();
    vault
        .as_alice(&["recipient", "add", "robert", &card])
        .code(2)
        .says("the key of `robert` is on the list already, as `bob`");
    vault.as_alice(&["recipient", "add", "x y", "age1x"]).code(2).says("is not a public key that can be sealed to");
    vault.as_alice(&["init", "--recovery", "again.key"]).code(2).says("secrets/people.toml exists already");
}

#[test]
fn everything_is_sealed_anew_on_request() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.fed("alice", &["set", "BETA", "--env", "demo"], "a demo value").success();
    let before = vault.read(PROD);
    let ran = vault.as_alice(&["rekey"]).success();
    ran.says("sealed anew: secrets/demo.toml, serial 2").says("sealed anew: secrets/prod.toml, serial 2");
    let after = vault.read(PROD);
    let sealed = |text: &str| text.lines().filter(|line| line.len() == 64).map(str::to_owned).collect::<Vec<_>>();
    assert!(sealed(&before).iter().skip(1).all(|line| !sealed(&after).contains(line)));
    assert_eq!(vault.get("alice", "ALPHA"), "the first value");
    vault.as_alice(&["rekey", "--env", "prod"]).success().says("secrets/prod.toml, serial 3").never_says("demo");
}
