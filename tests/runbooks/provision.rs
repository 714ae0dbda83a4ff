//! The runbook that sets a host up: planned against a real SSH server on this machine, where nothing of it is to happen.

use std::path::Path;

use crate::harness::sshd::{Sshd, user};
use crate::harness::{Project, skip};

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
