//! A Docker daemon of the test's own, to be killed. Its containers outlive it (`--live-restore`), and use the network of
//! this machine, so that the requests to them need no daemon.
//!
//! It has a bridge of its own, though nothing runs on it but builds: told to use none (`--bridge=none`), a daemon removes
//! `docker0`, which is that of the machine's own daemon.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::skip;

/// The daemon, gone with everything it made when dropped.
pub struct Daemon {
    folder: tempfile::TempDir,
    bridge: String,
    process: Option<Child>,
}

/// How long it may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

impl Daemon {
    /// `None`, said aloud, where a second daemon cannot run.
    pub fn start() -> Option<Self> {
        let number = std::process::id();
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Self { folder, bridge: format!("rbt{number}"), process: None };
        // An address of the range that is set aside for tests (RFC 2544).
        let address = format!("198.18.{}.1/24", number % 256);
        let made = ip(&["link", "add", &daemon.bridge, "type", "bridge"])
            && ip(&["address", "add", &address, "dev", &daemon.bridge])
            && ip(&["link", "set", &daemon.bridge, "up"]);
        if !made {
            skip("the right to run a Docker daemon of its own (as root, with `ip` and `dockerd`)");
            return None;
        }
        // What the machine's own daemon is told is not for this one.
        fs::write(daemon.folder.path().join("daemon.json"), "{}").unwrap();
        for driver in ["", "fuse-overlayfs", "vfs"] {
            if daemon.begin(driver) {
                return Some(daemon);
            }
        }
        eprintln!("{}", daemon.last_words());
        skip("a Docker daemon of its own, which does not start");
        None
    }

    /// As `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// SIGKILL. Its containerd dies with it; a successor that finds it dying would wait for it in vain.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.kill().unwrap();
        process.wait().unwrap();
        let noted = self.folder.path().join("exec/containerd/containerd.pid");
        let pid = fs::read_to_string(&noted).unwrap_or_default();
        let began = Instant::now();
        while lives(pid.trim()) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_file(noted);
    }

    /// Starts again and answers.
    pub fn restart(&mut self) {
        assert!(self.begin(""), "the daemon does not start again: {}", self.last_words());
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// Starts it; does it answer?
    fn begin(&mut self, driver: &str) -> bool {
        let folder = self.folder.path();
        let path = |name: &str| folder.join(name);
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new("dockerd");
        command.arg("--config-file").arg(path("daemon.json")).arg("--data-root").arg(path("data"));
        command.arg("--exec-root").arg(path("exec")).arg("--pidfile").arg(path("pid")).args(["-H", &self.address()]);
        command.args(["--bridge", &self.bridge]);
        command.args(["--iptables=false", "--ip-forward=false", "--ip-masq=false", "--live-restore"]);
        if !driver.is_empty() {
            command.args(["--storage-driver", driver]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let _ = fs::remove_file(path("pid"));
        let Ok(process) = command.spawn() else { return false };
        self.process = Some(process);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if answers(&path("docker.sock")) {
                return true;
            }
            if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.kill();
        false
    }

    /// The processes of containers that are still there, and those that look after them.
    fn left(&self) -> Vec<i32> {
        let folder = self.folder.path();
        let tasks = folder.join("exec/containerd/daemon/io.containerd.runtime.v2.task/moby");
        let tasks = fs::read_dir(tasks).into_iter().flatten().flatten();
        let inner = tasks.filter_map(|task| fs::read_to_string(task.path().join("init.pid")).ok()?.trim().parse().ok());
        let named = folder.to_string_lossy().into_owned();
        let outer = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            // The shims and the file systems of containers.
            let is_ours = ["containerd", "fuse-overlayfs"].iter().any(|name| line.contains(name));
            (is_ours && line.contains(&named)).then_some(pid)
        });
        inner.chain(outer).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = kill_process(Pid::from_child(&process), Signal::TERM);
            let began = Instant::now();
            while began.elapsed() < PATIENCE && process.try_wait().is_ok_and(|ended| ended.is_none()) {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        for pid in self.left().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        ip(&["link", "delete", &self.bridge]);
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let folder = self.folder.path().to_string_lossy().into_owned();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let ours: Vec<&str> = places.filter(|place| place.starts_with(&folder)).collect();
        for place in ours.into_iter().rev() {
            let _ = Command::new("umount").args(["--lazy", place]).status();
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Does this process do anything yet? One that nobody has buried does not.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

fn answers(socket: &Path) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let asked = stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}
