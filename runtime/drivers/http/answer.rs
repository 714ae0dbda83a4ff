use std::time::Duration;

use reqwest::Response;
use reqwest::header::HeaderMap;

use super::Certificate;

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its status: 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The URL that redirected.
    pub from: String,
    /// Where to.
    pub to: String,
}

/// A complete answer, of whatever status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The URL that answered, after redirects.
    pub url: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// 100 to 599.
    pub status: u16,
    /// The status in the words of the specification, empty for a number it does not know.
    pub reason: &'static str,
    /// Names in lower case, in the order received; a name may occur several times.
    pub headers: Vec<(String, String)>,
    /// The body, up to the request's cap.
    pub body: Vec<u8>,
    /// Was the body longer than the cap? The rest was not read.
    pub truncated: bool,
    /// The redirects on the way.
    pub hops: Vec<Hop>,
    /// The certificate of the server that answered, for TLS.
    pub certificate: Option<Certificate>,
    /// From the first byte of work to the last byte of the body.
    pub took: Duration,
}

impl Answer {
    pub(super) fn head(response: &Response, url: String, hops: Vec<Hop>, certificate: Option<Certificate>) -> Self {
        Self {
            url,
            version: format!("{:?}", response.version()),
            status: response.status().as_u16(),
            reason: response.status().canonical_reason().unwrap_or_default(),
            headers: headers(response.headers()),
            body: Vec::new(),
            truncated: false,
            hops,
            certificate,
            took: Duration::ZERO,
        }
    }

    /// The body as text; bytes that are not UTF-8 become `�`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, if it is complete and is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        if self.truncated { None } else { serde_json::from_slice(&self.body).ok() }
    }

    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `503 Service Unavailable`.
    pub fn status_line(&self) -> String {
        format!("{} {}", self.status, self.reason).trim_end().to_owned()
    }
}

/// One line per redirect.
pub(super) fn chain(hops: &[Hop]) -> String {
    let lines: Vec<String> = hops.iter().map(|hop| format!("{} {} -> {}", hop.status, hop.from, hop.to)).collect();
    lines.join("\n")
}

fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
