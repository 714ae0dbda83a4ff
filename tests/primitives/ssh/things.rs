//! Folders, users, packages, services, cron lines and the firewall of a host: changed once, then found as they should be.
//!
//! The server runs on this very machine, so users, packages and cron lines are harmless ones that are taken away again, and
//! the packages come from a folder. `ufw` and `systemctl` are stand-ins that keep the words they are called with: what they
//! would do to this machine is nobody's wish, so only their arguments and the reading of their answers are tested.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{at, web};
use crate::harness::sshd::{Quirks, Sshd, user};
use crate::harness::{Direct, Project, skip};
use runbook::primitive::{FailureKind, Outcome, Probe};

/// Foreseen, made, and found made: the details of the change.
fn settles(here: &Direct, method: &str, args: &Value, options: &Value) -> Vec<String> {
    let foreseen = here.predict(method, web(here), args.clone(), options.clone()).unwrap();
    let made = here.method(method, web(here), args.clone(), options.clone()).unwrap();
    assert_eq!((made.changed, &made.value), (Some(true), &json!(true)));
    assert_eq!(foreseen.changes, made.changes);
    assert_eq!(foreseen.value, json!(true));
    settled(here, method, args, options);
    made.changes.into_iter().flat_map(|change| change.detail).collect()
}

/// There is nothing to do.
fn settled(here: &Direct, method: &str, args: &Value, options: &Value) {
    let Outcome { value, changed, changes, .. } =
        here.method(method, web(here), args.clone(), options.clone()).unwrap();
    assert_eq!((value, changed, changes.len()), (json!(false), Some(false), 0), "{method}");
    let foreseen = here.predict(method, web(here), args.clone(), options.clone()).unwrap();
    assert!(foreseen.changes.is_empty() && foreseen.value == json!(false), "{foreseen:?}");
}

fn is_root() -> bool {
    let root = user() == "root";
    if !root {
        skip("root");
    }
    root
}

/// A server whose commands find these programs first.
fn with_programs(programs: &[(&str, &str)]) -> Option<(Sshd, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in programs {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", folder.path().display());
    let config = vec![format!("SetEnv {path} STANDS_IN={0} UFW_DEFAULTS={0}/defaults", folder.path().display())];
    Some((Sshd::with(Quirks { config, ..Quirks::default() })?, folder))
}

#[test]
fn a_folder_is_made_and_given_to_somebody() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let path = server.file("a b/c");
    let args = json!([path]);
    assert!(settles(&here, "ssh.directory", &args, &json!({})).is_empty());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(settles(&here, "ssh.directory", &args, &json!({ "mode": "0700" })), ["mode: 755 → 0700"]);
    if is_root() {
        let options = json!({ "owner": "nobody:daemon" });
        assert_eq!(settles(&here, "ssh.directory", &args, &options), ["owner: root:root → nobody:daemon"]);
    }
    std::fs::write(server.file("file"), "").unwrap();
    let failure = here.method("ssh.directory", web(&here), json!([server.file("file")]), Value::Null).unwrap_err();
    assert!(failure.message.contains("is no folder"), "{failure}");
}

#[test]
fn what_an_earlier_call_of_a_plan_changes_is_not_planned_by_what_is_there_now() {
    let Some(server) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    std::fs::create_dir(&old).unwrap();
    let script = format!(
        "let web = ssh(\"web\"); for mode in [\"0750\", \"0750\"] {{ web.directory({new:?}, #{{ mode: mode }}); }}
        web.directory({old:?}, #{{ mode: \"0700\" }}); web.directory({old:?}, #{{ mode: \"0755\" }});"
    );
    let project = Project::script(&script).file("runbook.toml", &server.entry("web"));
    project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success();
    let plan: Value = serde_json::from_str(&project.read("plan.json")).unwrap();
    let changes = plan["calls"].as_array().unwrap().iter().flat_map(|call| call["changes"].as_array().unwrap());
    let told: Vec<_> = changes
        .map(|change| {
            let name = change["what"].as_str().unwrap().split(" on ").next().unwrap().rsplit('/').next().unwrap();
            (name.to_owned(), change["action"].as_str().unwrap().to_owned(), change["condition"].is_null())
        })
        .collect();
    let wanted = [("new", "create", true), ("new", "update", false), ("old", "update", true), ("old", "update", false)];
    assert_eq!(told, wanted.map(|(name, action, certain)| (name.to_owned(), action.to_owned(), certain)));
    // All of it is what the run may do, and no more.
    project.runbook(&["run", "test.rhai", "--plan", "plan.json"]).success();
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(std::fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn what_died_before_it_was_made_is_made_and_what_was_made_is_known() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    let args = json!([server.file("new")]);
    here.dies_before_its_effect("ssh.directory", web(&here), args.clone(), Value::Null);
    assert!(matches!(here.recover("ssh.directory", web(&here), args.clone(), Value::Null).unwrap(), Probe::NotDone));
    std::fs::create_dir(server.file("new")).unwrap();
    match here.recover("ssh.directory", web(&here), args, Value::Null).unwrap() {
        Probe::Done(outcome) => assert_eq!(outcome.changed, Some(true)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_comes_with_groups_a_shell_and_keys() {
    let Some(server) = Sshd::start() else { return };
    if !is_root() {
        return;
    }
    let here = at(&server);
    let name = format!("rb{}", std::process::id());
    let gone = || Command::new("userdel").args(["-r", &name]).output().unwrap();
    let key = std::fs::read_to_string(server.file("id.pub")).unwrap();
    let home = server.file("home");
    let args = json!([name]);
    let options = json!({ "home": home, "groups": ["daemon"], "shell": "/bin/sh", "keys": [key] });
    settles(&here, "ssh.user", &args, &options);
    let keys = home.join(".ssh/authorized_keys");
    assert_eq!(std::fs::read_to_string(&keys).unwrap(), key);
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let options = json!({ "groups": ["daemon", "games"], "shell": "/bin/bash" });
    assert_eq!(settles(&here, "ssh.user", &args, &options), ["shell: /bin/sh → /bin/bash", "group: games"]);
    let groups = Command::new("id").args(["-nG", &name]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&groups.stdout).trim(), format!("{name} daemon games"));
    let failure = here.method("ssh.user", web(&here), args, json!({ "groups": ["nosuchgroup"] })).unwrap_err();
    assert!(format!("{failure:?}").contains("nosuchgroup"), "{failure:?}");
    let failure = here.method("ssh.user", web(&here), json!(["a b"]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Argument);
    gone();
}

#[test]
fn a_package_is_installed_another_version_taken_and_removed() {
    if !is_root() || !Path::new("/usr/bin/dpkg-scanpackages").exists() {
        return skip("root, and dpkg-dev");
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let name = format!("runbook-test-{}", std::process::id());
    for version in ["1.0", "2.0"] {
        let package = root.join(format!("p{version}"));
        std::fs::create_dir_all(package.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@example.com>\nDescription: nothing\n"
        );
        std::fs::write(package.join("DEBIAN/control"), control).unwrap();
        let built = Command::new("dpkg-deb").arg("-b").arg(&package).arg(root).output().unwrap();
        assert!(built.status.success(), "{built:?}");
    }
    let index = Command::new("dpkg-scanpackages").args(["-m", "."]).current_dir(root).output().unwrap();
    std::fs::write(root.join("Packages"), index.stdout).unwrap();
    // An `apt` that knows nothing but this folder; the list of what is installed is the machine's.
    for part in ["lists/partial", "cache/archives/partial", "none"] {
        std::fs::create_dir_all(root.join(part)).unwrap();
    }
    let here = root.display();
    std::fs::write(root.join("sources"), format!("deb [trusted=yes] file:{here} ./\n")).unwrap();
    let config = format!(
        "Dir::Etc::sourcelist \"{here}/sources\";\nDir::Etc::sourceparts \"{here}/none\";\nDir::State::lists \"{here}/lists\";\n\
         Dir::Cache \"{here}/cache\";\nAPT::Sandbox::User \"root\";\n"
    );
    std::fs::write(root.join("apt.conf"), config).unwrap();
    let config = vec![format!("SetEnv APT_CONFIG={here}/apt.conf")];
    let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
    let here = at(&server);
    let old = json!([[format!("{name}=1.0")]]);
    settles(&here, "ssh.packages", &old, &json!({}));
    settled(&here, "ssh.packages", &json!([[name]]), &json!({}));
    let changed = settles(&here, "ssh.packages", &json!([[format!("{name}=2.0")]]), &json!({}));
    assert_eq!(changed, ["version: 1.0 → 2.0"]);
    settles(&here, "ssh.packages", &json!([[name]]), &json!({ "absent": true }));
    let failure = here.method("ssh.packages", web(&here), json!([[format!("{name}-none")]]), Value::Null).unwrap_err();
    assert!(format!("{failure:?}").contains("Unable to locate"), "{failure:?}");
    Command::new("dpkg").args(["--purge", &name]).output().unwrap();
    let failure = here.method("ssh.packages", web(&here), json!([["a b"]]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Argument);
}

#[test]
fn a_service_without_systemd_says_so() {
    let Some(server) = Sshd::start() else { return };
    if Path::new("/run/systemd/system").exists() {
        return;
    }
    let here = at(&server);
    let failure = here.method("ssh.service", web(&here), json!(["nginx"]), Value::Null).unwrap_err();
    assert!(failure.message.contains("no systemd runs there"), "{failure}");
}

/// Keeps a unit's state in files.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "$STANDS_IN" || exit
case $1 in
is-system-running) echo running; exit;;
show)
    for last; do :; done
    if [ "$last" = nothing ]; then echo LoadState=not-found; else echo LoadState=loaded; fi
    if [ -e runs ]; then echo ActiveState=active; else echo ActiveState=inactive; fi
    if [ -e enabled ]; then echo UnitFileState=enabled; else echo UnitFileState=disabled; fi
    exit;;
esac
echo "$*" >>said
case $1 in
start) : >runs;;
stop) rm -f runs;;
enable) : >enabled;;
disable) rm -f enabled;;
esac
"#;

#[test]
fn a_service_is_started_enabled_reloaded_and_stopped() {
    let Some((server, folder)) = with_programs(&[("systemctl", SYSTEMCTL)]) else { return };
    let here = at(&server);
    let args = json!(["web"]);
    assert_eq!(settles(&here, "ssh.service", &args, &json!({ "enabled": true })), ["started", "enabled"]);
    for (option, detail) in [("reload", "reloaded"), ("restart", "restarted")] {
        let made = here.method("ssh.service", web(&here), args.clone(), json!({ (option): true })).unwrap();
        assert_eq!((made.changed, made.changes[0].detail[0].as_str()), (Some(true), detail));
    }
    let options = json!({ "enabled": false, "running": false });
    assert_eq!(settles(&here, "ssh.service", &args, &options), ["stopped", "disabled"]);
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    let said: Vec<&str> = said.lines().filter(|line| *line != "daemon-reload").collect();
    assert_eq!(
        said,
        [
            "enable -- web",
            "start -- web",
            "reload-or-restart -- web",
            "restart -- web",
            "disable -- web",
            "stop -- web"
        ]
    );
    let failure = here.method("ssh.service", web(&here), json!(["nothing"]), Value::Null).unwrap_err();
    assert_eq!(failure.message, "`web`: the service `nothing` is not known to systemd there");
    settled(&here, "ssh.service", &json!(["nothing"]), &json!({ "running": false }));
}

#[test]
fn a_cron_line_comes_changes_and_goes_and_the_others_stay() {
    if !is_root() || !Path::new("/usr/bin/crontab").exists() {
        return skip("root, and cron");
    }
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    // An account of this machine that has no table of its own.
    let whose = json!({ "user": "games" });
    let table = || {
        let output = Command::new("crontab").args(["-u", "games", "-l"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let name = format!("test {}", std::process::id());
    settles(&here, "ssh.cron_line", &json!([name, "0 3 1 1 * /bin/true 'a b' %"]), &whose);
    settles(&here, "ssh.cron_line", &json!(["other", "@yearly /bin/true"]), &whose);
    let changed = settles(&here, "ssh.cron_line", &json!([name, "5 3 1 1 * /bin/true"]), &whose);
    assert_eq!(changed, ["0 3 1 1 * /bin/true 'a b' % → 5 3 1 1 * /bin/true"]);
    assert_eq!(table(), format!("# runbook: other\n@yearly /bin/true\n# runbook: {name}\n5 3 1 1 * /bin/true\n"));
    let failure = here.method("ssh.cron_line", web(&here), json!([name, "99 3 * * * x"]), whose.clone()).unwrap_err();
    assert!(format!("{failure:?}").contains("bad minute"), "{failure:?}");
    for (name, line) in [(name.as_str(), "x"), ("other", "x")] {
        settles(&here, "ssh.cron_line", &json!([name, line]), &json!({ "user": "games", "absent": true }));
    }
    assert_eq!(table(), "");
}

/// Keeps the rules in a file, one a line.
const UFW: &str = r#"#!/bin/sh
cd "$STANDS_IN" || exit
case "$*" in
status) if [ -e on ]; then echo 'Status: active'; else echo 'Status: inactive'; fi; exit;;
'show added') echo "Added user rules (see 'ufw status' for running firewall):"; cat rules 2>/dev/null; exit;;
esac
echo "$*" >>said
case "$*" in
'--force enable') : >on;;
'default deny incoming') echo 'DEFAULT_INPUT_POLICY="DROP"' >defaults;;
'--force delete '*) shift 2; grep -vxF "ufw $*" rules >left; mv left rules;;
allow*) echo "ufw $*" >>rules;;
esac
"#;

#[test]
fn a_firewall_opens_first_and_is_never_shut_before_this_connection() {
    let Some((server, folder)) = with_programs(&[("ufw", UFW)]) else { return };
    let here = at(&server);
    std::fs::write(folder.path().join("defaults"), "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n").unwrap();
    std::fs::write(folder.path().join("rules"), "ufw allow 8080/tcp\n").unwrap();
    let failure = here.method("ssh.firewall", web(&here), json!([["80/tcp"]]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains(&format!("to port {}", server.port())), "{failure}");
    assert!(!folder.path().join("said").exists());
    let own = format!("{}/tcp", server.port());
    let args = json!([[own, "80/tcp", "5432/tcp from 10.0.0.0/8"]]);
    let changed = settles(&here, "ssh.firewall", &args, &json!({ "only": true }));
    assert_eq!(changed[3..], ["no longer: allow 8080/tcp", "incoming: allow → deny", "on"]);
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    let expected = format!(
        "allow {own}\nallow 80/tcp\nallow from 10.0.0.0/8 to any port 5432 proto tcp\n--force delete allow 8080/tcp\n\
         default deny incoming\n--force enable\n"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_template_of_the_project_becomes_a_file_of_the_host() {
    let Some(server) = Sshd::start() else { return };
    let here = at(&server);
    here.write("site.j2", "server_name {{ name }};\n");
    let path = server.file("site.conf");
    let args = json!(["site.j2", { "name": "shop" }]);
    settles(&here, "ssh.template", &args, &json!({ "to": path, "mode": "0640" }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "server_name shop;\n");
    let failure = here.method("ssh.template", web(&here), args, Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Option);
    let args = json!(["site.j2", {}]);
    let failure = here.method("ssh.template", web(&here), args, json!({ "to": path })).unwrap_err();
    assert!(failure.message.contains("`name` is not defined"), "{failure}");
}

#[test]
fn a_firewall_that_shuts_the_way_in_takes_its_change_back() {
    // With the rules in force nobody gets in any more: so it looks when a rule is other than it reads.
    let ufw = UFW
        .replace("'--force enable') : >on;;", "'--force enable') : >on; mv \"$KEYS\" \"$KEYS.gone\";;")
        .replace("allow*) echo", "'--force disable') rm -f on;;\nallow*) echo");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ufw");
    std::fs::write(&path, ufw).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = format!("PATH={}:/usr/bin:/bin:/usr/sbin:/sbin", folder.path().display());
    let keys = folder.path().join("authorized");
    let config = vec![
        format!(
            "SetEnv {found} STANDS_IN={0} UFW_DEFAULTS={0}/defaults KEYS={1}",
            folder.path().display(),
            keys.display()
        ),
        format!("AuthorizedKeysFile {}", keys.display()),
    ];
    let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
    std::fs::copy(server.file("id.pub"), &keys).unwrap();
    std::fs::write(folder.path().join("defaults"), "DEFAULT_INPUT_POLICY=\"DROP\"\n").unwrap();
    let here = at(&server);
    let args = json!([[format!("{}/tcp", server.port())]]);
    let failure = here.method("ssh.firewall", web(&here), args, json!({ "revert_after": "10s" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains("takes the change back by itself")), "{failure:?}");
    let began = std::time::Instant::now();
    let rules = || std::fs::read_to_string(folder.path().join("rules"));
    while folder.path().join("on").exists() || rules().is_ok_and(|rules| !rules.is_empty()) {
        assert!(began.elapsed().as_secs() < 30, "it was never taken back");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
