use std::net::IpAddr;

use reqwest::Url;

use crate::failure::{Failure, FailureKind};

/// An `http` or `https` URL that can be asked: it has a host, and no credentials that a log would show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Checks a URL as a script wrote it.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::new(FailureKind::Argument, format!("`{text}` is not a usable URL: {why}"));
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(_) if !text.contains("://") => return Err(without_scheme(text, &wrong)),
            Err(error) => return Err(wrong(&error.to_string())),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(if text.contains("://") {
                wrong("only http and https can be asked")
            } else {
                without_scheme(text, &wrong)
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            let shown = url.host_str().unwrap_or_default();
            return Err(Failure::new(FailureKind::Argument, format!("the URL of `{shown}` holds credentials"))
                .hint("give them as `basic_auth: #{ username: …, password: … }`: a URL is shown and logged"));
        }
        if let Some(host) = disguised(text, &url) {
            let failure = wrong("its host is an address in a form that hides which one");
            return Err(failure.hint(format!("write `{host}` if that is meant")));
        }
        Ok(Self(url))
    }

    /// Where a `Location` header leads from here.
    pub(super) fn join(&self, location: &str) -> Result<Self, Failure> {
        let url = self.0.join(location).map_err(|_| {
            let message = format!("`{self}` redirects to `{location}`, which is not a URL");
            Failure::new(FailureKind::Check, message)
        })?;
        Self::parse(url.as_str()).map_err(|failure| {
            let message = format!("`{self}` redirects to a place that cannot be asked: {}", failure.message);
            Failure::new(FailureKind::Check, message)
        })
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, the scheme's own when the URL names none.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    /// The host, when it is an address and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host().trim_matches(['[', ']']).parse().ok()
    }

    /// Does it use TLS?
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Is the host this machine, by address or as `localhost`?
    pub fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.ip().is_some_and(|address| address.is_loopback())
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

/// The usual form of an address that is written in another one: `0x7f.1`, `2130706433`, `0177.0.0.1`.
fn disguised(text: &str, url: &Url) -> Option<String> {
    let usual = url.host_str()?;
    usual.trim_matches(['[', ']']).parse::<IpAddr>().ok()?;
    let written = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_same = written.is_some_and(|written| {
        let host = written.get(..usual.len()).filter(|host| host.eq_ignore_ascii_case(usual));
        host.is_some() && matches!(written.as_bytes().get(usual.len()), None | Some(b':'))
    });
    (!is_same).then(|| usual.to_owned())
}

fn without_scheme(text: &str, wrong: &dyn Fn(&str) -> Failure) -> Failure {
    wrong("it does not begin with `http://` or `https://`").hint(format!("write `http://{text}` or `https://{text}`"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_scheme_is_shown_with_one() {
        for text in ["127.0.0.1:8000/health", "localhost:8000", "app.test"] {
            let failure = Address::parse(text).unwrap_err();
            assert_eq!(failure.hints, [format!("write `http://{text}` or `https://{text}`")], "{failure}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let failure = Address::parse("https://bob:hunter2@app.test/").unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    }

    #[test]
    fn other_schemes_are_refused() {
        assert!(Address::parse("ftp://app.test/").unwrap_err().message.contains("only http and https"));
        assert!(Address::parse("http://").is_err());
    }

    #[test]
    fn the_port_defaults_to_that_of_the_scheme() {
        assert_eq!(Address::parse("https://app.test/x").unwrap().authority(), "app.test:443");
        assert_eq!(Address::parse("http://[::1]:8000").unwrap().authority(), "[::1]:8000");
    }
}
