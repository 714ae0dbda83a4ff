use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use crate::drivers::http::{Address, Request, Trust};
use crate::primitive::{ByteSize, Call, Failure, FailureKind, Need, OptionType, Span, text_of, unknown_in_text};

crate::options! {
    /// Options of `http_check`.
    pub struct Options {
        /// `"GET"`, `"HEAD"`, `"POST"`, …; left out, it is GET, or POST when there is a body.
        method: Option<String>,
        /// Headers to send.
        headers: BTreeMap<String, String>,
        /// The body to send: a string as it is, anything else as JSON.
        body: Option<Value>,
        /// User name and password for HTTP basic authentication: `#{ username: "u", password: "p" }`.
        basic_auth: Option<BasicAuth>,
        /// The expected status: a number, a range like `"200-299"`, or a list of them.
        status: Statuses = Statuses::success(),
        /// What the JSON body must contain; other keys are ignored. A key like `"checks.db.state"` is a path.
        json: Option<Value>,
        /// A text the body must contain, or a list of texts.
        text: Texts,
        /// A regular expression that must match somewhere in the body.
        matches: Option<String>,
        /// How to check the certificate: `#{ verify: true, min_days: 14, ca: "file.pem" }`.
        tls: Tls,
        /// How many redirects to follow; `"none"` makes a redirect an answer like any other.
        redirects: Redirects = Redirects(10),
        /// How long one attempt may take, from the name lookup to the last byte of the body.
        timeout: Span = Span::seconds(10),
        /// Keep trying this long; left out, there is one attempt.
        within: Option<Span>,
        /// How long to pause between two attempts.
        every: Span = Span::seconds(1),
        /// How much of the body to read.
        max_body: ByteSize = ByteSize(1 << 20),
        /// Where to connect instead: `#{ "app.example.com:443": "127.0.0.1:8443" }`.
        resolve: BTreeMap<String, String>,
        /// `false` returns `#{ ok: false, problem: … }` where the call would fail.
        check: bool = true,
    }
}

impl Options {
    /// Refuses values that no attempt could use.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let zero = [("timeout", Some(self.timeout)), ("within", self.within), ("every", Some(self.every))];
        for (name, span) in zero {
            if span.is_some_and(|span| span.0.is_zero()) {
                return Err(Failure::new(FailureKind::Option, format!("option `{name}` must be longer than nothing")));
            }
        }
        Ok(())
    }

    /// The request to one address; every part is checked before anything is sent.
    pub(super) fn request(&self, address: Address, trust: Trust) -> Result<Request, Failure> {
        let mut request = Request::get(address);
        request.trust = trust;
        request.timeout = self.timeout.0;
        request.redirects = self.redirects.0;
        request.max_body = self.max_body.0;
        for (name, value) in &self.headers {
            request.add_header(name, value)?;
        }
        if let Some(auth) = &self.basic_auth {
            request.set_basic_auth(&auth.username, &auth.password);
        }
        match &self.body {
            Some(Value::String(text)) => request.set_body(text.clone().into_bytes(), None),
            Some(value) => request.set_body(value.to_string().into_bytes(), Some("application/json")),
            None => {}
        }
        match &self.method {
            Some(method) => request.set_method(method)?,
            None if self.body.is_some() => request.set_method("POST")?,
            None => {}
        }
        for (place, target) in &self.resolve {
            request.add_resolve(place, target)?;
        }
        Ok(request)
    }
}

/// What asking needs: the addresses, those that are to be asked in their place, and the file of authorities.
pub(super) fn needs(call: &Call) -> Vec<Need> {
    let authorities = call.options.pointer("/tls/ca").filter(|file| !file.is_null());
    let read = authorities.map(|file| Need::read(text_of(Some(file))));
    asked(call).into_iter().map(Need::http).chain(read).collect()
}

/// The hosts that the call itself names.
pub(super) fn hosts(call: &Call) -> Vec<String> {
    let addresses = asked(call).into_iter().filter_map(|url| Address::parse(&url).ok());
    addresses.map(|address| address.host().to_owned()).collect()
}

/// URLs in the form of their standard, where they are any, and where `resolve` sends them.
fn asked(call: &Call) -> Vec<String> {
    let urls: Vec<String> = match call.args.first() {
        Some(Value::Array(urls)) => urls.iter().map(|url| text_of(Some(url))).collect(),
        url => vec![text_of(url)],
    };
    let scheme = urls.first().and_then(|url| url.split_once("://")).map_or("http", |(scheme, _)| scheme);
    let instead = call.options.get("resolve").and_then(Value::as_object).into_iter().flat_map(|places| places.values());
    let instead: Vec<String> = instead.map(|place| format!("{scheme}://{}", text_of(Some(place)))).collect();
    let settled = |url: String| match unknown_in_text(&url) {
        None => Address::parse(&url).map_or(url, |address| address.to_string()),
        Some(_) => url,
    };
    urls.into_iter().chain(instead).map(settled).collect()
}

macro_rules! label {
    ($($ty:ty => $label:literal),*) => { $(impl OptionType for $ty { fn label() -> String { $label.into() } })* };
}
label! {
    BasicAuth => "map", Tls => "map", Statuses => "integer, range or list of them", Texts => "string or list of strings",
    Redirects => "integer or \"none\""
}

/// Credentials of HTTP basic authentication.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user name.
    pub username: String,
    /// The password; masked in everything that is shown.
    pub password: String,
}

/// What is asked of the server's certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Check signature, name and dates?
    pub verify: bool,
    /// The days it must still be valid.
    pub min_days: Option<i64>,
    /// A PEM file of the authorities (or certificates) to trust instead of the machine's.
    pub ca: Option<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { verify: true, min_days: None, ca: None }
    }
}

/// A status or a range of them, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub Vec<(u16, u16)>);

impl Statuses {
    const EXPECTED: &str = "must be a status like 200, a range like \"200-299\", or a list of them";

    /// Any success: 200 to 299.
    pub fn success() -> Self {
        Self(vec![(200, 299)])
    }

    pub(super) fn include(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }

    fn range(value: &Value) -> Option<(u16, u16)> {
        let number = |text: &str| text.trim().parse().ok().filter(|status| (100..600).contains(status));
        let (first, last) = match value {
            Value::String(text) => match text.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(text)?, number(text)?),
            },
            other => (number(&other.to_string())?, number(&other.to_string())?),
        };
        (first <= last).then_some((first, last))
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |(first, last): &(u16, u16)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&self.0.iter().map(one).collect::<Vec<_>>().join(" or "))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let one = |value: &Value| {
            Self::range(value).ok_or_else(|| D::Error::custom(format!("{}, got {value}", Self::EXPECTED)))
        };
        match &value {
            Value::Array(items) if !items.is_empty() => Ok(Self(items.iter().map(one).collect::<Result<_, _>>()?)),
            other => Ok(Self(vec![one(other)?])),
        }
    }
}

/// A text or several.
#[derive(Clone, Debug, Default)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Several(Vec<String>),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::One(text)) => Ok(Self(vec![text])),
            Ok(Either::Several(texts)) => Ok(Self(texts)),
            Err(_) => Err(D::Error::custom("must be a string or a list of strings")),
        }
    }
}

/// How many redirects to follow.
#[derive(Clone, Copy, Debug)]
pub struct Redirects(pub usize);

impl<'de> Deserialize<'de> for Redirects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let most = match value.as_str() {
            Some("none") => Some(0),
            _ => value.as_u64().and_then(|most| usize::try_from(most).ok()),
        };
        most.map(Self).ok_or_else(|| D::Error::custom(format!("must be a number or \"none\", got {value}")))
    }
}
