//! A Debian of its own in a container, reached over SSH, for the runbook that sets a host up.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::World;
use crate::harness::sshd::{keygen, user};
use crate::harness::{Lab, Project, skip};
use crate::runbooks::systems::docker;

/// Debian with an SSH server, and what the runbook installs: `git` fetched only, for the runbook to install it. It stays, as
/// a cache.
const IMAGE: &str = "runbook-test/debian-host:1";

const PACKAGES: &str = "openssh-server,ca-certificates,curl,ufw,unattended-upgrades,docker.io";

const SERVE: &str = "mkdir -p /run/sshd && ssh-keygen -A && exec /usr/sbin/sshd -D";

/// Takes back what the runbook did; of the packages, one that is there again soon.
const RESET: &str = "set -e
    dpkg --purge --force-depends git >/dev/null 2>&1
    userdel -r deploy 2>/dev/null || true
    rm -rf /srv/apps /srv/backups /etc/docker/daemon.json /etc/apt/apt.conf.d/20auto-upgrades /var/tmp/runbook-0
    ufw --force reset >/dev/null
    : >/var/log/dpkg.log";

/// What is there, how often something was installed, what did not end, and what is still going to be put back.
const LOOK: &str = r#"
    dpkg-query -W -f '${Status} ${Package}\n' ca-certificates curl git ufw unattended-upgrades docker.io
    grep -c ' install ' /var/log/dpkg.log
    id deploy
    stat -c '%U:%G %a %n' /srv/apps /srv/backups /home/deploy/.ssh/authorized_keys
    sha256sum /home/deploy/.ssh/authorized_keys /etc/docker/daemon.json /etc/apt/apt.conf.d/20auto-upgrades
    ufw status
    ps -eo comm= | grep -vxE 'sshd|sh|ps|grep' | sort
    for left in /var/tmp/runbook-0/*/; do [ -e "$left/decided" ] || echo "left: $left"; done
"#;

/// The host, and a project that knows it.
pub struct Host {
    project: Project,
    name: String,
    _lab: Lab,
}

impl Host {
    /// A new one, or `None`, said aloud.
    pub fn start() -> Option<Self> {
        let lab = Lab::start()?;
        if !is_image_there() {
            return None;
        }
        let name = lab.name("debian");
        let project = Project::new();
        keygen(&project.path().join("key"), "ed25519");
        let arguments = ["run", "-d", "--name", &name, "--cap-add", "NET_ADMIN", "-p", "127.0.0.1::22"];
        docker(&[&arguments[..], &["--label", "runbook-test", IMAGE, "sh", "-c", SERVE]].concat());
        let key = std::fs::read_to_string(project.path().join("key.pub")).unwrap();
        let trust = format!("mkdir -pm 700 /root/.ssh && echo '{key}' >/root/.ssh/authorized_keys");
        docker(&["exec", &name, "sh", "-c", &trust]);
        let port = docker(&["port", &name, "22"]).trim().rsplit(':').next().unwrap_or_default().to_owned();
        let began = Instant::now();
        let host_key = loop {
            let found = docker(&["exec", &name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
            match found.split_whitespace().collect::<Vec<_>>().as_slice() {
                [kind, key, ..] => break format!("{kind} {key}"),
                _ => assert!(began.elapsed() < Duration::from_secs(60), "the host does not start"),
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/provision.rhai"));
        let settings = format!(
            "[host.web]\naddress = '127.0.0.1'\nport = {port}\nuser = 'root'\nkey = 'key'\nhost_keys = ['{host_key}']\n"
        );
        let project = project.file("runbook.toml", &settings).file("provision.rhai", &text.unwrap());
        Some(Self { project, name, _lab: lab })
    }

    pub fn exec(&self, script: &str) -> String {
        docker(&["exec", &self.name, "sh", "-c", script])
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
    }
}

impl World for Host {
    fn command(&self, words: &[&str]) -> Command {
        if words != ["reset"] {
            return self.project.command(words);
        }
        let mut command = Command::new("docker");
        command.args(["exec", &self.name, "sh", "-c", RESET]);
        command
    }

    fn state(&self) -> PathBuf {
        self.project.path().join(".runbook")
    }

    fn look(&self) -> Vec<String> {
        self.exec(LOOK).lines().map(str::to_owned).collect()
    }

    /// What happens in it, the host itself tells.
    fn effect(&self, _event: &Value) -> Option<String> {
        None
    }
}

/// Makes the image, which takes minutes and Debian's mirror, unless it is there.
fn is_image_there() -> bool {
    if !docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).trim().is_empty() {
        return true;
    }
    if user() != "root" || Command::new("debootstrap").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("root, and debootstrap (apt-get install debootstrap)");
        return false;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; cd '{}'
        mirror=$(apt-get indextargets --format '$(SITE)' | head -n 1)
        mirror=${{mirror:-http://deb.debian.org/debian}}
        debootstrap --variant=minbase --include={PACKAGES} bookworm root \"$mirror\"
        cp /etc/resolv.conf root/etc/
        chroot root apt-get install -q -y --no-install-recommends --download-only git
        tar -C root -c . | docker import - {IMAGE}",
        folder.path().display()
    );
    let made = Command::new("timeout").args(["900", "sh", "-c", &script]).output().unwrap();
    assert!(made.status.success(), "no image of Debian: {}", String::from_utf8_lossy(&made.stderr));
    true
}
