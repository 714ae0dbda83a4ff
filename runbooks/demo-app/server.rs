//! The HTTP server: `/health`, and rows that can be put.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::database::{self, Upsert};

/// A client that sends nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most a request may be, head and body each.
const LARGEST: u64 = 1 << 20;

/// Serves until a signal comes.
pub fn run() -> ExitCode {
    let version = super::version();
    if let Ok(code) = std::env::var("DEMO_EXIT") {
        eprintln!("demo {version} was told to exit with {code}");
        return ExitCode::from(code.parse().unwrap_or(1));
    }
    super::end_on_signal();
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let address = format!("{}:{}", variable("HOST", "0.0.0.0"), variable("PORT", "8000"));
    let database = match database::open().and_then(|database| note_start(&database, &version).map(|()| database)) {
        Ok(database) => Arc::new(Mutex::new(database)),
        Err(error) => {
            eprintln!("the database cannot be opened: {error}");
            return ExitCode::FAILURE;
        }
    };
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    super::say(&format!("demo {version} listens on {address}"));
    let silent = super::switched_on("DEMO_SILENT");
    let mut unanswered = Vec::new();
    for stream in listener.incoming().filter_map(Result::ok) {
        if silent {
            unanswered.push(stream);
            continue;
        }
        let (database, version) = (Arc::clone(&database), version.clone());
        // A connection that breaks is the client's loss.
        std::thread::spawn(move || answer(stream, &database, &version).ok());
    }
    ExitCode::SUCCESS
}

/// Writes on every start, so that a read-only or full volume shows at once.
fn note_start(database: &Connection, version: &str) -> rusqlite::Result<()> {
    database.execute_batch("CREATE TABLE IF NOT EXISTS starts (version TEXT, at TEXT)")?;
    database.execute("INSERT INTO starts VALUES (?1, datetime())", [version]).map(drop)
}

fn answer(stream: TcpStream, database: &Mutex<Connection>, version: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(LARGEST);
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let header = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        length = header.map_or(length, |(_, value)| value.trim().parse().unwrap_or(0));
    }
    let mut body = String::new();
    (&mut reader).take(u64::min(length, LARGEST)).read_to_string(&mut body)?;
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let database = database.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = respond(method, path, &body, &database, version);
    drop(database);
    super::say(&format!("{method} {path} {status}"));
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    write!(reader.get_mut(), "{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn respond(method: &str, path: &str, body: &str, database: &Connection, version: &str) -> (&'static str, String) {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, segments.as_slice()) {
        ("GET", ["health"]) => health(database, version),
        ("GET", [""]) => ("200 OK", json!({ "version": version }).to_string()),
        ("PUT", [kind, id]) => match database::upsert(database, kind, id, body) {
            Ok(Upsert::Inserted) => ("201 Created", String::new()),
            Ok(Upsert::Updated) => ("200 OK", String::new()),
            Ok(Upsert::Unchanged) => ("204 No Content", String::new()),
            Err(error) => ("500 Internal Server Error", json!({ "error": error.to_string() }).to_string()),
        },
        _ => ("404 Not Found", json!({ "error": "not found" }).to_string()),
    }
}

fn health(database: &Connection, version: &str) -> (&'static str, String) {
    let connected = database.query_row("SELECT count(*) FROM starts", [], |_| Ok(())).is_ok();
    let told_otherwise = super::switched_on("DEMO_UNHEALTHY") || Path::new("/unhealthy").exists();
    let healthy = connected && !told_otherwise;
    let body = json!({
        "status": if healthy { "healthy" } else { "unhealthy" },
        "version": version,
        "database": if connected { "connected" } else { "unreachable" },
    });
    (if healthy { "200 OK" } else { "503 Service Unavailable" }, body.to_string())
}
