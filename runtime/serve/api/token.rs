use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::journal::{Journal, TokenRow};

/// What every token begins with, so that it is known for one wherever it turns up.
const BEGIN: &str = "runbook_";

/// A token as it is shown once, to whoever made it.
#[derive(Debug)]
pub struct Token {
    /// What is shown to the service.
    pub text: String,
    /// What is kept of it.
    pub hash: String,
}

/// Makes one of that name, with 32 bytes that nobody can guess.
pub fn mint(name: &str) -> Result<Token, Failure> {
    use std::io::Read;
    let mut bytes = [0u8; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::system("get random bytes", &error))?;
    let text = format!("{BEGIN}{name}_{}", URL_SAFE_NO_PAD.encode(bytes));
    Ok(Token { hash: sum(text.as_bytes()), text })
}

/// The token that this header shows, if it is one that counts.
pub(super) fn found(journal: &Journal, header: Option<&str>, now: i64) -> Result<Option<TokenRow>, Failure> {
    let shown = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
    // 32 bytes are 43 letters.
    let name = shown.strip_prefix(BEGIN).and_then(|rest| {
        let end = rest.len().checked_sub(44)?;
        rest.is_char_boundary(end).then(|| &rest[..end])
    });
    let Some(name) = name else { return Ok(None) };
    let token = journal.token(name)?;
    Ok(token.filter(|token| is_same(&token.hash, &sum(shown.as_bytes())) && now < token.expires))
}

/// The SHA-256 of these bytes in hexadecimal digits.
pub(super) fn sum(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(bytes) {
        digits.push_str(&format!("{byte:02x}"));
    }
    digits
}

/// Takes as long whatever they have in common.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
