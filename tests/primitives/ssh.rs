//! Work on hosts: real SSH servers on loopback ports.

mod alpine;
mod armed;
mod broken;
mod engine;
mod faults;
mod files;
mod forward;
mod killed;
mod quirks;
mod refused;
mod restarted;
mod shells;
mod things;

use serde_json::{Value, json};

use crate::harness::sshd::{Quirks, Sshd};
use crate::harness::{Direct, Project, primitive};
use runbook::primitive::{Effect, FailureKind, Probe};

/// A project that knows the server as `web`.
fn at(server: &Sshd) -> Direct {
    let here = Direct::new();
    here.write("runbook.toml", &server.entry("web"));
    here
}

/// The handle of that host.
fn web(here: &Direct) -> Value {
    here.call(primitive("ssh"), json!(["web"]), Value::Null).unwrap().value
}

#[test]
fn a_program_gets_its_arguments_its_input_and_its_environment_as_they_are_written() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let words = ["%s|", "it's", "a\\n b", "two\nlines", "$HOME `id` *", "ä!", ""];
    let argv: Vec<&str> = std::iter::once("printf").chain(words).collect();
    for read_only in [false, true] {
        let options = json!({ "read_only": read_only });
        let printed = here.method("ssh.exec", web(&here), json!([argv]), options).unwrap();
        assert_eq!(printed.value["stdout"], "it's|a\\n b|two\nlines|$HOME `id` *|ä!||");
        assert_eq!(printed.changed, None);
        let options = json!({
            "read_only": read_only, "check": false, "stdin": "hello\nthere", "cwd": "/tmp",
            "env": { "NAME": "x y'z", "LANG": null },
        });
        let line = "cat; echo; pwd; echo \"$NAME ${LANG-none}\" >&2; exit 3";
        let ran = here.method("ssh.exec", web(&here), json!([["sh", "-c", line]]), options).unwrap().value;
        assert_eq!(ran["stdout"], "hello\nthere\n/tmp");
        assert_eq!((&ran["stderr"], &ran["code"], &ran["ok"]), (&json!("x y'z none"), &json!(3), &json!(false)));
    }
    assert!(here.lines().contains(&"stdout: /tmp".to_owned()), "{:?}", here.lines());
}

#[test]
fn a_change_makes_files_as_a_look_would() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let mask = |read_only: bool| {
        here.method("ssh.exec", web(&here), json!([["sh", "-c", "umask"]]), json!({ "read_only": read_only })).unwrap()
    };
    assert_eq!(mask(false).value["stdout"], mask(true).value["stdout"]);
}

#[test]
fn a_command_that_fails_is_a_failure_with_its_last_words() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let failure = here.method("ssh.shell", web(&here), json!(["echo before\nls /nowhere\necho after"]), json!({}));
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.evidence[0].text.contains("/nowhere"), "{failure:?}");
    assert!(!here.lines().contains(&"stdout: after".to_owned()));
    let failure = here.method("ssh.exec", web(&here), json!([["no-such-program"]]), json!({})).unwrap_err();
    assert!(failure.message.contains("exited with code 127"), "{failure}");
    let killed = here.method("ssh.shell", web(&here), json!(["kill -KILL $$"]), json!({ "check": false })).unwrap();
    assert_eq!((&killed.value["signal"], &killed.value["code"]), (&json!("SIGKILL"), &json!(137)));
}

#[test]
fn what_takes_too_long_is_ended_with_everything_it_started() {
    let Some(server) = Sshd::start() else { return };
    ends_what_takes_too_long(&server, 300);
}

/// With commands that sleep for so many seconds, by which they are found: another number in each test.
fn ends_what_takes_too_long(server: &Sshd, seconds: u32) {
    let here = at(server);
    for read_only in [false, true] {
        let name = format!("{seconds}.{}{}", std::process::id(), u8::from(read_only));
        let options = json!({ "timeout": "2s", "read_only": read_only });
        let line = format!("echo begun; sleep {name} & sleep {name}; echo never");
        let failure = here.method("ssh.shell", web(&here), json!([line]), options).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure:?}");
        assert!(failure.message.contains("2s"), "{failure}");
        assert_gone(&name);
    }
}

#[test]
fn a_cancelled_command_is_ended_on_the_host() {
    let Some(server) = Sshd::start() else { return };
    for read_only in [false, true] {
        let here = at(&server);
        let name = format!("301.{}{}", std::process::id(), u8::from(read_only));
        here.cancel_after(std::time::Duration::from_secs(2));
        let options = json!({ "read_only": read_only });
        let failure = here.method("ssh.exec", web(&here), json!([["sleep", name]]), options).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:?}");
        assert_gone(&name);
    }
}

/// No process with this in its command line, within a few seconds.
pub fn assert_gone(name: &str) {
    let is_there = || {
        let found = std::process::Command::new("pgrep").args(["-f", "--", &format!("^sleep {name}")]).output().unwrap();
        !found.stdout.is_empty()
    };
    let began = std::time::Instant::now();
    while is_there() {
        assert!(began.elapsed().as_secs() < 10, "`sleep {name}` still runs");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn a_file_is_written_whole_once_and_with_its_mode() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let path = server.file("motd");
    let text = "it's\n$HOME \\n ä\n".repeat(1000);
    let write =
        |text: &str, options: Value| here.method("ssh.write", web(&here), json!([path, text]), options).unwrap();
    assert_eq!(write(&text, json!({ "mode": "0640" })).changed, Some(true));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(write(&text, json!({ "mode": "0640" })).changed, Some(false));
    let changed = write(&text, json!({ "mode": "0600" }));
    assert_eq!(changed.changes[0].detail, ["mode: 640 → 0600"]);
    assert_eq!(write("other", Value::Null).changes[0].detail, ["content"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let read = here.method("ssh.read", web(&here), json!([path]), Value::Null).unwrap();
    assert_eq!(read.value, "other");
    let failure = here.method("ssh.read", web(&here), json!([server.file("none")]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    let failure = here.method("ssh.write", web(&here), json!(["/nowhere/x", "y"]), Value::Null).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::NotFound, "there is no `/nowhere` on `web`"));
    assert_eq!(failure.hints, ["make the folder first, with `directory`"]);
    let failure = here.method("ssh.write", web(&here), json!(["/tmp", "y"]), Value::Null).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Conflict, "`/tmp` on `web` is a folder"));
    let failure = here.method("ssh.read", web(&here), json!(["/etc/passwd"]), json!({ "max": "10B" })).unwrap_err();
    assert_eq!(failure.message, "`/etc/passwd` on `web` is larger than 10 B");
}

#[test]
fn a_write_that_died_is_told_from_one_that_happened() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let args = json!([server.file("file"), "text"]);
    here.dies_before_its_effect("ssh.write", web(&here), args.clone(), Value::Null);
    assert!(matches!(here.recover("ssh.write", web(&here), args.clone(), Value::Null).unwrap(), Probe::NotDone));
    std::fs::write(server.file("file"), "text").unwrap();
    match here.recover("ssh.write", web(&here), args, Value::Null).unwrap() {
        Probe::Done(outcome) => assert_eq!(outcome.changed, Some(true)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plan_says_what_would_be_written_and_run() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let path = server.file("file");
    let foreseen = here.predict("ssh.write", web(&here), json!([path, "text"]), Value::Null).unwrap();
    assert_eq!(foreseen.changes[0].what, format!("file {} on web", path.display()));
    std::fs::write(&path, "text").unwrap();
    assert!(here.predict("ssh.write", web(&here), json!([path, "text"]), Value::Null).unwrap().changes.is_empty());
    let foreseen = here.predict("ssh.exec", web(&here), json!([["reboot"]]), Value::Null).unwrap();
    assert_eq!(foreseen.changes[0].what, "web: reboot");
    assert!(!path.with_extension("runbook").exists());
}

#[test]
fn space_facts_and_ports_are_those_of_the_host() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let disk = here.method("ssh.disk_free", web(&here), json!(["/"]), Value::Null).unwrap().value;
    assert!(disk["free"].as_u64().unwrap() > 0);
    here.method("remote_disk.at_least", disk.clone(), json!(["1kB"]), Value::Null).unwrap();
    let failure = here.method("remote_disk.at_least", disk, json!(["900TiB"]), Value::Null).unwrap_err();
    assert!(failure.message.contains("on `web`"), "{failure}");
    let facts = here.method("ssh.facts", web(&here), json!([]), Value::Null).unwrap().value;
    assert_eq!(facts["arch"], std::env::consts::ARCH);
    assert!(facts["memory"].as_u64().unwrap() > 1 << 20 && facts["clock_skew"].as_i64().unwrap().abs() < 5, "{facts}");
    let open = |port: u16| here.method("ssh.port_open", web(&here), json!([port]), Value::Null).unwrap().value;
    assert_eq!((open(server.port()), open(1)), (json!(true), json!(false)));
}

#[test]
fn looks_are_looks_and_changes_are_changes() {
    let here = Direct::new();
    for (method, read_only, effect) in [
        ("ssh.exec", true, Effect::Read),
        ("ssh.exec", false, Effect::Change),
        ("ssh.shell", true, Effect::Read),
        ("ssh.shell", false, Effect::Change),
    ] {
        let args = if method == "ssh.exec" { json!([["true"]]) } else { json!(["true"]) };
        let method = primitive(method);
        here.look(method, args, json!({ "read_only": read_only }), |_, call| {
            assert_eq!(method.effect(call), effect);
            assert_eq!(method.leaves_marker(call), effect == Effect::Change);
        });
    }
}

#[test]
fn the_hosts_of_a_project_are_listed_reached_trusted_and_looked_over() {
    let Some(server) = Sshd::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let project = Project::new()
        .file("runbook.toml", &server.entry_without_key("web", server.port()))
        .env("HOME", &home.path().display().to_string());
    project.runbook(&["host", "add", "db", "10.0.0.9", "--user", "me", "--group", "data"]).success();
    let listed = project.runbook(&["host", "list"]).success().stdout;
    assert!(listed.contains("db   me@10.0.0.9:22") && listed.contains("  data\n"), "{listed}");
    project
        .runbook(&["host", "ping", "web"])
        .code(1)
        .says("the host key of `[127.0.0.1]")
        .says("runbook host trust web");
    project.runbook(&["host", "trust", "web"]).code(2).says("nobody is here").says("--fingerprint SHA256:");
    project.runbook(&["host", "trust", "web", "--fingerprint", "SHA256:no"]).code(2).says("shows another key");
    let output = std::process::Command::new("ssh-keygen").arg("-lf").arg(server.file("host_ed25519.pub")).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    let fingerprint = output.split(' ').nth(1).unwrap();
    project.runbook(&["host", "trust", "web", "--fingerprint", fingerprint]).success();
    project.runbook(&["host", "trust", "web"]).success();
    assert!(project.runbook(&["host", "ping", "web"]).success().stdout.starts_with("web  ok"));
    assert!(project.runbook(&["host", "facts", "web"]).success().stdout.contains("\"kernel\""));
}

#[test]
fn the_list_of_hosts_shows_through_which_others_one_is_reached() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    let config = "Host db\n  ProxyJump gate:2222\nHost gate\n  User door\n";
    std::fs::write(home.path().join(".ssh/config"), config).unwrap();
    let hosts = r#"
[host.bastion]
address = "10.0.0.1"
user = "me"

[host.db]
address = "10.0.0.3"
user = "me"
groups = ["data"]

[host.inner]
address = "10.0.0.2"
user = "me"
jump = "bastion"
groups = ["web"]

[host.web]
address = "10.0.0.4"
user = "me"
jump = "bastion,root@10.0.0.9:22"
"#;
    let project = Project::new().file("runbook.toml", hosts).env("HOME", &home.path().display().to_string());
    let expected = "\
bastion  me@10.0.0.1:22
db       me@10.0.0.3:22  via door@gate:2222                   data
inner    me@10.0.0.2:22  via me@10.0.0.1:22                   web
web      me@10.0.0.4:22  via me@10.0.0.1:22,root@10.0.0.9:22
";
    assert_eq!(project.runbook(&["host", "list"]).success().stdout, expected);
    let json: Value = serde_json::from_str(&project.runbook(&["host", "list", "--json"]).success().stdout).unwrap();
    assert_eq!(json[0]["jump"], json!([]));
    assert_eq!(json[1]["jump"], json!([{ "name": "gate", "address": "gate", "port": 2222, "user": "door" }]));
    assert_eq!(json[2]["jump"][0]["name"], "bastion");
    assert_eq!(json[3]["jump"].as_array().unwrap().len(), 2);
}

#[test]
fn changes_share_one_session_of_the_host_and_leave_nothing_there() {
    let counted = tempfile::tempdir().unwrap();
    let (sessions, folders) = (counted.path().join("sessions"), counted.path().join("folders"));
    let force = format!("ForceCommand echo session >>{}; eval \"$SSH_ORIGINAL_COMMAND\"", sessions.display());
    let Some(server) = Sshd::with(Quirks { config: vec![force], ..Quirks::default() }) else { return };
    // What a command reads lies in the folder of its keeper.
    let script = format!(
        "let host = ssh(\"web\");\nfor n in 0..5 {{ host.shell(\"readlink /proc/self/fd/0 >>{}\"); }}",
        folders.display()
    );
    Project::script(&script).file("runbook.toml", &server.entry("web")).runbook(&["run", "test.rhai"]).success();
    assert_eq!(std::fs::read_to_string(&sessions).unwrap().lines().count(), 1);
    let folders = std::fs::read_to_string(&folders).unwrap();
    assert_eq!(folders.lines().count(), 5);
    let left: Vec<&str> = folders.lines().filter(|file| std::path::Path::new(file).exists()).collect();
    assert!(left.is_empty() && folders.contains("/var/tmp/runbook-"), "{folders}");
}
