//! The systems' backups: made, drilled and restored from the runbooks as they are.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use runbook::drivers::docker::ContainerSpec;
use rusqlite::Connection;

use super::demo_images;
use super::saved::synced_to;
use super::systems::{System, docker};
use crate::harness::Lab;
use crate::harness::bucket::Bucket;

fn volume(name: &str) -> PathBuf {
    docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", name]).trim().into()
}

/// Each drill of the project left its evidence and nothing else.
fn nothing_is_left_of_drills(system: &System) {
    for entry in std::fs::read_dir(system.project.path().join("drills")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_file(), "{}", path.display());
        let label = format!("label=dev.runbook.drill={}", path.file_stem().unwrap().to_string_lossy());
        assert_eq!(
            docker(&["ps", "-aq", "--filter", &label]) + docker(&["network", "ls", "-q", "--filter", &label]).as_str(),
            ""
        );
    }
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

    let drilled =
        system.project.runbook(&["backup", "drill", "stupidbot", "--repository", "stupidbot", "--env", "demo"]);
    drilled.success().says("start the application on it").says("a new machine would run after");
    nothing_is_left_of_drills(&system);
    system.project.runbook(&["backup", "list", "--repository", "stupidbot"]).success().prints("drilled 20");
    let rows = || open().query_row("SELECT count(*) FROM kept", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows(), 0, "a drill changes nothing");

    run(&["stupidbot/restore.rhai"]).success().says("restore");
    assert_eq!(rows(), 2);
    assert!(system.health("18080").contains(r#""status":"healthy""#));
    let listed = system.project.runbook(&["backup", "list", "--json", "--repository", "stupidbot"]).success();
    listed.prints("stupidbot.before-restore");

    // The machine is gone, its run log with it: the repository and the secrets are enough.
    for (container, _) in system.containers() {
        docker(&["rm", "-f", "-v", &container]);
    }
    docker(&["volume", "rm", &format!("{}-data", system.projects()[0])]);
    std::fs::remove_dir_all(system.project.path().join(".runbook")).unwrap();
    run(&["stupidbot/recover.rhai"]).success().says("restore chat.db").says("runs after");
    assert_eq!(rows(), 2);
    assert!(system.health("18080").contains(r#""status":"healthy""#));
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
    let drilled =
        system.project.runbook(&["backup", "drill", "chatsphere", "--repository", "chatsphere", "--env", "demo"]);
    drilled.success().says("restore chatsphere.dump").says("restore redis.rdb").says("start the application on it");
    assert_eq!(sql("SELECT count(*) FROM kept"), "0", "a drill changes nothing");
    nothing_is_left_of_drills(&system);
    run(&["chatsphere/restore.rhai"]).success();
    assert_eq!(sql("SELECT count(*) FROM kept"), "1000");
    assert!(system.health("18100").contains(r#""status":"healthy""#));

    // As on prod: saved before it is migrated, and brought back by a rollback that is told to.
    let settings = system.project.read("runbook.toml");
    system
        .project
        .file_now("runbook.toml", &settings.replace("save_before_migrating = false", "save_before_migrating = true"));
    run(&["chatsphere/deploy.rhai", "--tag", "v2"]).success().says("back up");
    sql("DELETE FROM kept WHERE number > 10");
    run(&["chatsphere/rollback.rhai", "--data", "restore"]).success().says("restore the database");
    assert_eq!(sql("SELECT count(*) FROM kept"), "1000");
    assert!(system.health("18100").contains(r#""version":"1""#), "{}", system.health("18100"));
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
    assert_eq!(std::fs::read_dir(storage.join("temp")).unwrap().count(), 1, "what was there before");
    std::fs::write(storage.join("minutes/a.bin"), "lost").unwrap();
    run(&["chatvista/restore.rhai", "--part", "minutes"]).success();
    assert_eq!(std::fs::read_to_string(storage.join("minutes.restored/a.bin")).unwrap(), "minutes");
    run(&["chatvista/restore.rhai", "--part", "minutes", "--in-place", "true"]).success();
    assert_eq!(std::fs::read_to_string(storage.join("minutes/a.bin")).unwrap(), "minutes");
    run(&["chatvista/restore.rhai", "--part", "nothing"]).code(1).says("there is no directory nothing");
    project.runbook(&["doctor"]).prints("backups in chatvista");
}

#[test]
fn the_bucket_of_chatvista_is_synced_and_links_to_it_are_given_out() {
    let Some(lab) = crate::harness::Lab::start() else { return };
    let Some(bucket) = Bucket::new("chatvista") else { return };
    let system = System::new(lab, &["chatvista"], &[]);
    let project = &system.project;
    synced_to(&system, &bucket);
    for part in ["recordings", "transcripts", "minutes", "exports", "avatars"] {
        std::fs::create_dir_all(project.path().join(format!("chatvista/storage/{part}/2026"))).unwrap();
        project.file_now(&format!("chatvista/storage/{part}/2026/a.txt"), part);
    }
    let run = |arguments: &[&str]| project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    project.runbook(&["backup", "init", "--repository", "chatvista"]).success();
    run(&["chatvista/backup.rhai"]).success();
    run(&["chatvista/sync.rhai", "--dry-run", "true"]).success().says("avatars: 1 objects would change");
    run(&["chatvista/sync.rhai"]).success().says("minutes: 1 objects written, 0 removed");
    run(&["chatvista/sync.rhai"]).success().says("minutes: 0 objects written, 0 removed");
    run(&["chatvista/link.rhai", "--object", "minutes/2026/a.txt"]).success().says("and is valid for 24h");
    let link = project.read("chatvista/links/a.txt");
    let read = Command::new("curl").args(["-s", link.trim()]).output().unwrap();
    assert_eq!(read.stdout, b"minutes");
    // What is gone here is gone there, and in the backups.
    std::fs::remove_file(project.path().join("chatvista/storage/exports/2026/a.txt")).unwrap();
    project.file_now("chatvista/storage/exports/2026/b.txt", "new");
    run(&["chatvista/backup.rhai"]).success();
    run(&["chatvista/sync.rhai"]).success().says("exports: 1 objects written, 1 removed");
    let listed = project.runbook(&["backup", "list", "--json", "--repository", "chatvista"]).success();
    listed.prints("chatvista.before-restore");
}

#[test]
fn chitram_is_backed_up_drilled_and_restored() {
    let Some(lab) = demo_images::databases() else { return };
    let system = System::new(lab, &["chitram"], &[]);
    let lab = Lab::start().unwrap();
    let containers = ["postgres", "minio", "app"].map(|part| format!("{}-{part}", system.projects()[0]));
    let spec = |number: usize, image: &str, env: &[&str]| ContainerSpec {
        name: containers[number].clone(),
        image: image.into(),
        env: env.iter().map(|variable| (*variable).to_owned()).collect(),
        labels: lab.labels(),
        ..ContainerSpec::default()
    };
    let variables = ["POSTGRES_USER=chitram", "POSTGRES_PASSWORD=x", "POSTGRES_DB=chitram"];
    lab.up(&spec(0, "demo/postgres:15", &variables));
    for number in [1, 2] {
        let command = Some(vec!["sleep".to_owned(), "3600".to_owned()]);
        lab.up(&ContainerSpec { command, ..spec(number, "runbook-test/busybox:1", &[]) });
    }
    let project = &system.project;
    let settings = project.read("runbook.toml");
    let line = settings.lines().find(|line| line.starts_with("objects = ")).unwrap();
    let settings = settings.replacen(line, "objects = \"chitram/objects\"", 1);
    project.file_now("runbook.toml", &settings);
    for (file, text) in
        [(".minio.sys/format.json", "{}"), ("images/1/xl.meta", "an image"), (".minio.sys/tmp/x", "half")]
    {
        let path = project.path().join("chitram/objects").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let sql = |statement: &str| {
        docker(&["exec", &containers[0], "psql", "-U", "chitram", "-d", "chitram", "-Atc", statement]).trim().to_owned()
    };
    let start = Instant::now();
    while sql("CREATE TABLE images AS SELECT generate_series(1, 100) AS number") != "SELECT 100" {
        assert!(start.elapsed() < Duration::from_secs(60), "the database does not come up");
        std::thread::sleep(Duration::from_millis(200));
    }
    let run = |arguments: &[&str]| project.runbook(&[&["run"], arguments, &["--env", "demo"]].concat());
    project.runbook(&["backup", "init", "--repository", "chitram"]).success();
    run(&["chitram/backup.rhai"]).success();
    let drilled = project.runbook(&["backup", "drill", "chitram", "--repository", "chitram", "--env", "demo"]);
    drilled.success().says("restore chitram.dump").says("restore objects");
    nothing_is_left_of_drills(&system);

    sql("DELETE FROM images");
    std::fs::remove_dir_all(project.path().join("chitram/objects/images")).unwrap();
    run(&["chitram/restore.rhai", "--part", "everything"]).code(1).says("not everything");
    run(&["chitram/restore.rhai"]).success().says("Chitram is as it was");
    assert_eq!(sql("SELECT count(*) FROM images"), "100");
    assert_eq!(project.read("chitram/objects/images/1/xl.meta"), "an image");
    let running = docker(&["ps", "--format", "{{.Names}}"]);
    assert!(containers.iter().all(|name| running.contains(name)), "{running}");
}
