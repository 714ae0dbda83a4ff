//! Signatures of webhooks, as standardwebhooks.com has them: whoever knows the key can tell who sent a body, and when.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `v1,` and the base64 of the HMAC with SHA-256 over number, time and body. A key that begins with `whsec_` is base64 behind
/// that.
pub fn signature(key: &str, id: &str, at: i64, body: &[u8]) -> String {
    let bytes = key.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.unwrap_or_else(|| key.as_bytes().to_vec());
    format!("v1,{}", STANDARD.encode(mac(&bytes, &[format!("{id}.{at}.").as_bytes(), body])))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_signature_that_the_specification_gives_as_its_example() {
        let body = br#"{"test": 2432232314}"#;
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
