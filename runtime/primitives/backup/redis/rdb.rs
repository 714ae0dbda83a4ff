//! Redis's dump format, read to its end: every key with what it holds, whatever way the server chose to keep it in memory.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::crc::Crc;
use super::packed::{intset, listpack, lzf, ziplist};

/// A key with its value.
pub struct Entry {
    /// The number of the database.
    pub database: u64,
    /// Its name.
    pub key: Vec<u8>,
    /// `string`, `list`, `set`, `zset`, `hash` or `stream`.
    pub kind: &'static str,
    /// When it ends by itself, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// The hash of what it holds, the same in whatever order a set is kept.
    pub digest: [u8; 32],
    /// What `RESTORE` takes.
    pub payload: Vec<u8>,
}

/// What else is in a dump.
pub enum Item {
    /// A key.
    Entry(Entry),
    /// What the server says of itself.
    About(Vec<u8>, Vec<u8>),
    /// A library of functions.
    Functions(Vec<u8>),
}

/// Why a dump cannot be read.
pub type Problem = String;

/// Reads a dump, and hands on what is in it. Fails on one that ends early, whose checksum is wrong, or in which there is
/// something unknown: what cannot be counted cannot be said to be saved.
pub fn read(input: impl Read, each: &mut dyn FnMut(Item) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut dump = Dump { input, crc: Crc::default(), raw: None };
    let magic = dump.take(9)?;
    let version = std::str::from_utf8(&magic).ok().and_then(|text| text.strip_prefix("REDIS")?.parse::<u16>().ok());
    let version = version.ok_or("it is no dump of Redis")?;
    if !(6..=12).contains(&version) {
        return Err(format!("its format has the version {version}; 6 to 12 are known"));
    }
    let (mut database, mut expires) = (0, None);
    loop {
        match dump.byte()? {
            0xFF => return dump.end(),
            0xFE => database = dump.length()?,
            0xFD => expires = Some(i64::from(u32::from_le_bytes(dump.array()?)) * 1000),
            0xFC => expires = Some(i64::from_le_bytes(dump.array()?)),
            0xFB => {
                dump.length()?;
                dump.length()?;
            }
            0xFA => {
                let (name, value) = (dump.string()?, dump.string()?);
                each(Item::About(name, value))?;
            }
            0xF9 => {
                dump.byte()?;
            }
            0xF8 => {
                dump.length()?;
            }
            0xF5 => {
                let code = dump.string()?;
                each(Item::Functions(code))?;
            }
            kind => {
                let key = dump.string()?;
                dump.raw = Some(vec![kind]);
                let (name, items) = dump.value(kind)?;
                let mut payload = dump.raw.take().unwrap_or_default();
                payload.extend(version.to_le_bytes());
                let mut crc = Crc::default();
                crc.update(&payload);
                payload.extend(crc.value().to_le_bytes());
                let digest = digest(name, &items);
                each(Item::Entry(Entry { database, key, kind: name, expires: expires.take(), digest, payload }))?;
            }
        }
    }
}

struct Dump<R> {
    input: R,
    crc: Crc,
    /// The value that is being read, as it stands there.
    raw: Option<Vec<u8>>,
}

/// What a value is made of: pieces that belong together, and whether their order counts.
pub struct Items {
    ordered: bool,
    pieces: Vec<Vec<Vec<u8>>>,
}

impl<R: Read> Dump<R> {
    fn take(&mut self, length: u64) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        // Nothing is reserved for a length that damage may have written.
        let read = self.input.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if read as u64 != length {
            return Err("it ends in the middle".into());
        }
        self.crc.update(&bytes);
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(&bytes);
        }
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| "it ends in the middle".into())
    }

    fn byte(&mut self) -> Result<u8, Problem> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn end(&mut self) -> Result<(), Problem> {
        let wanted = self.crc.value();
        let found = u64::from_le_bytes(self.array()?);
        if found != 0 && found != wanted {
            return Err("its checksum is wrong".into());
        }
        // A server that streams marks the end with 40 letters more.
        let mut rest = Vec::new();
        self.input.by_ref().take(41).read_to_end(&mut rest).map_err(|error| error.to_string())?;
        if rest.len() > 40 { Err("something follows behind its end".into()) } else { Ok(()) }
    }

    /// A length, or the number of a way to write a string.
    fn header(&mut self) -> Result<Result<u64, u8>, Problem> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Ok(u64::from(first & 63)),
            1 => Ok(u64::from(first & 63) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Ok(u64::from_be_bytes(self.array()?)),
            2 => return Err("a length is damaged".into()),
            _ => Err(first & 63),
        })
    }

    fn length(&mut self) -> Result<u64, Problem> {
        self.header()?.map_err(|_| "a length is damaged".into())
    }

    fn string(&mut self) -> Result<Vec<u8>, Problem> {
        let number = |number: i64| Ok(number.to_string().into_bytes());
        match self.header()? {
            Ok(length) => self.take(length),
            Err(0) => number(i64::from(i8::from_le_bytes(self.array()?))),
            Err(1) => number(i64::from(i16::from_le_bytes(self.array()?))),
            Err(2) => number(i64::from(i32::from_le_bytes(self.array()?))),
            Err(3) => {
                let (packed, length) = (self.length()?, self.length()?);
                lzf(&self.take(packed)?, length)
            }
            Err(_) => Err("a string is damaged".into()),
        }
    }

    fn strings(&mut self, each: u64) -> Result<Vec<Vec<Vec<u8>>>, Problem> {
        let count = self.length()?;
        (0..count).map(|_| (0..each).map(|_| self.string()).collect()).collect()
    }

    fn value(&mut self, kind: u8) -> Result<(&'static str, Items), Problem> {
        let items = |ordered, pieces| Items { ordered, pieces };
        let single = |all: Vec<Vec<u8>>| all.into_iter().map(|one| vec![one]).collect();
        Ok(match kind {
            0 => ("string", items(true, vec![vec![self.string()?]])),
            1 => ("list", items(true, self.strings(1)?)),
            2 => ("set", items(false, self.strings(1)?)),
            4 => ("hash", items(false, self.strings(2)?)),
            5 => {
                let count = self.length()?;
                let scored = (0..count).map(|_| Ok(vec![self.string()?, score(f64::from_le_bytes(self.array()?))]));
                ("zset", items(false, scored.collect::<Result<_, Problem>>()?))
            }
            10 => ("list", items(true, single(ziplist(&self.string()?)?))),
            11 => ("set", items(false, single(intset(&self.string()?)?))),
            12 => ("zset", items(false, scored(&ziplist(&self.string()?)?)?)),
            13 => ("hash", items(false, pairs(&ziplist(&self.string()?)?)?)),
            14 | 18 => {
                let mut all = Vec::new();
                for _ in 0..self.length()? {
                    let is_plain = kind == 18 && self.length()? == 1;
                    let node = self.string()?;
                    match kind {
                        _ if is_plain => all.push(node),
                        14 => all.extend(ziplist(&node)?),
                        _ => all.extend(listpack(&node)?),
                    }
                }
                ("list", items(true, single(all)))
            }
            15 | 19 | 21 => ("stream", items(true, vec![self.stream(kind)?])),
            16 => ("hash", items(false, pairs(&listpack(&self.string()?)?)?)),
            17 => ("zset", items(false, scored(&listpack(&self.string()?)?)?)),
            20 => ("set", items(false, single(listpack(&self.string()?)?))),
            6 | 7 => return Err("a key belongs to a module, which only that module can read".into()),
            _ => return Err(format!("there is something unknown in it ({kind})")),
        })
    }

    /// A stream as it stands there: its messages lie in the same pieces after a restore.
    fn stream(&mut self, kind: u8) -> Result<Vec<Vec<u8>>, Problem> {
        let mut all = Vec::new();
        for _ in 0..self.length()? {
            all.extend([self.string()?, self.string()?]);
        }
        for _ in 0..if kind == 15 { 3 } else { 8 } {
            all.push(self.length()?.to_le_bytes().to_vec());
        }
        let groups = self.length()?;
        for _ in 0..groups {
            all.push(self.string()?);
            for _ in 0..if kind == 15 { 2 } else { 3 } {
                all.push(self.length()?.to_le_bytes().to_vec());
            }
            for _ in 0..self.length()? {
                all.push(self.take(24)?);
                all.push(self.length()?.to_le_bytes().to_vec());
            }
            for _ in 0..self.length()? {
                all.push(self.string()?);
                // When somebody was seen is no content.
                self.take(if kind == 21 { 16 } else { 8 })?;
                for _ in 0..self.length()? {
                    all.push(self.take(16)?);
                }
            }
        }
        Ok(all)
    }
}

fn score(score: f64) -> Vec<u8> {
    // Not a number is no score, and the two zeros are one.
    (score + 0.0).to_bits().to_le_bytes().to_vec()
}

fn pairs(all: &[Vec<u8>]) -> Result<Vec<Vec<Vec<u8>>>, Problem> {
    if all.len() % 2 == 1 { Err("a field has no value".into()) } else { Ok(all.chunks(2).map(<[_]>::to_vec).collect()) }
}

fn scored(all: &[Vec<u8>]) -> Result<Vec<Vec<Vec<u8>>>, Problem> {
    let mut all = pairs(all)?;
    for pair in &mut all {
        let number = std::str::from_utf8(&pair[1]).ok().and_then(|text| text.parse().ok());
        pair[1] = score(number.ok_or("a score is no number")?);
    }
    Ok(all)
}

fn digest(kind: &str, items: &Items) -> [u8; 32] {
    let hash = |pieces: &[Vec<u8>]| -> [u8; 32] {
        let mut hasher = Sha256::new();
        for piece in pieces {
            hasher.update((piece.len() as u64).to_le_bytes());
            hasher.update(piece);
        }
        hasher.finalize().into()
    };
    let mut all: Vec<[u8; 32]> = items.pieces.iter().map(|pieces| hash(pieces)).collect();
    if !items.ordered {
        all.sort_unstable();
    }
    let mut hasher = Sha256::new();
    hasher.update(kind);
    for one in &all {
        hasher.update(one);
    }
    hasher.finalize().into()
}
