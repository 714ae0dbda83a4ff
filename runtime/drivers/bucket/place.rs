use std::time::Duration;

use jiff::Timestamp;

use super::Keys;
use super::sign::{LONGEST, encoded, presigned};
use crate::drivers::http::Address;
use crate::failure::{Failure, FailureKind};

/// How the bucket's name is said to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `https://host/bucket/key`, which every server understands.
    #[default]
    Path,
    /// `https://bucket.host/key`, which some insist on.
    VirtualHost,
}

/// Where a bucket is, or what lies under a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `https://fra1.digitaloceanspaces.com`
    origin: String,
    host: String,
    bucket: String,
    prefix: String,
    /// What is signed as the region.
    pub region: String,
    /// How the bucket's name is said.
    pub style: Style,
}

impl Place {
    /// Reads `https://HOST/BUCKET` or `https://HOST/BUCKET/PREFIX`.
    pub fn parse(url: &str, region: &str, style: Style) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::new(FailureKind::Invalid, format!("`{url}` names no bucket: {why}"))
                .hint("write the server, the bucket and a folder in it: `https://fra1.example.com/backups/shop`")
        };
        let address = Address::parse(url).map_err(|failure| wrong(&failure.message))?;
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it is no URL"))?;
        if rest.contains(['?', '#', '%']) {
            return Err(wrong("it has characters that have a meaning in URLs"));
        }
        let (server, path) = rest.split_once('/').ok_or_else(|| wrong("there is no path"))?;
        let (bucket, prefix) = path.trim_end_matches('/').split_once('/').unwrap_or((path.trim_end_matches('/'), ""));
        let is_plain =
            bucket.len() >= 3 && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_plain {
            return Err(wrong("a bucket has three letters, digits, dots and dashes, or more"));
        }
        if !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(wrong("a part of its path is empty or made of dots"));
        }
        if style == Style::VirtualHost && address.ip().is_some() {
            return Err(wrong("a bucket cannot stand before an address made of numbers"));
        }
        Ok(Self {
            origin: format!("{}://{server}", scheme.to_ascii_lowercase()),
            host: server.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: region.to_owned(),
            style,
        })
    }

    /// The place for people: its URL.
    pub fn shown(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}/{}{slash}{}", self.origin, self.bucket, self.prefix)
    }

    /// An address by which anybody may read an object for that long from now, without a key. Nothing is asked: whether there is one, and
    /// whether the key may read it, turns out when it is used.
    pub fn link(&self, name: &str, keys: &Keys, valid: Duration) -> Result<String, Failure> {
        let seconds = valid.as_secs();
        if !(1..=LONGEST).contains(&seconds) {
            let message = format!("a link is valid from a second to {} days", LONGEST / (24 * 60 * 60));
            return Err(Failure::new(FailureKind::Option, message));
        }
        let (key, host) = (self.key(name), self.host());
        let query = presigned(&host, &self.path(&key), keys, &self.region, Timestamp::now(), seconds);
        Ok(self.url(&key, &query)?.to_string())
    }

    /// A name in the bucket.
    pub fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// The host of requests, as it stands in their `host` header.
    pub(super) fn host(&self) -> String {
        let host = match self.style {
            Style::Path => self.host.clone(),
            Style::VirtualHost => format!("{}.{}", self.bucket, self.host),
        };
        let usual = if self.origin.starts_with("https") { ":443" } else { ":80" };
        host.strip_suffix(usual).map_or(host.clone(), str::to_owned).to_ascii_lowercase()
    }

    /// The path of requests, encoded.
    pub(super) fn path(&self, key: &str) -> String {
        match self.style {
            Style::Path if key.is_empty() => format!("/{}", self.bucket),
            Style::Path => format!("/{}/{}", self.bucket, encoded(key, true)),
            Style::VirtualHost => format!("/{}", encoded(key, true)),
        }
    }

    /// A whole URL.
    pub(super) fn url(&self, key: &str, query: &str) -> Result<Address, Failure> {
        let scheme = self.origin.split_once("://").map_or("https", |(scheme, _)| scheme);
        let mark = if query.is_empty() { "" } else { "?" };
        Address::parse(&format!("{scheme}://{}{}{mark}{query}", self.host(), self.path(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_in_either_style() {
        let url = "https://fra1.example.com/shop-backups/a b";
        let place = Place::parse(url, "fra1", Style::Path).unwrap();
        assert_eq!(place.shown(), url);
        let asked = place.url(&place.key("keys/1"), "").unwrap().to_string();
        assert_eq!(asked, "https://fra1.example.com/shop-backups/a%20b/keys/1");
        let place = Place::parse("http://example.com:9000/shop-backups", "x", Style::VirtualHost).unwrap();
        assert_eq!(place.host(), "shop-backups.example.com:9000");
        let asked = place.url(&place.key("config"), "list-type=2").unwrap().to_string();
        assert_eq!(asked, "http://shop-backups.example.com:9000/config?list-type=2");
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        for (url, why) in [
            ("fra1.example.com/b", "does not begin with"),
            ("https://fra1.example.com", "there is no path"),
            ("https://fra1.example.com/", "three letters"),
            ("https://fra1.example.com/bucket/../x", "made of dots"),
            ("https://fra1.example.com/bucket?x=1", "a meaning in URLs"),
            ("https://key:word@fra1.example.com/bucket", "holds credentials"),
        ] {
            let failure = Place::parse(url, "r", Style::Path).unwrap_err();
            assert!(failure.message.contains(why), "{url}: {failure}");
        }
        let failure = Place::parse("http://127.0.0.1:9000/bucket", "r", Style::VirtualHost).unwrap_err();
        assert!(failure.message.contains("made of numbers"), "{failure}");
    }
}
