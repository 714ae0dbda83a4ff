//! What was noted of migrations, and what follows from it for a release.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::primitive::{Failure, FailureKind, Release, Span};

/// One note.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A migration begins.
    Begun(Begun),
    /// It ended well.
    Ended(Ended),
}

/// A migration that begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Begun {
    pub service: String,
    pub command: Vec<String>,
    pub before: Option<String>,
    /// What takes it back; empty when nothing does.
    pub undo: Vec<String>,
    pub saved: Option<Saved>,
    /// It takes back the newest one of its service.
    pub back: bool,
}

/// The end of a migration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ended {
    /// The number of its beginning.
    pub of: i64,
    pub after: Option<String>,
}

/// The snapshot of a database before its migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub id: String,
    pub repository: String,
    pub time: Timestamp,
}

/// What `backup` returned, as far as it is needed here.
pub(super) fn saved(value: Value) -> Result<Saved, Failure> {
    serde_json::from_value(value)
        .map_err(|_| Failure::new(FailureKind::Option, "option `saved` must be what `backup` returned"))
}

/// Everything that was noted of an application's database, the oldest first.
pub(super) struct Ledger(Vec<(Release, Entry)>);

/// A migration whose effect the database has.
#[derive(Clone, Debug, PartialEq)]
struct Applied {
    number: i64,
    run: i64,
    at: Timestamp,
    /// How it began.
    service: String,
    command: Vec<String>,
    undo: Vec<String>,
    saved: Option<Saved>,
    before: Option<String>,
    after: Option<String>,
    ended: bool,
}

impl Ledger {
    /// From what was recorded, the newest first.
    pub fn of(recorded: Vec<Release>) -> Self {
        let entries = recorded.into_iter().rev().filter_map(|release| {
            let entry = serde_json::from_value(release.content.clone()).ok()?;
            Some((release, entry))
        });
        Self(entries.collect())
    }

    /// What lies between a release, recorded at that time, and the database as it is now.
    pub fn crossing(&self, at: Timestamp) -> Crossing {
        let (then, now) = (self.applied(Some(at)), self.applied(None));
        let has = |all: &[Applied], one: &Applied| all.iter().any(|other| other.number == one.number);
        let newer: Vec<Applied> = now.iter().filter(|one| !has(&then, one)).cloned().collect();
        let lacking = then.into_iter().filter(|one| !has(&now, one)).collect();
        Crossing { newer, lacking }
    }

    /// The migrations that the database had at a time, or has now.
    fn applied(&self, until: Option<Timestamp>) -> Vec<Applied> {
        let mut all: Vec<Applied> = Vec::new();
        for (noted, entry) in self.0.iter().filter(|(noted, _)| until.is_none_or(|until| noted.at <= until)) {
            match entry {
                Entry::Begun(begun) if !begun.back => all.push(Applied {
                    number: noted.number,
                    run: noted.run,
                    at: noted.at,
                    service: begun.service.clone(),
                    command: begun.command.clone(),
                    undo: begun.undo.clone(),
                    saved: begun.saved.clone(),
                    before: begun.before.clone(),
                    after: None,
                    ended: false,
                }),
                Entry::Begun(_) => {}
                Entry::Ended(ended) => self.end(&mut all, ended),
            }
        }
        // What left the database where it was changed nothing.
        all.retain(|one| !(one.ended && one.before.is_some() && one.before == one.after));
        all
    }

    fn end(&self, all: &mut Vec<Applied>, ended: &Ended) {
        if let Some(one) = all.iter_mut().find(|one| one.number == ended.of) {
            (one.ended, one.after) = (true, ended.after.clone());
            return;
        }
        let begun = self.0.iter().find(|(noted, _)| noted.number == ended.of).map(|(_, entry)| entry);
        let Some(Entry::Begun(back)) = begun.filter(|entry| matches!(entry, Entry::Begun(begun) if begun.back)) else {
            return;
        };
        // Taken back: one migration, or all those that came after the revision that the database is at now.
        let of_service = |one: &Applied| one.service == back.service;
        let reached = ended
            .after
            .as_ref()
            .and_then(|after| all.iter().position(|one| of_service(one) && one.before.as_ref() == Some(after)));
        match reached.or_else(|| all.iter().rposition(of_service)) {
            Some(first) if reached.is_some() => {
                let mut index = 0;
                all.retain(|one| {
                    index += 1;
                    index <= first || one.service != back.service
                });
            }
            Some(last) => drop(all.remove(last)),
            None => {}
        }
    }
}

/// What lies between a release and the database.
pub(super) struct Crossing {
    /// What the database has and the release did not, the oldest first.
    newer: Vec<Applied>,
    /// What the release had and was taken back since.
    lacking: Vec<Applied>,
}

impl Crossing {
    /// How many.
    pub fn len(&self) -> usize {
        self.newer.len() + self.lacking.len()
    }

    /// Did anything change the database for certain?
    pub fn is_certain(&self) -> bool {
        !self.lacking.is_empty() || self.newer.iter().any(Applied::is_certain)
    }

    /// Is anything among it that nothing takes back?
    pub fn is_lasting(&self) -> bool {
        !self.lacking.is_empty() || self.newer.iter().any(|one| one.is_certain() && one.undo.is_empty())
    }

    /// For scripts, the newest first.
    pub fn items(&self) -> Vec<Value> {
        let newer = self.newer.iter().rev().map(|one| one.item(false));
        newer.chain(self.lacking.iter().rev().map(|one| one.item(true))).collect()
    }

    /// Why a release cannot be gone back to just so.
    pub fn refusal(&self, name: &str, release: i64) -> Failure {
        let certain = self.newer.iter().rev().filter(|one| one.is_certain());
        let lines: Vec<String> =
            certain.map(|one| one.text(false)).chain(self.lacking.iter().rev().map(|one| one.text(true))).collect();
        let between =
            if lines.len() == 1 { "a migration lies".to_owned() } else { format!("{} migrations lie", lines.len()) };
        let message = format!("release {release} of `{name}` does not fit the database as it is: {between} between");
        let mut failure = Failure::new(FailureKind::Conflict, message).evidence("between", lines.join("\n"));
        if self.lacking.is_empty() && !self.is_lasting() {
            failure = failure.hint("`data: \"undo\"` takes back first what lies between");
        }
        if !self.newer.is_empty() {
            failure = failure.hint(match self.newer.first().and_then(|oldest| oldest.saved.as_ref()) {
                Some(saved) => saved.offer(release),
                None => {
                    format!("no backup was made before: nothing brings the database back as release {release} knew it")
                }
            });
        }
        if self.lacking.is_empty() && self.newer.first().is_some_and(|oldest| oldest.saved.is_some()) {
            failure = failure.hint("`data: \"restore\"` restores it, and saves first what is there now");
        }
        failure.hint("`data: \"keep\"` goes back all the same and leaves the database as it is")
    }
}

impl Applied {
    /// Is it known that it changed something? Without revisions it is not; one that never ended is taken for it.
    fn is_certain(&self) -> bool {
        !self.ended || (self.before.is_some() && self.after.is_some())
    }

    fn text(&self, lacking: bool) -> String {
        let what = match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
            _ => format!("`{}`", self.command.join(" ")),
        };
        let lead = format!("{what} in `{}`, by run {} at {}", self.service, self.run, minute(self.at));
        let end = if lacking {
            "was taken back since, and the release needs it: deploy it again instead".to_owned()
        } else if !self.ended {
            "was begun, and its end is not known".to_owned()
        } else if !self.is_certain() {
            "may have changed the database: nobody asked for its revision".to_owned()
        } else if self.undo.is_empty() {
            "cannot be taken back: nobody said how".to_owned()
        } else {
            format!("`{}` takes it back", self.undo.join(" "))
        };
        format!("{lead}: {end}")
    }

    fn item(&self, lacking: bool) -> Value {
        json!({
            "number": self.number, "run": self.run, "at": self.at, "service": self.service, "command": self.command,
            "before": self.before, "after": self.after, "undo": self.undo, "lacking": lacking,
            "certain": self.is_certain(), "reversible": !lacking && !self.undo.is_empty(),
            "saved": self.saved.as_ref().map(|saved| json!({
                "id": saved.id, "repository": saved.repository, "time": saved.time, "lost": saved.lost(),
            })),
            "text": self.text(lacking),
        })
    }
}

impl Saved {
    /// How much time of writing a restore throws away.
    fn lost(&self) -> String {
        let seconds = Timestamp::now().as_second().saturating_sub(self.time.as_second());
        Span(Duration::from_secs(u64::try_from(seconds).unwrap_or_default())).to_string()
    }

    fn offer(&self, release: i64) -> String {
        let id = self.id.get(..8).unwrap_or(&self.id);
        format!(
            "the database as release {release} knew it is the backup {id} in `{}`: restoring it loses what was written in the {} \
             since {}; `runbook backup restore {id} FOLDER --repository {}` takes it out",
            self.repository,
            self.lost(),
            minute(self.time),
            self.repository
        )
    }
}

/// An empty revision is that of a database nothing has migrated.
fn shown(revision: &str) -> &str {
    if revision.trim().is_empty() { "nothing" } else { revision.trim() }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::ReleaseState;

    /// Notes, a minute after each other.
    fn ledger(entries: Vec<Entry>) -> Ledger {
        let noted = entries.into_iter().zip(1..).map(|(entry, number)| Release {
            number,
            project: "shop (migrations)".into(),
            environment: "prod".into(),
            run: number,
            at: at(number),
            state: ReleaseState::Good,
            content: json!(entry),
        });
        let mut noted: Vec<Release> = noted.collect();
        noted.reverse();
        Ledger::of(noted)
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    fn begun(before: &str, undo: &str) -> Entry {
        let undo = undo.split_whitespace().map(str::to_owned).collect();
        Entry::Begun(Begun { service: "api".into(), before: Some(before.into()), undo, ..Begun::default() })
    }

    fn back(before: &str) -> Entry {
        Entry::Begun(Begun { service: "api".into(), before: Some(before.into()), back: true, ..Begun::default() })
    }

    fn ended(of: i64, after: &str) -> Entry {
        Entry::Ended(Ended { of, after: Some(after.into()) })
    }

    fn crossed(ledger: &Ledger, minute: i64) -> Vec<(String, bool)> {
        let items = ledger.crossing(at(minute)).items();
        items.iter().map(|item| (item["before"].as_str().unwrap().to_owned(), item["lacking"] == true)).collect()
    }

    #[test]
    fn what_came_after_a_release_lies_between_and_what_changed_nothing_does_not() {
        let ledger = ledger(vec![
            begun("a", "undo"),
            ended(1, "b"),
            begun("b", ""),
            ended(3, "c"),
            begun("c", ""),
            ended(5, "c"),
        ]);
        assert_eq!(crossed(&ledger, 6), []);
        assert_eq!(crossed(&ledger, 2), [("b".to_owned(), false)]);
        assert_eq!(crossed(&ledger, 0), [("b".to_owned(), false), ("a".to_owned(), false)]);
        let refusal = ledger.crossing(at(2)).refusal("shop", 1);
        assert_eq!(refusal.message, "release 1 of `shop` does not fit the database as it is: a migration lies between");
        assert!(refusal.evidence[0].text.ends_with("cannot be taken back: nobody said how"), "{refusal:?}");
        assert!(refusal.hints[0].starts_with("no backup was made before"), "{refusal:?}");
    }

    #[test]
    fn what_was_taken_back_is_lacking_for_the_release_that_had_it() {
        let ledger = ledger(vec![begun("a", "undo"), ended(1, "b"), back("b"), ended(3, "a")]);
        assert_eq!(crossed(&ledger, 0), []);
        assert_eq!(crossed(&ledger, 2), [("a".to_owned(), true)]);
        assert!(ledger.crossing(at(2)).is_lasting(), "going forward again needs a deployment");
    }

    #[test]
    fn going_back_to_a_revision_takes_back_all_that_came_after_it() {
        let ledger =
            ledger(vec![begun("a", "x"), ended(1, "b"), begun("b", "x"), ended(3, "c"), back("c"), ended(5, "a")]);
        assert_eq!(crossed(&ledger, 0), []);
        assert_eq!(crossed(&ledger, 4).len(), 2);
    }

    #[test]
    fn one_that_was_begun_and_never_ended_counts_and_one_without_revisions_may_count() {
        let open = ledger(vec![begun("a", "")]).crossing(at(0));
        assert!(open.is_certain() && open.is_lasting());
        let vague = Entry::Begun(Begun { service: "api".into(), ..Begun::default() });
        let vague = ledger(vec![vague, Entry::Ended(Ended { of: 1, after: None })]).crossing(at(0));
        assert!(!vague.is_certain() && vague.len() == 1);
    }
}
