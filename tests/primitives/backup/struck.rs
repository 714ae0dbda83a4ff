//! `forget` and `prune` killed at any moment, beside somebody who makes backups: nothing has to be mended, and whatever is still
//! there is what was saved.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::drivers::backup::{Access, Repository, Tally};
use serde_json::json;

use super::{PASSWORD, backup, open, restic, restore, site};
use crate::harness::Direct;
use crate::harness::at_night;

/// Blows in the default size, and at night.
const BLOWS: (u64, u64) = (6, 300);

fn command(direct: &Direct, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
    command.args(arguments).current_dir(direct.path()).env("RUNBOOK_STATE", direct.path().join("state"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What each snapshot has to hold.
fn tallies(repository: &Repository) -> BTreeMap<String, Tally> {
    let all = repository.snapshots().unwrap().into_iter();
    all.map(|snapshot| {
        let manifest = repository.manifest(&snapshot).unwrap().unwrap();
        (snapshot.id, manifest.parts[0].tally.clone())
    })
    .collect()
}

#[test]
fn forget_and_prune_killed_at_any_moment_leave_a_whole_repository() {
    let direct = site();
    let file = std::fs::read_to_string(direct.path().join("runbook.toml")).unwrap();
    let rules = file.replace("password = 'STORE'\n", "password = 'STORE'\nkeep = { last = 3, tags = ['pinned'] }\n");
    direct.write("runbook.toml", &rules);
    direct.write("uploads/first", "kept from the beginning");
    let first = backup(&direct, json!("uploads"), json!({ "tags": ["pinned"] })).unwrap().value;
    direct.write("save.rhai", "//! Save.\nbackup(\"uploads\");\n");
    let (mut known, mut longest) = (tallies(&open(&direct)), Duration::from_millis(600));
    let blows = if at_night() { BLOWS.1 } else { BLOWS.0 };
    for blow in 0..blows {
        let noise = (0..20_000u64).map(|number| (number * 31 + blow + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let noise = noise.fold(String::new(), |text, number| text + format!("{number:x}").as_str());
        direct.write(&format!("uploads/{}", blow % 3), &noise);
        let writer = command(&direct, &["run", "save.rhai"]).spawn().unwrap();
        let what = if blow % 2 == 0 { "forget" } else { "prune" };
        let mut victim = command(&direct, &["backup", what]).spawn().unwrap();
        // Spread over all of the time that it takes.
        let after = longest * u32::try_from(blow * 7 % 11 + 1).unwrap() / 11;
        let start = Instant::now();
        while start.elapsed() < after && victim.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        if victim.try_wait().unwrap().is_some() {
            longest = longest.min(start.elapsed().max(Duration::from_millis(100)) * 2);
        }
        let _ = victim.kill();
        victim.wait().unwrap();
        let (went_well, said) = end_of(writer);
        assert!(went_well, "blow {blow}: the backup beside it failed: {said}");

        let repository = open(&direct);
        let there = tallies(&repository);
        assert!(there.contains_key(first["id"].as_str().unwrap()), "blow {blow}: what a rule keeps stays");
        assert!(there.len() >= 2.min(known.len()), "blow {blow}: {} snapshots are left", there.len());
        for (id, tally) in &there {
            assert!(known.get(id).is_none_or(|before| before == tally), "blow {blow}: {id} is another than it was");
        }
        known.extend(there);
        let mut checked = repository.check(blow % 5 == 0).unwrap();
        if !checked.errors.is_empty() {
            drop(repository);
            let alone = direct.path().join("store");
            let alone = Repository::open(&alone, PASSWORD, Access::Alone, std::sync::Arc::new(|| Ok(()))).unwrap();
            alone.prune().unwrap();
            checked = alone.check(true).unwrap();
        }
        assert!(checked.errors.is_empty(), "blow {blow} to {what} after {after:?}: {:?}", checked.errors);
    }
    let repository = open(&direct);
    for (id, tally) in tallies(&repository) {
        let to = format!("back-{}", &id[..8]);
        let restored = restore(&direct, json!(id), json!(to), json!({ "owners": false })).unwrap();
        assert_eq!(restored["files"], tally.files);
    }
    drop(repository);
    // Nobody has to unlock anything.
    for what in ["forget", "prune", "check"] {
        let ran = command(&direct, &["backup", what]).output().unwrap();
        assert!(ran.status.success(), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let _ = restic(&direct, &["check", "--read-data"]);
}

/// How a process ended, and what it said.
fn end_of(mut child: Child) -> (bool, String) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            return (status.success(), said);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    (false, "it did not end within two minutes".to_owned())
}
