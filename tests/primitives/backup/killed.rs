//! A backup that is killed at any moment leaves nothing that looks like one, and nothing that has to be mended.

use std::time::Duration;

use super::{open, restic, site};
use serde_json::json;

#[test]
fn killed_at_any_moment_the_repository_is_whole_and_the_next_backup_good() {
    let direct = site();
    direct.write("uploads/a", "kept from the beginning");
    super::backup(&direct, json!("uploads"), json!({})).unwrap();
    direct.write(
        "save.rhai",
        "//! Save.\nbackup(#{ command: [\"sh\", \"-c\", \"head -c 6000000 /dev/urandom\"], name: \"dump\" });\n",
    );
    let mut finished = 0;
    for round in 1..=12 {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(["run", "save.rhai"]).current_dir(direct.path()).env("RUNBOOK_STATE", direct.path().join("state"));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 * round));
        child.kill().unwrap();
        finished += u32::from(child.wait().unwrap().success());
        let repository = open(&direct);
        let there = repository.snapshots().unwrap();
        assert!(u32::try_from(there.len()).unwrap() > finished, "what was said to be saved is there");
        for snapshot in &there {
            assert!(repository.manifest(snapshot).unwrap().is_some(), "what is there is whole");
        }
        let checked = repository.check(true).unwrap();
        assert!(checked.errors.is_empty(), "round {round}: {:?}", checked.errors);
    }
    super::backup(&direct, json!("uploads"), json!({})).unwrap();
    let _ = restic(&direct, &["check", "--read-data"]);
    super::restore(&direct, json!("latest"), json!("back"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("back/a")).unwrap(), "kept from the beginning");
}
