//! Asking the service, over real connections.

mod backups;
mod document;
mod follow;
mod matrix;
mod runs;
mod socket;
mod webhook;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Project;

/// A service that answers.
pub struct Api {
    child: Child,
    pub place: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    /// Its type, without what is said of letters.
    pub kind: String,
    pub body: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Api {
    pub fn start(project: &Project) -> Self {
        let mut child = project.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let place = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("answering on http://").map(str::to_owned))
            .expect("it says where it answers");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, place }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.place).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        stream
    }

    /// Sends this and reads the answer to its end.
    pub fn raw(&self, request: &[u8]) -> Answered {
        let mut stream = self.connect();
        // It may answer, and close, before everything is said.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().to_owned();
        Answered { status, kind, body: body.to_owned() }
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.place);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.raw(request.as_bytes())
    }

    pub fn with(&self, token: &str, method: &str, path: &str, body: &str) -> Answered {
        self.ask(method, path, &[("Authorization", &format!("Bearer {token}"))], body)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A project whose service answers on a port of its own.
pub fn project(more: &str) -> Project {
    Project::new()
        .file("note.rhai", "//! Notes.\n//! @param word: string = \"ran\"\n//! @param times: integer = 1\ninfo(`${param(\"word\")} ${param(\"times\")}`);\n")
        .file("long.rhai", "for i in 0..600 { info(`line ${i}`); sleep(\"100ms\"); }\n")
        .file("ask.rhai", "confirm(\"go on?\");\ninfo(\"went on\");\n")
        .file("runbook.toml", &format!("[env.prod]\n[api]\nlisten = \"127.0.0.1:0\"\n[service]\nruns = 8\n[schedule.rare]\nrunbook = \"note.rhai\"\ncron = \"0 0 1 1 *\"\n{more}"))
}

pub fn token(project: &Project, name: &str, scopes: &str) -> String {
    let ran = project.runbook(&["token", "add", name, "--scope", scopes]).success();
    ran.stdout.trim().to_owned()
}
