//! The runbook that sets a host up: planned against a real SSH server on this machine, where nothing of it is to happen.

use std::path::Path;

use crate::execution::plan_truth::plan_comes_true;
use crate::harness::sshd::{Sshd, user};
use crate::harness::{Project, only_at_night, skip};
use crate::survival::shipped::host::Host;
use crate::survival::shipped::world::World;

#[test]
fn its_plan_looks_at_the_host_and_changes_nothing() {
    let Some(server) = Sshd::start() else { return };
    if user() != "root" || !Path::new("/usr/bin/sudo").exists() {
        return skip("root, and sudo");
    }
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/provision.rhai")).unwrap();
    let project = Project::new()
        .file("runbook.toml", &server.entry("web"))
        .file("provision.rhai", &text)
        .file("me.pub", &std::fs::read_to_string(server.file("id.pub")).unwrap());
    project.runbook(&["check", "provision.rhai"]).success();
    let port = server.port().to_string();
    let planned = project
        .runbook(&["plan", "provision.rhai", "--host", "web", "--public-key", "me.pub", "--ssh-port", &port])
        .success();
    for change in
        ["user deploy on web", "folder /srv/apps on web", "firewall on web", "file /etc/apt/apt.conf.d/20auto-upgrades"]
    {
        assert!(planned.stdout.contains(change), "{change}\n{}\n{}", planned.stdout, planned.stderr);
    }
    assert!(!Path::new("/srv/apps").exists());
}

/// On a Debian of its own, which takes many minutes and Debian's mirror to make: as it came, set up, and put right again.
#[test]
fn its_run_does_what_its_plan_says() {
    let Some(host) = only_at_night().then(Host::start).flatten() else { return };
    let words = ["provision.rhai", "--host", "web", "--public-key", "key.pub", "--swap", ""];
    let comes_true = |what| plan_comes_true(|words| host.runs(words), &words, what);
    let first = comes_true("as it came");
    assert!(first.0 >= 6 && first.1, "{first:?}");
    assert_eq!(comes_true("with nothing to do"), (0, true));
    host.exec(
        "deluser deploy docker; chmod 0777 /srv/backups; echo '{}' >/etc/docker/daemon.json; ufw --force disable",
    );
    let again = comes_true("put right");
    assert!(again.0 >= 4 && again.1, "{again:?}");
    host.does(&["reset"]);
    let reset = comes_true("after it was taken back");
    assert!(reset.0 >= 6 && reset.1, "{reset:?}");
}
