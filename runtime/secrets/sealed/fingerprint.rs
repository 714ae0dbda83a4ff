use ring::hmac;

use super::signature::random;
use crate::failure::Failure;
use crate::secrets::SecretText;
use crate::secrets::generated::hex;

/// Tells values apart without showing them: hashes under a key that is forgotten with it, so that they mean nothing elsewhere.
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// With a key of its own.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random(32)?)))
    }

    /// Eight hexadecimal digits: the same for the same value.
    pub fn of(&self, text: &SecretText) -> String {
        let hash = hmac::sign(&self.0, text.expose().as_bytes());
        hex(&hash.as_ref()[..4])
    }
}
