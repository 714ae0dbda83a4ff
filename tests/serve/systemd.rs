//! The service under a real systemd: a machine of its own, made of name spaces, whose first process it is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use runbook::journal::FireState;

use super::{fires, lines, project, wait_until};
use crate::harness::Project;

/// A machine that is there until it is dropped.
struct Machine {
    child: Child,
    group: PathBuf,
    _root: tempfile::TempDir,
}

impl Machine {
    /// Boots one with the project at `/srv/shop` and the program at `/opt/runbook`; none, and why not, where that cannot be done.
    fn boot(project: &Project) -> Result<Self, &'static str> {
        if !rustix::process::geteuid().is_root() {
            return Err("root");
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            return Err("systemd");
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let groups = mounts.find(|mount| mount[2] == "cgroup2").ok_or("control groups of version 2")?[1].to_owned();
        let group = Path::new(&groups).join(format!("runbook-test-{}", std::process::id()));
        let root = tempfile::tempdir().unwrap();
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/systemd/boot.sh");
        let child = Command::new(boot)
            .args([root.path(), &group, Path::new(env!("CARGO_BIN_EXE_runbook")), project.path()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let machine = Self { child, group, _root: root };
        wait_until("systemd is up", || machine.tell(&["systemctl", "is-system-running"]).0 == "running");
        Ok(machine)
    }

    /// Runs a command on it: what it prints, and whether it succeeded.
    fn tell(&self, words: &[&str]) -> (String, bool) {
        // The first process is the child of `unshare`.
        let tasks = format!("/proc/{0}/task/{0}/children", self.child.id());
        let first = std::fs::read_to_string(tasks).unwrap_or_default();
        let Some(first) = first.split_whitespace().next() else { return (String::new(), false) };
        let enter = ["-k", "5", "60", "nsenter", "-t", first, "-m", "-p", "-C", "-r", "-w"];
        let output = Command::new("timeout").args(enter).args(words).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).trim().to_owned(), output.status.success())
    }

    fn does(&self, words: &[&str]) -> String {
        let (said, is_done) = self.tell(words);
        assert!(is_done, "{words:?}: {said}\n{}", self.tell(&["journalctl", "--no-pager", "-n", "40"]).0);
        said
    }

    /// What systemd says of the service.
    fn property(&self, name: &str) -> String {
        self.does(&["systemctl", "show", "--value", "-p", name, "runbook-shop"])
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its processes are gone a moment later, and their groups with them.
        for _ in 0..50 {
            remove_groups(&self.group);
            if !self.group.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

fn remove_groups(group: &Path) {
    let inside = std::fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    inside.filter(|path| path.is_dir()).for_each(|path| remove_groups(&path));
    let _ = std::fs::remove_dir(group);
}

#[test]
fn systemd_starts_the_unit_and_restarts_a_service_that_hangs() {
    let project = project(
        "[project]\nname = \"shop\"\n[schedule.often]\nrunbook = \"note.rhai\"\nevery = \"1s\"\noverlap = \"allow\"\n",
    );
    for path in [project.path().to_owned(), project.path().join("note.rhai"), project.path().join("runbook.toml")] {
        std::os::unix::fs::chown(path, Some(1000), Some(1000)).unwrap();
    }
    let machine = match Machine::boot(&project) {
        Ok(machine) => machine,
        Err(missing) => {
            eprintln!("skipped: a machine under systemd needs {missing}");
            return;
        }
    };
    machine.does(&["sh", "-c", "cd /srv/shop && exec /opt/runbook service install --user deploy"]);
    // As the unit is, but for the patience.
    machine.does(&["sh", "-c", "mkdir /etc/systemd/system/runbook-shop.service.d && printf '[Service]\\nWatchdogSec=4s\\n' > /etc/systemd/system/runbook-shop.service.d/soon.conf && systemctl daemon-reload"]);

    // `start` comes back when the service has said that it is ready: its schedules are registered by then.
    machine.does(&["systemctl", "start", "runbook-shop"]);
    assert_eq!((machine.property("ActiveState"), machine.property("Type")), ("active".into(), "notify".into()));
    assert!(super::journal(&project).is_some_and(|log| log.schedules().unwrap().len() == 1));
    wait_until("runs write what they have to", || lines(&project) >= 2);

    // Twice as long as it is waited for: whoever wakes in time is left alone.
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(machine.property("NRestarts"), "0", "it told systemd that it lives");

    let hung = machine.property("MainPID");
    machine.does(&["kill", "-STOP", &hung]);
    wait_until("systemd starts another one", || {
        machine.property("NRestarts") == "1" && machine.property("ActiveState") == "active"
    });
    assert_ne!(machine.property("MainPID"), hung);
    assert!(machine.does(&["journalctl", "--no-pager", "-u", "runbook-shop"]).contains("Watchdog timeout"));
    let before = lines(&project);
    wait_until("it goes on", || lines(&project) > before + 2);

    machine.does(&["systemctl", "stop", "runbook-shop"]);
    assert_eq!((machine.property("ActiveState"), machine.property("Result")), ("inactive".into(), "success".into()));
    let fires = fires(&project);
    let mut times: Vec<i64> = fires.iter().map(|fire| fire.at).collect();
    times.sort_unstable();
    times.windows(2).for_each(|pair| assert_eq!(pair[1], pair[0] + 1, "every second has its row, and one"));
    assert!(!fires.iter().any(|fire| fire.state == FireState::Running), "{fires:?}");
    project.runbook(&["state", "verify"]).success();
}
