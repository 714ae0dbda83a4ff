//! What a project file says about who is told what.

use std::collections::BTreeMap;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Span};

/// `[notify]`: who is told what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySection {
    /// `[notify.channel.NAME]`: ways to reach somebody.
    pub channel: BTreeMap<String, Channel>,
    /// `[[notify.rule]]`: what goes which way.
    pub rule: Vec<NotifyRule>,
    /// How long it is tried to send something.
    pub give_up: Span,
    /// Less free space than this where the run log is counts as little.
    pub disk: Option<ByteSize>,
}

impl Default for NotifySection {
    fn default() -> Self {
        Self { channel: BTreeMap::new(), rule: Vec::new(), give_up: Span::seconds(24 * 60 * 60), disk: None }
    }
}

/// Something that people may want to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// A run began.
    Started,
    /// A run ended well.
    Succeeded,
    /// A run failed, died, or could not begin.
    Failed,
    /// A run was stopped.
    Cancelled,
    /// A run ended well, and the one before had not.
    Recovered,
    /// A run that was expected was left out because nobody was there, or too late.
    Missed,
    /// A run that was expected begins late.
    Late,
    /// A run takes longer than a rule allows.
    TooLong,
    /// A run waits for a person.
    Waiting,
    /// A run does not know what became of a call.
    InDoubt,
    /// The newest backup is too old.
    BackupTooOld,
    /// The newest backup is less than half as large as the one before, or a snapshot is gone.
    BackupDoubtful,
    /// A restore drill failed.
    DrillFailed,
    /// The last restore drill was too long ago.
    DrillOverdue,
    /// The last restore drill took longer than it may.
    DrillSlow,
    /// There is little free space.
    DiskLow,
}

impl NotifyEvent {
    /// What rules are about that name no events: everything that wants somebody's attention.
    pub const TROUBLE: [Self; 13] = [
        Self::Failed,
        Self::Recovered,
        Self::Missed,
        Self::Late,
        Self::TooLong,
        Self::Waiting,
        Self::InDoubt,
        Self::BackupTooOld,
        Self::BackupDoubtful,
        Self::DrillFailed,
        Self::DrillOverdue,
        Self::DrillSlow,
        Self::DiskLow,
    ];

    /// As it is written in a project file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Recovered => "recovered",
            Self::Missed => "missed",
            Self::Late => "late",
            Self::TooLong => "too_long",
            Self::Waiting => "waiting",
            Self::InDoubt => "in_doubt",
            Self::BackupTooOld => "backup_too_old",
            Self::BackupDoubtful => "backup_doubtful",
            Self::DrillFailed => "drill_failed",
            Self::DrillOverdue => "drill_overdue",
            Self::DrillSlow => "drill_slow",
            Self::DiskLow => "disk_low",
        }
    }
}

/// A text that may be a secret: `"text"`, or `{ secret = "NAME" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write a text, or `{ secret = \"NAME\" }`")]
pub enum Setting {
    /// As it is.
    Plain(String),
    /// The secret of that name.
    Secret(SecretName),
}

/// `{ secret = "NAME" }`: what may only be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a secret, as in `{ secret = \"NAME\" }`")]
pub struct SecretName {
    /// The secret's name.
    pub secret: String,
}

/// A way to reach somebody.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// A program of one's own: JSON, signed.
    Webhook {
        /// Where.
        url: Setting,
        /// What it is signed with.
        key: SecretName,
        /// A file with the certificate of an authority of one's own, relative to the project.
        ca: Option<String>,
        /// The environment whose secrets these are; that of the run when left out.
        env: Option<String>,
    },
    /// What understands Slack's incoming webhooks.
    Slack {
        /// Where: whoever knows it may post.
        url: SecretName,
        /// As above.
        ca: Option<String>,
        /// As above.
        env: Option<String>,
    },
    /// What understands Discord's.
    Discord {
        /// Where.
        url: SecretName,
        /// As above.
        ca: Option<String>,
        /// As above.
        env: Option<String>,
    },
    /// What understands those of Teams (a workflow that posts a card).
    Teams {
        /// Where.
        url: SecretName,
        /// As above.
        ca: Option<String>,
        /// As above.
        env: Option<String>,
    },
    /// Mail over SMTP, always with TLS.
    Mail {
        /// `smtp.example.com:587`.
        server: String,
        /// How TLS begins.
        #[serde(default)]
        tls: MailTls,
        /// Whose mail it is.
        from: String,
        /// Who gets it.
        to: Vec<String>,
        /// Who logs in.
        user: Option<String>,
        /// With which password.
        password: Option<SecretName>,
        /// As above.
        ca: Option<String>,
        /// As above.
        env: Option<String>,
    },
    /// A program of this machine, which reads JSON.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// How long it may take.
        #[serde(default = "half_a_minute")]
        timeout: Span,
    },
    /// A dead man's switch: URLs that are asked when a run begins and ends, and whose owner speaks up when they are not.
    Ping {
        /// When it begins.
        start: Option<Setting>,
        /// When it ended well.
        success: Option<Setting>,
        /// When it did not.
        failure: Option<Setting>,
        /// As above.
        ca: Option<String>,
        /// As above.
        env: Option<String>,
    },
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// With the command STARTTLS, without which nothing is sent.
    #[default]
    Starttls,
    /// With the connection.
    Wrapped,
}

/// `[[notify.rule]]`: what goes which way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyRule {
    /// The channels.
    pub to: Vec<String>,
    /// What; for a ping all it has URLs for, else what wants attention.
    pub events: Vec<NotifyEvent>,
    /// On these environments (`*` for any text); on all when left out.
    pub env: Vec<String>,
    /// Of these runbooks; of all when left out.
    pub runbook: Vec<String>,
    /// Send what happens within so long together.
    pub digest: Option<Span>,
    /// From when until when nobody is to be woken: `22:00-07:00`.
    pub quiet: Option<Quiet>,
    /// The time zone of `quiet`; that of the machine when left out.
    pub zone: Option<String>,
    /// What is worth waking somebody for.
    pub urgent: Vec<NotifyEvent>,
    /// How long a run may take before that is an event.
    pub longer_than: Option<Span>,
}

/// Hours of a day, over midnight where the second is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Quiet {
    /// From then on.
    pub from: Time,
    /// Until then.
    pub until: Time,
}

impl TryFrom<String> for Quiet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (from, until) = text.split_once('-')?;
            let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
            Some(Self { from: time(from)?, until: time(until)? })
        };
        read()
            .filter(|quiet| quiet.from != quiet.until)
            .ok_or(format!("`{text}` is no span of a day: write `22:00-07:00`"))
    }
}

fn half_a_minute() -> Span {
    Span::seconds(30)
}

impl Channel {
    /// The environment whose secrets it uses, where it names one.
    pub fn env(&self) -> Option<&str> {
        match self {
            Self::Webhook { env, .. }
            | Self::Slack { env, .. }
            | Self::Discord { env, .. }
            | Self::Teams { env, .. }
            | Self::Mail { env, .. }
            | Self::Ping { env, .. } => env.as_deref(),
            Self::Command { .. } => None,
        }
    }

    /// What it is in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Teams { .. } => "teams",
            Self::Mail { .. } => "mail",
            Self::Command { .. } => "command",
            Self::Ping { .. } => "ping",
        }
    }
}

impl NotifySection {
    /// Is nobody to be told of anything?
    pub fn is_idle(&self) -> bool {
        self.rule.is_empty()
    }

    /// What cannot be meant.
    pub(super) fn problem(&self, environments: &[&String]) -> Option<String> {
        for (name, channel) in &self.channel {
            if let Some(env) = channel.env().filter(|env| !environments.iter().any(|known| known == env)) {
                return Some(format!("[notify.channel.{name}] takes secrets of `{env}`, but there is no [env.{env}]"));
            }
            let problem = match channel {
                Channel::Mail { to, .. } if to.is_empty() => "`to` is empty: name who gets the mail",
                Channel::Mail { user: Some(_), password: None, .. } => "`user` needs a `password`",
                Channel::Command { argv, .. } if argv.is_empty() => "`argv` is empty: name the program",
                Channel::Ping { start: None, success: None, failure: None, .. } => {
                    "a ping needs one of `start`, `success` and `failure`"
                }
                _ => continue,
            };
            return Some(format!("[notify.channel.{name}]: {problem}"));
        }
        for rule in &self.rule {
            if rule.to.is_empty() {
                return Some("a [[notify.rule]] has no `to`: name the channels".to_owned());
            }
            if let Some(unknown) = rule.to.iter().find(|name| !self.channel.contains_key(*name)) {
                return Some(format!(
                    "a [[notify.rule]] names `{unknown}`, but there is no [notify.channel.{unknown}]"
                ));
            }
            if let Some(zone) = rule.zone.as_ref().filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
                return Some(format!("a [[notify.rule]] names the time zone `{zone}`, which there is not"));
            }
            if rule.events.contains(&NotifyEvent::TooLong) && rule.longer_than.is_none() {
                return Some("a [[notify.rule]] about `too_long` needs `longer_than`".to_owned());
            }
        }
        None
    }
}
