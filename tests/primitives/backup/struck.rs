//! Whatever is killed at any moment, a backup, a copy, `forget`, `prune` or a restore, beside somebody who makes backups: nothing has to
//! be mended, and whatever is still there is what was saved.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::drivers::backup::{Access, Repository, Tally};
use serde_json::json;

use super::{PASSWORD, backup, listing, open, restic, restore, site};
use crate::harness::{Direct, at_night};

/// Blows in the default size, and at night.
const BLOWS: (u64, u64) = (10, 300);
/// What is killed: commands, or scripts.
const VICTIMS: [&[&str]; 5] = [
    &["backup", "forget", "--repository", "main"],
    &["backup", "prune", "--repository", "main"],
    &["run", "copy.rhai"],
    &["run", "back.rhai"],
    &["run", "other.rhai"],
];

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

/// A project with a repository that has rules and another one for copies.
fn ground() -> Direct {
    let direct = site();
    let file = std::fs::read_to_string(direct.path().join("runbook.toml")).unwrap();
    let rules = file.replace(
        "password = 'STORE'\n",
        "password = 'STORE'\nkeep = { last = 3, tags = ['pinned'] }\n[backup.offsite]\npath = 'offsite'\npassword = 'STORE'\n",
    );
    direct.write("runbook.toml", &rules);
    Repository::init(direct.path().join("offsite"), PASSWORD).unwrap();
    direct.write("uploads/first", "kept from the beginning");
    direct.write("save.rhai", "//! Save.\nbackup(\"uploads\", #{ to: \"main\" });\n");
    direct.write("other.rhai", "//! Save.\nbackup(\"uploads\", #{ to: \"main\", job: \"other\" });\n");
    direct.write("copy.rhai", "//! Copy.\nbackup_copy(\"offsite\", #{ from: \"main\" });\n");
    direct.write("back.rhai", "//! Go back.\nrestore(\"latest\", \"back\", #{ from: \"main\", replace: true });\n");
    direct
}

/// Looks into a repository; one that is not clean has to be so after one prune.
fn look(direct: &Direct, store: &str, reads: bool, known: &mut BTreeMap<String, Tally>, blow: &str) -> usize {
    let path = direct.path().join(store);
    let opened = |access| Repository::open(&path, PASSWORD, access, std::sync::Arc::new(|| Ok(()))).unwrap();
    let repository = opened(Access::Shared);
    let there = tallies(&repository);
    let count = there.len();
    for (id, tally) in &there {
        assert!(known.get(id).is_none_or(|before| before == tally), "{blow}: {id} is another than it was");
    }
    known.extend(there);
    let mut checked = repository.check(reads).unwrap();
    if !checked.errors.is_empty() {
        drop(repository);
        let alone = opened(Access::Alone);
        alone.prune().unwrap();
        checked = alone.check(true).unwrap();
    }
    assert!(checked.errors.is_empty(), "{blow}: {store}: {:?}", checked.errors);
    count
}

#[test]
fn whatever_is_killed_at_any_moment_every_repository_is_whole() {
    let direct = ground();
    let uploads = direct.path().join("uploads");
    let first = backup(&direct, json!("uploads"), json!({ "to": "main", "tags": ["pinned"] })).unwrap().value;
    let (mut known, mut copied) = (tallies(&open(&direct)), BTreeMap::new());
    let mut contents = BTreeSet::from([listing(&uploads)]);
    let mut longest = [Duration::from_millis(1500); VICTIMS.len()];
    let (mut killed, mut lasted) = ([0; VICTIMS.len()], Duration::ZERO);
    let blows = if at_night() { BLOWS.1 } else { BLOWS.0 };
    for blow in 0..blows {
        let noise = (0..20_000u64).map(|number| (number * 31 + blow + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let noise = noise.fold(String::new(), |text, number| text + format!("{number:x}").as_str());
        direct.write(&format!("uploads/{}", blow % 3), &noise);
        contents.insert(listing(&uploads));
        let writer = command(&direct, &["run", "save.rhai"]).spawn().unwrap();
        let which = usize::try_from(blow).unwrap() % VICTIMS.len();
        let mut victim = command(&direct, VICTIMS[which]).stderr(Stdio::null()).spawn().unwrap();
        // Spread over all of the time that it takes.
        let after = longest[which] * u32::try_from(blow / 5 * 7 % 23 + 1).unwrap() / 23;
        let start = Instant::now();
        while start.elapsed() < after && victim.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        if victim.try_wait().unwrap().is_some() {
            longest[which] = longest[which].min(start.elapsed().max(Duration::from_millis(100)) * 5 / 4);
        } else {
            killed[which] += 1;
            longest[which] = longest[which].max(after * 5 / 4);
        }
        let _ = victim.kill();
        victim.wait().unwrap();
        lasted += start.elapsed();
        let (went_well, said) = end_of(writer);
        let name = format!("blow {blow} to {:?} after {after:?}", VICTIMS[which]);
        assert!(went_well, "{name}: the backup beside it failed: {said}");

        let before = known.len();
        let left = look(&direct, "store", blow % 5 == 0, &mut known, &name);
        assert!(known.contains_key(first["id"].as_str().unwrap()), "{name}: what a rule keeps stays");
        assert!(left >= 2.min(before), "{name}: {left} snapshots are left");
        look(&direct, "offsite", false, &mut copied, &name);
        // What is restored is what was there before or what was saved, never a part of it.
        let back = direct.path().join("back");
        assert!(!back.exists() || contents.contains(&listing(&back)), "{name}: what is restored is nothing that was");
        if blow % 25 == 24 {
            let _ = restic(&direct, &["check"]);
        }
    }
    eprintln!("{blows} blows, {killed:?} of {VICTIMS:?} hit something that ran; {lasted:.0?} under way");
    for store in ["main", "offsite"] {
        let repository = Repository::open(
            direct.path().join(if store == "main" { "store" } else { store }),
            PASSWORD,
            Access::Shared,
            std::sync::Arc::new(|| Ok(())),
        )
        .unwrap();
        let all = tallies(&repository);
        drop(repository);
        // By day the last of them: the others were compared with what they have to hold.
        let count = if at_night() { all.len() } else { 3 };
        for id in all.keys().rev().take(count) {
            let to = format!("back-{store}-{}", &id[..8]);
            let options = json!({ "from": store });
            restore(&direct, json!(id), json!(to), options).unwrap();
            assert!(contents.contains(&listing(&direct.path().join(&to))), "{id} of {store} is nothing that was");
            std::fs::remove_dir_all(direct.path().join(to)).unwrap();
        }
    }
    // Nobody has to unlock anything. A job whose last backup was struck forgets nothing until the next one has gone well.
    let ends: [&[&str]; 4] = [
        &["run", "other.rhai"],
        &["backup", "forget", "--repository", "main"],
        &["backup", "prune", "--repository", "main"],
        &["backup", "check", "--repository", "main"],
    ];
    for arguments in ends {
        let ran = command(&direct, arguments).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let _ = restic(&direct, &["check", "--read-data"]);
    let _ = restic(&direct, &["-r", "offsite", "check", "--read-data"]);
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
