//! A text that becomes the content of a file of a host, as `write` and `template` do it.

use serde_json::Value;

use super::{ask, target};
use crate::drivers::disk;
use crate::drivers::ssh::{GO_HOME, Script, needing, quoted};
use crate::primitive::{Action, Call, Change, Context, Failure, FailureKind, FileMode, Outcome, Prediction, Probe};

/// What a file of a host is to be.
pub struct Placed<'a> {
    /// The file.
    pub path: &'a str,
    /// Its content; `None` when a plan does not know it.
    pub text: Option<&'a str>,
    /// Its permissions; an existing file keeps its own when `None`.
    pub mode: Option<FileMode>,
    /// Its user and group, likewise.
    pub owner: Option<String>,
}

impl Placed<'_> {
    /// Makes it so, unless it is.
    pub fn write(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let now = Seen::look(context, call, self.path)?;
        let Some(change) = self.change(context, call, &now)? else { return Ok(Outcome::unchanged(false)) };
        let outcome = Outcome::changed(true).made([change]);
        context.announce(&outcome, &Value::Null)?;
        let text = self.text.unwrap_or_default();
        let script = Script::new(self.script(text.len(), &now)).reading(text);
        ask(context, call, "writing a file", script, 1 << 10).map_err(|failure| match failure.kind {
            FailureKind::NotFound => failure.hint("make the folder first, with `directory`"),
            _ => failure,
        })?;
        Ok(outcome)
    }

    /// Is it so, after a process died that was to make it so?
    pub fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announced) = context.announced() else { return Ok(Probe::NotDone) };
        let is_there = self.change(context, call, &Seen::look(context, call, self.path)?)?.is_none();
        Ok(if is_there { Probe::Done(announced.outcome) } else { Probe::NotDone })
    }

    /// What would change.
    pub fn foresee(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let now = Seen::look(context, call, self.path)?;
        let change = self.change(context, call, &now)?;
        if now.is_there
            && let Some(change) = &change
        {
            context.services.found(context.path, &format!("the content of {}", change.what), &now.checksum)?;
        }
        Ok(change.map_or_else(|| Prediction::nothing(false), |change| Prediction::one(change, true)))
    }

    /// What differs from what is wanted; nothing when all is as it should be. A text that is not known is another one.
    fn change(&self, context: &Context<'_>, call: &Call, now: &Seen) -> Result<Option<Change>, Failure> {
        let what = format!("file {} on {}", self.path, target(context, call)?.name);
        if !now.is_there {
            return Ok(Some(Change::new(Action::Create, what)));
        }
        let mut change = Change::new(Action::Update, what);
        match self.text {
            None => return Ok(Some(Change::depending(Action::Update, change.what))),
            Some(text) if disk::checksum_of(text.as_bytes()) != now.checksum => change = change.detail("content"),
            Some(_) => {}
        }
        for line in now.rights.differences(self.mode, self.owner.as_deref()) {
            change = change.detail(line);
        }
        Ok((!change.detail.is_empty()).then_some(change))
    }

    /// Writes beside the file and moves it into its place once it is there as a whole: who reads it sees the old or the new
    /// one.
    fn script(&self, length: usize, now: &Seen) -> String {
        let path = quoted(self.path);
        let mode = self
            .mode
            .map_or_else(|| if now.is_there { now.rights.mode.clone() } else { "644".into() }, |mode| mode.to_string());
        let kept = now.is_there.then(|| now.rights.ids.clone());
        let owner = self.owner.clone().or(kept).map_or_else(String::new, |owner| {
            let strict = if self.owner.is_some() { "" } else { " 2>/dev/null || true" };
            format!(" && {{ chown -- {} \"$new\"{strict}; }}", quoted(&owner))
        });
        format!(
            "{GO_HOME}\numask 077\npath={path}\nif [ -L \"$path\" ]; then path=$(readlink -f -- \"$path\"); fi\n\
             folder=${{path%/*}}\ncase $path in */*) [ -d \"${{folder:-/}}\" ] || {{ finish absent \"$folder\"; exit; }} ;; esac\n\
             new=$path.runbook-$$\ntrap 'rm -f -- \"$new\"' EXIT\n\
             if cat >\"$new\" && [ \"$(wc -c <\"$new\")\" -eq {length} ]{owner} && chmod {mode} -- \"$new\" \
             && sync && mv -f -- \"$new\" \"$path\"; then finish done; else finish failed the file cannot be written; fi"
        )
    }
}

/// A file of the host as it is.
#[derive(Debug, Default)]
struct Seen {
    is_there: bool,
    checksum: String,
    rights: Rights,
}

impl Seen {
    fn look(context: &Context<'_>, call: &Call, path: &str) -> Result<Self, Failure> {
        let path = quoted(path);
        let text = format!(
            "{}{GO_HOME}\nif [ -d {path} ]; then finish folder {path}; exit; fi\n\
             if [ ! -e {path} ]; then finish done; exit; fi\n\
             if sha256sum <{path} && stat -L -c '{RIGHTS}' -- {path}; then finish done; else finish failed; fi",
            needing("sha256sum stat cat wc chmod mv sync")
        );
        let answer = ask(context, call, "looking at a file", Script::new(text), 4 << 10)?;
        let answer = String::from_utf8_lossy(&answer);
        let mut lines = answer.lines();
        let (Some(sum), Some(rights)) = (lines.next(), lines.next()) else { return Ok(Self::default()) };
        let checksum = sum.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { is_there: true, checksum, rights: Rights::parse(rights) })
    }
}

/// What `stat -c` is to say for [`Rights::parse`].
pub const RIGHTS: &str = "%a %u:%g %U:%G";

/// Who owns something of a host, and who may do what with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The permissions.
    pub mode: String,
    /// User and group as numbers.
    pub ids: String,
    /// The same as names.
    pub names: String,
}

impl Rights {
    /// The words of `stat`.
    pub fn parse(line: &str) -> Self {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        Self { mode: word(), ids: word(), names: word() }
    }

    /// What differs from what is wanted, one line each.
    pub fn differences(&self, mode: Option<FileMode>, owner: Option<&str>) -> Vec<String> {
        let mode = mode.filter(|mode| FileMode::parse(&self.mode).ok() != Some(*mode));
        let mode = mode.map(|mode| format!("mode: {} → {mode}", self.mode));
        let owner = owner.filter(|owner| !self.are_of(owner)).map(|owner| format!("owner: {} → {owner}", self.names));
        mode.into_iter().chain(owner).collect()
    }

    /// `www-data` alone means the user, whatever the group.
    fn are_of(&self, owner: &str) -> bool {
        let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
        let half = |of: &str, index| of.split(':').nth(index).unwrap_or_default().to_owned();
        let is =
            |wanted: &str, index| [half(&self.names, index), half(&self.ids, index)].iter().any(|has| has == wanted);
        is(user, 0) && group.is_none_or(|group| group.is_empty() || is(group, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::Rights;

    #[test]
    fn a_user_alone_leaves_the_group_open_and_numbers_are_as_good_as_names() {
        let rights = Rights::parse("644 33:4 www-data:adm");
        for owner in ["www-data", "33", "www-data:adm", "33:4", "33:adm"] {
            assert!(rights.are_of(owner), "{owner}");
        }
        assert!(!rights.are_of("adm") && !rights.are_of("www-data:www-data"));
    }
}
