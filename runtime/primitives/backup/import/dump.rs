use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::super::redis;
use super::{Packing, content};
use crate::drivers::Drivers;
use crate::drivers::backup::{Content, feed};
use crate::drivers::process::Command;
use crate::failure::{Failure, FailureKind};

/// How much of the end of a dump says that it is one.
const ENDING: usize = 4096;

/// A dump in SQL. Its last words say that it is complete.
pub fn plain(from: Box<dyn Read + Send>) -> Content {
    let mut last: Vec<u8> = Vec::new();
    stream(from, move |piece| match piece {
        Some(piece) => {
            last.extend_from_slice(piece);
            let surplus = last.len().saturating_sub(ENDING);
            last.drain(..surplus);
            Ok(Value::Null)
        }
        None if String::from_utf8_lossy(&last).contains("dump complete") => Ok(Value::Null),
        None => Err(Failure::new(
            FailureKind::Invalid,
            "the dump does not say at its end that it is complete: it was cut off",
        )),
    })
}

/// A dump as it is.
pub fn plainly(from: Box<dyn Read + Send>) -> Content {
    stream(from, |_| Ok(Value::Null))
}

/// A dump of Redis, which is read as a whole first: its keys are counted, its checksum is compared.
pub fn redis(file: &Path, packing: Packing) -> Result<Content, Failure> {
    let found = redis::facts(content(file, packing)?, None, &mut |_| Ok(())).map_err(|why| {
        Failure::new(FailureKind::Invalid, format!("the dump `{}` cannot be read: {why}", file.display()))
    })?;
    let facts = json!({ "redis": found });
    Ok(stream(content(file, packing)?, move |piece| Ok(if piece.is_none() { facts.clone() } else { Value::Null })))
}

/// Hands on all of a stream; whoever looks at it is asked at its end, by nothing, what is known of it.
fn stream(
    mut from: Box<dyn Read + Send>,
    mut look: impl FnMut(Option<&[u8]>) -> Result<Value, Failure> + Send + 'static,
) -> Content {
    let (pump, feed) = feed();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        let end = loop {
            match from.read(&mut piece) {
                Ok(0) => break look(None),
                Ok(length) => {
                    if let Err(failure) = look(Some(&piece[..length])) {
                        break Err(failure);
                    }
                    if !pump.push(&piece[..length]) {
                        return;
                    }
                }
                Err(error) => break Err(Failure::system("read the file", &error)),
            }
        };
        pump.end(end);
    });
    Content::Stream(feed)
}

/// Lets `pg_restore` read a dump to its end, which nobody else can. Where it is not there, nobody did, and that is said.
pub fn try_out(file: &Path, packing: Packing) -> Result<Option<String>, Failure> {
    let drivers = Drivers::default();
    let command = Command::new(["pg_restore", "--file=/dev/null"]);
    let complaints = Mutex::new(String::new());
    let input = Unpacked(Arc::new(Mutex::new(content(file, packing)?)));
    let ended = drivers.block_on(async {
        let on_line = |line: &str| {
            let mut all = complaints.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(line);
            all.push('\n');
        };
        drivers.processes().run_bytes(&command, Some(Box::pin(input)), |_| {}, on_line).await
    });
    match ended {
        Ok(end) if end.code() == 0 => Ok(None),
        Ok(_) => {
            let said = complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
            let message = format!("`pg_restore` cannot read the dump `{}`", file.display());
            Err(Failure::new(FailureKind::Invalid, message).evidence("it says", said.trim().to_owned()))
        }
        Err(failure) if failure.kind == FailureKind::NotFound => {
            Ok(Some("there is no `pg_restore` here, which alone can tell whether the dump is whole".into()))
        }
        Err(failure) => Err(failure),
    }
}

/// A file as it is unpacked, for a program.
struct Unpacked(Arc<Mutex<Box<dyn Read + Send>>>);

impl tokio::io::AsyncRead for Unpacked {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let mut piece = vec![0; buffer.remaining().min(64 << 10)];
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner).read(&mut piece);
        std::task::Poll::Ready(read.map(|length| buffer.put_slice(&piece[..length])))
    }
}
