use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};

use super::{Address, Trust};
use crate::failure::{Failure, FailureKind};

/// What to send and how far to go. Everything is checked while it is put together, before anything is sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) address: Address,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) basic: Option<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
    /// Which certificates are believed.
    pub trust: Trust,
    /// How many redirects to follow; 0 makes a redirect an answer like any other.
    pub redirects: usize,
    /// How many bytes of the body to read.
    pub max_body: u64,
    /// From the name lookup to the last byte of the body.
    pub timeout: Duration,
    resolve: BTreeMap<String, SocketAddr>,
}

impl Request {
    /// A GET of this address with the defaults: 10 s, 1 MiB, 10 redirects, the machine's certificate authorities.
    pub fn get(address: Address) -> Self {
        Self {
            address,
            method: Method::GET,
            headers: HeaderMap::new(),
            basic: None,
            body: None,
            trust: Trust::default(),
            redirects: 10,
            max_body: 1 << 20,
            timeout: Duration::from_secs(10),
            resolve: BTreeMap::new(),
        }
    }

    /// The address asked first.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Another method than GET.
    pub fn set_method(&mut self, name: &str) -> Result<(), Failure> {
        let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let method = token.then(|| Method::from_bytes(name.as_bytes()).ok()).flatten();
        self.method = method.ok_or_else(|| {
            Failure::new(FailureKind::Option, format!("`{name}` is not an HTTP method"))
                .hint("methods are written in capitals: \"GET\", \"HEAD\", \"POST\"")
        })?;
        Ok(())
    }

    /// Adds a header. The value stays out of the message: it may be a token.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let wrong = |what: &str| Failure::new(FailureKind::Option, format!("header `{name}` {what}"));
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("has characters that a header's name cannot have"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| wrong("has a line break or another character that a header cannot carry"))?;
        value.set_sensitive(matches!(key, AUTHORIZATION | COOKIE));
        self.headers.append(key, value);
        Ok(())
    }

    /// Sends a user name and a password with the request, to the first host only.
    pub fn set_basic_auth(&mut self, username: &str, password: &str) {
        self.basic = Some((username.to_owned(), password.to_owned()));
    }

    /// The body, with its type unless a header already names one.
    pub fn set_body(&mut self, body: Vec<u8>, content_type: Option<&'static str>) {
        if let Some(kind) = content_type.filter(|_| !self.headers.contains_key(CONTENT_TYPE)) {
            self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        self.body = Some(body);
    }

    /// Connects to `target` (`127.0.0.1:8443`) wherever the URL's place is `place` (`app.test:443`).
    ///
    /// Name and port in the URL still rule the `Host` header and the certificate check.
    pub fn add_resolve(&mut self, place: &str, target: &str) -> Result<(), Failure> {
        let wrong = |what: String| Failure::new(FailureKind::Option, format!("`resolve` {what}"));
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong(format!("names `{place}`, which is not of the form `app.example.com:443`")));
        }
        if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
            return Err(wrong(format!("names the address `{host}`: only names can be sent elsewhere")));
        }
        let address = target.parse().ok().or_else(|| local(target));
        let address =
            address.ok_or_else(|| wrong(format!("sends to `{target}`, which is not of the form `127.0.0.1:8443`")))?;
        self.resolve.insert(format!("{}:{port}", host.to_ascii_lowercase()), address);
        Ok(())
    }

    /// Where `resolve` sends this address.
    pub(super) fn resolved(&self, address: &Address) -> Option<SocketAddr> {
        self.resolve.get(&address.authority()).copied()
    }
}

/// `localhost:8000` as an address; other names would need a lookup that nobody watches.
fn local(target: &str) -> Option<SocketAddr> {
    target.strip_prefix("localhost:")?;
    target.to_socket_addrs().ok()?.find(SocketAddr::is_ipv4)
}

/// One request of a chain of redirects.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) address: Address,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) basic: Option<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Leg {
    pub(super) fn first(request: &Request) -> Self {
        Self {
            address: request.address.clone(),
            method: request.method.clone(),
            headers: request.headers.clone(),
            basic: request.basic.clone(),
            body: request.body.clone(),
        }
    }

    /// The request for the client library. A resolved connection goes to the target's port under the original name,
    /// and the `Host` header keeps saying what was asked for.
    pub(super) fn to_wire(&self, resolved: Option<SocketAddr>) -> reqwest::Request {
        let mut url = self.address.url().clone();
        let mut headers = self.headers.clone();
        if let Some(target) = resolved {
            let host = self.address.host();
            let asked = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            if let Ok(value) = HeaderValue::from_str(&asked) {
                headers.entry(HOST).or_insert(value);
            }
            let _ = url.set_port(Some(target.port()));
        }
        let mut wire = reqwest::Request::new(self.method.clone(), url);
        if let Some((username, password)) = &self.basic {
            headers.entry(AUTHORIZATION).or_insert(basic(username, password));
        }
        *wire.headers_mut() = headers;
        *wire.body_mut() = self.body.clone().map(Into::into);
        wire
    }
}

/// `Basic` and the Base64 of `username:password` (RFC 7617).
fn basic(username: &str, password: &str) -> HeaderValue {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for group in format!("{username}:{password}").as_bytes().chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { letter as char } else { '=' });
        }
    }
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_encoded_as_the_rfc_does() {
        let plain = |username, password| basic(username, password).to_str().unwrap().to_owned();
        assert_eq!(plain("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(plain("a", "b"), "Basic YTpi");
        assert_eq!(plain("a", ""), "Basic YTo=");
    }

    #[test]
    fn wrong_parts_are_refused_before_anything_is_sent() {
        let mut request = Request::get(Address::parse("http://app.test/").unwrap());
        assert!(request.set_method("get").is_err());
        assert!(request.add_header("x y", "1").is_err());
        let failure = request.add_header("x-token", "hunter2\n").unwrap_err();
        assert!(!failure.message.contains("hunter2"), "{failure}");
        for (place, target) in [("app.test", "127.0.0.1:1"), ("127.0.0.1:80", "127.0.0.1:1"), ("a:80", "b:80")] {
            assert!(request.add_resolve(place, target).is_err(), "{place} {target}");
        }
    }
}
