//! Real SSH servers on loopback ports, each with a folder, keys and quirks of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that ends with the test.
pub struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    line: Vec<String>,
    child: Child,
}

/// What is different about a server.
#[derive(Default)]
pub struct Quirks {
    /// Lines for `sshd_config`; `{folder}` is the server's folder.
    pub config: Vec<String>,
    /// The kinds of its host keys; `ed25519` when empty.
    pub host_keys: Vec<&'static str>,
    /// The port, for a server that takes another's place.
    pub port: Option<u16>,
    /// Files of its folder, by name.
    pub files: Vec<(&'static str, String)>,
    /// A program that starts the server, and its arguments; `{folder}` is the server's folder.
    pub started_by: Vec<&'static str>,
}

impl Sshd {
    /// A server without quirks; `None` where there is none to start.
    pub fn start() -> Option<Self> {
        Self::with(Quirks::default())
    }

    /// A server with quirks.
    pub fn with(quirks: Quirks) -> Option<Self> {
        let program = Path::new("/usr/sbin/sshd");
        if !program.exists() {
            super::skip("openssh-server");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let kinds = if quirks.host_keys.is_empty() { vec!["ed25519"] } else { quirks.host_keys };
        for kind in &kinds {
            keygen(&path.join(format!("host_{kind}")), kind);
        }
        keygen(&path.join("id"), "ed25519");
        // Whoever runs the tests may have a login shell that takes its time.
        std::fs::create_dir(path.join("home")).unwrap();
        std::fs::copy(path.join("id.pub"), path.join("authorized_keys")).unwrap();
        let port = quirks.port.unwrap_or_else(free_port);
        let mut config = format!(
            "ListenAddress 127.0.0.1:{port}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nAuthorizedKeysFile {}\nMaxStartups 200\nLogLevel ERROR\nSetEnv HOME={}\n",
            path.join("authorized_keys").display(),
            path.join("home").display()
        );
        for kind in &kinds {
            config.push_str(&format!("HostKey {}\n", path.join(format!("host_{kind}")).display()));
        }
        // The first value counts.
        let own = quirks.config.iter().map(|line| line.replace("{folder}", &path.display().to_string()) + "\n");
        let config = own.chain([config]).collect::<String>();
        std::fs::write(path.join("sshd_config"), config).unwrap();
        for (name, text) in &quirks.files {
            std::fs::write(path.join(name), text).unwrap();
        }
        let _ = std::fs::create_dir_all("/run/sshd");
        let here = path.display().to_string();
        let mut line: Vec<String> = quirks.started_by.iter().map(|word| word.replace("{folder}", &here)).collect();
        line.extend([program.display().to_string(), "-D".into(), "-e".into(), "-f".into()]);
        line.push(path.join("sshd_config").display().to_string());
        let child = spawned(&line, &path.join("log"));
        let server = Self { folder, port, line, child };
        server.wait();
        Some(server)
    }

    /// Ends it at once with everything it started, and starts it again.
    pub fn restart(&mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
        // Those of a namespace end a moment after the process that made it.
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "sshd does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = spawned(&self.line, &self.file("log"));
        self.wait();
    }

    fn wait(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "sshd did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it complained about.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Its public key of a kind.
    pub fn host_key(&self, kind: &str) -> String {
        let text = std::fs::read_to_string(self.file(&format!("host_{kind}.pub"))).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// The lines of a project file that make it known as `name`.
    pub fn entry(&self, name: &str) -> String {
        self.entry_at(name, self.port)
    }

    /// The same, reached at another port.
    pub fn entry_at(&self, name: &str, port: u16) -> String {
        format!("{}host_keys = [\"{}\"]\n", self.entry_without_key(name, port), self.host_key("ed25519"))
    }

    /// The lines without its key.
    pub fn entry_without_key(&self, name: &str, port: u16) -> String {
        let (key, user) = (self.file("id").display().to_string(), user());
        format!("[host.{name}]\naddress = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\nkey = \"{key}\"\n")
    }

    /// Stops it from doing anything, as a host that hangs.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Kills whoever is logged in: all processes of the groups that logins began with.
    pub fn kill_logins(&self) {
        for login in self.logins() {
            kill(&format!("-{login}"));
        }
    }

    /// Kills what logins started, with all processes of its group or alone.
    pub fn kill_sessions(&self, with_group: bool) {
        let sessions = self.logins().into_iter().flat_map(|login| children(&login));
        for (session, _) in sessions.collect::<Vec<_>>() {
            kill(&if with_group { format!("-{session}") } else { session });
        }
    }

    /// The first process of each login.
    fn logins(&self) -> Vec<String> {
        let (mut servers, mut logins) = (vec![self.child.id().to_string()], Vec::new());
        while let Some(server) = servers.pop() {
            let (more, found): (Vec<_>, Vec<_>) =
                children(&server).into_iter().partition(|(_, name)| name.starts_with("sshd"));
            servers.extend(more.into_iter().map(|(process, _)| process));
            logins.extend(found.into_iter().map(|(process, _)| process));
        }
        logins
    }

    fn signal(&self, signal: &str) {
        // The server forks for each connection: all of them are meant.
        let pid = self.child.id().to_string();
        for child in children(&pid).into_iter().map(|(child, _)| child).chain([pid]) {
            let _ = Command::new("kill").args([&format!("-{signal}"), &child]).status();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal("CONT");
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// The processes that one started, and their programs.
fn children(parent: &str) -> Vec<(String, String)> {
    let output = Command::new("ps").args(["-o", "pid=,comm=", "--ppid", parent]).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = output.lines().filter_map(|line| line.trim().split_once(' '));
    words.map(|(process, name)| (process.to_owned(), name.trim().to_owned())).collect()
}

fn kill(which: &str) {
    let _ = Command::new("kill").args(["-KILL", "--", which]).status();
}

fn spawned(line: &[String], log: &Path) -> Child {
    let log = std::fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// Whoever runs the tests.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a key pair.
pub fn keygen(path: &Path, kind: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
