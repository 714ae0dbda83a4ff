//! A Redis server of a test's own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::skip;

/// The server is the same program as its checker, by another name.
const PROGRAM: &str = "/usr/bin/redis-check-rdb";

/// A server that is gone when this is dropped.
pub struct Redis {
    folder: tempfile::TempDir,
    port: u16,
    options: Vec<String>,
    child: Child,
}

impl Redis {
    /// `None`, said aloud, where Redis is not installed.
    pub fn start(options: &[&str]) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            skip("Redis (apt-get install redis-tools)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(PROGRAM, folder.path().join("redis-server")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = child(folder.path(), port, &options);
        let server = Self { folder, port, options, child };
        server.wait();
        Some(server)
    }

    /// Kills it, and starts it again with what it has written.
    pub fn crash(&mut self) {
        self.kill();
        self.child = child(self.folder.path(), self.port, &self.options);
        self.wait();
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn wait(&self) {
        let began = Instant::now();
        while !self.ask(&["ping"]).starts_with("PONG") {
            assert!(began.elapsed() < Duration::from_secs(30), "Redis answers within half a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it answers.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command.args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a script of Lua in it.
    pub fn script(&self, lua: &str) {
        let answer = self.ask(&["eval", lua, "0"]);
        assert!(!answer.contains("ERR"), "{answer}");
    }
}

fn child(folder: &Path, port: u16, options: &[String]) -> Child {
    let mut command = Command::new(folder.join("redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes"]);
    command.args(options).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
