//! Comparing environments and revisions.

use super::{PROD, Vault};

#[test]
fn environments_are_compared_without_a_value() {
    let vault = Vault::begun();
    for (name, prod, demo) in
        [("SAME", "one and the same", "one and the same"), ("OTHER", "value of prod", "value of demo")]
    {
        vault.set(name, prod);
        vault.fed("alice", &["set", name, "--env", "demo"], demo).success();
    }
    vault.set("ONLY", "only in prod");
    let ran = vault.as_alice(&["diff", "demo", "--env", "prod"]).success();
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "HERE", "THERE"]);
    assert_eq!((rows[1][0], rows[1][2]), ("ONLY", "-"));
    assert!(rows[2][0] == "OTHER" && rows[2][1] != rows[2][2] && rows[2][1].len() == 8, "{rows:?}");
    assert_eq!(rows.len(), 3);
    assert!(!ran.stdout.contains("value") && !ran.stderr.contains("value of"));
    ran.says("prod here, demo there: 2 different, 1 the same");
    let all = vault.as_alice(&["diff", "demo", "--env", "prod", "--all"]).success().stdout;
    let same: Vec<&str> = all.lines().find(|line| line.starts_with("SAME")).unwrap().split_whitespace().collect();
    assert_eq!(same[1], same[2]);
    let again = vault.as_alice(&["diff", "demo", "--env", "prod", "--all"]).success().stdout;
    assert!(!again.contains(same[1]), "a fingerprint means nothing another time");
}

#[test]
fn revisions_are_compared_although_they_are_older() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.set("BETA", "the second value");
    vault.git(&["init", "-q"]);
    vault.git(&["add", "-A"]);
    vault.git(&["commit", "-qm", "one"]);
    vault.set("ALPHA", "another value");
    let ran = vault.as_alice(&["diff", "HEAD", "--env", "prod"]).success();
    assert!(ran.stdout.contains("ALPHA") && !ran.stdout.contains("BETA"), "{}", ran.stdout);
    ran.says("prod here, HEAD there: 1 different, 1 the same");
    let ran = vault.as_alice(&["diff", "no-such-thing", "--env", "prod"]).code(2);
    ran.says("`no-such-thing` is neither an environment nor a git revision with secrets/prod.toml");
    vault.as_alice(&["diff", "--env", "prod", "--", "--output=x"]).code(2).says("is neither an environment");

    let altered = vault.read(PROD).replacen("serial = 3", "serial = 4", 1);
    let good = vault.read(PROD);
    vault.write(PROD, &altered);
    vault.git(&["commit", "-qam", "two"]);
    vault.write(PROD, &good);
    vault.as_alice(&["diff", "HEAD", "--env", "prod"]).code(2).says("HEAD:secrets/prod.toml is refused: it is not as");
}
