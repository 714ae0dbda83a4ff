//! Systems with data in them and backups of it, from the runbooks as they are: ready to be backed up, drilled and restored.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::demo_images;
use super::systems::{System, docker};
use crate::harness::Lab;
use crate::harness::bucket::{Bucket, KEY, REGION};

/// A system and its repository, in which the three newest snapshots stay.
pub struct Saved {
    pub system: System,
    /// The folder of its runbooks, and the name of its repository.
    pub name: &'static str,
    data: fn(&Saved) -> Vec<String>,
    damage: fn(&Saved),
    /// What it is synced to.
    bucket: Option<Bucket>,
}

impl Saved {
    fn new(system: System, name: &'static str, data: fn(&Saved) -> Vec<String>, damage: fn(&Saved)) -> Self {
        let settings = system.project.read("runbook.toml");
        let few = |line| if str::starts_with(line, "keep = ") { "keep = { last = 3 }\n" } else { line };
        system.project.file_now("runbook.toml", &settings.split_inclusive('\n').map(few).collect::<String>());
        Self { system, name, data, damage, bucket: None }
    }

    /// Runs a runbook of the system.
    pub fn run(&self, name: &str) {
        self.system.project.runbook(&["run", &format!("{}/{name}.rhai", self.name), "--env", "demo"]).success();
    }

    /// Makes the repository, and as many snapshots as stay in it.
    fn filled(self) -> Self {
        self.system.project.runbook(&["backup", "init", "--repository", self.name]).success();
        (0..3).for_each(|_| self.run("backup"));
        self
    }

    /// What is in the system now.
    pub fn data(&self) -> Vec<String> {
        (self.data)(self)
    }

    /// Loses a part of it.
    pub fn damage(&self) {
        (self.damage)(self);
    }

    /// Lets the bucket be another one than what was saved: an object is lost, one is another, one is too many.
    pub fn diverge(&self) {
        let bucket = self.bucket.as_ref().unwrap();
        bucket.client().remove("recordings/a.bin").unwrap();
        bucket.put("minutes/a.bin", b"another");
        bucket.put("avatars/b.bin", b"too many");
    }

    /// The name that everything of the system begins with.
    pub fn prefix(&self) -> &str {
        &self.system.projects()[0]
    }

    fn volume(&self, name: &str) -> PathBuf {
        let volume = format!("{}-{name}", self.prefix());
        docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]).trim().into()
    }
}

/// The chat bot, with rows in its SQLite file.
pub fn stupidbot() -> Option<Saved> {
    let lab = demo_images::images(&["--databases", "false"])?;
    let system = System::new(lab, &["stupidbot"], &["18080", "13000", "18189"]);
    let open = |saved: &Saved| Connection::open(saved.volume("data").join("chat.db")).unwrap();
    let saved = Saved::new(
        system,
        "stupidbot",
        |saved| {
            let open = Connection::open(saved.volume("data").join("chat.db")).unwrap();
            let rows = open.query_row("SELECT group_concat(word) FROM kept", [], |row| row.get::<_, Option<String>>(0));
            let check = open.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
            [vec![format!("rows {rows:?}"), format!("check {check:?}")], files(&saved.volume("data"))].concat()
        },
        |saved| {
            let open = Connection::open(saved.volume("data").join("chat.db")).unwrap();
            open.execute_batch("DELETE FROM kept").unwrap();
        },
    );
    saved.run("deploy");
    open(&saved).execute_batch("CREATE TABLE kept (word TEXT); INSERT INTO kept VALUES ('one'), ('two')").unwrap();
    Some(saved.filled())
}

/// `ChatSphere`, with rows in PostgreSQL.
pub fn chatsphere() -> Option<Saved> {
    let lab = demo_images::databases()?;
    demo_images::images(&["--databases", "false"])?;
    let system = System::new(lab, &["chatsphere"], &["18100", "18101"]);
    let saved = Saved::new(
        system,
        "chatsphere",
        |saved| {
            let databases = "SELECT regexp_replace(datname, '_before_.*', '_before_') FROM pg_database ORDER BY 1";
            vec![
                format!("rows {}", saved.sql("chatsphere", "SELECT count(*) FROM kept")),
                format!("databases {}", saved.sql("chatsphere", databases).replace('\n', " ")),
            ]
        },
        |saved| {
            let kept = "SELECT datname FROM pg_database WHERE datname LIKE '%_before_%'";
            for name in saved.sql("chatsphere", kept).lines() {
                saved.sql("postgres", &format!("DROP DATABASE \"{name}\""));
            }
            saved.sql("chatsphere", "DELETE FROM kept");
        },
    );
    saved.run("setup");
    saved.run("deploy");
    saved.eventually("chatsphere", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number", "SELECT 1000");
    Some(saved.filled())
}

/// dnd-helper, with rows in PostgreSQL.
pub fn dnd_helper() -> Option<Saved> {
    let lab = demo_images::databases()?;
    demo_images::images(&["--databases", "false"])?;
    let system = System::new(lab, &["dnd-helper"], &["18090", "15432", "16379"]);
    let rows = |saved: &Saved| vec![format!("rows {}", saved.sql("dnd", "SELECT count(*) FROM kept"))];
    // No runbook restores it, so nothing is damaged.
    let saved = Saved::new(system, "dnd-helper", rows, |_| ());
    saved.run("deploy");
    saved.eventually("dnd", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number", "SELECT 1000");
    Some(saved.filled())
}

/// Chitram, of which its database and the folder of its objects are real.
pub fn chitram() -> Option<Saved> {
    let lab = demo_images::databases()?;
    let system = System::new(lab, &["chitram"], &[]);
    let saved = Saved::new(
        system,
        "chitram",
        |saved| {
            let rows = saved.sql("chitram", "SELECT count(*) FROM kept");
            [vec![format!("rows {rows}")], contents(&saved.volume("objects"))].concat()
        },
        |saved| {
            let kept = "SELECT datname FROM pg_database WHERE datname LIKE '%_before_%'";
            for name in saved.sql("chitram", kept).lines() {
                saved.sql("postgres", &format!("DROP DATABASE \"{name}\""));
            }
            saved.sql("chitram", "DELETE FROM kept");
            std::fs::remove_file(saved.volume("objects").join("photos/a/xl.meta")).unwrap();
        },
    );
    let label = format!("com.docker.compose.project={}", saved.prefix());
    let label = ["--label", &label, "--label", "runbook-test=1"];
    let postgres = format!("{}-postgres", saved.prefix());
    let environment =
        ["-e", "POSTGRES_USER=chitram", "-e", "POSTGRES_PASSWORD=4vQ7pX2mKd9s", "-e", "POSTGRES_DB=chitram"];
    docker(&[&["run", "-d", "--name", &postgres], &label[..], &environment, &["demo/postgres:15"]].concat());
    for part in ["minio", "app"] {
        let name = format!("{}-{part}", saved.prefix());
        docker(&[&["run", "-d", "--name", &name], &label[..], &["--init", "demo/redis:7", "sleep", "3600"]].concat());
    }
    docker(&[&["volume", "create"], &label[..], &[&format!("{}-objects", saved.prefix())]].concat());
    std::fs::create_dir(saved.volume("objects").join(".minio.sys")).unwrap();
    std::fs::write(saved.volume("objects").join(".minio.sys/format.json"), "{}").unwrap();
    for photo in ["a", "b"] {
        let folder = saved.volume("objects").join("photos").join(photo);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("xl.meta"), photo.repeat(1000)).unwrap();
    }
    saved.eventually("chitram", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number", "SELECT 1000");
    Some(saved.filled())
}

/// Lets `ChatVista`'s runbooks reach this bucket.
pub fn synced_to(system: &System, bucket: &Bucket) {
    let project = &system.project;
    let settings = project.read("runbook.toml");
    let here = settings.replace("http://127.0.0.1:19000/chatvista-storage", &bucket.url());
    project.file_now("runbook.toml", &here.replace("region = \"us-east-1\"", &format!("region = \"{REGION}\"")));
    let secrets = format!("DO_SPACES_ACCESS_KEY='{}'\nDO_SPACES_SECRET_KEY='{}'\n", KEY.0, KEY.1);
    project.file_now("demo.secrets", &format!("{}{secrets}", project.read("demo.secrets")));
}

/// The directories of `ChatVista` with the bucket that they are synced to.
pub fn chatvista_and_bucket(name: &str) -> Option<Saved> {
    let bucket = Bucket::new(name)?;
    let mut saved = chatvista()?;
    synced_to(&saved.system, &bucket);
    saved.data = |saved| {
        let held = saved.bucket.iter().flat_map(Bucket::held);
        held.map(|(name, content)| format!("object {name} {}", String::from_utf8_lossy(&content))).collect()
    };
    saved.bucket = Some(bucket);
    Some(saved)
}

/// The directories of `ChatVista`.
pub fn chatvista() -> Option<Saved> {
    let system = System::new(Lab::start()?, &["chatvista"], &[]);
    let storage = |saved: &Saved| saved.system.project.path().join("chatvista/storage");
    let saved = Saved::new(
        system,
        "chatvista",
        |saved| contents(&saved.system.project.path().join("chatvista/storage")),
        |saved| saved.system.project.file_now("chatvista/storage/minutes/a.bin", "lost"),
    );
    for part in ["recordings", "transcripts", "minutes", "exports", "avatars", "temp"] {
        std::fs::create_dir_all(storage(&saved).join(part)).unwrap();
        std::fs::write(storage(&saved).join(part).join("a.bin"), part).unwrap();
    }
    Some(saved.filled())
}

impl Saved {
    /// What PostgreSQL answers.
    fn sql(&self, database: &str, statement: &str) -> String {
        let (part, user) = match self.name {
            "chatsphere" => ("db-1", "chatsphere_user"),
            "dnd-helper" => ("postgres", "dnd"),
            _ => ("postgres", "chitram"),
        };
        let all = self.system.containers();
        let named = all.iter().find(|(name, _)| name.contains(&format!("-{part}")));
        let container = named.map_or_else(|| panic!("no {part} among {all:?}"), |(name, _)| name.clone());
        docker(&["exec", &container, "psql", "-U", user, "-d", database, "-Atc", statement]).trim().to_owned()
    }

    /// Repeats a statement until it gives that answer: until the database is there.
    fn eventually(&self, database: &str, statement: &str, answer: &str) {
        let began = Instant::now();
        while self.sql(database, statement) != answer {
            assert!(began.elapsed() < Duration::from_secs(60), "the database does not come up");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The files below a folder, without what an open SQLite file has beside it.
pub fn files(folder: &Path) -> Vec<String> {
    let output = Command::new("find").args([".", "-mindepth", "1"]).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
    all.retain(|name| !["-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(end)));
    all.sort();
    all
}

/// The same with the sums of their contents.
fn contents(folder: &Path) -> Vec<String> {
    let sum = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).unwrap_or_default();
        let sum = bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        format!("{name} {} {sum:x}", bytes.len())
    };
    files(folder).into_iter().map(sum).collect()
}
