//! Mail over SMTP, never without TLS.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use crate::failure::{Failure, FailureKind};

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the command STARTTLS; a server without it gets nothing.
    Starttls,
    /// With the connection.
    AtOnce,
}

/// A server that takes mail.
#[derive(Clone, Debug)]
pub struct Server {
    /// `smtp.example.com:587`.
    pub place: String,
    /// How TLS begins.
    pub tls: Begin,
    /// A file with the certificate of the only authority that is believed; the machine's when none.
    pub ca: Option<PathBuf>,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Whose it is.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// What tells it from all others, so that one that came twice is known.
    pub id: String,
}

/// Sends a mail. Each exchange with the server may take `timeout`.
pub fn send(server: &Server, mail: &Mail, timeout: Duration) -> Result<(), Failure> {
    let (host, port) = server.place.rsplit_once(':').unwrap_or((&server.place, ""));
    let default_port = if server.tls == Begin::Starttls { 587 } else { 465 };
    let port = if port.is_empty() { Some(default_port) } else { port.parse::<u16>().ok() };
    let port = port.ok_or_else(|| {
        let message = format!("`{}` is not the place of a mail server", server.place);
        Failure::new(FailureKind::Invalid, message).hint("write it as `smtp.example.com:587`")
    })?;
    let message = message_of(mail, host)?;
    let parameters = tls(server, host)?;
    let mut transport = SmtpTransport::builder_dangerous(host)
        .port(port)
        .tls(match server.tls {
            Begin::Starttls => Tls::Required(parameters),
            Begin::AtOnce => Tls::Wrapper(parameters),
        })
        .timeout(Some(timeout));
    if let Some((user, password)) = &server.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
    }
    let sent = transport.build().send(&message);
    sent.map(drop).map_err(|error| {
        let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Unreachable };
        let mut words = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            let source_words = source.to_string();
            if !words.contains(&source_words) {
                words.push_str(&format!(": {source_words}"));
            }
            next = source.source();
        }
        Failure::new(kind, format!("the mail server `{}` did not take the mail: {words}", server.place))
    })
}

fn tls(server: &Server, host: &str) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &server.ca {
        let pem = std::fs::read(path).map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| {
            Failure::new(FailureKind::Invalid, format!("`{}` holds no usable certificate", path.display()))
        })?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder
        .build_rustls()
        .map_err(|error| Failure::new(FailureKind::System, format!("TLS cannot be prepared: {error}")))
}

fn message_of(mail: &Mail, host: &str) -> Result<Message, Failure> {
    let address = |text: &str| {
        text.parse::<Mailbox>().map_err(|_| {
            Failure::new(FailureKind::Invalid, format!("`{text}` is no mail address"))
                .hint("write `ops@example.com`, or `Operations <ops@example.com>`")
        })
    };
    let mut builder = Message::builder()
        .from(address(&mail.from)?)
        .subject(&mail.subject)
        .message_id(Some(format!("<{}@{host}>", mail.id)))
        .date_now();
    for to in &mail.to {
        builder = builder.to(address(to)?);
    }
    builder
        .header(ContentType::TEXT_PLAIN)
        .body(mail.text.clone())
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("the mail cannot be put together: {error}")))
}
