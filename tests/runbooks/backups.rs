//! The systems' backups: made, drilled and restored from the runbooks as they are.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::demo_images;
use super::systems::{System, docker};

fn volume(name: &str) -> PathBuf {
    docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", name]).trim().into()
}

#[test]
fn the_chat_bot_is_backed_up_drilled_and_restored() {
    let Some(lab) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["stupidbot"], &["18080", "13000", "18189"]);
    let run = |arguments: &[&str]| system.project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    run(&["stupidbot/deploy.rhai"]).success();
    run(&["stupidbot/backup.rhai"]).code(1).says("runbook backup init --repository stupidbot");
    system.project.runbook(&["backup", "init", "--repository", "stupidbot"]).success();

    let open = || Connection::open(volume(&format!("{}-data", system.projects()[0])).join("chat.db")).unwrap();
    open().execute_batch("CREATE TABLE kept (word TEXT); INSERT INTO kept VALUES ('one'), ('two')").unwrap();
    run(&["stupidbot/backup.rhai"]).success().says("save the database").says("check a part of the data");
    open().execute_batch("DELETE FROM kept").unwrap();

    run(&["stupidbot/restore-drill.rhai"]).success().says("ask for its health").says("a new machine would have");
    let drill = format!("name={}-drill", system.projects()[0]);
    assert_eq!(docker(&["ps", "-aq", "--filter", &drill]), "", "nothing is left of it");
    assert!(!system.project.path().join("stupidbot/drill").exists());
    system.project.runbook(&["backup", "list", "--repository", "stupidbot"]).success().prints("drilled 20");
    let rows = || open().query_row("SELECT count(*) FROM kept", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows(), 0, "a drill changes nothing");

    run(&["stupidbot/restore.rhai"]).success().says("restore");
    assert_eq!(rows(), 2);
    assert!(system.health("18080").contains(r#""status":"healthy""#));
    let listed = system.project.runbook(&["backup", "list", "--json", "--repository", "stupidbot"]).success();
    listed.prints("stupidbot.before-restore");
}

#[test]
fn chatsphere_is_backed_up_drilled_and_restored() {
    let Some(lab) = demo_images::databases() else { return };
    let Some(_apps) = demo_images::images(&["--databases", "false"]) else { return };
    let system = System::new(lab, &["chatsphere"], &["18100", "18101"]);
    let run = |arguments: &[&str]| system.project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    run(&["chatsphere/setup.rhai"]).success();
    run(&["chatsphere/deploy.rhai"]).success();
    system.project.runbook(&["backup", "init", "--repository", "chatsphere"]).success();
    let database = format!("{}-db-1", system.projects()[0]);
    let sql = |statement: &str| {
        let psql = ["exec", &database, "psql", "-U", "chatsphere_user", "-d", "chatsphere", "-Atc", statement];
        docker(&psql).trim().to_owned()
    };
    // The demo application does without it: nobody waited until it is there.
    let start = Instant::now();
    while sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number") != "SELECT 1000" {
        assert!(start.elapsed() < Duration::from_secs(60), "the database does not come up");
        std::thread::sleep(Duration::from_millis(200));
    }
    run(&["chatsphere/backup.rhai"]).success();
    sql("DELETE FROM kept");
    run(&["chatsphere/restore-drill.rhai"]).success();
    assert_eq!(sql("SELECT count(*) FROM kept"), "0", "a drill changes nothing");
    assert_eq!(sql("SELECT count(*) FROM pg_database WHERE datname LIKE '%drill'"), "0");
    run(&["chatsphere/restore.rhai"]).success();
    assert_eq!(sql("SELECT count(*) FROM kept"), "1000");
    assert!(system.health("18100").contains(r#""status":"healthy""#));
}

#[test]
fn the_directories_of_chatvista_are_backed_up_drilled_and_restored() {
    let Some(lab) = crate::harness::Lab::start() else { return };
    let system = System::new(lab, &["chatvista"], &[]);
    let project = &system.project;
    let storage = project.path().join("chatvista/storage");
    for part in ["recordings", "transcripts", "minutes", "exports", "avatars", "temp"] {
        std::fs::create_dir_all(storage.join(part)).unwrap();
        std::fs::write(storage.join(part).join("a.bin"), part).unwrap();
    }
    let run = |arguments: &[&str]| project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    project.runbook(&["backup", "init", "--repository", "chatvista"]).success();
    run(&["chatvista/backup.rhai"]).success();
    run(&["chatvista/restore-drill.rhai"]).success();
    assert!(!storage.join("temp/drill").exists() && storage.join("temp/a.bin").exists());
    std::fs::write(storage.join("minutes/a.bin"), "lost").unwrap();
    run(&["chatvista/restore.rhai", "--part", "minutes"]).success();
    assert_eq!(std::fs::read_to_string(storage.join("minutes.restored/a.bin")).unwrap(), "minutes");
    run(&["chatvista/restore.rhai", "--part", "minutes", "--in-place", "true"]).success();
    assert_eq!(std::fs::read_to_string(storage.join("minutes/a.bin")).unwrap(), "minutes");
    run(&["chatvista/restore.rhai", "--part", "nothing"]).code(1).says("there is no directory nothing");
    project.runbook(&["doctor"]).prints("backups in chatvista");
}
