//! Everything that somebody without the right to can do to the files, and what is said about it.

use super::{PEOPLE, PROD, Vault};
use crate::harness::Ran;

/// A vault with two values in `prod`.
fn with_values() -> Vault {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.set("BETA", "the second value");
    vault
}

/// Reading is refused, for a run as for a person.
#[track_caller]
fn refused(vault: &Vault, why: &str) -> Ran {
    vault.as_alice(&["list", "--env", "prod"]).code(2).says(why);
    let ran = vault.as_alice(&["get", "ALPHA", "--env", "prod"]).code(2).says(why);
    assert_eq!(ran.stdout, "");
    ran
}

/// The sealed text of a name.
fn sealed<'t>(text: &'t str, name: &str) -> &'t str {
    let from = text.find(&format!("[secret.{name}]")).unwrap();
    let begin = from + text[from..].find("-----BEGIN").unwrap();
    let end = begin + text[begin..].find("-----END").unwrap();
    &text[begin..end]
}

const ALTERED: &str =
    "secrets/prod.toml is refused: it is not as `alice` signed it: something was altered, added or removed";

#[test]
fn a_tampered_value_is_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let body = sealed(&text, "ALPHA");
    let line = body.lines().nth(3).unwrap();
    let other = line.chars().rev().collect::<String>();
    vault.write(PROD, &text.replacen(line, &other, 1));
    refused(&vault, ALTERED).says("hint: `git log -p secrets/prod.toml` shows by whom");
}

#[test]
fn values_that_change_places_are_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let (alpha, beta) = (sealed(&text, "ALPHA"), sealed(&text, "BETA"));
    vault.write(PROD, &text.replace(alpha, "@").replace(beta, alpha).replace('@', beta));
    refused(&vault, ALTERED);
}

#[test]
fn names_that_change_places_are_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let renamed =
        text.replace("[secret.ALPHA]", "@").replace("[secret.BETA]", "[secret.ALPHA]").replace('@', "[secret.BETA]");
    vault.write(PROD, &renamed);
    refused(&vault, ALTERED);
}

#[test]
fn a_file_moved_to_another_environment_is_refused() {
    let vault = with_values();
    vault.write("secrets/demo.toml", &vault.read(PROD));
    let ran = vault.as_alice(&["get", "ALPHA", "--env", "demo"]).code(2);
    ran.says("secrets/demo.toml is refused: it holds the secrets of `prod`: somebody moved it");
    vault.write("secrets/demo.toml", &vault.read(PROD).replace("environment = \"prod\"", "environment = \"demo\""));
    let ran = vault.as_alice(&["get", "ALPHA", "--env", "demo"]).code(2);
    ran.says("secrets/demo.toml is refused: it is not as `alice` signed it");
}

#[test]
fn a_removed_value_is_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let (from, to) = (text.find("[secret.ALPHA]").unwrap(), text.find("[secret.BETA]").unwrap());
    vault.write(PROD, &format!("{}{}", &text[..from], &text[to..]));
    refused(&vault, ALTERED);
}

#[test]
fn an_added_value_is_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let added = text[text.find("[secret.BETA]").unwrap()..].replace("[secret.BETA]", "[secret.GAMMA]");
    vault.write(PROD, &format!("{text}\n{added}"));
    refused(&vault, ALTERED);
}

#[test]
fn every_line_of_the_manifest_is_signed() {
    let vault = with_values();
    let text = vault.read(PROD);
    for (line, other) in [
        ("serial = 2", "serial = 3"),
        ("recipients = [\"alice\", \"recovery\"]", "recipients = [\"alice\"]"),
        ("signed_by = \"alice\"", "signed_by = \"recovery\""),
        ("by = \"alice\"\nsealed", "by = \"mallory\"\nsealed"),
        ("by = \"alice\"\nsealed", "by = \"alice\"\ngenerated = \"hex:16\"\nsealed"),
    ] {
        assert!(text.contains(line), "{line}");
        vault.write(PROD, &text.replacen(line, other, 1));
        vault.as_alice(&["list", "--env", "prod"]).code(2).says("secrets/prod.toml is refused: it is not as");
    }
}

#[test]
fn an_older_file_is_refused() {
    let vault = with_values();
    let older = vault.read(PROD);
    vault.set("ALPHA", "a newer value");
    vault.write(PROD, &older);
    refused(&vault, "secrets/prod.toml is refused: its serial is 2, and this machine has seen 3")
        .says("`git log secrets/prod.toml` shows who took it back");
    vault
        .fed("alice", &["set", "BETA", "--env", "prod"], "must not build on it")
        .code(2)
        .says("this machine has seen 3");
}

#[test]
fn another_file_with_the_same_serial_is_refused() {
    let vault = with_values();
    let (before, seen) = (vault.read(PROD), vault.project.path().join(".runbook/secrets.json"));
    let remembered = std::fs::read_to_string(&seen).unwrap();
    vault.set("ALPHA", "one new value");
    let one = vault.read(PROD);
    std::fs::write(&seen, remembered).unwrap();
    vault.write(PROD, &before);
    vault.set("ALPHA", "another new value");
    vault.write(PROD, &one);
    refused(&vault, "secrets/prod.toml is refused: this machine has seen another one with the serial 3")
        .says("two people changed it at once");
}

#[test]
fn a_file_that_is_gone_is_not_taken_for_one_that_never_was() {
    let vault = with_values();
    std::fs::remove_file(vault.project.path().join(PROD)).unwrap();
    refused(&vault, "secrets/prod.toml is refused: it is gone, and this machine has seen it");
    vault.fed("alice", &["set", "NEW", "--env", "prod"], "a new beginning").code(2).says("it is gone");
    std::fs::remove_file(vault.project.path().join(PEOPLE)).unwrap();
    vault.as_alice(&["recipient", "list"]).code(2).says("secrets/people.toml is refused: it is gone");
    let recovery = vault.home("again.key");
    let ran = vault.as_alice(&["init", "--recovery", recovery.to_str().unwrap()]).code(2);
    ran.says("secrets/people.toml is refused: it is gone");
}

#[test]
fn an_unsigned_file_is_refused() {
    let vault = with_values();
    let text = vault.read(PROD);
    let signature = text.lines().find(|line| line.starts_with("signature")).unwrap();
    vault.write(PROD, &text.replace(signature, ""));
    refused(&vault, "secrets/prod.toml is refused: it is not signed");
    vault.write(PROD, &text.replace(signature, "signature = \"AAAA\""));
    refused(&vault, ALTERED);
}

#[test]
fn a_file_signed_by_a_stranger_is_refused() {
    let vault = with_values();
    let eve = Vault::new();
    let recovery = eve.home("recovery.key");
    let recovery = recovery.to_str().unwrap();
    eve.as_person("eve", &["init", "--name", "alice", "--recovery", recovery]).success();
    eve.fed("eve", &["set", "ALPHA", "--env", "prod"], "a value of eve").success();
    vault.write(PROD, &eve.read(PROD));
    refused(&vault, "secrets/prod.toml is refused: it was signed for another list of people");

    // With the right list in it, the signature is still that of another alice.
    let own = |text: &str| text.lines().find(|line| line.starts_with("people = ")).unwrap().to_owned();
    vault.on_another_machine();
    let mixed = eve.read(PROD).replace(&own(&eve.read(PROD)), &own(&with_list(&vault)));
    vault.write(PROD, &mixed);
    refused(&vault, ALTERED);
    vault.write(PROD, &mixed.replace("signed_by = \"alice\"", "signed_by = \"eve\""));
    refused(&vault, "secrets/prod.toml is refused: it is signed by `eve`, who is not on the list of people");
}

/// A file of `demo` that was signed under the vault's own list.
fn with_list(vault: &Vault) -> String {
    vault.fed("alice", &["set", "X", "--env", "demo"], "anything").success();
    vault.read("secrets/demo.toml")
}

#[test]
fn nobody_puts_themselves_on_the_list() {
    let vault = with_values();
    let text = vault.read(PEOPLE);
    let card = vault.card("eve");
    let (recipient, signer) = card.split_once(' ').unwrap();
    let second = &text[text.rfind("[[change]]").unwrap()..];
    let own = |line: &str| second.lines().find(|found| found.starts_with(line)).unwrap().to_owned();
    let forged = second
        .replace(&own("serial"), "serial = 3")
        .replace(&own("add"), "add = \"eve\"")
        .replace(&own("recipient"), &format!("recipient = \"{recipient}\""))
        .replace(&own("signer"), &format!("signer = \"{signer}\""));
    vault.write(PEOPLE, &format!("{text}\n{forged}"));
    refused(
        &vault,
        "secrets/people.toml: change 3: it is not signed by `alice`: it was altered, or somebody else wrote it",
    );
    vault.write(PEOPLE, &format!("{text}\n{}", forged.replace("by = \"alice\"", "by = \"eve\"")));
    refused(&vault, "secrets/people.toml: change 3: `eve`, who made it, is not on the list");
}

#[test]
fn an_altered_list_is_refused() {
    let vault = with_values();
    let text = vault.read(PEOPLE);
    let first = text.find("[[change]]").unwrap();
    let second = text.rfind("[[change]]").unwrap();
    vault.write(PEOPLE, &format!("{}{}", &text[..first], &text[second..]));
    refused(&vault, "secrets/people.toml: change 2: its serial should be 1: a change was removed or moved");
    vault.write(PEOPLE, &text.replace("add = \"recovery\"", "add = \"nobody\""));
    refused(&vault, "secrets/people.toml: change 2: it is not signed by `alice`");
    vault.write(PEOPLE, "");
    refused(&vault, "secrets/people.toml names nobody");
    vault.write(PEOPLE, &text[..second]);
    refused(&vault, "secrets/people.toml is refused: it has 1 changes, and this machine has seen 2");
}

#[test]
fn another_list_is_refused_although_its_own_key_is_pinned() {
    let vault = with_values();
    let eve = Vault::begun();
    vault.write(PEOPLE, &eve.read(PEOPLE));
    refused(&vault, "secrets/people.toml: change 1: it is not signed by `alice`");
    vault.write("runbook.toml", &eve.read("runbook.toml"));
    refused(&vault, "secrets/people.toml is refused: it is not the list that this machine knows");
}

#[test]
fn a_list_without_a_pinned_key_is_refused() {
    let vault = with_values();
    vault.write("runbook.toml", super::PROJECT);
    refused(&vault, "secrets/people.toml is there, but no key is pinned for it");
    vault.write("runbook.toml", &format!("{}[secrets]\nroot = \"ssh-rsa\"\n", super::PROJECT));
    refused(&vault, "`ssh-rsa` is not the public key of a signer");
}

#[test]
fn what_somebody_signed_who_was_taken_off_the_list_is_refused() {
    let vault = Vault::of_two();
    vault.set("ALPHA", "the first value");
    vault.fed("bob", &["set", "ALPHA", "--env", "prod"], "a value of bob").success();
    let by_bob = vault.read(PROD);
    vault.as_alice(&["recipient", "remove", "bob"]).success();
    vault.on_another_machine();
    vault.write(PROD, &by_bob);
    refused(&vault, "secrets/prod.toml is refused: it is signed by `bob`, who is not on the list of people");
}

#[test]
fn a_name_that_comes_twice_is_refused_with_its_place() {
    let vault = with_values();
    let text = vault.read(PROD);
    let again = &text[text.find("[secret.BETA]").unwrap()..];
    vault.write(PROD, &format!("{text}\n{again}"));
    let line = text.lines().count() + 2;
    refused(&vault, &format!("secrets/prod.toml:{line}:")).says("duplicate key");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_place() {
    let vault = with_values();
    let text = vault.read(PROD);
    vault.write(PROD, &text.replacen("serial = 2", "serial = two", 1));
    refused(&vault, "secrets/prod.toml:5:10: ");
    vault.write(PROD, &text.replacen("serial = 2", "serial = 2\nextra = 1", 1));
    refused(&vault, "secrets/prod.toml:6:1: there is no key `extra` here");
    vault.write(PROD, &text.replacen("serial = 2", "<<<<<<< HEAD\nserial = 2\n=======\nserial = 3\n>>>>>>> other", 1));
    refused(&vault, "secrets/prod.toml:5:").says("two people changed it: `git checkout --theirs secrets/prod.toml`");
}

#[test]
fn an_environment_whose_name_would_be_another_file_is_refused() {
    let vault = Vault::begun();
    let text = vault.read("runbook.toml");
    vault.write("runbook.toml", &format!("{text}\n[env.people]\n[env.\"../up\"]\n"));
    for name in ["people", "../up"] {
        let ran = vault.fed("alice", &["set", "A", "--env", name], "value").code(2);
        ran.says(&format!("an environment named {name:?} cannot have a file of secrets"));
    }
}

#[test]
fn a_damaged_memory_is_not_taken_for_an_empty_one() {
    let vault = with_values();
    std::fs::write(vault.project.path().join(".runbook/secrets.json"), "{").unwrap();
    refused(&vault, "secrets.json` is damaged");
}
