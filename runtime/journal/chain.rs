//! The chain of a run: entries that each carry the hash of everything before them, so that none can be altered, removed
//! or moved without all later ones showing it.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::entry::Anchor;

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// What comes before the first entry of a chain.
pub(super) const BEGINNING: Hash = [0; 32];

/// Adds an entry behind the present end, whichever process wrote that: only inside a transaction that may write.
pub(super) fn append(connection: &Connection, run: i64, body: &str) -> rusqlite::Result<()> {
    let (last, previous) = connection
        .prepare_cached("SELECT number, hash FROM entry WHERE run = ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, BEGINNING));
    let number = last + 1;
    connection
        .prepare_cached("INSERT INTO entry (run, number, body, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run, number, body, hash(&previous, run, number, body)])?;
    Ok(())
}

/// Of an entry and, through `previous`, of all before it.
pub(super) fn hash(previous: &Hash, run: i64, number: i64, body: &str) -> Hash {
    Sha256::new()
        .chain_update(previous)
        .chain_update(run.to_be_bytes())
        .chain_update(number.to_be_bytes())
        .chain_update(body)
        .finalize()
        .into()
}

/// The end of the newest run's chain.
pub(super) fn newest_end(connection: &Connection) -> rusqlite::Result<Option<Anchor>> {
    connection
        .prepare_cached("SELECT run, number, hash FROM entry ORDER BY run DESC, number DESC LIMIT 1")?
        .query_row([], |row| Ok(Anchor { run: row.get(0)?, number: row.get(1)?, hash: hex(&row.get::<_, Hash>(2)?) }))
        .optional()
}

/// The hash of a script's text.
pub(super) fn text_hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// As hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}
