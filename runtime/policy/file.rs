use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{Budget, Grant, Window};
use crate::failure::Failure;

/// The name of the file, beside the project file.
pub const POLICY_FILE: &str = "policy.toml";

/// What `policy.toml` says about one environment, or about all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// What is granted.
    pub allow: Vec<Grant>,
    /// What is not, whatever else grants it.
    pub deny: Vec<Grant>,
    /// When runs may begin; any time when there is none.
    pub windows: Vec<Window>,
    /// How many machines one run may work on at the same time.
    pub max_hosts: Option<usize>,
    /// Must a person approve a run before it begins? `None` leaves it to the environment being protected.
    pub approval: Option<bool>,
    /// Runbooks that need no approval, with stars.
    pub unattended: Vec<String>,
    /// How much a run may do at most.
    pub budget: Budget,
}

/// What `policy.toml` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyFile {
    all: Option<Rules>,
    environments: BTreeMap<String, Rules>,
    /// SHA-256 of its text.
    pub digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    all: Option<Table>,
    #[serde(default)]
    env: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Table {
    allow: Vec<Spanned<String>>,
    deny: Vec<Spanned<String>>,
    windows: Vec<Spanned<String>>,
    max_hosts: Option<usize>,
    approval: Option<bool>,
    unattended: Vec<String>,
    budget: Budget,
}

impl PolicyFile {
    /// Reads the file in the project's folder; `None` when there is none.
    pub fn load(root: &Path) -> Result<Option<Self>, Failure> {
        let path = root.join(POLICY_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::system(format!("read `{}`", path.display()), &error)),
        };
        Self::parse(&text).map(Some)
    }

    /// Reads its text; the error names line and column.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let parsed: Text = toml::from_str(text).map_err(|error| Failure::in_toml(POLICY_FILE, text, &error))?;
        let environments = parsed.env.into_iter().map(|(name, table)| Ok((name, table.rules(text)?)));
        let digest = Sha256::digest(text.as_bytes());
        Ok(Self {
            all: parsed.all.map(|table| table.rules(text)).transpose()?,
            environments: environments.collect::<Result<_, Failure>>()?,
            digest: digest.iter().fold(String::new(), |digits, byte| digits + format!("{byte:02x}").as_str()),
        })
    }

    /// What counts in an environment: `[all]` and its own table together. `None` when neither is there: nothing is granted.
    pub fn rules(&self, environment: &str) -> Option<Rules> {
        match (&self.all, self.environments.get(environment)) {
            (None, None) => None,
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (Some(all), Some(own)) => Some(Rules {
                allow: all.allow.iter().chain(&own.allow).cloned().collect(),
                deny: all.deny.iter().chain(&own.deny).cloned().collect(),
                windows: if own.windows.is_empty() { all.windows.clone() } else { own.windows.clone() },
                max_hosts: own.max_hosts.or(all.max_hosts),
                approval: own.approval.or(all.approval),
                unattended: all.unattended.iter().chain(&own.unattended).cloned().collect(),
                budget: all.budget.and(own.budget),
            }),
        }
    }
}

impl Table {
    fn rules(self, text: &str) -> Result<Rules, Failure> {
        Ok(Rules {
            allow: grants(&self.allow, text)?,
            deny: grants(&self.deny, text)?,
            windows: self
                .windows
                .iter()
                .map(|window| {
                    let wrong = |why| Failure::in_file(POLICY_FILE, text, window.span().start, why);
                    Window::parse(window.as_ref()).map_err(wrong)
                })
                .collect::<Result<_, _>>()?,
            max_hosts: self.max_hosts,
            approval: self.approval,
            unattended: self.unattended,
            budget: self.budget,
        })
    }
}

fn grants(written: &[Spanned<String>], text: &str) -> Result<Vec<Grant>, Failure> {
    let mut grants = Vec::new();
    for entry in written {
        let read = Grant::parse(entry.as_ref()).map_err(|mistake| {
            // The quote before the text is one letter more.
            let at = entry.span().start + 1 + mistake.place.start;
            let failure = Failure::in_file(POLICY_FILE, text, at, mistake.message);
            mistake.hint.into_iter().fold(failure, Failure::hint)
        });
        grants.extend(read?);
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_what_is_said_of_it_and_of_all() {
        let file = PolicyFile::parse(
            "[all]\nallow = [\"http https://shop.test\"]\ndeny = [\"read secrets/**\"]\nbudget = { volumes = 0 }\n\
             [env.prod]\nallow = [\"docker shop up,exec\"]\nwindows = [\"Mon-Fri 08:00-18:00\"]\nmax_hosts = 2\n\
             unattended = [\"backup.rhai\"]\nbudget = { containers = 4, volumes = 1 }\n",
        );
        let file = file.unwrap();
        let prod = file.rules("prod").unwrap();
        let shown = |grants: &[Grant]| grants.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&prod.allow), ["http https://shop.test", "docker shop up,exec"]);
        assert_eq!(shown(&prod.deny), ["read secrets/**"]);
        assert_eq!((prod.max_hosts, prod.windows.len()), (Some(2), 1));
        assert_eq!(prod.budget, Budget { containers: Some(4), volumes: Some(0) });
        assert_eq!(shown(&file.rules("dev").unwrap().allow), ["http https://shop.test"]);
        assert_eq!(PolicyFile::parse("[env.prod]\n").unwrap().rules("dev"), None);
        assert_eq!(file.digest.len(), 64);
    }

    #[test]
    fn a_mistake_has_its_place() {
        let wrong = |text: &str| PolicyFile::parse(text).map(|_| ()).unwrap_err();
        let slip = wrong("[env.prod]\nallow = [\"docker shop\", \"htp x\"]\n");
        assert_eq!(slip.message, "policy.toml:2:26: there is no kind of need called `htp`");
        assert_eq!(slip.hints, ["did you mean `http`?"]);
        assert!(wrong("[env.prod]\nwindows = [\"Foo 8\"]\n").message.starts_with("policy.toml:2:12: "));
        assert_eq!(wrong("[env.prod]\nalow = []\n").message, "policy.toml:2:1: there is no key `alow` here");
    }
}
