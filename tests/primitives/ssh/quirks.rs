//! Servers as they are found: other keys, little room, slow or strange shells, hosts behind hosts.

use std::process::Command;

use serde_json::{Value, json};

use super::{at, web};
use crate::harness::sshd::{Quirks, Sshd, user};
use crate::harness::{Direct, Project, primitive, skip};
use runbook::primitive::FailureKind;

fn says_hello(here: &Direct, host: Value) {
    let said = here.method("ssh.exec", host, json!([["echo", "hello"]]), json!({})).unwrap();
    assert_eq!(said.value["stdout"], "hello");
}

#[test]
fn a_changed_key_is_always_refused() {
    let (Some(old), Some(new)) = (Sshd::start(), Sshd::start()) else { return };
    let here = Direct::new();
    let entry = format!("{}host_keys = [\"{}\"]\n", new.entry_without_key("web", new.port()), old.host_key("ed25519"));
    here.write("runbook.toml", &entry);
    let failure = here.method("ssh.exec", web(&here), json!([["true"]]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.message.contains("shows another host key"), "{failure}");
    assert!(failure.evidence.iter().any(|evidence| evidence.text.contains("SHA256:")), "{failure:?}");
}

#[test]
fn a_server_with_several_keys_is_asked_for_the_one_that_is_known() {
    let quirks = Quirks { host_keys: vec!["ed25519", "ecdsa", "rsa"], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let here = Direct::new();
        let entry = server.entry_without_key("web", server.port());
        here.write("runbook.toml", &format!("{entry}host_keys = [\"{}\"]\n", server.host_key(kind)));
        says_hello(&here, web(&here));
    }
}

#[test]
fn a_key_that_is_not_accepted_is_named_with_the_line_that_shows_it() {
    let Some(server) = Sshd::start() else { return };
    std::fs::write(server.file("authorized_keys"), "").unwrap();
    let here = at(&server);
    let failure = here.method("ssh.exec", web(&here), json!([["true"]]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.message.contains("does not let"), "{failure}");
    assert!(failure.evidence[0].text.contains("id`: refused"), "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains(&format!("ssh -p {}", server.port()))), "{failure:?}");
}

#[test]
fn a_server_with_room_for_two_sessions_serves_many_branches() {
    let quirks = Quirks { config: vec!["MaxSessions 2".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let said =
                    here.method("ssh.shell", web(&here), json!(["sleep 1; echo hello"]), json!({ "read_only": true }));
                assert_eq!(said.unwrap().value["stdout"], "hello");
            });
        }
    });
}

#[test]
fn a_slow_and_talkative_login_shell_changes_nothing() {
    let quirks = Quirks {
        config: vec!["ForceCommand sleep 3; echo Welcome; echo motd >&2; eval \"$SSH_ORIGINAL_COMMAND\"".into()],
        ..Quirks::default()
    };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    says_hello(&here, web(&here));
    assert!(!here.lines().iter().any(|line| line.contains("Welcome") || line.contains("motd")), "{:?}", here.lines());
}

#[test]
fn a_fish_reads_the_same() {
    if !std::path::Path::new("/usr/bin/fish").exists() {
        return skip("fish");
    }
    let quirks = Quirks {
        config: vec!["ForceCommand exec /usr/bin/fish -c \"$SSH_ORIGINAL_COMMAND\"".into()],
        ..Quirks::default()
    };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    says_hello(&here, web(&here));
    let said =
        here.method("ssh.shell", web(&here), json!(["A='x y'; echo \"$A\" | tr x z"]), json!({ "read_only": true }));
    assert_eq!(said.unwrap().value["stdout"], "z y");
}

#[test]
fn an_account_without_a_shell_says_so() {
    let quirks = Quirks { config: vec!["ForceCommand /usr/sbin/nologin".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    let failure = here.method("ssh.exec", web(&here), json!([["true"]]), json!({})).unwrap_err();
    assert!(failure.message.contains("gets no shell there"), "{failure:?}");
    assert!(failure.evidence[0].text.contains("not available"), "{failure:?}");
}

#[test]
fn somebody_else_runs_it_through_sudo_or_the_rule_that_is_missing_is_named() {
    let (Some(server), true) = (Sshd::start(), std::path::Path::new("/usr/bin/sudo").exists()) else {
        return skip("sudo");
    };
    if user() != "root" {
        return skip("root, for sudo without a password");
    }
    let here = at(&server);
    for read_only in [true, false] {
        let options = json!({ "user": "nobody", "read_only": read_only });
        let said = here.method("ssh.exec", web(&here), json!([["id", "-un"]]), options).unwrap();
        assert_eq!(said.value["stdout"], "nobody");
    }
    let denied = Command::new("sudo").args(["-n", "-u", "nobody", "sudo", "-n", "true"]).output().unwrap();
    assert!(!denied.status.success());
    let failure =
        here.method("ssh.exec", web(&here), json!([["true"]]), json!({ "user": "no-such-user" })).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::NotFound, "`web` has no user `no-such-user`"));
}

#[test]
fn a_host_without_sudo_or_whose_sudo_wants_a_password_says_so() {
    for (answer, kind, expected) in [
        ("a password is required", FailureKind::Unauthorized, "cannot become `nobody` without a password"),
        ("", FailureKind::NotFound, "`web` has no `sudo`, with which"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().display();
        if !answer.is_empty() {
            let sudo = folder.path().join("sudo");
            std::fs::write(&sudo, format!("#!/bin/sh\necho sudo: {answer} >&2\nexit 1\n")).unwrap();
            std::fs::set_permissions(&sudo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let config = vec![format!("SetEnv PATH={programs} HOME=/")];
        let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
        let here = at(&server);
        for read_only in [true, false] {
            let options = json!({ "user": "nobody", "read_only": read_only });
            let failure = here.method("ssh.exec", web(&here), json!([["true"]]), options).unwrap_err();
            assert_eq!(failure.kind, kind, "{failure:?}");
            assert!(failure.message.contains(expected), "{failure:?}");
        }
    }
}

#[test]
fn a_host_that_lacks_what_is_needed_names_it() {
    let most = "setsid timeout sleep cat head rm mkdir";
    for (has, change, look, upload) in [
        ("", Some("setsid"), Some("setsid"), "cat"),
        ("setsid", Some("cat"), Some("timeout"), "cat"),
        (most, Some("wc"), None, "chmod"),
        ("setsid timeout sleep cat head rm mkdir wc", None, None, "chmod"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for name in has.split_whitespace() {
            std::os::unix::fs::symlink(format!("/usr/bin/{name}"), folder.path().join(name)).unwrap();
        }
        let config = vec![format!("SetEnv PATH={} HOME=/", folder.path().display())];
        let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
        let here = at(&server);
        let lacks = |program: &str| format!("`web` has no `{program}`, which this needs");
        for (read_only, expected) in [(false, change), (true, look)] {
            let options = json!({ "read_only": read_only });
            let said = here.method("ssh.exec", web(&here), json!([["/bin/true"]]), options);
            assert_eq!(said.err().map(|failure| failure.message), expected.map(lacks), "{has}");
        }
        here.write("a", "1");
        for (method, args, program) in [
            ("ssh.upload", json!(["a", "/tmp/"]), upload),
            ("ssh.write", json!(["/tmp/none", "x"]), "sha256sum"),
            ("ssh.download", json!(["/etc/hostname", "b"]), if upload == "cat" { "cat" } else { "cut" }),
        ] {
            let failure = here.method(method, web(&here), args, json!({})).unwrap_err();
            assert_eq!(failure.message, lacks(program), "{method} with {has}");
        }
    }
}

#[test]
fn who_logs_in_as_the_one_who_is_to_run_it_needs_no_sudo() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let command = json!([["sh", "-c", "echo $(id -un) ${SUDO_USER-nobody}"]]);
    for read_only in [true, false] {
        let options = json!({ "user": user(), "read_only": read_only });
        let said = here.method("ssh.exec", web(&here), command.clone(), options).unwrap();
        assert_eq!(said.value["stdout"], format!("{} nobody", user()));
    }
}

#[test]
fn a_host_behind_another_is_reached_through_it() {
    let (Some(bastion), Some(inner)) = (Sshd::start(), Sshd::start()) else { return };
    let here = Direct::new();
    let entries = format!("{}{}jump = \"bastion\"\n", bastion.entry("bastion"), inner.entry("inner"));
    here.write("runbook.toml", &entries);
    let host = here.call(primitive("ssh"), json!(["inner"]), Value::Null).unwrap().value;
    says_hello(&here, host.clone());
    drop(bastion);
    let failure = here.method("ssh.exec", host, json!([["true"]]), json!({})).unwrap_err();
    assert!(failure.message.starts_with("`inner`: on the way to it, `bastion`"), "{failure:?}");
}

#[test]
fn nothing_that_listens_and_no_such_name_are_told_apart() {
    let here = Direct::new();
    here.write("runbook.toml", "[host.web]\naddress = \"127.0.0.1\"\nport = 1\nuser = \"me\"\n");
    let failure = here.method("ssh.exec", web(&here), json!([["true"]]), json!({})).unwrap_err();
    assert_eq!(failure.message, "`web` (me@127.0.0.1:1): the connection was refused while connecting to `127.0.0.1:1`");
    assert!(failure.hints.iter().any(|hint| hint.contains("`ssh -p 1 me@127.0.0.1`")), "{failure:?}");
    let host = here.call(primitive("ssh"), json!(["no-such-host.invalid"]), Value::Null).unwrap().value;
    let failure = here.method("ssh.exec", host, json!([["true"]]), json!({})).unwrap_err();
    assert!(failure.message.contains("while looking up"), "{failure}");
}

#[test]
fn a_known_hosts_file_with_nothing_but_rsa_is_no_man_in_the_middle() {
    let quirks = Quirks { host_keys: vec!["ed25519", "ecdsa", "rsa"], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    let known = format!("[127.0.0.1]:{} {}\n", server.port(), server.host_key("rsa"));
    std::fs::write(home.path().join(".ssh/known_hosts"), &known).unwrap();
    let project = Project::new()
        .file("runbook.toml", &server.entry_without_key("web", server.port()))
        .env("HOME", &home.path().display().to_string());
    assert!(project.runbook(&["host", "ping", "web"]).success().stdout.starts_with("web  ok"));
    // Another RSA key is another host.
    let Some(other) = Sshd::with(Quirks { host_keys: vec!["rsa"], ..Quirks::default() }) else { return };
    let known = format!("[127.0.0.1]:{} {}\n", server.port(), other.host_key("rsa"));
    std::fs::write(home.path().join(".ssh/known_hosts"), &known).unwrap();
    project.runbook(&["host", "ping", "web"]).code(1).says("shows another host key");
}

#[test]
fn everything_at_once_is_still_a_host() {
    // Behind a host with little room, with a talkative fish for a shell and no forwarding of sockets.
    if !std::path::Path::new("/usr/bin/fish").exists() {
        return skip("fish");
    }
    let shell = "echo Welcome; sleep 1; exec /usr/bin/fish -c \"$SSH_ORIGINAL_COMMAND\"";
    let config = vec!["MaxSessions 1".into(), "AllowStreamLocalForwarding no".into(), format!("ForceCommand {shell}")];
    let quirks = Quirks { config, host_keys: vec!["ecdsa", "ed25519"], ..Quirks::default() };
    let bastion = Quirks { config: vec!["MaxSessions 0".into()], ..Quirks::default() };
    let (Some(bastion), Some(inner)) = (Sshd::with(bastion), Sshd::with(quirks)) else { return };
    let here = Direct::new();
    here.write("runbook.toml", &format!("{}{}jump = \"bastion\"\n", bastion.entry("bastion"), inner.entry("inner")));
    let host = here.call(primitive("ssh"), json!(["inner"]), Value::Null).unwrap().value;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| says_hello(&here, host.clone()));
        }
    });
    let path = inner.file("made here");
    here.method("ssh.directory", host.clone(), json!([path]), Value::Null).unwrap();
    here.write("a", "1");
    here.method("ssh.upload", host, json!(["a", path.join("a")]), Value::Null).unwrap();
    assert_eq!(std::fs::read_to_string(path.join("a")).unwrap(), "1");
}

#[test]
fn keys_that_are_exchanged_again_in_the_middle_lose_nothing() {
    let quirks = Quirks { config: vec!["RekeyLimit 256K".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    let lines: Vec<String> = (0..400_000).map(|number| number.to_string()).collect();
    let text = lines.join("\n") + "\n";
    here.write("much", &text);
    here.method("ssh.upload", web(&here), json!(["much", server.file("much")]), Value::Null).unwrap();
    assert_eq!(std::fs::read_to_string(server.file("much")).unwrap(), text);
    for read_only in [true, false] {
        let options = json!({ "read_only": read_only, "capture": "8MiB" });
        let said = here.method("ssh.exec", web(&here), json!([["cat", server.file("much")]]), options).unwrap();
        assert_eq!(said.value["stdout"].as_str().map(str::len), Some(text.len() - 1), "read_only: {read_only}");
    }
    here.method("ssh.download", web(&here), json!([server.file("much"), "back"]), Value::Null).unwrap();
    assert_eq!(std::fs::read_to_string(here.path().join("back")).unwrap(), text);
}

#[test]
fn a_server_that_asks_for_signs_of_life_gets_them_or_is_connected_to_anew() {
    let quirks =
        Quirks { config: vec!["ClientAliveInterval 1".into(), "ClientAliveCountMax 2".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    for read_only in [true, false] {
        let options = json!({ "read_only": read_only });
        let said = here.method("ssh.shell", web(&here), json!(["sleep 5; echo hello"]), options).unwrap();
        assert_eq!(said.value["stdout"], "hello");
    }
    std::thread::sleep(std::time::Duration::from_secs(5));
    says_hello(&here, web(&here));
}

#[test]
fn a_strict_server_with_a_banner_and_few_ciphers_is_served() {
    let config = vec![
        "Banner /etc/os-release".into(),
        "KexAlgorithms ecdh-sha2-nistp256".into(),
        "Ciphers aes256-ctr".into(),
        "MACs hmac-sha2-512".into(),
        "PermitTTY no".into(),
        "DisableForwarding yes".into(),
        "MaxStartups 2".into(),
    ];
    let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
    let here = at(&server);
    says_hello(&here, web(&here));
    assert!(!here.lines().iter().any(|line| line.contains("PRETTY_NAME")), "{:?}", here.lines());
}

#[test]
fn a_server_that_only_lets_files_through_says_so() {
    let quirks = Quirks { config: vec!["ForceCommand internal-sftp".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    let began = std::time::Instant::now();
    let failure = here.method("ssh.exec", web(&here), json!([["true"]]), json!({})).unwrap_err();
    assert!(failure.message.contains("gets no shell there"), "{failure:?}");
    assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
}

#[test]
fn a_server_that_lets_try_once_is_shown_the_key_that_the_project_names() {
    let quirks = Quirks { config: vec!["MaxAuthTries 1".into()], ..Quirks::default() };
    let Some(server) = Sshd::with(quirks) else { return };
    let here = at(&server);
    says_hello(&here, web(&here));
}
