//! A PostgreSQL server of a test's own.

use std::path::Path;
use std::process::{Command, Output};

use super::skip;

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A server that is gone when this is dropped. Everybody who reaches it may do everything.
pub struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// `None`, said aloud, where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        if !Path::new(PROGRAMS).join("initdb").exists() {
            skip("PostgreSQL 15 (apt-get install postgresql-15)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder, port };
        if rustix::process::geteuid().is_root() {
            let chowned = Command::new("chown").arg("postgres").arg(server.folder.path()).status().unwrap();
            assert!(chowned.success());
        }
        server.program(
            "initdb",
            &["-D", "data", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"],
        );
        let options = format!("-p {port} -k . -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB");
        server.program("pg_ctl", &["-D", "data", "-l", "log", "-w", "-o", &options, "start"]);
        Some(server)
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let path = format!("{PROGRAMS}/{name}");
        // The server refuses to run as root.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", &path]);
            command
        } else {
            Command::new(path)
        };
        // What a server inherits it would hold open.
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("said")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(std::process::Stdio::null());
        let status = command.args(arguments).current_dir(self.folder.path()).status().unwrap();
        let said = std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        assert!(status.success(), "{name}: {said}");
    }

    /// The address of one of its databases.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What comes out of statements, as lines; panics when one is refused.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let output = self.try_sql(database, statements);
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same, whatever comes of it.
    pub fn try_sql(&self, database: &str, statements: &str) -> Output {
        let mut command = Command::new("psql");
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.address(database),
            "-c",
            statements,
        ]);
        command.output().unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.program("pg_ctl", &["-D", "data", "-m", "immediate", "-w", "stop"]);
    }
}
