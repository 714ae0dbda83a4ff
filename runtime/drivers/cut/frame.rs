use std::io::{Error, ErrorKind, Read, Result, Write};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More than any frame has: a piece, or the hashes of many.
const MOST: usize = 65 << 20;
/// What stands before each: its kind and its length.
const HEAD: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is to be done; to the host.
    Begin,
    /// Pieces, each by its hash and its length.
    Hashes,
    /// A byte for each of them: 1 for those that are to be sent; to the host.
    Wanted,
    /// A piece.
    Piece,
    /// A line of standard error.
    Line,
    /// How it ended.
    End,
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub bytes: Vec<u8>,
}

const KINDS: [(u8, Kind); 6] = [
    (b'b', Kind::Begin),
    (b'h', Kind::Hashes),
    (b'w', Kind::Wanted),
    (b'p', Kind::Piece),
    (b'l', Kind::Line),
    (b'e', Kind::End),
];

fn head(kind: Kind, bytes: &[u8]) -> Result<[u8; HEAD]> {
    let letter = KINDS.iter().find(|(_, other)| *other == kind).map_or(b'?', |(letter, _)| *letter);
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MOST);
    let [a, b, c, d] = length.ok_or_else(|| Error::other("a message that is too long"))?.to_be_bytes();
    Ok([letter, a, b, c, d])
}

fn parsed([letter, length @ ..]: [u8; HEAD]) -> Result<(Kind, usize)> {
    let wrong = |why: &str| Error::new(ErrorKind::InvalidData, why.to_owned());
    let kind = KINDS.iter().find(|(known, _)| *known == letter).map(|(_, kind)| *kind);
    let length = u32::from_be_bytes(length) as usize;
    if length > MOST {
        return Err(wrong("a message is too long"));
    }
    Ok((kind.ok_or_else(|| wrong("a message is of no known kind"))?, length))
}

/// Writes a frame and waits until it is on its way.
pub fn write(to: &mut dyn Write, kind: Kind, bytes: &[u8]) -> Result<()> {
    to.write_all(&head(kind, bytes)?)?;
    to.write_all(bytes)?;
    to.flush()
}

/// Reads a frame. One that is cut off is an error, and so is the end before it.
pub fn read(from: &mut dyn Read) -> Result<Frame> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let (kind, length) = parsed(head)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Frame { kind, bytes })
}

/// Sends a frame, and says how much that was.
pub async fn send(to: &mut (impl AsyncWrite + Unpin), kind: Kind, bytes: &[u8]) -> Result<u64> {
    to.write_all(&head(kind, bytes)?).await?;
    to.write_all(bytes).await?;
    to.flush().await?;
    Ok((HEAD + bytes.len()) as u64)
}

/// Receives a frame, and says how much that was.
pub async fn receive(from: &mut (impl AsyncRead + Unpin)) -> Result<(Frame, u64)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head).await?;
    let (kind, length) = parsed(head)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok((Frame { kind, bytes }, (HEAD + length) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_as_it_went_or_not_at_all() {
        for (_, kind) in KINDS {
            let mut sent = Vec::new();
            write(&mut sent, kind, b"abc").unwrap();
            assert_eq!(read(&mut sent.as_slice()).unwrap(), Frame { kind, bytes: b"abc".to_vec() });
            for length in 0..sent.len() {
                read(&mut &sent[..length]).unwrap_err();
            }
        }
        read(&mut &b"x\0\0\0\0"[..]).unwrap_err();
        read(&mut &b"p\xff\xff\xff\xff"[..]).unwrap_err();
    }
}
