//! Signatures of requests, version 4 of them, as the S3 API reference describes ("Authenticating Requests: Using the
//! Authorization Header" and "Authenticating Requests: Using Query Parameters").

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Keys;
use crate::drivers::http::Header;

/// What is signed.
pub struct Message<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// Encoded, with the slash in front.
    pub path: &'a str,
    /// Names and values, not encoded yet.
    pub query: &'a [(&'a str, String)],
    /// The hash of the body in hexadecimal digits.
    pub payload: &'a str,
    /// Headers besides those that every request has; names in lower case.
    pub headers: &'a [Header],
}

/// How long a link may hold, in seconds.
pub const LONGEST: u64 = 7 * 24 * 60 * 60;

/// Everything that a signed request carries, `host` aside.
pub fn signed(message: &Message<'_>, keys: &Keys, region: &str, now: Timestamp) -> Vec<Header> {
    let moment = Moment::new(region, now);
    let mut headers = message.headers.to_vec();
    headers.push(("x-amz-content-sha256".into(), message.payload.to_owned()));
    headers.push(("x-amz-date".into(), moment.time.clone()));
    let mut all: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, value.trim())).collect();
    all.push(("host", message.host));
    all.sort_unstable();
    let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines = all.iter().fold(String::new(), |text, (name, value)| format!("{text}{name}:{value}\n"));
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        message.method,
        message.path,
        query(message.query),
        message.payload
    );
    let signature = moment.sign(keys, &canonical);
    let scope = &moment.scope;
    let value =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}", keys.access);
    headers.push(("authorization".into(), value));
    headers
}

/// The query of an address that whoever has it may `GET`, for so many seconds from now.
pub fn presigned(host: &str, path: &str, keys: &Keys, region: &str, now: Timestamp, seconds: u64) -> String {
    let moment = Moment::new(region, now);
    let pairs = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{}", keys.access, moment.scope)),
        ("X-Amz-Date", moment.time.clone()),
        ("X-Amz-Expires", seconds.to_string()),
        ("X-Amz-SignedHeaders", "host".to_owned()),
    ];
    let query = query(&pairs);
    let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    format!("{query}&X-Amz-Signature={}", moment.sign(keys, &canonical))
}

/// When something is signed, and for where.
struct Moment {
    day: String,
    time: String,
    region: String,
    scope: String,
}

impl Moment {
    fn new(region: &str, now: Timestamp) -> Self {
        let (day, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
        let scope = format!("{day}/{region}/s3/aws4_request");
        Self { day, time, region: region.to_owned(), scope }
    }

    fn sign(&self, keys: &Keys, canonical: &str) -> String {
        let Self { day, time, region, scope } = self;
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", digest(canonical.as_bytes()));
        let steps = [day.as_str(), region, "s3", "aws4_request", to_sign.as_str()];
        let first = format!("AWS4{}", keys.secret).into_bytes();
        hex(&steps.iter().fold(first, |key, step| code(&key, step.as_bytes())))
    }
}

/// A query in the form that is signed, which is also one that can be sent.
pub fn query(pairs: &[(&str, String)]) -> String {
    let mut pairs: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (encoded(name, false), encoded(value, false))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent signs before everything but letters, digits and four others; slashes stay in paths.
pub fn encoded(text: &str, is_path: bool) -> String {
    text.bytes().fold(String::new(), |done, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            done + (byte as char).to_string().as_str()
        }
        b'/' if is_path => done + "/",
        _ => done + format!("%{byte:02X}").as_str(),
    })
}

/// The hash of these bytes in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn code(key: &[u8], text: &[u8]) -> Vec<u8> {
    // Keys of any length will do.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// The examples of the API reference, with its keys.
    fn signature(message: &Message<'_>) -> String {
        let keys =
            Keys { access: "AKIAIOSFODNN7EXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into() };
        let headers = signed(message, &keys, "us-east-1", "2013-05-24T00:00:00Z".parse().unwrap());
        let value = &headers.iter().find(|(name, _)| *name == "authorization").unwrap().1;
        value.rsplit_once('=').unwrap().1.to_owned()
    }

    #[test]
    fn the_examples_of_the_reference_are_signed_as_it_says() {
        let host = "examplebucket.s3.amazonaws.com";
        let get = Message {
            method: "GET",
            host,
            path: "/test.txt",
            query: &[],
            payload: NOTHING,
            headers: &[("range".into(), "bytes=0-9".into())],
        };
        assert_eq!(signature(&get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        let put = Message {
            method: "PUT",
            host,
            path: &encoded("/test$file.text", true),
            query: &[],
            payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            headers: &[
                ("date".into(), "Fri, 24 May 2013 00:00:00 GMT".into()),
                ("x-amz-storage-class".into(), "REDUCED_REDUNDANCY".into()),
            ],
        };
        assert_eq!(signature(&put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
        let list = Message {
            method: "GET",
            host,
            path: "/",
            query: &[("max-keys", "2".into()), ("prefix", "J".into())],
            payload: NOTHING,
            headers: &[],
        };
        assert_eq!(signature(&list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }

    #[test]
    fn the_link_of_the_reference_is_signed_as_it_says() {
        let keys =
            Keys { access: "AKIAIOSFODNN7EXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into() };
        let (host, now) = ("examplebucket.s3.amazonaws.com", "2013-05-24T00:00:00Z".parse().unwrap());
        let query = presigned(host, "/test.txt", &keys, "us-east-1", now, 86_400);
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(query.rsplit_once("X-Amz-Signature=").unwrap().1, signature);
    }

    #[test]
    fn what_is_signed_is_encoded_as_it_is_sent() {
        assert_eq!(encoded("a b/ü+~", true), "a%20b/%C3%BC%2B~");
        assert_eq!(query(&[("prefix", "a/b".into()), ("list-type", "2".into())]), "list-type=2&prefix=a%2Fb");
    }
}
