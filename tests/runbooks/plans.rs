//! What the plans of the systems' runbooks list is what their runs do, in both directions.

use super::demo_images;
use super::saved::{self, Saved};
use super::systems::System;
use crate::execution::plan_truth::plan_comes_true;
use crate::survival::shipped::world::{ImageFolder, World};

/// Plans and runs each of these in turn, and says how many changes each made, and whether the plan foresaw all of it.
#[track_caller]
fn come_true(system: &System, turns: &[&[&str]]) -> Vec<(usize, bool)> {
    let each = turns.iter().map(|words| {
        let words = [words, &["--env", "demo"][..]].concat();
        plan_comes_true(|words| system.project.runbook(words), &words, &words.join(" "))
    });
    each.collect()
}

#[test]
fn of_the_chat_bot() {
    let Some(lab) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["stupidbot"], &["18080", "13000"]);
    let deploy = "stupidbot/deploy.rhai";
    let made = come_true(
        &system,
        &[&[deploy, "--tag", "1"], &[deploy, "--tag", "1"], &[deploy, "--tag", "2"], &["stupidbot/rollback.rhai"]],
    );
    assert!(made[0].0 >= 4, "{made:?}");
    assert_eq!(made[1..], [(0, true), (2, true), (2, true)]);
}

#[test]
fn of_dnd_helper() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(_apps) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["dnd-helper"], &["18090", "15432", "16379"]);
    let deploy = "dnd-helper/deploy.rhai";
    let made = come_true(
        &system,
        &[
            &[deploy],
            &["dnd-helper/seed.rhai"],
            &[deploy, "--api-tag", "2"],
            &["dnd-helper/rollback.rhai", "--data", "keep"],
        ],
    );
    assert!(made.iter().all(|(changes, is_whole)| *changes > 0 && *is_whole), "{made:?}");
}

#[test]
fn of_chatsphere() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(_apps) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["chatsphere"], &["18100", "18101"]);
    let deploy = "chatsphere/deploy.rhai";
    let made = come_true(
        &system,
        &[
            &["chatsphere/setup.rhai"],
            &[deploy, "--tag", "v1"],
            &[deploy, "--tag", "v2"],
            &["chatsphere/rollback.rhai", "--data", "keep"],
        ],
    );
    assert!(made.iter().all(|(changes, _)| *changes > 0), "{made:?}");
    // What the files of a tag say is known once the tag is checked out.
    assert_eq!(made.iter().map(|(_, is_whole)| *is_whole).collect::<Vec<_>>(), [true, false, false, true]);
}

#[test]
fn of_removing_the_demo() {
    let Some(lab) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["stupidbot", "dnd-helper", "chatsphere"], &["18080", "13000"]);
    system.project.runbook(&["run", "stupidbot/deploy.rhai", "--env", "demo"]).success();
    let made = come_true(&system, &[&["remove-demo.rhai"], &["remove-demo.rhai"]]);
    assert!(made[0].0 >= 4 && made[0].1, "{made:?}");
    assert_eq!(made[1], (0, true));
}

#[test]
fn of_building_the_images() {
    let Some(_lab) = demo_images::images(&["--databases", "false"]) else { return };
    let folder = ImageFolder::new();
    let words = ["images.rhai", "--profile", "dev", "--databases", "false"];
    let (changes, is_whole) = plan_comes_true(|words| folder.runs(words), &words, "images.rhai");
    // What is built is known once cargo has said where it is.
    assert_eq!((changes, is_whole), (1, false));
}

/// Plans and runs what backs up, drills, restores and recovers a system; what is restored is damaged before, and what is recovered is
/// lost.
#[track_caller]
fn backups_come_true(saved: Option<Saved>, turns: &[&[&str]]) {
    let Some(saved) = saved else { return };
    for words in turns {
        match words[0].rsplit('/').next() {
            Some("restore.rhai") => saved.damage(),
            Some("recover.rhai") => saved.system.lose(),
            Some("sync.rhai") => saved.diverge(),
            _ => {}
        }
        // Some print at their end what only a run knows: the plan is certain up to there, and right.
        let made = come_true(&saved.system, &[words]);
        assert!(made[0].0 > 0, "{words:?}: {made:?}");
    }
}

#[test]
fn of_the_chat_bots_backups() {
    let turns: &[&[&str]] = &[
        &["stupidbot/backup.rhai"],
        &["stupidbot/restore-drill.rhai"],
        &["stupidbot/restore.rhai"],
        &["stupidbot/recover.rhai"],
    ];
    backups_come_true(saved::stupidbot(), turns);
}

#[test]
fn of_chatspheres_backups() {
    let turns: &[&[&str]] = &[
        &["chatsphere/backup.rhai"],
        &["chatsphere/restore-drill.rhai"],
        &["chatsphere/restore.rhai"],
        &["chatsphere/recover.rhai"],
    ];
    backups_come_true(saved::chatsphere(), turns);
}

#[test]
fn of_chatvistas_backups() {
    let restore: &[&str] = &["chatvista/restore.rhai", "--part", "minutes"];
    let in_place: &[&str] = &["chatvista/restore.rhai", "--part", "minutes", "--in-place", "true"];
    let turns = [&["chatvista/backup.rhai"][..], &["chatvista/restore-drill.rhai"], restore, in_place];
    backups_come_true(saved::chatvista(), &turns);
}

#[test]
fn of_chatvistas_bucket() {
    let turns: &[&[&str]] = &[&["chatvista/sync.rhai"], &["chatvista/link.rhai", "--object", "minutes/a.bin"]];
    backups_come_true(saved::chatvista_and_bucket("planned-chatvista"), turns);
}

#[test]
fn of_chitrams_backups() {
    backups_come_true(
        saved::chitram(),
        &[&["chitram/backup.rhai"], &["chitram/restore-drill.rhai"], &["chitram/restore.rhai"]],
    );
}

#[test]
fn of_dnd_helpers_backup_and_drill() {
    backups_come_true(saved::dnd_helper(), &[&["dnd-helper/backup.rhai"], &["dnd-helper/restore-drill.rhai"]]);
}
