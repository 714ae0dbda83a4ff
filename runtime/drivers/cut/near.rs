//! The side of whoever saves.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::UnixStream;

use super::frame::{Frame, Kind, receive, send};
use super::{Begin, End, GREETING, Hello, Order, PROTOCOL, VERSION};
use crate::drivers::backup::Known;
use crate::drivers::docker::{Engine, Finished};
use crate::drivers::ssh::{Hosts, Link, OnLink, Opened, Purpose, Target, quoted};
use crate::failure::{Failure, FailureKind};

/// How long the other side may take until it says who it is.
const CONTACT: Duration = Duration::from_secs(20);
/// How much a login shell may say before that.
const MOST_CHATTER: usize = 64 << 10;
/// What the name of a `runbook` that nobody named is: whatever is found first where programs are looked for.
const NAME: &str = "runbook";

/// What came of it.
pub enum Printed {
    /// It was run there, and this came.
    Cut(Finished, Came),
    /// Nothing was done, and why.
    Not(String),
}

/// How much it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// Bytes that the command printed.
    pub bytes: u64,
    /// Bytes that travelled, in both directions.
    pub travelled: u64,
}

/// Has the `runbook` of the engine's host run a command, and hands on what that prints. Where there is none that understands this one, nothing
/// has happened.
pub async fn print(
    hosts: &Hosts,
    engine: &Engine,
    order: Order,
    known: &Known,
    on_bytes: &mut (dyn FnMut(&[u8]) + Send),
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<Printed, Failure> {
    let Some(target) = engine.host() else { return Ok(Printed::Not("it is on no other host".to_owned())) };
    let identity = engine.identity().await?;
    let mut line = match tokio::time::timeout(CONTACT, begin(hosts, target, &identity)).await {
        Ok(begun) => match begun? {
            Ok(line) => line,
            Err(why) => return Ok(Printed::Not(why)),
        },
        Err(_) => return Ok(Printed::Not(format!("`runbook` there said nothing for {}s", CONTACT.as_secs()))),
    };
    let container = order.container.clone();
    let link = Arc::clone(&line.link);
    let wrong = |error: std::io::Error| {
        if link.lost().is_some() {
            return link.cut();
        }
        let message =
            format!("`{}`: what `runbook` there tells of container `{container}` broke off: {error}", target.name);
        Failure::new(FailureKind::Unreachable, message)
    };
    let invalid = |why: &str| {
        let message = format!("`{}`: `runbook` there tells of something else than it sends: {why}", target.name);
        Failure::new(FailureKind::Invalid, message)
    };
    let begin = Begin { order, cutting: known.cutting() };
    let begin = serde_json::to_vec(&begin).map_err(|error| wrong(error.into()))?;
    let mut came = Came { bytes: 0, travelled: send(&mut line.io, Kind::Begin, &begin).await.map_err(wrong)? };
    loop {
        let (Frame { kind, bytes }, length) = receive(&mut line.io).await.map_err(wrong)?;
        came.travelled += length;
        match kind {
            Kind::Line => on_line(&String::from_utf8_lossy(&bytes)),
            Kind::Hashes => {
                let pieces = pieces(&bytes).ok_or_else(|| invalid("half a piece"))?;
                let wanted: Vec<u8> = pieces.iter().map(|(hash, _)| u8::from(!known.has(hash))).collect();
                came.travelled += send(&mut line.io, Kind::Wanted, &wanted).await.map_err(wrong)?;
                for ((hash, length), wanted) in pieces.into_iter().zip(wanted) {
                    if wanted == 0 {
                        let piece = known.read(&hash)?;
                        if piece.len() != length {
                            return Err(invalid("a piece of another length"));
                        }
                        on_bytes(&piece);
                        came.bytes += length as u64;
                        continue;
                    }
                    let (Frame { kind, bytes: piece }, travelled) = receive(&mut line.io).await.map_err(wrong)?;
                    came.travelled += travelled;
                    if kind != Kind::Piece || piece.len() != length || Sha256::digest(&piece)[..] != hash[..] {
                        return Err(invalid("a piece with another hash"));
                    }
                    on_bytes(&piece);
                    came.bytes += length as u64;
                }
            }
            Kind::End => {
                let End { ended, bytes } =
                    serde_json::from_slice(&bytes).map_err(|_| invalid("an end that cannot be read"))?;
                let (exit_code, not_started) = ended?;
                if bytes != came.bytes {
                    return Err(invalid("another number of bytes"));
                }
                return Ok(Printed::Cut(Finished { exit_code, not_started }, came));
            }
            Kind::Begin | Kind::Wanted | Kind::Piece => return Err(invalid("a message at the wrong place")),
        }
    }
}

/// Hashes and lengths.
fn pieces(bytes: &[u8]) -> Option<Vec<([u8; 32], usize)>> {
    let (pairs, rest) = bytes.as_chunks::<36>();
    let each = pairs.iter().map(|pair| {
        let (hash, length) = pair.split_first_chunk::<32>()?;
        Some((*hash, u32::from_be_bytes(length.try_into().ok()?) as usize))
    });
    each.collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())
}

/// The way to the `runbook` of a host.
struct Line {
    io: BufReader<UnixStream>,
    /// Kept open: what it complains about must not end it.
    _errors: Option<UnixStream>,
    link: Arc<Link>,
}

/// Starts it, and sees that it is the same as this one and that it reaches the same engine; else why not. A connection that is lost says
/// nothing about that.
async fn begin(hosts: &Hosts, target: &Target, engine: &str) -> Result<Result<Line, String>, Failure> {
    let program = target.runbook.as_deref().unwrap_or(NAME);
    let command = format!("exec /bin/sh -c 'exec \"$0\" internal cut' {}", quoted(program));
    let OnLink { opened: Opened { io, errors, end }, link } = match hosts.open(target, &Purpose::Command(command)).await
    {
        Ok(opened) => opened,
        Err(failure) => return Ok(Err(failure.message)),
    };
    let stream = |stream| UnixStream::from_std(stream).map_err(|error| Failure::system("use a socket", &error));
    let errors = errors.map(stream).transpose()?;
    let mut line = Line { io: BufReader::with_capacity(256 << 10, stream(io)?), _errors: errors, link };
    let Some(hello) = hello(&mut line.io).await else {
        // Never answered where the connection was lost before the end was certain.
        return end.await.map_err(|_| line.link.cut()).map(|_| Err(format!("there is no `{program}` that can cut")));
    };
    let Hello { protocol, version, engine: reached } = hello;
    if version != VERSION || protocol != PROTOCOL {
        return Ok(Err(format!("`{program}` there is version {version}, and this is {VERSION}")));
    }
    // An engine that says nothing of itself is nobody's.
    if reached.is_empty() || reached != engine {
        return Ok(Err(format!("`{program}` there reaches no engine, or another one")));
    }
    Ok(Ok(line))
}

async fn hello(io: &mut BufReader<UnixStream>) -> Option<Hello> {
    let mut said = Vec::new();
    while said.len() < MOST_CHATTER {
        said.push(io.read_u8().await.ok()?);
        if !said.ends_with(b"\n") {
            continue;
        }
        if let Some(begin) = said.windows(GREETING.len()).position(|part| part == GREETING) {
            return serde_json::from_slice(&said[begin + GREETING.len()..]).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn hashes_come_whole_or_not_at_all() {
        let mut bytes = vec![7; 32];
        bytes.extend_from_slice(&[0, 0, 1, 0]);
        assert_eq!(pieces(&bytes), Some(vec![([7; 32], 256)]));
        assert_eq!((pieces(&[]), pieces(&bytes[1..])), (Some(Vec::new()), None));
    }
}
