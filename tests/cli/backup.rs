//! `runbook backup`: the story of a repository, from the command line.

mod exports;
mod imports;
mod keys;

use std::process::Command;

use serde_json::Value;

use crate::harness::bucket::{Bucket, KEY};
use crate::harness::{Project, skip};

const FILE: &str = "[project]
name = 'shop'

[backup.main]
path = 'store'
password = 'STORE_PASSWORD'
keep = { last = 1, tags = ['pinned'] }
max_age = '26h'
";

pub fn project() -> Project {
    Project::new()
        .file("runbook.toml", FILE)
        .file("uploads/a.txt", "hello\n")
        .file("save.rhai", "//! Save.\ninfo(backup(\"uploads\").parts[0]);\n")
        .file("pinned.rhai", "//! Save.\nbackup(\"uploads\", #{ tags: [\"pinned\"] });\n")
        .env("STORE_PASSWORD", "correct horse")
}

#[test]
fn a_repository_is_made_filled_looked_at_thinned_out_and_restored_from() {
    let project = project();
    let ran = project.runbook(&["run", "save.rhai"]).code(1);
    ran.says("there is no repository in").says("runbook backup init");

    let ran = project.runbook(&["backup", "init"]).success();
    ran.says("made the repository main in").says("restic -r").says("check --read-data").never_says("correct horse");
    project.runbook(&["backup", "init"]).code(2).says("there is a repository in");
    for runbook in ["pinned.rhai", "save.rhai", "save.rhai"] {
        project.runbook(&["run", runbook]).success();
    }
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> =
        listed["snapshots"].as_array().unwrap().iter().map(|snapshot| snapshot["id"].as_str().unwrap()).collect();
    assert_eq!((names.len(), &listed["findings"]), (3, &serde_json::json!([])));
    project.runbook(&["backup", "list"]).success().prints("shop  #pinned");
    project.runbook(&["backup", "show", "latest"]).success().prints("uploads").prints("folder");
    project.runbook(&["backup", "check", "--read-data"]).success().prints("the repository main is whole");

    let ran = project.runbook(&["backup", "forget", "--dry-run"]).success();
    ran.says("1 of 3 snapshots would be forgotten");
    let ran = project.runbook(&["backup", "forget"]).success();
    ran.says("1 of 3 snapshots forgotten")
        .prints("the newest, the last verified, last")
        .prints("tag pinned")
        .prints("- forgotten");
    project.runbook(&["backup", "prune"]).success().says("checked");
    project.runbook(&["backup", "show", names[1]]).code(2).says("there is no snapshot");

    let ran = project.runbook(&["backup", "restore", names[0], "back"]).success();
    ran.says("restored 1 files, 0 folders, 0 links, 6 B to back; read again from the disk: as it was saved");
    assert_eq!(project.read("back/a.txt"), "hello\n");
    project.runbook(&["backup", "restore", names[0], "back"]).code(2).says("is there already");
}

#[test]
fn a_newest_snapshot_that_is_old_or_small_is_said() {
    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let project = project();
    project.runbook(&["backup", "init"]).success();
    project.file_now("uploads/big", &"x".repeat(100_000));
    let mut command = Command::new("restic");
    command.args(["-q", "-r", "store", "backup", "--host", "web-1", "--time", "2026-01-01 10:00:00", "uploads"]);
    command.current_dir(project.path()).env("RESTIC_PASSWORD", "correct horse");
    assert!(command.status().unwrap().success());
    project.runbook(&["run", "save.rhai"]).success();
    std::fs::remove_file(project.path().join("uploads/big")).unwrap();
    project.runbook(&["run", "save.rhai"]).success();
    let ran = project.runbook(&["backup", "list"]).success();
    ran.says("h old, and 26h are allowed").says("the newest snapshot of shop has").says(", the one before had");
    // What `restic` saved is restored, too: by its path.
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let id = listed["snapshots"][0]["id"].as_str().unwrap();
    project.runbook(&["backup", "restore", id, "back", "--part", "uploads"]).success().says("restored 2 files");
    assert_eq!(project.read("back/big").len(), 100_000);
}

#[test]
fn what_the_project_file_lacks_is_said() {
    let project = Project::new();
    let ran = project.runbook(&["backup", "list"]).code(2);
    ran.says("there is no repository of backups in runbook.toml").says("[backup.main]");
    let project =
        project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\nkeep = { daily = 7, wekly = 1 }\n");
    project
        .runbook(&["backup", "list"])
        .code(2)
        .says("runbook.toml:4:21: there is no key `wekly` here")
        .says("did you mean `weekly`?");
    let project = project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\nkeep = { within = '7' }\n");
    project.runbook(&["backup", "list"]).code(2).says("`7` is not a stretch of time");
    let project = project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\n").env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["backup", "forget"]).code(2).says("has no rules of what to keep");
    let project = project
        .file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\n[backup.b]\npath = 'b'\npassword = 'P'\n");
    project.runbook(&["backup", "list"]).code(2).says("which repository of backups?").says("runbook.toml has a, b");
}

fn listed(project: &Project) -> Value {
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    serde_json::from_str(&listed.stdout).unwrap()
}

fn snapshot_file(project: &Project, listed: &Value, place: usize) -> std::path::PathBuf {
    project.path().join("store/snapshots").join(listed["snapshots"][place]["id"].as_str().unwrap())
}

#[test]
fn the_run_log_knows_every_snapshot_and_is_compared_with_the_repository_whenever_that_is_opened() {
    let project = project();
    project.runbook(&["backup", "init"]).success();
    for runbook in ["save.rhai", "pinned.rhai", "save.rhai"] {
        project.runbook(&["run", runbook]).success();
    }
    let before = listed(&project);
    assert_eq!(before["snapshots"][0]["parts"][0]["name"], "uploads");
    assert_eq!(before["snapshots"][0]["proofs"], serde_json::json!([]));
    project.runbook(&["doctor"]).prints("backups in main").prints("3 snapshots, the newest of ");

    // A restore proves what it restored, and a full check everything.
    let id = before["snapshots"][1]["id"].as_str().unwrap();
    project.runbook(&["backup", "restore", id, "back"]).success();
    assert_eq!(listed(&project)["snapshots"][1]["proofs"][0]["how"], "restored");
    project.runbook(&["backup", "check", "--all"]).success().prints("all data was read");
    assert_eq!(listed(&project)["snapshots"][2]["proofs"][0]["how"], "read");
    project.runbook(&["backup", "list"]).success().prints("read 20");
    project.runbook(&["backup", "show", id]).success().prints("restored 20").prints("made in ");

    // One that somebody removed behind its back is missed until the catalogue is made anew.
    std::fs::remove_file(snapshot_file(&project, &before, 0)).unwrap();
    project.runbook(&["backup", "list"]).success().says("of shop is gone, and nobody forgot it here");
    project.runbook(&["doctor"]).prints("of shop is gone, and nobody forgot it here");
    let ran = project.runbook(&["backup", "rebuild"]).success();
    ran.says("the catalogue of main has 2 snapshots; 1 that are gone are forgotten");
    let after = listed(&project);
    assert_eq!((after["snapshots"].as_array().unwrap().len(), &after["findings"]), (2, &serde_json::json!([])));
    assert_eq!(after["snapshots"][0]["proofs"].as_array().unwrap().len(), 2, "what was proven is still known");

    // Without a run log, all but that is found in the repository again.
    std::fs::remove_dir_all(project.path().join(".runbook")).unwrap();
    assert_eq!(listed(&project)["snapshots"][1]["parts"], after["snapshots"][1]["parts"]);
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn the_last_verified_snapshot_stays_and_after_a_failed_backup_all_do() {
    let project = project()
        .file("fails.rhai", "//! Fail.\nbackup(#{ command: [\"sh\", \"-c\", \"exit 3\"], name: \"dump\" });\n");
    project.runbook(&["backup", "init"]).success();
    for _ in 0..3 {
        project.runbook(&["run", "save.rhai"]).success();
    }
    let all = listed(&project);
    let id = all["snapshots"][0]["id"].as_str().unwrap();
    project.runbook(&["backup", "restore", id, "back"]).success();

    project.runbook(&["run", "fails.rhai"]).code(1);
    project.runbook(&["backup", "forget", "--dry-run"]).success().says("shop: its last backup failed (run 4)");
    let ran = project.runbook(&["backup", "forget"]).code(2);
    ran.says("nothing was forgotten: shop: its last backup failed (run 4)");
    assert_eq!(listed(&project)["snapshots"].as_array().unwrap().len(), 3);

    project.runbook(&["run", "save.rhai"]).success();
    let ran = project.runbook(&["backup", "forget"]).success();
    ran.says("2 of 4 snapshots forgotten")
        .prints("the last verified")
        .prints("- forgotten (last: 1 newer ones are kept");
    let left = listed(&project);
    assert_eq!((&left["snapshots"][0]["id"], &left["findings"]), (&all["snapshots"][0]["id"], &serde_json::json!([])));
}

#[test]
fn damage_names_the_snapshots_and_files_it_touches_and_what_to_do() {
    let project = project();
    project.runbook(&["backup", "init"]).success();
    std::fs::create_dir_all(project.path().join("uploads/deep")).unwrap();
    project.runbook(&["run", "save.rhai"]).success();
    let others = packs(&project);
    // What does not get smaller is in the largest pack, with nothing of the first snapshot.
    let noise = (0..60_000u64).flat_map(|number| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
    std::fs::write(project.path().join("uploads/deep/big.bin"), noise.collect::<Vec<u8>>()).unwrap();
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["backup", "check", "--all"]).success();
    project
        .runbook(&["backup", "check"])
        .success()
        .prints("the repository main is whole, 1 of 30 parts of the data were read");

    let new = packs(&project).into_iter().filter(|pack| !others.contains(pack));
    let data = new.max_by_key(|pack| std::fs::metadata(pack).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    project.runbook(&["backup", "check", "--no-data"]).success();
    let ran = project.runbook(&["backup", "check", "--all"]).code(1);
    let all = listed(&project);
    let (first, second) = (&all["snapshots"][0], &all["snapshots"][1]);
    let short = |snapshot: &Value| snapshot["id"].as_str().unwrap()[..8].to_owned();
    let ran = ran.says(&format!("the newest whole snapshot of shop is {}", short(first)));
    let ran = ran.prints("damaged: ").prints("  /data/uploads/deep/big.bin").prints("the repository main is damaged");
    assert!(!ran.stdout.contains(&format!("snapshot {}", short(first))), "{}", ran.stdout);
    ran.prints(&format!("snapshot {} of shop", short(second)));
    assert_eq!((first["proofs"].as_array().unwrap().len(), &second["proofs"]), (1, &serde_json::json!([])));

    // And one that is not there at all.
    std::fs::remove_file(&data).unwrap();
    let ran = project.runbook(&["backup", "check"]).code(1);
    ran.prints("  /data/uploads/deep/big.bin").never_says("no whole snapshot");
}

fn packs(project: &Project) -> Vec<std::path::PathBuf> {
    let folders = std::fs::read_dir(project.path().join("store/data")).unwrap();
    let packs = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    packs.map(|pack| pack.unwrap().path()).collect()
}

#[test]
fn a_repository_in_a_bucket_is_made_filled_restored_and_read_by_the_commands_that_are_printed() {
    let Some(bucket) = Bucket::new("story") else { return };
    let project = Project::new()
        .file(
            "runbook.toml",
            &format!("[project]\nname = 'shop'\n[backup.main]\n{}password = 'PASS'\n", bucket.lines()),
        )
        .file("uploads/a.txt", "hello\n")
        .file("save.rhai", "//! Save.\ninfo(backup(\"uploads\").parts[0]);\n")
        .env("PASS", "correct horse")
        .env("ACCESS", KEY.0)
        .env("SECRET", KEY.1);
    let ran = project.runbook(&["run", "save.rhai"]).code(1);
    ran.says("there is no repository in").says("runbook backup init").never_says(KEY.1);
    let made = project.runbook(&["backup", "init"]).success().says("made the repository main in http://127.0.0.1:");
    let made = made.says("-o s3.bucket-lookup=path").never_says("correct horse").never_says(KEY.1);
    project.runbook(&["backup", "init"]).code(2).says("there is a repository in");
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["backup", "list"]).success().prints("shop");
    project.runbook(&["backup", "show", "latest"]).success().prints("uploads").prints("folder");
    project.runbook(&["backup", "check", "--read-data"]).success().prints("the repository main is whole");
    project
        .runbook(&["backup", "restore", "latest", "back"])
        .success()
        .says("read again from the disk: as it was saved");
    assert_eq!(project.read("back/a.txt"), "hello\n");
    project.runbook(&["backup", "prune"]).success().says("checked");

    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let printed: Vec<&str> = made.stderr.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(printed.len(), 6, "{printed:?}");
    let script = printed.join("\n").replace("/tmp/restored", "theirs");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_runbook")).parent().unwrap().display().to_string();
    let output = Command::new("sh")
        .args(["-ec", &script])
        .current_dir(project.path())
        .env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap()))
        .env("RESTIC_CACHE_DIR", project.path().join("cache"))
        .envs([("PASS", "correct horse"), ("ACCESS", KEY.0), ("SECRET", KEY.1)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no errors were found"));
    assert_eq!(project.read("theirs/data/uploads/a.txt"), "hello\n");
}

#[test]
fn how_far_it_is_is_told_as_events_and_not_in_a_pipe() {
    let Some(bucket) = Bucket::new("reach") else { return };
    let limits = "limit_upload = '512KiB'\nlimit_download = '512KiB'\n";
    let lines = format!("[project]\nname = 'shop'\n[backup.main]\n{}{limits}password = 'PASS'\n", bucket.lines());
    let project = Project::new().file("runbook.toml", &lines).file("save.rhai", "//! Save.\nbackup(\"noise\");\n");
    let project = project.env("PASS", "correct horse").env("ACCESS", KEY.0).env("SECRET", KEY.1);
    std::fs::create_dir(project.path().join("noise")).unwrap();
    for number in 0..8_u32 {
        let words = (0..50_000_u32).map(|n| (n ^ number << 24).wrapping_mul(2_654_435_761).rotate_left(n % 32));
        let bytes: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
        std::fs::write(project.path().join(format!("noise/{number}")), bytes).unwrap();
    }
    project.runbook(&["backup", "init"]).success().says("--limit-upload 512 --limit-download 512");
    let reached = |lines: &str, doing: &str| {
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let all: Vec<Value> = events.filter(|event| event["event"] == "progress" && event["doing"] == doing).collect();
        assert!(all.iter().any(|one| one["total"] == 1_600_000), "{doing}: {lines}");
        all
    };
    reached(&project.runbook(&["run", "save.rhai", "--json"]).success().stdout, "saving");
    let ran = project.runbook(&["backup", "restore", "latest", "back", "--json"]).success();
    let all = reached(&ran.stderr, "restoring");
    assert!(all.iter().any(|one| one["seconds_left"].is_u64()), "{all:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["restored"]["files"],
        8,
        "one document: {}",
        ran.stdout
    );
    project.runbook(&["backup", "restore", "latest", "again"]).success().never_says("restoring");
}

#[test]
fn a_place_that_is_none_is_said() {
    for (lines, why) in [
        ("", "it needs `path`, a folder, or `bucket`"),
        ("path = 'a'\nhost = 'web-1'", "`path` on a host begins at its root"),
        ("host = 'web-1'", "`host` needs `path`"),
        ("path = 'a'\nregion = 'x'", "`region` belongs to a `bucket`"),
        ("bucket = 'https://x.example/b-1'\npath = 'a'", "so it has no `path`"),
        ("bucket = 'https://x.example/b-1'", "a bucket needs `access_key`: the name of a secret"),
        ("bucket = 'https://x.example/b-1'\naccess_key = 'A'", "a bucket needs `secret_key`"),
        ("bucket = 'https://x.example/b-1'\nstyle = 'x'", "`x` is none of the words that may stand here"),
        ("path = 'a'\nlimit_upload = '1MiB'", "limits are for what travels to a `host` or a `bucket`"),
        ("host = 'web-1'\npath = '/a'\nlimit_download = '1KiB'", "`limit_download` is at least 64.0 KiB"),
        ("bucket = 'x.example'\naccess_key = 'A'\nsecret_key = 'S'", "`x.example` names no bucket"),
    ] {
        let project = Project::new().file("runbook.toml", &format!("[backup.main]\n{lines}\npassword = 'P'\n"));
        project.env("P", "correct horse").runbook(&["backup", "list"]).code(2).says(why);
    }
}

#[test]
fn snapshots_are_copied_from_the_command_line() {
    let file = "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\n\
                [backup.other]\npath = 'other'\npassword = 'Q'\n";
    let project = Project::new().file("runbook.toml", file).file("uploads/a.txt", "hello\n");
    let project = project.file("save.rhai", "//! Save.\nbackup(\"uploads\", #{ to: \"main\" });\n");
    let project = project.env("P", "correct horse").env("Q", "battery staple");
    let copy = |more: &[&str]| project.runbook(&[&["backup", "copy", "-r", "main"][..], more].concat());
    project.runbook(&["backup", "init", "-r", "main"]).success();
    copy(&["other"]).code(2).says("there is no repository in").says("init --repository other");
    project.runbook(&["backup", "init", "-r", "other"]).success();
    project.runbook(&["run", "save.rhai"]).success();
    copy(&["other"]).success().says("copied 1 of 1 snapshots to other").prints("shop");
    copy(&["other", "latest", "--json"]).success().prints("\"copied\": []");
    copy(&["main"]).code(2).says("the snapshots of main are there already");
    project.runbook(&["backup", "restore", "latest", "back", "-r", "other"]).success();
    assert_eq!(project.read("back/a.txt"), "hello\n");
}
