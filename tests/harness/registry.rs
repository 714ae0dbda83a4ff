//! A registry of its own for a test, on loopback, with a login.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::drivers::docker::Login;

use super::skip;

/// A running registry. It ends with the test.
pub struct Registry {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Who may use it.
    pub login: Login,
    process: Child,
    _storage: tempfile::TempDir,
}

impl Registry {
    /// `None`, said aloud, when there is no registry to start here.
    pub fn start() -> Option<Self> {
        // The engine wants logins in a base64 alphabet in which these characters matter.
        Self::with_password("p~?>w?~>rd")
    }

    /// The same with a password of one's own.
    pub fn with_password(password: &str) -> Option<Self> {
        let login = Login { username: "deployer".into(), password: password.into() };
        let Some(line) = password_line(&login) else {
            skip("htpasswd (apt-get install apache2-utils)");
            return None;
        };
        let storage = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let folder = storage.path().display();
        std::fs::write(storage.path().join("htpasswd"), line).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {folder}/data }}\n  \
             delete: {{ enabled: true }}\nhttp: {{ addr: '{address}' }}\n\
             auth:\n  htpasswd: {{ realm: test, path: {folder}/htpasswd }}\n"
        );
        let path = storage.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else {
            skip("a registry (apt-get install docker-registry)");
            return None;
        };
        let registry = Self { address, login, process, _storage: storage };
        registry.wait_until_it_answers();
        Some(registry)
    }

    /// A reference in this registry.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Ends it before the test does.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn wait_until_it_answers(&self) {
        let begun = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the registry did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `user:bcrypt`, the only form the registry takes.
fn password_line(login: &Login) -> Option<String> {
    let mut process = Command::new("htpasswd")
        .args(["-niB", "-C", "5", &login.username])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    process.stdin.take()?.write_all(login.password.as_bytes()).ok()?;
    let output = process.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|line| line.starts_with(&login.username))
}
