//! A small HTTP client, and `curl` on top of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

/// The longest wait for a connection, and for each piece of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer: curl's exit code and words.
pub struct Trouble(u8, String);

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}) {}", self.0, self.1)
    }
}

/// Sends a request and reads the whole answer: its status and its body.
pub fn request(method: &str, url: &str, body: &str) -> Result<(u16, String), Trouble> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    if rest.contains("://") {
        return Err(Trouble(1, format!("Protocol of {url} not supported")));
    }
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    let mut stream = connect(name, port)?;
    let head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut answer = Vec::new();
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.read_to_end(&mut answer))
        .map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble(28, "Operation timed out".into()),
            _ => Trouble(56, format!("Recv failure: {error}")),
        })?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    status.map(|status| (status, body.to_owned())).ok_or_else(|| Trouble(52, "Empty reply from server".into()))
}

/// `curl [-f] [-s] [-S] URL`, with curl's exit codes.
pub fn curl(arguments: &[&str]) -> ExitCode {
    let (flags, urls): (Vec<&&str>, Vec<&&str>) = arguments.iter().partition(|word| word.starts_with('-'));
    let has = |flag| flags.iter().any(|word| !word.starts_with("--") && word.contains(flag));
    let [url] = urls[..] else {
        eprintln!("usage: curl [-f] [-s] [-S] URL");
        return ExitCode::from(2);
    };
    let answer = request("GET", url, "").and_then(|(status, body)| match status {
        400.. if has('f') => Err(Trouble(22, format!("The requested URL returned error: {status}"))),
        _ => Ok(body),
    });
    match answer {
        Ok(body) => {
            print!("{body}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            if !has('s') || has('S') {
                eprintln!("curl: {trouble}");
            }
            ExitCode::from(trouble.0)
        }
    }
}

fn connect(name: &str, port: &str) -> Result<TcpStream, Trouble> {
    let port: u16 = port.parse().map_err(|_| Trouble(3, format!("Port number was not a decimal number: {port}")))?;
    let addresses = (name, port).to_socket_addrs();
    let addresses = addresses.map_err(|_| Trouble(6, format!("Could not resolve host: {name}")))?;
    let mut trouble = Trouble(6, format!("Could not resolve host: {name}"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => trouble = Trouble(28, "Connection timed out".into()),
            Err(_) => trouble = Trouble(7, format!("Failed to connect to {name} port {port}: Connection refused")),
        }
    }
    Err(trouble)
}
