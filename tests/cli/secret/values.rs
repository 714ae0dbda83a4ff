//! Setting, reading, listing, generating, rotating, removing and importing values.

use std::process::Stdio;

use super::{PROD, Vault, fed};
use crate::harness::Ran;

/// A key that was never made: 43 letters of base64 and `=`.
fn is_base64_of_32_bytes(text: &str) -> bool {
    text.len() == 44 && text.ends_with('=')
}

#[test]
fn a_value_is_sealed_and_read_again() {
    let vault = Vault::begun();
    let value = "größer $HOME 'quoted' \"twice\" # no comment\nand a second line\n";
    let ran = vault.fed("alice", &["set", "TOKEN", "--env", "prod"], &format!("{value}\n")).success();
    ran.says("set TOKEN: secrets/prod.toml, serial 1");
    assert_eq!(vault.get("alice", "TOKEN"), value, "one line break at the end is not part of a value");
    assert!(!vault.read(PROD).contains("quoted"));
    assert_eq!(vault.as_alice(&["get", "TOKEN", "--env", "prod"]).success().stdout, format!("{value}\n"));
    let ran = vault.fed("alice", &["set", "TOKEN", "--env", "prod"], &format!("{value}\n")).success();
    ran.says("nothing to do: secrets/prod.toml is as it should be");
}

#[test]
fn what_is_not_changed_keeps_its_seal() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    let before = vault.read(PROD);
    vault.set("BETA", "the second value");
    let after = vault.read(PROD);
    let changed = before.lines().filter(|line| !after.contains(*line)).count();
    assert_eq!(changed, 3, "serial, time and signature:\n{before}\n{after}");
}

#[test]
fn a_value_that_cannot_be_one_is_refused() {
    let vault = Vault::begun();
    let set = |arguments: &[&str], input: &str| vault.fed("alice", &[&["set"], arguments].concat(), input).code(2);
    set(&["A", "--env", "prod"], "seven77\n").says("the secret `A` is shorter than 8 characters").never_says("seven77");
    set(&["A", "--env", "prod"], "\n").says("there is no value on standard input");
    set(&["A", "--env", "prod"], "zero\0byte").says("holds a NUL byte").never_says("zero");
    set(&["A", "--env", "prod"], &"x".repeat(200_000)).says("the secret `A` is larger than 128 KiB");
    set(&["A-B", "--env", "prod"], "never read").says("\"A-B\" cannot be the name of a secret");
    set(&["A"], "which one").says("which environment?");
    set(&["A", "--env", "prdo"], "no such").says("there is no environment `prdo` in runbook.toml");
    vault.fed("alice", &["set", "A", "value", "--env", "prod"], "").code(2).says("unexpected argument 'value' found");
    vault.fed("alice", &["set", "A", "--env", "demo"], "short").success();
    assert!(!vault.project.path().join(PROD).exists());
}

#[test]
fn nobody_begins_without_a_second_key() {
    let vault = Vault::new();
    vault
        .fed("alice", &["set", "A", "--env", "prod"], "a value")
        .code(2)
        .says("hint: `runbook secret init` begins the list of people");
    vault.as_alice(&["init"]).code(2).says("--recovery <FILE>");
    vault.as_alice(&["list", "--env", "prod"]).code(2).says("there is no secrets/prod.toml yet");
}

#[test]
fn a_missing_value_names_the_sources_and_the_nearest() {
    let vault = Vault::begun();
    vault.set("POSTGRES_PASSWORD", "correct-horse");
    let ran = vault.as_alice(&["get", "POSTGRES_PASWORD", "--env", "prod"]).code(2);
    ran.says("there is no secret `POSTGRES_PASWORD` for the environment `prod`")
        .says("`secrets/prod.toml`: nothing")
        .says("hint: did you mean `POSTGRES_PASSWORD`?")
        .says("hint: runbook secret set POSTGRES_PASWORD --env prod");
}

#[test]
fn names_are_listed_without_a_key() {
    let vault = Vault::begun();
    vault.set("BETA", "the second value");
    vault.as_alice(&["generate", "ALPHA", "hex:16", "--env", "prod"]).success();
    let listed = vault.as_person("visitor", &["list", "--env", "prod"]).success();
    let rows: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "SET", "BY", "GENERATED"]);
    assert_eq!((rows[1][0], rows[1][3], rows[1][4]), ("ALPHA", "alice", "hex:16"));
    assert_eq!((rows[2][0], rows[2][3], rows[2].len()), ("BETA", "alice", 4));
    listed.says("secrets/prod.toml, serial 2, sealed to alice, recovery");
    let json = vault.as_person("visitor", &["list", "--env", "prod", "--json"]).success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["serial"], 2);
    assert_eq!(json["secrets"][0]["name"], "ALPHA");
    vault.as_person("visitor", &["get", "BETA", "--env", "prod"]).code(2).says("there is no identity on this machine");
}

#[test]
fn values_are_generated_and_rotated_in_kind() {
    let vault = Vault::begun();
    for (name, kind) in [("KEY", None), ("HEX", Some("hex:20")), ("WORD", Some("password:16"))] {
        let arguments: Vec<&str> = ["generate", name].into_iter().chain(kind).chain(["--env", "prod"]).collect();
        let ran = vault.as_alice(&arguments).success();
        assert_eq!(ran.stdout, "");
    }
    let before = ["KEY", "HEX", "WORD"].map(|name| vault.get("alice", name));
    assert!(is_base64_of_32_bytes(&before[0]), "{}", before[0]);
    assert!(before[1].len() == 40 && before[1].bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(before[2].len() == 16 && before[2].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    vault.as_alice(&["generate", "KEY", "--env", "prod"]).code(2).says("there is a `KEY` already");
    vault.as_alice(&["generate", "OTHER", "base64:8", "--env", "prod"]).code(2).says("8 bytes are too few");

    vault.as_alice(&["rotate", "KEY", "HEX", "WORD", "--env", "prod"]).success().says("rotated KEY, HEX, WORD");
    let after = ["KEY", "HEX", "WORD"].map(|name| vault.get("alice", name));
    for (old, new) in before.iter().zip(&after) {
        assert_ne!(old, new);
        assert_eq!(old.len(), new.len());
    }
    vault.set("BY_HAND", "given by somebody");
    let before = vault.read(PROD);
    vault
        .as_alice(&["rotate", "KEY", "BY_HAND", "--env", "prod"])
        .code(2)
        .says("not generated here, so nothing was changed: `BY_HAND`");
    assert_eq!(vault.read(PROD), before);
    vault.as_alice(&["rotate", "NONE", "--env", "prod"]).code(2).says("there is no `NONE` in secrets/prod.toml");
}

#[test]
fn a_generated_key_signs_what_its_public_half_verifies() {
    let vault = Vault::begun();
    let public = vault.as_alice(&["generate", "SIGNING_KEY", "ed25519", "--env", "prod"]).success().stdout;
    let folder = vault.homes.path();
    std::fs::write(folder.join("private.pem"), vault.get("alice", "SIGNING_KEY")).unwrap();
    std::fs::write(folder.join("public.pem"), public).unwrap();
    std::fs::write(folder.join("message"), "hello").unwrap();
    let openssl = |arguments: &str| {
        let mut command = std::process::Command::new("openssl");
        let ran = command.args(arguments.split(' ')).current_dir(folder).stdin(Stdio::null()).output().unwrap();
        Ran::from(ran).success()
    };
    openssl("pkeyutl -sign -inkey private.pem -rawin -in message -out signature");
    openssl("pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature");
}

#[test]
fn a_value_is_removed() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.as_alice(&["remove", "ALPHA", "--env", "prod"]).success().says("removed ALPHA: secrets/prod.toml, serial 2");
    vault.as_alice(&["get", "ALPHA", "--env", "prod"]).code(2).says("there is no secret `ALPHA`");
    vault.as_alice(&["remove", "ALPHA", "--env", "prod"]).code(2).says("there is no `ALPHA` in secrets/prod.toml");
}

#[test]
fn a_file_of_variables_is_taken_over_as_a_whole_or_not_at_all() {
    let vault = Vault::begun();
    vault.write(".env", "# comment\nALPHA='one $X value'\nexport BETA=\"two\\nlines here\"\nEMPTY=\n");
    let ran = vault.as_alice(&["import", ".env", "--env", "prod"]).success();
    ran.says("left out, because they are empty: EMPTY")
        .says("set ALPHA, BETA: secrets/prod.toml, serial 1")
        .says(".env is still there");
    assert_eq!(vault.get("alice", "ALPHA"), "one $X value");
    assert_eq!(vault.get("alice", "BETA"), "two\nlines here");

    vault
        .as_alice(&["import", ".env", "--env", "prod"])
        .success()
        .says("nothing to do")
        .says("2 were the same already");
    vault.write(".env", "ALPHA=another value\nGAMMA=a third value\n");
    let ran = vault.as_alice(&["import", ".env", "--env", "prod"]).code(2);
    ran.says("there is another `ALPHA` already, so nothing was changed").says("`--overwrite` replaces it");
    vault.as_alice(&["get", "GAMMA", "--env", "prod"]).code(2);
    vault.as_alice(&["import", ".env", "GAMMA", "--env", "prod"]).success().says("set GAMMA: ");
    vault.as_alice(&["import", ".env", "--overwrite", "--env", "prod"]).success().says("set ALPHA: ");
    assert_eq!(vault.get("alice", "ALPHA"), "another value");

    vault.as_alice(&["import", ".env", "NONE", "--env", "prod"]).code(2).says("there is no `NONE` in .env");
    vault.write(".env", "GOOD=a good value\nSHORT=abc\n");
    vault
        .as_alice(&["import", ".env", "--env", "prod"])
        .code(2)
        .says("the secret `SHORT` is shorter")
        .never_says("abc");
    vault.as_alice(&["get", "GOOD", "--env", "prod"]).code(2);
    vault.write(".env", "GOOD=a good value\nA.B=has a dot\n");
    vault.as_alice(&["import", ".env", "--env", "prod"]).code(2).says(".env:2: \"A.B\" cannot be the name of a secret");
    for (value, why) in [("pa$sword-x", "no line before sets"), ("\"pa${sword-x\"", "begins no variable")] {
        vault.write(".env", &format!("GOOD=a good value\nLOST={value}\n"));
        let ran = vault.as_alice(&["import", ".env", "--env", "prod"]).code(2);
        ran.says(why).says(".env:2").says("put the value in single quotes").never_says("sword");
    }
    vault.write(".env", "BASE=a good value\nBUILT=${BASE}-and-more\n");
    vault.as_alice(&["import", ".env", "--env", "prod"]).success();
    assert_eq!(vault.get("alice", "BUILT"), "a good value-and-more");
    vault.fed("alice", &["import", "-", "--env", "prod"], "PIPED=through a pipe\n").success();
    assert_eq!(vault.get("alice", "PIPED"), "through a pipe");
}

#[test]
fn changes_at_the_same_time_lose_nothing() {
    let vault = Vault::begun();
    let names: Vec<String> = (0..6).map(|number| format!("NAME_{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let command = vault.command("alice", &["set", name, "--env", "prod"]);
            scope.spawn(move || fed(command, &format!("the value of {name}")).success());
        }
    });
    for name in &names {
        assert_eq!(vault.get("alice", name), format!("the value of {name}"));
    }
    vault.as_alice(&["list", "--env", "prod"]).success().says("serial 6");
    let left: Vec<_> = std::fs::read_dir(vault.project.path().join("secrets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
