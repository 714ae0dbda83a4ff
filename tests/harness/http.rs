//! A small HTTP server on the loopback whose every misbehaviour is written down by the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::certificates::Issued;

/// Lets every request through, and takes every host for named.
pub struct Anywhere;

impl runbook::drivers::http::Gate for Anywhere {
    fn may_ask(&self, _: &runbook::drivers::http::Address) -> Result<(), runbook::failure::Failure> {
        Ok(())
    }

    fn names(&self, _: &str) -> bool {
        true
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// How many requests came before it.
    pub number: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
pub enum Reply {
    /// An ordinary answer.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A head, then one byte of the body every 20 ms without end.
    Drip,
    /// A head, then a body without end, as fast as it is read.
    Endless,
    /// Nothing at all; the connection stays open.
    Silence,
    /// These bytes, whatever they are; then the connection is closed.
    Raw(&'static str),
}

impl Reply {
    pub fn text(status: u16, body: &str) -> Self {
        Self::Answer(status, vec![("Content-Type", "text/plain".into())], body.into())
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer(status, vec![("Content-Type", "application/json".into())], body.to_string().into())
    }

    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::Answer(status, vec![("Location", location.into())], Vec::new())
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

struct Inner {
    script: Box<Script>,
    tls: Option<Arc<rustls::ServerConfig>>,
    asked: Mutex<Vec<Asked>>,
    count: AtomicUsize,
    sent: AtomicU64,
    stopping: AtomicBool,
}

/// The running server; it stops when dropped.
pub struct Server {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl Server {
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(script), None)
    }

    pub fn start_tls(certificate: &Issued, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(script), Some(certificate.server()))
    }

    fn listen(script: Box<Script>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            script,
            tls,
            asked: Mutex::default(),
            count: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let shared = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Self { inner, address }
    }

    /// `127.0.0.1:port`.
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.inner.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// The bytes of endless bodies handed to the operating system so far.
    pub fn sent(&self) -> u64 {
        self.inner.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// A port of the loopback on which nothing listens.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Inner {
    fn serve(&self, stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        match &self.tls {
            None => self.talk(stream),
            Some(config) => {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                self.talk(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    /// One request and its reply; the client hanging up is not an error.
    fn talk(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let Some(mut asked) = read(&mut stream) else {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            return;
        };
        asked.number = self.count.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(asked.clone());
        let _ = self.reply((self.script)(&asked), &asked, stream.get_mut());
    }

    fn reply(&self, reply: Reply, asked: &Asked, out: &mut (impl Read + Write)) -> std::io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
        match reply {
            Reply::Answer(status, headers, body) => {
                let mut head =
                    format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                write!(out, "{head}\r\n")?;
                if asked.method != "HEAD" {
                    out.write_all(&body)?;
                }
                out.flush()
            }
            Reply::Drip => {
                write!(out, "{head}")?;
                while !self.stopping.load(Ordering::SeqCst) {
                    out.write_all(b".")?;
                    out.flush()?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            }
            Reply::Endless => {
                write!(out, "{head}")?;
                let block = [b'x'; 16 << 10];
                while !self.stopping.load(Ordering::SeqCst) {
                    out.write_all(&block)?;
                    self.sent.fetch_add(block.len() as u64, Ordering::SeqCst);
                }
                Ok(())
            }
            Reply::Silence => out.read(&mut [0]).map(drop),
            Reply::Raw(text) => {
                out.write_all(text.as_bytes())?;
                out.flush()
            }
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut asked = Asked { method: words.next()?, path: words.next()?, ..Asked::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}
