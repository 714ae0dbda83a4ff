//! A host that has busybox and nothing else, as a small Alpine: what works there, and what it says of the rest.

use std::path::Path;

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::shells::serves;
use super::{at, ends_what_takes_too_long, web};
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::{Quirks, Sshd, user};
use crate::harness::{Direct, primitive, skip};

/// Starts a server for which every program is one of busybox: `start FOLDER SERVER…`.
const START: &str = r#"
folder=$1
shift
mkdir -p "$folder/bin"
/bin/busybox --install -s "$folder/bin"
sed "s|^root:.*|root:x:0:0:root:$folder/home:$folder/bin/ash|" /etc/passwd >"$folder/passwd"
mount --bind "$folder/passwd" /etc/passwd
mount -t tmpfs none /var/spool
mkdir -p /var/spool/cron/crontabs
mount --bind "$(readlink -f /bin/busybox)" "$(readlink -f /bin/sh)"
exec "$@"
"#;

fn alpine() -> Option<Sshd> {
    if user() != "root" || !Path::new("/bin/busybox").exists() {
        skip("busybox, and root for namespaces");
        return None;
    }
    let config = vec!["SetEnv PATH={folder}/bin HOME={folder}/home".into()];
    let started_by = vec!["unshare", "-m", "bash", "{folder}/start", "{folder}"];
    let files = vec![("start", START.into())];
    Sshd::with(Quirks { config, files, started_by, ..Quirks::default() })
}

#[test]
fn commands_run_and_what_takes_too_long_is_ended() {
    let Some(server) = alpine() else { return };
    let here = at(&server);
    let said = here.method("ssh.exec", web(&here), json!([["tar", "--help"]]), json!({ "check": false })).unwrap();
    assert!(said.value.to_string().contains("BusyBox"), "{:?}", said.value);
    serves(&server);
    ends_what_takes_too_long(&server, 305);
}

#[test]
fn a_change_over_a_link_that_is_cut_and_heals_is_made_once() {
    let Some(server) = alpine() else { return };
    let work = |port: u16, effects: &Path| {
        let here = Direct::new();
        here.write("runbook.toml", &server.entry_at("web", port));
        let line = format!("echo a >>{0}; echo one; sleep 1; echo b >>{0}; echo two", effects.display());
        here.method("ssh.shell", web(&here), json!([line]), json!({ "timeout": "20s" }))
    };
    let way = Way::open(server.port());
    work(way.port(), &server.file("whole")).unwrap();
    let whole = way.passed();
    for point in 5..10 {
        let way = Way::until(server.port(), whole * point / 10, Blow::Cut, true);
        let effects = server.file(&format!("effects-{point}"));
        let result = work(way.port(), &effects);
        let done = std::fs::read_to_string(&effects).unwrap_or_default();
        match result {
            Ok(said) => assert_eq!((&said.value["stdout"], done.as_str()), (&json!("one\ntwo"), "a\nb\n")),
            Err(failure) => assert!(done.is_empty(), "point {point}: {done:?} and {failure:?}"),
        }
    }
}

#[test]
fn files_travel_and_are_written() {
    let Some(server) = alpine() else { return };
    let here = at(&server);
    let (to, file) = (server.file("www"), server.file("a b"));
    here.write("site/index.html", "hello").write("site/a b/it's $x.txt", "two").write("t.j2", "Hi {{ name }}\n");
    std::os::unix::fs::symlink("index.html", here.path().join("site/link")).unwrap();
    let changes = |method: &str, args: Value, options: Value| {
        let outcome = |options: &Value| here.method(method, web(&here), args.clone(), options.clone()).unwrap();
        assert_eq!((outcome(&options).changed, outcome(&options).changed), (Some(true), Some(false)), "{method}");
    };
    changes("ssh.directory", json!([server.file("made")]), json!({ "mode": "0750", "owner": "nobody" }));
    changes("ssh.write", json!([file, "it's\n"]), json!({ "mode": "0600" }));
    assert_eq!(here.method("ssh.read", web(&here), json!([file]), Value::Null).unwrap().value, "it's\n");
    changes("ssh.template", json!(["t.j2", { "name": "Ada" }]), json!({ "to": server.file("t") }));
    changes("ssh.upload", json!(["site", to]), json!({ "owner": "nobody" }));
    std::fs::write(to.join("old"), "").unwrap();
    here.write("site/index.html", "other");
    changes("ssh.upload", json!(["site", to]), json!({ "delete": true }));
    assert!(!to.join("old").exists());
    // More than one command line holds.
    for number in 0..30 {
        let folder = to.join(format!("many/{}/{}", "x".repeat(200), "y".repeat(200))).join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..40 {
            std::fs::write(folder.join(format!("{}{file}", "z".repeat(200))), number.to_string()).unwrap();
        }
    }
    changes("ssh.download", json!([to, "back"]), Value::Null);
    let arrived = |name: &str| std::fs::read_to_string(here.path().join(name)).unwrap();
    assert_eq!((arrived("back/index.html"), arrived("back/a b/it's $x.txt")), ("other".into(), "two".into()));
}

#[test]
fn it_tells_about_itself_and_leads_to_its_ports() {
    let Some(server) = alpine() else { return };
    let here = at(&server);
    let facts = here.method("ssh.facts", web(&here), json!([]), Value::Null).unwrap().value;
    assert!(facts["memory"].as_u64().unwrap() > 1 << 20 && facts["cpus"].as_u64().unwrap() > 0, "{facts}");
    assert!(facts["disks"].as_array().unwrap().iter().any(|disk| disk["mount"] == "/"), "{facts}");
    assert!(facts["ports"].as_array().unwrap().contains(&json!(server.port())), "{facts}");
    let disk = here.method("ssh.disk_free", web(&here), json!(["/"]), Value::Null).unwrap().value;
    assert!(disk["free"].as_u64().unwrap() > 0);
    let open = here.method("ssh.port_open", web(&here), json!([server.port()]), Value::Null).unwrap();
    assert_eq!(open.value, true);
}

#[test]
fn what_is_armed_is_put_back_or_stays() {
    let Some(server) = alpine() else { return };
    let here = at(&server);
    let arm = |name: &str, within: &str| {
        let revert = format!("echo reverted >{}", server.file(name).display());
        here.method("ssh.arm", web(&here), json!([revert]), json!({ "within": within })).unwrap().value
    };
    let (first, second) = (arm("first", "5s"), arm("second", "60s"));
    // Nobody starts its timer again after a restart, and it says so.
    assert!(here.lines().iter().any(|line| line.contains("puts nothing back if it is started anew")));
    here.method("armed.confirm", second, json!([]), Value::Null).unwrap();
    let began = std::time::Instant::now();
    while !server.file("first").exists() {
        assert!(began.elapsed().as_secs() < 20, "nothing is put back");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let failure = here.method("armed.confirm", first, json!([]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check, "{failure:?}");
    assert!(!server.file("second").exists());
}

#[test]
fn cron_lines_are_kept_and_what_is_for_other_systems_says_what_is_missing() {
    let Some(server) = alpine() else { return };
    let here = at(&server);
    for options in [json!({}), json!({ "user": "root" })] {
        let args = json!([format!("job {options}"), "7 7 7 7 7 true"]);
        let line = || here.method("ssh.cron_line", web(&here), args.clone(), options.clone()).unwrap().changed;
        assert_eq!((line(), line()), (Some(true), Some(false)), "{options}");
    }
    let table = here.method("ssh.exec", web(&here), json!([["crontab", "-l"]]), json!({ "read_only": true })).unwrap();
    assert_eq!(table.value["stdout"].as_str().unwrap().matches("7 7 7 7 7 true").count(), 2);
    for (method, args, said) in [
        ("ssh.user", json!(["deploy"]), "there is no `getent` on `web`"),
        ("ssh.packages", json!([["nginx"]]), "`web`: it has no `dpkg`: `packages` is for Debian and Ubuntu"),
        ("ssh.service", json!(["nginx"]), "`web`: no systemd runs there: `service` needs one"),
        ("ssh.firewall", json!([["22/tcp"]]), "there is no `ufw` on `web`"),
    ] {
        let failure = here.method(method, web(&here), args, json!({})).unwrap_err();
        assert_eq!(failure.message, said);
    }
    let host = here.call(primitive("ssh"), json!(["web"]), json!({ "user": "nobody" })).unwrap().value;
    let failure = here.method("ssh.exec", host, json!([["true"]]), Value::Null).unwrap_err();
    assert_eq!(failure.message, "`web` has no `sudo`, with which `root` would become `nobody`");
}
