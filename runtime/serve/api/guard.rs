//! Who is let in at all: by the name under which the service is asked, the page that asks, and how often.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hyper::header::{HOST, HeaderMap, ORIGIN};

use crate::project::ApiSection;

/// So many different askers are counted; beyond, the count begins anew.
const MOST: usize = 10_000;

/// Is the service asked under one of its names, and by no page of somebody else? A page in a browser of this machine could
/// otherwise ask in its user's stead.
pub(super) fn is_meant(section: &ApiSection, headers: &HeaderMap, is_socket: bool) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let names = |host: &str| {
        let bare = match host.rsplit_once(':') {
            Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
            _ => host,
        };
        ["127.0.0.1", "localhost", "[::1]"].contains(&bare)
            || section.hosts.iter().any(|known| known == bare || known == host)
    };
    let has_host = headers.get_all(HOST).iter().count() == 1 && text(HOST).is_some_and(names);
    let is_own_page = headers.get(ORIGIN).is_none()
        || text(ORIGIN).is_some_and(|origin| section.origins.iter().any(|one| one == origin));
    (is_socket || has_host) && is_own_page
}

/// How often somebody has asked: a bucket that is filled at an even rate.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, (f64, Instant)>>);

impl Rates {
    /// May that one ask once more, with so many requests a minute?
    pub(super) fn allow(&self, who: &str, a_minute: u32) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(who) {
            buckets.clear();
        }
        let full = f64::from(a_minute.max(1));
        let (left, seen) = buckets.entry(who.to_owned()).or_insert((full, Instant::now()));
        *left = (*left + seen.elapsed().as_secs_f64() * full / 60.0).min(full);
        *seen = Instant::now();
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_its_own_are_meant() {
        let section = ApiSection {
            hosts: vec!["runbook.example.com".into()],
            origins: vec!["https://ops.example.com".into()],
            ..ApiSection::default()
        };
        let asked = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_meant(&section, &headers, false)
        };
        for host in ["127.0.0.1:7423", "localhost", "[::1]:7423", "runbook.example.com"] {
            assert!(asked(host, None), "{host}");
        }
        for host in ["evil.example.com", "127.0.0.1.evil.example.com", "localhost.evil.example.com:7423", ""] {
            assert!(!asked(host, None), "{host}");
        }
        assert!(asked("localhost", Some("https://ops.example.com")));
        assert!(!asked("localhost", Some("https://evil.example.com")));
        assert!(!asked("localhost", Some("null")));
    }

    #[test]
    fn a_bucket_is_empty_after_so_many() {
        let rates = Rates::default();
        assert_eq!((0..100).filter(|_| rates.allow("ann", 60)).count(), 60);
        assert!(rates.allow("bob", 60));
    }
}
