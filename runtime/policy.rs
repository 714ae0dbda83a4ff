//! What a script may do: what the runbook declares, the environment grants and the command line left.
//!
//! - `grant` has the words that the three share, `pattern` says which names they fit.
//! - `file` is `policy.toml`, `window` and `budget` are parts of it.
//! - [`Policy`] puts them together for one run and judges every call.

mod budget;
mod file;
mod grant;
mod pattern;
mod record;
mod window;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::primitive::{Failure, FailureKind, Need, NeedKind, unknown_in_text};
use crate::project::Environment;

pub use budget::{Budget, Spent};
pub use file::{POLICY_FILE, PolicyFile, Rules};
pub use grant::{Grant, LOOK, Mistake, line};
pub use record::Record;
pub use window::Window;

/// What a runbook's header says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// `@needs`; `None` when the header has no such line.
    pub needs: Option<Vec<Grant>>,
    /// `@budget`.
    pub budget: Budget,
}

/// What the command line takes away.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Narrowing {
    /// `--only`: nothing but this, where it says anything about the kind.
    pub only: Vec<String>,
    /// `--deny`.
    pub deny: Vec<String>,
}

/// Who has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The runbook's header.
    Header,
    /// `policy.toml`.
    File,
    /// The command line.
    CommandLine,
}

/// The grants of a run. Every call asks here before anything else happens.
///
/// A runbook that declares nothing, in an environment that is not protected and without a `policy.toml`, may do
/// everything. In all other cases it may do what it declares, as far as the others leave it.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    root: PathBuf,
    environment: String,
    runbook: String,
    protected: bool,
    /// Each must grant what is needed.
    layers: Vec<(Voice, Vec<Grant>)>,
    /// What is denied, whoever grants it.
    denied: Vec<(Voice, Grant)>,
    rules: Option<Rules>,
    budget: Budget,
    record: Record,
}

/// Something that is needed and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub need: Need,
    /// Who does not grant it.
    pub voice: Voice,
    /// What denies it; `None` when nothing does, and nothing grants it either.
    pub denied_by: Option<Grant>,
}

impl Policy {
    /// Puts together what counts for a run.
    pub fn new(
        root: &Path,
        environment: &Environment,
        runbook: &str,
        declared: &Declared,
        file: Option<&PolicyFile>,
        narrowing: &Narrowing,
    ) -> Result<Self, Failure> {
        let rules = file.map(|file| file.rules(&environment.name).unwrap_or_default());
        let counts = declared.needs.is_some() || rules.is_some() || environment.protected;
        let mut layers = Vec::new();
        let mut denied = Vec::new();
        if counts {
            let needs = declared.needs.iter().flatten().map(|grant| grant.filled(environment));
            layers.push((Voice::Header, needs.collect()));
        }
        if let Some(rules) = &rules {
            layers.push((Voice::File, rules.allow.clone()));
            denied.extend(rules.deny.iter().cloned().map(|grant| (Voice::File, grant)));
        }
        let only = narrowed("--only", &narrowing.only)?;
        if !only.is_empty() {
            layers.push((Voice::CommandLine, only));
        }
        denied.extend(narrowed("--deny", &narrowing.deny)?.into_iter().map(|grant| (Voice::CommandLine, grant)));
        let of_file = rules.as_ref().map(|rules| rules.budget).unwrap_or_default();
        let mut budget = declared.budget.and(of_file);
        if environment.protected && budget.volumes.is_none() {
            budget.volumes = Some(0);
        }
        let record = Record::of(environment, declared, rules.as_ref(), file, narrowing, budget);
        Ok(Self {
            root: root.to_owned(),
            environment: environment.name.clone(),
            runbook: runbook.to_owned(),
            protected: environment.protected,
            layers,
            denied,
            rules,
            budget,
            record,
        })
    }

    /// What is missing of these needs; `looks` says that the call changes nothing. What is not known yet is not judged.
    pub fn missing(&self, needs: &[Need], looks: bool) -> Vec<Missing> {
        let known = needs.iter().filter(|need| unknown_in_text(&need.what).is_none());
        known.filter_map(|need| self.lacks(need, looks)).collect()
    }

    fn lacks(&self, need: &Need, looks: bool) -> Option<Missing> {
        let denied = self.denied.iter().find(|(_, grant)| grant.denies(&self.root, need, looks));
        if let Some((voice, grant)) = denied {
            return Some(Missing { need: need.clone(), voice: *voice, denied_by: Some(grant.clone()) });
        }
        let grants = |grants: &[Grant]| grants.iter().any(|grant| grant.covers(&self.root, need, looks));
        let (voice, _) = self.layers.iter().find(|(_, layer)| !grants(layer))?;
        Some(Missing { need: need.clone(), voice: *voice, denied_by: None })
    }

    /// Is everything granted that a call needs? `who` says in a message which call that is.
    pub fn allows(&self, who: &str, needs: &[Need], looks: bool) -> Result<(), Failure> {
        match self.missing(needs, looks).first() {
            None => Ok(()),
            Some(missing) => Err(self.refusal(who, missing)),
        }
    }

    /// Why a call is refused, and the line to add.
    pub fn refusal(&self, who: &str, missing: &Missing) -> Failure {
        let wanted = Grant::of(&missing.need);
        let environment = &self.environment;
        let (why, hint) = match (&missing.denied_by, missing.voice) {
            (Some(grant), Voice::CommandLine) => {
                (format!("which `--deny` on the command line denies by `{grant}`"), None)
            }
            (Some(grant), _) => (format!("which {POLICY_FILE} denies on `{environment}` by `{grant}`"), None),
            (None, Voice::Header) => (
                "which the runbook does not declare".to_owned(),
                Some(format!(
                    "add to its header: `//! @needs {wanted}`; `runbook check --fix` writes all that is missing"
                )),
            ),
            (None, Voice::File) => (
                format!("which {POLICY_FILE} does not grant on `{environment}`"),
                Some(format!("who decides on that adds `\"{wanted}\"` to `allow` of [env.{environment}] there")),
            ),
            (None, Voice::CommandLine) => ("which `--only` on the command line leaves out".to_owned(), None),
        };
        let failure = Failure::new(FailureKind::Refused, format!("{who} needs `{wanted}`, {why}"));
        hint.into_iter().fold(failure, Failure::hint)
    }

    /// May an address be asked that is nobody's but of a private network? Only a host that is named without a star is
    /// meant to be one. Where nothing is declared, that is whatever the script itself asks.
    pub fn names_host(&self, host: &str) -> Option<bool> {
        let names = |grants: &[Grant]| grants.iter().any(|grant| grant.names_host(host));
        (!self.layers.is_empty()).then(|| {
            self.layers.iter().all(|(voice, layer)| match voice {
                // One of the two has to say it: who grants `http *` means what the runbook names.
                Voice::Header => {
                    names(layer) || self.layers.iter().any(|(voice, file)| *voice == Voice::File && names(file))
                }
                Voice::File | Voice::CommandLine => true,
            })
        })
    }

    /// The folders that a path of this kind must not leave, one for each who grants it; none where nothing is declared.
    pub fn folders(&self, kind: NeedKind, path: &str) -> Vec<PathBuf> {
        let need = Need { kind, what: path.to_owned(), verb: None };
        let granting = |layer: &[Grant]| layer.iter().find(|grant| grant.covers(&self.root, &need, false)).cloned();
        let grants = self.layers.iter().filter_map(|(_, layer)| granting(layer));
        grants.map(|grant| grant.folder(&self.root, path)).collect()
    }

    /// What a run may do at most.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// How many machines may be worked on at the same time.
    pub fn max_hosts(&self) -> Option<usize> {
        self.rules.as_ref()?.max_hosts
    }

    /// Must a person approve the run before it begins?
    pub fn needs_approval(&self) -> bool {
        let rules = self.rules.as_ref();
        let unattended = rules.map(|rules| rules.unattended.as_slice()).unwrap_or_default();
        let is_granted = unattended.iter().any(|pattern| pattern::matches(pattern, &self.runbook, &['/']));
        rules.and_then(|rules| rules.approval).unwrap_or(self.protected) && !is_granted
    }

    /// May runs begin at certain hours only?
    pub fn has_hours(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| !rules.windows.is_empty())
    }

    /// May a run begin now? The failure says when it may.
    pub fn is_open(&self, now: Timestamp) -> Result<(), Failure> {
        let windows = self.rules.as_ref().map(|rules| rules.windows.as_slice()).unwrap_or_default();
        if windows.is_empty() || windows.iter().any(|window| window.is_open(now)) {
            return Ok(());
        }
        let all = windows.iter().map(|window| format!("`{window}`")).collect::<Vec<_>>().join(" or ");
        let message = format!("{POLICY_FILE} lets runs on `{}` begin only {all}", self.environment);
        let next = windows.iter().filter_map(|window| window.opens(now)).min();
        let failure = Failure::new(FailureKind::Refused, message);
        Err(next.into_iter().fold(failure, |failure, next| failure.hint(format!("the next time is {next}"))))
    }

    /// What counts, for the journal.
    pub fn record(&self) -> &Record {
        &self.record
    }
}

/// The entries of a flag; the failure names it.
fn narrowed(flag: &str, entries: &[String]) -> Result<Vec<Grant>, Failure> {
    let mut grants = Vec::new();
    for entry in entries {
        let read = Grant::parse(entry).map_err(|mistake| {
            let failure = Failure::new(FailureKind::Argument, format!("`{flag} {entry}`: {}", mistake.message));
            mistake.hint.into_iter().fold(failure, Failure::hint)
        });
        grants.extend(read?);
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(needs: Option<&str>, file: Option<&str>, protected: bool, narrowing: &Narrowing) -> Policy {
        let declared = Declared { needs: needs.map(|needs| Grant::parse(needs).unwrap()), budget: Budget::default() };
        let environment = Environment { protected, ..Environment::named("prod") };
        let file = file.map(|text| PolicyFile::parse(text).unwrap());
        Policy::new(Path::new("/p"), &environment, "deploy.rhai", &declared, file.as_ref(), narrowing).unwrap()
    }

    fn allows(policy: &Policy, need: Need) -> bool {
        policy.allows("call", &[need], false).is_ok()
    }

    #[test]
    fn nothing_is_limited_until_something_is_said() {
        let none = Narrowing::default();
        assert!(allows(&policy(None, None, false, &none), Need::command("git")));
        assert!(!allows(&policy(None, None, true, &none), Need::command("git")));
        assert!(!allows(&policy(None, Some(""), false, &none), Need::command("git")));
        assert!(!allows(&policy(Some("command rsync"), None, false, &none), Need::command("git")));
        assert!(allows(&policy(Some("command git"), None, true, &none), Need::command("git")));
    }

    #[test]
    fn what_counts_is_what_all_of_them_leave() {
        let none = Narrowing::default();
        let file = "[env.prod]\nallow = [\"docker *\", \"command *\"]\ndeny = [\"docker * exec\"]\n";
        let both = policy(Some("docker shop, blog"), Some(file), false, &none);
        assert!(allows(&both, Need::docker("shop", "up")) && !allows(&both, Need::docker("wiki", "up")));
        assert!(!allows(&both, Need::docker("shop", "exec")), "deny beats allow");
        assert!(!allows(&both, Need::command("git")), "what is granted must be declared, too");
        let other = "[env.test]\nallow = [\"docker *\"]\n";
        assert!(!allows(&policy(Some("docker shop"), Some(other), false, &none), Need::docker("shop", "up")));
        let narrowing = Narrowing { only: vec!["docker shop".into()], deny: vec!["docker * down".into()] };
        let narrow = policy(Some("docker shop, blog"), Some(file), false, &narrowing);
        assert!(allows(&narrow, Need::docker("shop", "up")) && !allows(&narrow, Need::docker("blog", "up")));
        assert!(!allows(&narrow, Need::docker("shop", "down")));
        assert!(
            !allows(&policy(None, None, false, &narrowing), Need::command("git")),
            "also where nothing else is said"
        );
    }

    #[test]
    fn a_refusal_names_the_line_to_add() {
        let none = Narrowing::default();
        let message = |policy: &Policy, need| {
            let failure = policy.allows("`docker.stop`", &[need], false).unwrap_err();
            (failure.message, failure.hints.first().cloned().unwrap_or_default())
        };
        let (text, hint) = message(&policy(Some("secret A"), None, false, &none), Need::docker("web", "stop"));
        assert_eq!(text, "`docker.stop` needs `docker web stop`, which the runbook does not declare");
        assert!(hint.contains("`//! @needs docker web stop`"), "{hint}");
        let (text, hint) = message(&policy(Some("docker web"), Some(""), false, &none), Need::docker("web", "stop"));
        assert_eq!(text, "`docker.stop` needs `docker web stop`, which policy.toml does not grant on `prod`");
        assert!(hint.contains("[env.prod]"), "{hint}");
    }

    #[test]
    fn a_protected_environment_asks_unless_the_runbook_is_let_through() {
        let none = Narrowing::default();
        assert!(policy(None, None, true, &none).needs_approval() && !policy(None, None, false, &none).needs_approval());
        let file = "[env.prod]\nunattended = [\"deploy.*\"]\nwindows = [\"Mon 08:00-09:00\"]\n";
        let let_through = policy(None, Some(file), true, &none);
        assert!(!let_through.needs_approval());
        assert!(let_through.is_open("2026-07-06T08:30:00Z".parse().unwrap()).is_ok());
        let closed = let_through.is_open("2026-07-06T09:30:00Z".parse().unwrap()).unwrap_err();
        assert_eq!(closed.hints, ["the next time is 2026-07-13T08:00:00Z"]);
        assert_eq!(let_through.budget().volumes, Some(0), "no volume is removed in a protected environment");
    }
}
