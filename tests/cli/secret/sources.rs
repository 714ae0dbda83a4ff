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

#[test]
fn credentials_are_read_where_systemd_or_docker_puts_them() {
    let sources = "[env.prod]\n[secrets]\nsources = [{ from = \"files\", folder = \"$CREDENTIALS_DIRECTORY\" }, \
                   { from = \"files\", folder = \"run/secrets\" }]\n";
    let project = crate::harness::Project::new()
        .file("runbook.toml", sources)
        .file("run/secrets/OF_DOCKER", "what docker mounts\n");
    let credentials = tempfile::tempdir().unwrap();
    let file = credentials.path().join("OF_SYSTEMD");
    std::fs::write(&file, "what systemd passes").unwrap();
    // As systemd makes them: for their owner only, and to be read only.
    let read_only = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    read_only(&file, 0o400);
    read_only(credentials.path(), 0o500);
    let project = project.env("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap());
    let get = |name: &str| project.runbook(&["secret", "get", name, "--env", "prod", "-n"]);
    assert_eq!(get("OF_SYSTEMD").success().stdout, "what systemd passes");
    assert_eq!(get("OF_DOCKER").success().stdout, "what docker mounts");
    read_only(credentials.path(), 0o700);
    let elsewhere = project.env("CREDENTIALS_DIRECTORY", "");
    let ran = elsewhere.runbook(&["secret", "get", "OF_SYSTEMD", "--env", "prod"]).code(2);
    ran.says("the folder `$CREDENTIALS_DIRECTORY`, which is not set");
}
