//! An S3 server that checks signatures and fails when it is told to: moto behind `bucket.py`, one for all tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use runbook::drivers::backup::Location;
use runbook::drivers::bucket::{Bucket as Client, Keys, Place, Style, digest};
use serde_json::Value;

use super::skip;

/// What the server signs with.
pub const REGION: &str = "eu-test-1";
/// The key that may do everything, and what belongs to it.
pub const KEY: (&str, &str) = ("TESTKEY", "the-secret-of-the-test-key");
/// The key that may remove nothing.
pub const WRITER: (&str, &str) = ("WRITER", "the-secret-of-the-writer");

/// A folder of a bucket that belongs to one test.
pub struct Bucket {
    port: u16,
    name: String,
}

struct Server {
    // It ends with its input, and that with this process.
    _child: Child,
    port: u16,
}

impl Bucket {
    /// `None`, said aloud, where there is no moto.
    pub fn new(name: &str) -> Option<Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        let server = SERVER.get_or_init(start).as_ref();
        if server.is_none() {
            skip("moto (tests/run installs it into ~/.cache/runbook-moto)");
        }
        Some(Self { port: server?.port, name: name.to_owned() })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/backups/{}", self.port, self.name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn place(&self) -> Place {
        Place::parse(&self.url(), REGION, Style::Path).unwrap()
    }

    pub fn keys() -> Keys {
        Keys { access: KEY.0.into(), secret: KEY.1.into() }
    }

    pub fn location(&self) -> Location {
        Location::Bucket(self.place(), Self::keys())
    }

    pub fn client(&self) -> Client {
        Client::new(self.place(), Self::keys(), Arc::new(|| Ok(()))).unwrap()
    }

    /// Puts an object there.
    pub fn put(&self, name: &str, content: &[u8]) {
        let content = Bytes::copy_from_slice(content);
        self.client().put(name, std::slice::from_ref(&content), &digest(&content), false).unwrap();
    }

    /// Every object by its name, and what is in it.
    pub fn held(&self) -> BTreeMap<String, Bytes> {
        let (client, prefix) = (self.client(), self.place().key(""));
        let names = client.list("").unwrap().into_iter().map(|object| object.key[prefix.len()..].to_owned());
        names.map(|name| (name.clone(), client.get(&name).unwrap().unwrap().body)).collect()
    }

    /// The lines of `[backup.NAME]` but for the password.
    pub fn lines(&self) -> String {
        format!("bucket = '{}'\nregion = '{REGION}'\naccess_key = 'ACCESS'\nsecret_key = 'SECRET'\n", self.url())
    }

    /// Lets requests of this test fail, and of no other.
    pub fn rule(&self, method: &str, path: &str, kind: &str, skip: u32, times: u32) {
        let rule = serde_json::json!([{
            "under": self.under(), "method": method, "path": path, "kind": kind, "skip": skip, "times": times,
        }]);
        self.say("PUT", "/-/rules", &rule);
    }

    /// Everything goes well again.
    pub fn heal(&self) {
        self.say("PUT", "/-/rules", &serde_json::json!([{ "under": self.under() }]));
    }

    /// How often a rule was applied.
    pub fn faults(&self) -> u32 {
        self.say("GET", &format!("/-/seen?under={}", self.under()), &Value::Null).parse().unwrap()
    }

    fn under(&self) -> String {
        format!("{}/", self.name)
    }

    fn say(&self, method: &str, path: &str, body: &Value) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

fn start() -> Option<Server> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let python = cache.join("runbook-moto/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/bucket.py");
    let mut command = Command::new(python);
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    let port = line.trim().parse().ok()?;
    Some(Server { _child: child, port })
}
