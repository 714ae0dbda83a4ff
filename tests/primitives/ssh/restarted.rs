//! A host that is started anew while something is armed. It is a namespace of processes, which end together as those of a machine
//! do, with a boot of its own and the tables of cron and systemd that it had before.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{at, web};
use crate::harness::sshd::{Quirks, Sshd, user};
use crate::harness::{Direct, skip};

/// What a machine does when it starts: `init FOLDER SYSTEM SERVER…`. Where the system is systemd, of which there is none in a
/// namespace, this starts what the target wants.
const INIT: &str = r#"
folder=$1 system=$2
shift 2
cat /proc/sys/kernel/random/uuid >"$folder/boot_id"
mkdir -p "$folder/crontabs" "$folder/units" "$folder/tmp"
mount --bind "$folder/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$folder/crontabs" /var/spool/cron/crontabs
mount --bind "$folder/tmp" /var/tmp
mount --bind /dev/null /etc/crontab
mount -t tmpfs tmpfs /etc/cron.d
mkdir -p /etc/systemd/system
mount --bind "$folder/units" /etc/systemd/system
mount -t tmpfs tmpfs /run
mkdir /run/sshd
case $system in
cron) cron ;;
systemd)
    mkdir -p /run/systemd/system
    for unit in /etc/systemd/system/multi-user.target.wants/*.service; do
        [ ! -e "$unit" ] || env -i PATH=/usr/bin:/bin setsid sh -c "exec $(sed -n 's/^ExecStart=//p' "$unit")" &
    done
    ;;
esac
exec "$@"
"#;

fn machine(system: &'static str) -> Option<Sshd> {
    if user() != "root" || !Path::new("/usr/sbin/cron").exists() {
        skip("cron, and root for namespaces");
        return None;
    }
    let started_by = vec!["unshare", "-mpf", "--kill-child", "--mount-proc", "sh", "{folder}/init", "{folder}", system];
    let (config, files) = (vec!["SetEnv CAME_BY=session".into()], vec![("init", INIT.into())]);
    Sshd::with(Quirks { config, files, started_by, ..Quirks::default() })
}

fn arm(here: &Direct, script: &str, within: &str) -> Value {
    here.method("ssh.arm", web(here), json!([script]), json!({ "within": within })).unwrap().value
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many entries there are for what is to be started with the host.
fn entries(host: &Sshd) -> usize {
    let tables = std::fs::read_dir(host.file("crontabs")).unwrap().flatten();
    let lines = tables.map(|table| std::fs::read_to_string(table.path()).unwrap_or_default());
    let in_tables: usize = lines.map(|text| text.matches("again").count()).sum();
    let units = std::fs::read_dir(host.file("units/multi-user.target.wants")).into_iter().flatten();
    in_tables + units.count()
}

/// One is confirmed after the restart, one by nobody, and one is just being put back when the host goes down.
fn survives(system: &'static str) {
    let Some(mut host) = machine(system) else { return };
    let here = at(&host);
    let (lost, cut) = (host.file("lost"), host.file("cut"));
    let halting = format!("if [ -e {0} ]; then echo back >>{0}; else echo begun >{0}; sleep 60; fi", cut.display());
    arm(&here, &halting, "5s");
    arm(here.anew(), &format!("echo back by $CAME_BY >>{}", lost.display()), "9s");
    let kept = arm(here.anew(), &format!("touch {}", host.file("kept").display()), "10m");
    assert_eq!(entries(&host), 3);
    until("one is put back", || cut.exists());
    assert!(!lost.exists());
    host.restart();
    here.method("armed.confirm", kept.clone(), json!([]), json!({})).unwrap();
    until("the one that nobody decided about is put back", || lost.exists());
    until("the one that was cut off is put back", || std::fs::read_to_string(&cut).unwrap() == "begun\nback\n");
    until("nothing is left to be started", || entries(&host) == 0);
    // Once more: what has been decided stays so.
    host.restart();
    std::thread::sleep(Duration::from_secs(1));
    here.method("armed.confirm", kept, json!([]), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(&lost).unwrap(), "back by session\n");
    assert!(!host.file("kept").exists());
    assert!(!here.lines().iter().any(|line| line.contains("started anew")), "{:?}", here.lines());
}

#[test]
fn what_is_armed_survives_a_restart_of_a_host_with_cron() {
    survives("cron");
}

#[test]
fn what_is_armed_survives_a_restart_of_a_host_with_systemd() {
    survives("systemd");
}

#[test]
fn other_lines_of_cron_stay_and_units_are_sound() {
    let Some(host) = machine("cron") else { return };
    let here = at(&host);
    let table = host.file("crontabs/root");
    let run = |line: &str| here.anew().method("ssh.shell", web(&here), json!([line]), json!({})).unwrap();
    run("printf '# mine\\n5 4 * * * echo \"100%%\"\\n' | crontab -");
    let before = std::fs::read_to_string(&table).unwrap();
    let armed = arm(here.anew(), "true", "10m");
    assert!(std::fs::read_to_string(&table).unwrap().contains("5 4 * * *"));
    here.method("armed.revert", armed, json!([]), json!({})).unwrap();
    let mine = |text: &str| text.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(mine(&std::fs::read_to_string(&table).unwrap()), mine(&before));

    let Some(host) = machine("systemd") else { return };
    let here = at(&host);
    arm(&here, "true", "10m");
    let unit = std::fs::read_dir(host.file("units")).unwrap().flatten().find(|entry| entry.path().is_file()).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(unit.path()).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn a_host_that_would_forget_it_says_so() {
    let Some(mut host) = machine("neither") else { return };
    let here = at(&host);
    let armed = arm(&here, "true", "5s");
    let said = here.lines();
    assert!(said.iter().any(|line| line.contains("puts nothing back if it is started anew")), "{said:?}");
    host.restart();
    // Nobody has decided yet, so that can still be done by hand.
    here.method("armed.revert", armed.clone(), json!([]), json!({})).unwrap();
    let failure = here.method("armed.confirm", armed, json!([]), json!({})).unwrap_err();
    assert!(failure.message.contains("has put itself back"), "{failure}");
}
