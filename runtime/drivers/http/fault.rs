use std::error::Error as _;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustls::CertificateError;

use super::sight::{Phase, Sight};
use super::{Address, Certificate, Trust};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// Why an exchange ended without an answer, in words.
pub(super) fn explain(error: &reqwest::Error, address: &Address, sight: &Sight) -> Failure {
    if let Some(reason) = sight.reason() {
        return Failure { message: format!("`{address}`: {}", reason.message), ..reason };
    }
    let place = address.authority();
    let failure = if let Some(tls) = source::<rustls::Error>(error) {
        tls_failure(tls, address)
    } else if let Some(io) = source::<io::Error>(error) {
        io_failure(io.kind(), io, address)
    } else {
        let reason = deepest(error);
        let failure = Failure::new(FailureKind::Unreachable, format!("`{address}`: {}", in_words(&reason)));
        failure.hint(format!("does `{place}` speak {}?", if address.is_tls() { "https" } else { "http" }))
    };
    through_proxy(failure, address)
}

/// The whole time passed; `connecting` if that is how far it came.
pub(super) fn timed_out(limit: Duration, address: &Address, sight: &Sight, connected: bool) -> Failure {
    let place = address.authority();
    let (doing, hint) = match (connected, sight.phase()) {
        (true, _) => (
            "waiting for the answer".to_owned(),
            format!("`{place}` accepts connections and says nothing: is the application stuck or overloaded?"),
        ),
        (false, Phase::LookingUp) => {
            (format!("looking up `{}`", address.host()), "do this machine's name servers answer?".to_owned())
        }
        (false, Phase::Connecting) => (
            format!("connecting to `{place}`"),
            format!("is the host of `{place}` up, and does a firewall let this machine through?"),
        ),
    };
    let message = format!("`{address}`: timed out after {} while {doing}", Span(limit));
    through_proxy(Failure::new(FailureKind::Timeout, message).hint(hint), address)
}

/// Why a certificate is not believed.
pub(super) fn distrust(error: &rustls::Error, host: &str, certificate: Option<&Certificate>, trust: &Trust) -> Failure {
    let new = |message: String| Failure::new(FailureKind::Check, message);
    let now = Timestamp::now();
    let rustls::Error::InvalidCertificate(reason) = error else {
        return new(format!("the certificate of `{host}` cannot be checked: {error}"));
    };
    let Some(certificate) = certificate else { return new(format!("the certificate of `{host}` cannot be read")) };
    let seen = format!(
        "subject {}\nissuer  {}\nnames   {}\nvalid   {} to {}",
        certificate.subject,
        certificate.issuer,
        certificate.names.join(", "),
        certificate.not_before,
        certificate.not_after,
    );
    let clock = format!("this machine's clock says {}", now.strftime("%Y-%m-%d %H:%M UTC"));
    let failure = match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let date = certificate.not_after.strftime("%Y-%m-%d");
            let age = match -certificate.days_left(now) - 1 {
                0 => "today".to_owned(),
                1 => "1 day ago".to_owned(),
                days => format!("{days} days ago"),
            };
            new(format!("the certificate of `{host}` expired {age}, on {date}")).hint(format!("renew it; {clock}"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            new(format!("the certificate of `{host}` is not valid before {}", certificate.not_before)).hint(clock)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = if certificate.names.is_empty() { "no host at all".into() } else { quoted(&certificate.names) };
            new(format!("the certificate is for {names}, not for `{host}`"))
                .hint(format!("is another server answering under this name? else issue a certificate for `{host}`"))
        }
        CertificateError::UnknownIssuer | CertificateError::Other(_) if certificate.self_signed => {
            new(format!("the certificate of `{host}` is self-signed"))
                .hint("to trust it, save it to a file and pass `tls: #{ ca: \"file.pem\" }`")
        }
        CertificateError::UnknownIssuer => {
            let whom = if matches!(trust, Trust::Only(_)) { "the given `ca` file does" } else { "this machine does" };
            new(format!("the certificate of `{host}` is signed by `{}`, whom {whom} not trust", certificate.issuer))
                .hint("for an authority of your own pass `tls: #{ ca: \"file.pem\" }`")
                .hint("for a public one, let the server send its intermediate certificates as well")
        }
        CertificateError::Revoked => new(format!("the certificate of `{host}` was revoked")),
        other => new(format!("the certificate of `{host}` is not valid: {other}")),
    };
    failure.evidence("certificate", seen)
}

fn quoted(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(4).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(4);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn tls_failure(error: &rustls::Error, address: &Address) -> Failure {
    let place = address.authority();
    let new = |what: String| Failure::new(FailureKind::Unreachable, format!("`{address}`: {what}"));
    match error {
        rustls::Error::InvalidMessage(_) => new(format!("`{place}` does not speak TLS"))
            .hint(format!("try it with `http://`: `{}`", address.to_string().replacen("https", "http", 1))),
        rustls::Error::AlertReceived(alert) => {
            new(format!("`{place}` refused the TLS connection: {}", words(&format!("{alert:?}"))))
                .hint(format!("does `{place}` have a certificate for the name `{}`?", address.host()))
        }
        rustls::Error::PeerIncompatible(_) => {
            new(format!("`{place}` offers no TLS version or cipher in use today")).hint("TLS 1.2 and 1.3 are supported")
        }
        other => new(format!("TLS with `{place}` failed: {other}")),
    }
}

fn io_failure(kind: io::ErrorKind, error: &io::Error, address: &Address) -> Failure {
    let place = address.authority();
    let new = |what: String| Failure::new(FailureKind::Unreachable, format!("`{address}`: {what}"));
    match kind {
        io::ErrorKind::ConnectionRefused => {
            new("connection refused".into()).hint(format!("is something listening on {place}?"))
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            new(format!("there is no route to `{place}`")).hint("is the network up, and the address right?")
        }
        io::ErrorKind::UnexpectedEof if error.to_string() == "tls handshake eof" => {
            new(format!("`{place}` closed the connection during the TLS handshake"))
                .hint(format!("does `{place}` speak TLS, and have a certificate for `{}`?", address.host()))
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            new(format!("`{place}` closed the connection without an answer"))
                .hint(format!("look at the log of what listens on {place}; is this the right port?"))
        }
        _ => new(format!("the connection to `{place}` failed: {error}")),
    }
}

/// Without a proxy in sight nothing; with one, the word that it may be the culprit.
fn through_proxy(failure: Failure, address: &Address) -> Failure {
    if address.is_loopback() {
        return failure;
    }
    let own = if address.is_tls() { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let set = own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(|name| std::env::var_os(name).is_some());
    match set {
        Some(name) => failure.hint(format!("`{name}` is set: the request may have gone through that proxy")),
        None => failure,
    }
}

/// The client library's words where they are known, else as they are.
fn in_words(reason: &str) -> String {
    if reason.contains("before message completed") {
        "the connection was closed before the answer was complete".into()
    } else if reason.starts_with("invalid HTTP") {
        "the answer is not HTTP".into()
    } else {
        format!("no usable answer: {reason}")
    }
}

/// `HandshakeFailure` as `handshake failure`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// The innermost error of that type in the chain, also inside input/output errors.
fn source<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut found = None;
    let mut next = error.source();
    while let Some(current) = next {
        found = current.downcast_ref::<T>().or(found);
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| current.source());
    }
    found
}

fn deepest(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(current) = next {
        text = current.to_string();
        next = current.source();
    }
    text
}
