//! A small mail server on the loopback: TLS at once or with STARTTLS, and a login.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::certificates::Issued;

/// What the server does besides taking mail.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// TLS begins with the connection.
    pub wrapped: bool,
    /// It knows no STARTTLS.
    pub plain: bool,
    /// It refuses every recipient.
    pub refuses: bool,
}

/// A mail as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Got {
    /// The argument of AUTH PLAIN.
    pub login: String,
    /// Who it was for.
    pub to: Vec<String>,
    /// Headers and text.
    pub text: String,
    /// Did it come through TLS?
    pub tls: bool,
}

/// The running server.
pub struct Smtp {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    /// Every line that was said to it outside of TLS.
    seen: Arc<Mutex<String>>,
}

impl Smtp {
    pub fn start(certificate: &Issued, manner: Manner) -> Self {
        let config = certificate.server();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (got, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(String::new())));
        let (all, lines) = (got.clone(), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, all, lines) = (config.clone(), all.clone(), lines.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &config, manner, &all, &lines));
            }
        });
        Self { address, got, seen }
    }

    pub fn place(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    config: &Arc<rustls::ServerConfig>,
    manner: Manner,
    all: &Mutex<Vec<Got>>,
    lines: &Mutex<String>,
) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let secure = |stream: TcpStream| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        rustls::StreamOwned::new(connection, stream)
    };
    if manner.wrapped {
        talk(secure(stream), manner, true, true, all, lines);
    } else if talk(stream.try_clone().unwrap(), manner, false, true, all, lines) {
        talk(secure(stream), manner, true, false, all, lines);
    }
}

/// Talks until the end, or until TLS is to begin.
fn talk(
    stream: impl Read + Write,
    manner: Manner,
    tls: bool,
    greets: bool,
    all: &Mutex<Vec<Got>>,
    lines: &Mutex<String>,
) -> bool {
    let mut stream = BufReader::with_capacity(1, stream);
    let mut got = Got { tls, ..Got::default() };
    let say = |stream: &mut BufReader<_>, text: &str| {
        let out: &mut dyn Write = BufReader::get_mut(stream);
        write!(out, "{text}\r\n").is_ok() && out.flush().is_ok()
    };
    if greets && !say(&mut stream, "220 test") {
        return false;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        if !tls {
            lines.lock().unwrap().push_str(&line);
        }
        let line = line.trim_end();
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" if !tls && !manner.plain => "250-test\r\n250 STARTTLS",
            "EHLO" => "250-test\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" if !manner.plain => {
                say(&mut stream, "220 go on");
                return true;
            }
            "AUTH" => {
                got.login = line.to_owned();
                "235 ok"
            }
            "RCPT" if manner.refuses => "550 nobody here",
            "RCPT" => {
                got.to.push(line.to_owned());
                "250 ok"
            }
            "DATA" => {
                say(&mut stream, "354 go on");
                let mut text = String::new();
                while stream.read_line(&mut text).unwrap_or(0) > 0 && !text.ends_with("\r\n.\r\n") {}
                got.text = text;
                all.lock().unwrap().push(std::mem::take(&mut got));
                "250 taken"
            }
            "QUIT" => {
                say(&mut stream, "221 bye");
                return false;
            }
            _ => "250 ok",
        };
        if !say(&mut stream, answer) {
            return false;
        }
    }
}
