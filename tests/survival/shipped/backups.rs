//! The runbooks that back up, drill and restore, killed: each run makes one snapshot, drills once, restores what is damaged,
//! and leaves nothing beside the system, in the repository or on the engine.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use runbook::journal::{Journal, RunFilter};
use serde_json::Value;

use super::stage::Stage;
use super::world::{Systems, World};
use crate::runbooks::saved::{self, Saved, files};
use crate::runbooks::systems::docker;
use crate::survival::plan::has_strace;

/// The words that are no runbook: a part of the data is lost.
const DAMAGE: &[&str] = &["damage"];

/// And these: the bucket is another one than what was saved.
const DIVERGENCE: &[&str] = &["divergence"];

/// And these: everything that the engine has of the system is lost.
const LOSS: &[&str] = &["loss"];

impl World for Saved {
    fn command(&self, words: &[&str]) -> Command {
        self.system.project.command(words)
    }

    fn state(&self) -> PathBuf {
        self.system.project.path().join(".runbook")
    }

    fn does(&self, words: &[&str]) {
        match words {
            DAMAGE => self.damage(),
            LOSS => self.system.lose(),
            DIVERGENCE => self.diverge(),
            _ => drop(self.runs(words).success()),
        }
    }

    fn look(&self) -> Vec<String> {
        let mut seen = Systems::seen(&self.system);
        for (kind, name) in [("ps -a", "Names"), ("volume ls", "Name"), ("network ls", "Name")] {
            let format = format!("{{{{.Label \"dev.runbook.key\"}}}} {{{{.{name}}}}}");
            let kept = ["--filter", "label=dev.runbook.key", "--format", &format];
            let words: Vec<&str> = kind.split(' ').chain(kept).collect();
            let (mine, list) = (self.runs_of_its_own(), docker(&words));
            let beside = |(key, name): &(&str, &str)| is_of(key, &mine) && !name.starts_with(self.prefix());
            let left = list.lines().filter_map(|line| line.split_once(' ')).filter(beside);
            seen.extend(left.map(|(key, name)| format!("{kind}: {name} left by {key}")));
        }
        seen.extend(self.data());
        let folder = self.system.project.path();
        // Evidence of drills stays, under a name of its own each time.
        let is_ours =
            |name: &String| !["./.runbook/", "./backups/", "./drills"].iter().any(|begin| name.starts_with(begin));
        seen.extend(files(folder).into_iter().filter(is_ours));
        seen.extend(
            files(&folder.join("backups").join(self.name).join("locks")).iter().map(|lock| format!("lock {lock}")),
        );
        let kept = self.snapshots().iter().filter(|snapshot| snapshot["job"] == *self.name).count();
        seen.push(format!("{kept} snapshots"));
        let checked = self.runs(&["backup", "check", "--all", "--repository", self.name]);
        seen.push(format!("check {}", if checked.code == 0 { "good" } else { &*checked.stderr }));
        seen
    }

    /// The start of a container of the system, or of one that a run has beside it.
    fn effect(&self, event: &Value) -> Option<String> {
        let attributes = &event["Actor"]["Attributes"];
        let is_beside = || is_of(attributes["dev.runbook.key"].as_str().unwrap_or_default(), &self.runs_of_its_own());
        if attributes["com.docker.compose.project"].is_null() && event["Action"] == "start" && is_beside() {
            return Some(format!("start of {}", attributes["image"]));
        }
        Systems::start(&self.system, event)
    }

    /// The snapshots made, and the drills noted.
    fn effects(&self, since: Duration) -> Vec<String> {
        let since = Timestamp::UNIX_EPOCH + since;
        let mut effects = Vec::new();
        for snapshot in self.snapshots() {
            if snapshot["time"].as_str().unwrap().parse::<Zoned>().unwrap().timestamp() >= since {
                effects.push(format!("snapshot of {}", snapshot["job"]));
            }
            let proofs = snapshot["proofs"].as_array().cloned().unwrap_or_default();
            let is_new = |proof: &&Value| proof["at"].as_str().unwrap().parse::<Timestamp>().unwrap() >= since;
            let drills = proofs.iter().filter(|proof| proof["how"] == "drilled").filter(is_new);
            effects.extend(drills.map(|_| "drill noted".to_owned()));
        }
        effects
    }
}

/// Is that the name of a call of one of these runs?
fn is_of(key: &str, runs: &[String]) -> bool {
    runs.iter().any(|uid| key.split_once('/').is_some_and(|(run, _)| run == uid))
}

impl Saved {
    /// What its runs are called in the world.
    fn runs_of_its_own(&self) -> Vec<String> {
        let journal = Journal::open(&self.state()).unwrap();
        journal.runs(&RunFilter::default()).unwrap().into_iter().map(|run| run.uid).collect()
    }

    fn snapshots(&self) -> Vec<Value> {
        let listed = self.runs(&["backup", "list", "--json", "--repository", self.name]).success();
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["snapshots"].as_array().unwrap().clone()
    }

    /// Kills each of these runbooks at `most` boundaries.
    #[track_caller]
    fn survives(&self, turns: &[&[&'static str]], most: usize) {
        for words in turns {
            let turn = [&["run"], *words, &["--env", "demo"]].concat();
            let before = match words[0].rsplit('/').next() {
                Some("restore.rhai") => vec![DAMAGE.to_vec()],
                Some("recover.rhai") => vec![LOSS.to_vec()],
                Some("sync.rhai") => vec![DIVERGENCE.to_vec()],
                _ => Vec::new(),
            };
            Stage::new(words[0], self, vec![turn]).after(before).survives(most);
        }
    }
}

#[test]
fn stupidbots_backup_drill_and_restore_survive_kills() {
    let Some(saved) = has_strace().then(saved::stupidbot).flatten() else { return };
    saved.survives(&[&["stupidbot/backup.rhai"], &["stupidbot/restore-drill.rhai"], &["stupidbot/restore.rhai"]], 3);
}

#[test]
fn chatspheres_backup_drill_and_restore_survive_kills() {
    let Some(saved) = has_strace().then(saved::chatsphere).flatten() else { return };
    saved.survives(&[&["chatsphere/backup.rhai"], &["chatsphere/restore-drill.rhai"], &["chatsphere/restore.rhai"]], 3);
}

#[test]
fn recovering_the_chat_bot_survives_kills() {
    let Some(saved) = has_strace().then(saved::stupidbot).flatten() else { return };
    saved.survives(&[&["stupidbot/recover.rhai"]], 6);
}

#[test]
fn recovering_chatsphere_survives_kills() {
    let Some(saved) = has_strace().then(saved::chatsphere).flatten() else { return };
    saved.survives(&[&["chatsphere/recover.rhai"]], 6);
}

#[test]
fn chatvistas_backup_drill_and_restore_survive_kills() {
    let Some(saved) = has_strace().then(saved::chatvista).flatten() else { return };
    let restore = &["chatvista/restore.rhai", "--part", "minutes", "--in-place", "true"];
    saved.survives(&[&["chatvista/backup.rhai"], &["chatvista/restore-drill.rhai"], restore], 3);
}

#[test]
fn syncing_chatvistas_bucket_and_giving_out_links_survive_kills() {
    let Some(saved) = has_strace().then(|| saved::chatvista_and_bucket("killed-chatvista")).flatten() else { return };
    saved.survives(&[&["chatvista/sync.rhai"], &["chatvista/link.rhai", "--object", "minutes/a.bin"]], 4);
}

#[test]
fn chitrams_backup_drill_and_restore_survive_kills() {
    let Some(saved) = has_strace().then(saved::chitram).flatten() else { return };
    saved.survives(&[&["chitram/backup.rhai"], &["chitram/restore-drill.rhai"], &["chitram/restore.rhai"]], 3);
}

#[test]
fn dnd_helpers_backup_and_drill_survive_kills() {
    let Some(saved) = has_strace().then(saved::dnd_helper).flatten() else { return };
    saved.survives(&[&["dnd-helper/backup.rhai"], &["dnd-helper/restore-drill.rhai"]], 3);
}
