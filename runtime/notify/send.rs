//! Sending: one way at a time, each within its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::message::Message;
use super::{form, sign};
use crate::drivers::http::{self, Address, Gate, Request, Trust};
use crate::drivers::mail::{self, Begin, Mail, Server};
use crate::drivers::process::{Command, Processes};
use crate::failure::{Failure, FailureKind};
use crate::project::{Channel, MailTls, NotifyEvent, Project, ProjectFile, SecretName, Setting};
use crate::secrets::{Redactor, Sources};
use crate::units::Span;

/// How long an exchange over HTTP, or one with a mail server, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// And a mail as a whole.
const MAIL: Duration = Duration::from_secs(30);

/// Sends messages on the ways of a project.
pub struct Sender {
    root: PathBuf,
    file: ProjectFile,
    processes: Processes,
    /// What is not to be shown of what others say: it learns what was used.
    redactor: Redactor,
}

/// Something to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel<'a> {
    pub(super) messages: &'a [Message],
    /// What tells it from all others.
    pub(super) id: &'a str,
    /// The environment whose secrets count where the channel names none.
    pub(super) environment: &'a str,
}

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The channel.
    pub channel: String,
    /// What kind it is.
    pub kind: &'static str,
    /// Why it could not be sent.
    pub problem: Option<String>,
}

/// The hosts of channels are named by the project.
struct Named;

impl Gate for Named {
    fn may_ask(&self, _: &Address) -> Result<(), Failure> {
        Ok(())
    }

    fn names(&self, _: &str) -> bool {
        true
    }
}

impl Sender {
    /// For the project at `root`.
    pub fn new(root: &Path, file: ProjectFile) -> Self {
        Self { root: root.to_path_buf(), file, processes: Processes::default(), redactor: Redactor::default() }
    }

    /// The project file it goes by.
    pub fn file(&self) -> &ProjectFile {
        &self.file
    }

    /// What is wrong, after the redactor.
    pub(super) fn in_words(&self, failure: &Failure) -> String {
        let mut text = failure.message.clone();
        for piece in failure.evidence.iter().take(1) {
            text.push_str(&format!(" ({}: {})", piece.title, piece.text.lines().next().unwrap_or_default()));
        }
        self.redactor.redact(&mut text);
        text.chars().take(500).collect()
    }

    /// Sends a trial on one channel, or on each.
    pub fn try_out(&self, only: Option<&str>, environment: &str) -> Result<Vec<Trial>, Failure> {
        let channels = &self.file.notify.channel;
        if let Some(name) = only.filter(|name| !channels.contains_key(*name)) {
            let names: Vec<&str> = channels.keys().map(String::as_str).collect();
            return Err(Failure::new(FailureKind::NotFound, format!("there is no [notify.channel.{name}]"))
                .hint(format!("the channels are {}", names.join(", "))));
        }
        let runtime = runtime()?;
        let mut trials = Vec::new();
        for (name, channel) in channels.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            let mut message = Message::new(
                NotifyEvent::Succeeded,
                &self.file.name,
                format!("a trial of `{name}`: if you read this, it works"),
                "runbook notify list",
            );
            message.why = Some("somebody typed `runbook notify test`".to_owned());
            environment.clone_into(&mut message.environment);
            let id = format!("trial-{}", Timestamp::now().as_microsecond());
            let parcel = Parcel { messages: std::slice::from_ref(&message), id: &id, environment };
            let sent = runtime.block_on(self.send(channel, parcel));
            let problem = sent.err().map(|failure| self.in_words(&failure));
            trials.push(Trial { channel: name.clone(), kind: channel.kind(), problem });
        }
        Ok(trials)
    }

    /// Sends a parcel.
    pub(super) async fn send(&self, channel: &Channel, parcel: Parcel<'_>) -> Result<(), Failure> {
        let env = channel.env().unwrap_or(parcel.environment);
        let messages = parcel.messages;
        match channel {
            Channel::Webhook { url, key, ca, .. } => {
                let (url, key) = (self.setting(url, env)?, self.secret(key, env)?);
                let body = form::document(messages).to_string().into_bytes();
                let at = Timestamp::now().as_second();
                let headers = [
                    ("webhook-id", parcel.id.to_owned()),
                    ("webhook-timestamp", at.to_string()),
                    ("webhook-signature", sign::signature(&key, parcel.id, at, &body)),
                ];
                self.post(&url, ca.as_deref(), body, &headers).await
            }
            Channel::Slack { url, ca, .. } => self.chat(url, ca.as_deref(), env, form::slack(messages)).await,
            Channel::Discord { url, ca, .. } => self.chat(url, ca.as_deref(), env, form::discord(messages)).await,
            Channel::Teams { url, ca, .. } => self.chat(url, ca.as_deref(), env, form::teams(messages)).await,
            Channel::Mail { .. } => self.mail(channel, parcel, env).await,
            Channel::Command { argv, timeout } => self.command(argv, *timeout, parcel).await,
            Channel::Ping { start, success, failure, ca, .. } => {
                let event = messages.first().map(|message| message.event);
                let url = match event {
                    Some(NotifyEvent::Started) => start,
                    Some(NotifyEvent::Succeeded | NotifyEvent::Recovered) => success,
                    _ => failure,
                };
                let Some(url) = url else { return Ok(()) };
                let address = Self::address(&self.setting(url, env)?)?;
                self.ask(Request::get(address), ca.as_deref()).await
            }
        }
    }

    async fn chat(
        &self,
        url: &SecretName,
        ca: Option<&str>,
        env: &str,
        body: serde_json::Value,
    ) -> Result<(), Failure> {
        self.post(&self.secret(url, env)?, ca, body.to_string().into_bytes(), &[]).await
    }

    async fn post(
        &self,
        url: &str,
        ca: Option<&str>,
        body: Vec<u8>,
        headers: &[(&str, String)],
    ) -> Result<(), Failure> {
        let mut request = Request::get(Self::address(url)?);
        request.set_method("POST")?;
        request.set_body(body, Some("application/json"));
        for (name, value) in headers {
            request.add_header(name, value)?;
        }
        self.ask(request, ca).await
    }

    fn address(url: &str) -> Result<Address, Failure> {
        Address::parse(url).map_err(|_| {
            Failure::new(FailureKind::Invalid, "the channel's URL is none that can be asked")
                .hint("it begins with https:// or http:// and holds no user")
        })
    }

    async fn ask(&self, mut request: Request, ca: Option<&str>) -> Result<(), Failure> {
        request.timeout = PATIENCE;
        request.redirects = 0;
        request.max_body = 4 << 10;
        request.add_header("user-agent", concat!("runbook/", env!("CARGO_PKG_VERSION")))?;
        if let Some(file) = ca {
            request.trust = Trust::file(&self.root.join(file))?;
        }
        let answer = http::send(&request, &Named).await?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        let message = format!("the answer was {} {}", answer.status, answer.reason);
        let failure = Failure::new(FailureKind::Check, message.trim_end());
        Err(failure.evidence("it said", String::from_utf8_lossy(&answer.body)))
    }

    async fn mail(&self, channel: &Channel, parcel: Parcel<'_>, env: &str) -> Result<(), Failure> {
        let Channel::Mail { server, tls, from, to, user, password, ca, .. } = channel else { return Ok(()) };
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user.clone(), self.secret(password, env)?)),
            _ => None,
        };
        let server = Server {
            place: server.clone(),
            tls: if *tls == MailTls::Wrapped { Begin::AtOnce } else { Begin::Starttls },
            ca: ca.as_ref().map(|file| self.root.join(file)),
            login,
        };
        let (subject, text) = form::mail(parcel.messages);
        let mail = Mail { from: from.clone(), to: to.clone(), subject, text, id: parcel.id.to_owned() };
        let (answer, answered) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("mail".into())
            .spawn(move || {
                let _ = answer.send(mail::send(&server, &mail, PATIENCE));
            })
            .map_err(|error| Failure::system("start a thread", &error))?;
        match tokio::time::timeout(MAIL, answered).await {
            Ok(Ok(sent)) => sent,
            _ => Err(Failure::new(FailureKind::Timeout, format!("the mail was not taken within {}", Span(MAIL)))),
        }
    }

    async fn command(&self, argv: &[String], timeout: Span, parcel: Parcel<'_>) -> Result<(), Failure> {
        let mut command = Command::new(argv.iter().cloned());
        command.cwd = Some(self.root.clone());
        command.stdin = Some(form::document(parcel.messages).to_string().into_bytes());
        command.keep = 4 << 10;
        let first = parcel.messages.first();
        for (name, value) in [
            ("RUNBOOK_EVENT", first.map(|message| message.event.word().to_owned())),
            ("RUNBOOK_SUMMARY", first.map(|message| message.summary.clone())),
            ("RUNBOOK_NOTICE", Some(parcel.id.to_owned())),
        ] {
            command.env.insert(name.to_owned(), value);
        }
        let line = command.line();
        match tokio::time::timeout(timeout.0, self.processes.run(&command, |_, _| ())).await {
            Err(_) => Err(Failure::new(FailureKind::Timeout, format!("`{line}` took longer than {timeout}"))),
            Ok(exit) => {
                let exit = exit?;
                if exit.is_ok() {
                    return Ok(());
                }
                let failure = exit.failure(&line);
                Err(failure.evidence("it said", exit.stderr.into_text().lines().last().unwrap_or_default()))
            }
        }
    }

    fn setting(&self, setting: &Setting, env: &str) -> Result<String, Failure> {
        match setting {
            Setting::Plain(text) => Ok(text.clone()),
            Setting::Secret(name) => self.secret(name, env),
        }
    }

    fn secret(&self, name: &SecretName, env: &str) -> Result<String, Failure> {
        let env = self.file.environment(Some(env).filter(|env| !env.is_empty()))?;
        let sources = Sources::of(&Project::new(self.root.clone(), self.file.clone(), env))?;
        let found = sources.get(&name.secret)?;
        self.redactor.learn(found.text.expose());
        Ok(found.text.expose().to_owned())
    }
}

/// What waits for the network, on this thread.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("prepare the sending of notifications", &error))
}
