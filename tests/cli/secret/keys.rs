//! Keys of age and of SSH, and the files as `age` reads them.

use std::path::Path;
use std::process::Command;

use super::{PROD, Vault, has};
use crate::harness::Ran;

fn ssh_key(folder: &Path, kind: &[&str]) -> (String, String) {
    let file = folder.join(format!("id_{}", kind[0]));
    let file = file.to_str().unwrap().to_owned();
    let made =
        Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "a comment", "-f", &file, "-t"]).args(kind).output();
    Ran::from(made.unwrap()).success();
    let public = std::fs::read_to_string(format!("{file}.pub")).unwrap();
    (file, public.trim().to_owned())
}

fn sealed(text: &str) -> &str {
    let begin = text.find("-----BEGIN").unwrap();
    let end = text.find("-----END AGE ENCRYPTED FILE-----").unwrap();
    &text[begin..end + "-----END AGE ENCRYPTED FILE-----\n".len()]
}

#[test]
fn age_reads_what_is_sealed_to_keys_of_age_and_ssh() {
    if !has("age") || !has("ssh-keygen") {
        return;
    }
    let vault = Vault::begun();
    let folder = vault.homes.path();
    let (ed25519, ed25519_public) = ssh_key(folder, &["ed25519"]);
    let (rsa, rsa_public) = ssh_key(folder, &["rsa", "-b", "2048"]);
    vault.as_alice(&["recipient", "add", "ed", &ed25519_public]).success().says("ed may read and change all");
    vault.as_alice(&["recipient", "add", "ron", &rsa_public]).success().says("ron may read all");
    vault.set("ALPHA", "the first value");

    std::fs::write(folder.join("sealed.age"), sealed(&vault.read(PROD))).unwrap();
    let own = vault.home("alice").join(".config/runbook/identity");
    for identity in [own.to_str().unwrap(), folder.join("recovery.key").to_str().unwrap(), &ed25519, &rsa] {
        let mut age = Command::new("age");
        let opened =
            Ran::from(age.args(["--decrypt", "-i", identity, "sealed.age"]).current_dir(folder).output().unwrap());
        let plain: serde_json::Value = serde_json::from_str(&opened.success().stdout).unwrap();
        assert_eq!(plain["value"], "the first value", "{identity}");
        assert_eq!((&plain["belongs"]["environment"], &plain["belongs"]["name"]), (&"prod".into(), &"ALPHA".into()));
    }

    let with = |identity: &str, arguments: &[&str]| {
        let mut command = vault.command("somebody", arguments);
        command.env("RUNBOOK_IDENTITY", identity);
        command
    };
    for identity in [&ed25519, &rsa] {
        let ran = Ran::from(with(identity, &["get", "ALPHA", "--env", "prod", "-n"]).output().unwrap()).success();
        assert_eq!(ran.stdout, "the first value");
    }
    super::fed(with(&ed25519, &["set", "ALPHA", "--env", "prod"]), "a value of ed").success();
    assert_eq!(vault.get("alice", "ALPHA"), "a value of ed");
    let ran = super::fed(with(&rsa, &["set", "ALPHA", "--env", "prod"]), "a value of ron").code(2);
    ran.says("`ron` may not change the secrets of `prod`");
}

#[test]
fn a_key_that_cannot_be_used_is_refused_with_the_reason() {
    if !has("ssh-keygen") {
        return;
    }
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    let folder = vault.homes.path();
    let file = folder.join("locked");
    let locked =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "a passphrase", "-f"]).arg(&file).output();
    Ran::from(locked.unwrap()).success();
    let get = |identity: &str| {
        let mut command = vault.command("alice", &["get", "ALPHA", "--env", "prod"]);
        Ran::from(command.env("RUNBOOK_IDENTITY", identity).output().unwrap())
    };
    get(file.to_str().unwrap()).code(2).says("is protected by a passphrase");
    get("/nowhere").code(2).says("cannot read the identity `/nowhere`");
    let open = folder.join("open");
    std::fs::copy(vault.home("alice").join(".config/runbook/identity"), &open).unwrap();
    let chmod = Command::new("chmod").arg("644").arg(&open).status().unwrap();
    assert!(chmod.success());
    get(open.to_str().unwrap()).code(2).says("others may read the identity").says("hint: chmod 600");
    let text = std::fs::read_to_string(&open).unwrap();
    let key = text.lines().last().unwrap();
    assert_eq!(get(key).success().stdout, "the first value\n", "the variable may hold the key itself");
    get(&key[..40]).code(2).says("the age key in `$RUNBOOK_IDENTITY` is malformed").never_says(&key[..40]);
}

#[test]
fn a_key_is_never_overwritten() {
    let vault = Vault::begun();
    let own = vault.as_alice(&["identity"]).success().stdout;
    vault.as_alice(&["identity", "--new"]).code(2).says("exists already");
    assert_eq!(vault.as_alice(&["identity"]).success().stdout, own);
}
