//! Hosts with other programs than Debian's: those of busybox, as Alpine has them, and bash for `sh`, as Fedora does.

use std::path::Path;

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{at, ends_what_takes_too_long, web};
use crate::harness::sshd::{Quirks, Sshd, user};
use crate::harness::{Direct, skip};

/// Starts a server that finds one program in the place of others: `start PROGRAM NAMES SERVER…`.
const START: &str = r#"
program=$1 names=$2
shift 2
for name in $names; do
    mount --bind "$(readlink -f "$program")" "$(readlink -f "$(command -v "$name")")"
done
exec "$@"
"#;

fn host(program: &'static str, names: &'static str) -> Option<Sshd> {
    if user() != "root" || !Path::new(program).exists() {
        skip("busybox, and root for namespaces");
        return None;
    }
    let started_by = vec!["unshare", "-m", "bash", "{folder}/start", program, names];
    Sshd::with(Quirks { files: vec![("start", START.into())], started_by, ..Quirks::default() })
}

/// A host of Alpine, as far as commands see it.
fn alpine() -> Option<Sshd> {
    host("/bin/busybox", "sh timeout setsid mkdir rm cat head wc sleep printf sync find cut tail")
}

pub fn serves(server: &Sshd) {
    let here = at(server);
    for read_only in [false, true] {
        let options = json!({ "read_only": read_only });
        let said = here.method("ssh.exec", web(&here), json!([["printf", "%s|", "it's", "$HOME", ""]]), options);
        assert_eq!(said.unwrap().value["stdout"], "it's|$HOME||");
        let options = json!({ "read_only": read_only, "check": false, "stdin": "hello", "env": { "NAME": "x y" } });
        let line = "cat; echo \" $NAME\"; sleep 1; echo late >&2; exit 3";
        let ran = here.method("ssh.shell", web(&here), json!([line]), options).unwrap().value;
        assert_eq!((&ran["stdout"], &ran["stderr"]), (&json!("hello x y"), &json!("late")));
        assert_eq!(ran["code"], 3);
        let failure = here.method("ssh.exec", web(&here), json!([["no-such"]]), json!({ "read_only": read_only }));
        assert!(failure.unwrap_err().message.contains("exited with code 127"));
    }
}

#[test]
fn a_host_with_the_programs_of_busybox_is_a_host() {
    let Some(server) = alpine() else { return };
    serves(&server);
}

#[test]
fn a_host_with_the_programs_of_busybox_ends_what_takes_too_long() {
    let Some(server) = alpine() else { return };
    ends_what_takes_too_long(&server, 303);
}

#[test]
fn a_host_whose_sh_is_bash_is_a_host() {
    let Some(server) = host("/bin/bash", "sh") else { return };
    serves(&server);
    ends_what_takes_too_long(&server, 304);
}

#[test]
fn many_commands_in_turn_leave_nothing_behind() {
    let Some(server) = Sshd::start() else { return };
    // Whoever logs in has a place of its own for what is kept, so that what others keep is not counted.
    let folder = format!("/var/tmp/runbook-{}", user_id());
    let mine = |name: &str| -> usize {
        let all = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        all.filter(|entry| std::fs::read_to_string(entry.path().join("stdout")).is_ok_and(|said| said.trim() == name))
            .count()
    };
    let project = crate::harness::Project::script(
        r#"let host = ssh("web"); for n in 0..20 { host.exec(["echo", "PLACE"]); }"#.replace("PLACE", &format!("turn-{}", server.port())).as_str(),
    )
    .file("runbook.toml", &server.entry("web"));
    project.run().success();
    assert_eq!(mine(&format!("turn-{}", server.port())), 0);
}

fn user_id() -> String {
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_program_is_started_where_it_is_to_run_and_what_is_missing_is_named() {
    let Some(server) = Sshd::start() else { return };
    let here: Direct = at(&server);
    let said = here.method("ssh.exec", web(&here), json!([["pwd"]]), json!({ "cwd": "/usr/share" })).unwrap();
    assert_eq!(said.value["stdout"], "/usr/share");
    let failure = here.method("ssh.exec", web(&here), json!([["no-such-program"]]), Value::Null).unwrap_err();
    assert!(failure.evidence.iter().any(|seen| seen.text.contains("no-such-program: not found")), "{failure:?}");
    let failure = here.method("ssh.exec", web(&here), json!([["pwd"]]), json!({ "cwd": "/nowhere" })).unwrap_err();
    assert!(failure.evidence.iter().any(|seen| seen.text.contains("/nowhere")), "{failure:?}");
    // What a shell would take for its own is a program.
    let failure = here.method("ssh.exec", web(&here), json!([["exit"]]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    let words = json!([["printf", "%s|", "a\nb", "'; exit 7; '", "\\n"]]);
    let said = here.method("ssh.exec", web(&here), words, Value::Null).unwrap();
    assert_eq!(said.value["stdout"], "a\nb|'; exit 7; '|\\n|");
}
