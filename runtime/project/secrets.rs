use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::units::Span;

/// `[secrets]`: where the values of secrets come from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsSection {
    /// The public key of whoever began the list of people who may read and change sealed values.
    pub root: Option<String>,
    /// Where values are looked for, in this order; the usual places when left out.
    pub sources: Option<Vec<SecretSource>>,
    /// `[secrets.env.NAME]`: what is different for one environment.
    #[serde(default)]
    pub env: BTreeMap<String, EnvironmentSecrets>,
}

/// `[secrets.env.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSecrets {
    /// Where values are looked for, in this order.
    pub sources: Vec<SecretSource>,
}

/// One place where values are looked for: `{ from = "…", … }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretSource {
    /// The sealed values in the repository: `secrets/ENVIRONMENT.toml`.
    Sealed {},
    /// The environment variables of the `runbook` process.
    Environment {
        /// What stands before the secret's name in the variable's.
        #[serde(default)]
        prefix: String,
    },
    /// A `.env` file, read by the rules of Compose.
    Dotenv {
        /// Its path; relative to the project's folder.
        file: String,
    },
    /// A folder with one file per secret, as Docker mounts them and systemd passes credentials.
    Files {
        /// Its path, relative to the project's folder; `$NAME` is an environment variable that holds it.
        folder: String,
    },
    /// A program that prints the value.
    Command {
        /// The program and its arguments, where `{name}` is the secret's name and `{env}` the environment's.
        argv: Vec<String>,
        /// How long it may take.
        #[serde(default = "half_a_minute")]
        timeout: Span,
        /// The secrets it is asked for; without them, every one that is asked for.
        names: Option<Vec<String>>,
    },
}

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

impl SecretsSection {
    /// Where the values of an environment are looked for; `None` for the usual places.
    pub fn sources_of(&self, environment: &str) -> Option<&[SecretSource]> {
        let own = self.env.get(environment).map(|env| &env.sources);
        own.or(self.sources.as_ref()).map(Vec::as_slice)
    }

    /// What cannot be meant, whatever the environment.
    pub(super) fn problem(&self, environments: &[&String]) -> Option<String> {
        if let Some(name) = self.env.keys().find(|name| !environments.contains(name)) {
            return Some(format!("[secrets.env.{name}] is for an environment that there is not: add [env.{name}]"));
        }
        let own = self.env.values().map(|env| &env.sources);
        own.chain(&self.sources).flatten().find_map(SecretSource::problem)
    }
}

impl SecretSource {
    fn problem(&self) -> Option<String> {
        let Self::Command { argv, timeout, names } = self else { return None };
        if argv.is_empty() {
            return Some("the `argv` of a source of secrets is empty: name the program and its arguments".to_owned());
        }
        let tells_name = argv.iter().skip(1).any(|argument| argument.contains("{name}"));
        if !tells_name && names.as_ref().is_none_or(|names| names.len() != 1) {
            return Some(format!(
                "`{}` would print the same for every secret: put `{{name}}` into its arguments, or one name into `names`",
                argv[0]
            ));
        }
        timeout.0.is_zero().then(|| format!("the `timeout` of `{}` is no time at all", argv[0]))
    }
}
