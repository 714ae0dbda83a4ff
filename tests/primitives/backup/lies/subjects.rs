//! What is saved: how it is written in a call, how it becomes another, and how one sees that it came back.

use std::fmt::Write;
use std::time::Duration;

use runbook::primitive::Failure;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::{listing, restore};
use crate::harness::cut::{self, Way};
use crate::harness::{Direct, Postgres, Redis};

/// A source that cannot end well, and the options of its call.
pub struct Doomed {
    pub name: String,
    pub source: Value,
    pub options: Value,
    pub is_patient: bool,
}

pub fn doomed(name: impl Into<String>, source: Value) -> Doomed {
    Doomed { name: name.into(), source, options: json!({ "within": "60s" }), is_patient: false }
}

pub fn slowly(name: impl Into<String>, source: Value) -> Doomed {
    Doomed { name: name.into(), source, options: json!({ "within": "8s" }), is_patient: true }
}

/// A kind of source.
pub trait Subject {
    fn name(&self) -> &'static str;
    /// As an argument of `backup`.
    fn source(&self) -> Value;
    /// Another content than ever before.
    fn alter(&self, direct: &Direct, round: u64);
    /// What it holds.
    fn look(&self, direct: &Direct) -> String;
    /// Restores a snapshot of it, and says what came back.
    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure>;
    /// Its own ways to fail.
    fn doomed(&self, direct: &Direct) -> Vec<Doomed>;
}

/// Bytes that no other round has, and that do not become shorter by packing.
pub fn noise(round: u64, bytes: usize) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut made = Vec::with_capacity(bytes + 8);
    while made.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made.truncate(bytes);
    made
}

pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A folder with a bit of everything.
pub struct Folder;

impl Subject for Folder {
    fn name(&self) -> &'static str {
        "a folder"
    }

    fn source(&self) -> Value {
        json!("uploads")
    }

    fn alter(&self, direct: &Direct, round: u64) {
        if !direct.path().join("uploads/a.txt").exists() {
            super::super::furnish(direct);
        }
        std::fs::write(direct.path().join("uploads/fresh"), noise(round, 300_000)).unwrap();
    }

    fn look(&self, direct: &Direct) -> String {
        listing(&direct.path().join("uploads"))
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        let target = direct.path().join("again");
        let _ = std::fs::remove_dir_all(&target);
        restore(direct, json!(id), json!("again"), json!({ "part": "uploads" }))?;
        Ok(listing(&target))
    }

    fn doomed(&self, direct: &Direct) -> Vec<Doomed> {
        let script = "mkdir -p odd/in piped loop; mkfifo piped/pipe; mknod odd/in/device c 1 3 2>/dev/null || mkfifo odd/in/device; touch file; ln -sfn loop/x loop/x";
        let made = std::process::Command::new("sh").args(["-ec", script]).current_dir(direct.path()).status().unwrap();
        assert!(made.success());
        vec![
            doomed("a pipe", json!("piped")),
            doomed("a device", json!("odd")),
            doomed("no folder", json!(["uploads", "nowhere"])),
            doomed("a file for a folder", json!("file")),
            doomed("a link to itself", json!("loop/x")),
            doomed("a pattern that is none", json!([{ "folder": "uploads", "exclude": ["a{b"] }])),
            doomed("beside a command that fails", json!(["uploads", { "command": ["false"], "name": "x" }])),
        ]
    }
}

/// What a command prints.
pub struct Lines;

fn command(script: &str) -> Value {
    json!({ "command": ["sh", "-c", script], "name": "dump" })
}

impl Subject for Lines {
    fn name(&self) -> &'static str {
        "what a command prints"
    }

    fn source(&self) -> Value {
        json!({ "command": ["cat", "dump.bin"], "name": "dump" })
    }

    fn alter(&self, direct: &Direct, round: u64) {
        std::fs::write(direct.path().join("dump.bin"), noise(round, 1_500_000)).unwrap();
    }

    fn look(&self, direct: &Direct) -> String {
        hash(&std::fs::read(direct.path().join("dump.bin")).unwrap())
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        let target = direct.path().join("again.bin");
        let _ = std::fs::remove_file(&target);
        restore(direct, json!(id), json!("again.bin"), json!({ "part": "dump" }))?;
        Ok(hash(&std::fs::read(target).unwrap()))
    }

    fn doomed(&self, _: &Direct) -> Vec<Doomed> {
        let mut all = vec![
            doomed("no program", json!({ "command": ["no-such-program"], "name": "dump" })),
            doomed("its output held", command("sleep 60 & exit 0")),
            doomed("a broken pipe inside", command("set -o pipefail 2>/dev/null; cat dump.bin; exit 141")),
            doomed(
                "beside another that goes on",
                json!([command("exit 1"), { "command": ["sleep", "60"], "name": "s" }]),
            ),
            slowly("it never ends", command("cat dump.bin; sleep 60")),
            slowly("it says nothing", command("sleep 60")),
        ];
        for bytes in [0, 1, 4096, 70_000, 1_000_000, 1_500_000] {
            let cut = format!("head -c {bytes} dump.bin");
            all.push(doomed(format!("code 3 after {bytes} bytes"), command(&format!("{cut}; exit 3"))));
            all.push(doomed(format!("killed after {bytes} bytes"), command(&format!("{cut}; kill -9 $$"))));
        }
        all.push(doomed("asked to end", command("head -c 300000 dump.bin; kill -TERM $$")));
        all
    }
}

/// A SQLite database.
pub struct Upright;

impl Subject for Upright {
    fn name(&self) -> &'static str {
        "a SQLite database"
    }

    fn source(&self) -> Value {
        json!({ "sqlite": "app.db" })
    }

    fn alter(&self, direct: &Direct, round: u64) {
        let connection = Connection::open(direct.path().join("app.db")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS account (name BLOB, amount INTEGER)")
            .unwrap();
        for row in 0..40_u32 {
            let name = noise(round * 1000 + u64::from(row), 4000);
            connection.execute("INSERT INTO account VALUES (?1, ?2)", (name, row)).unwrap();
        }
    }

    fn look(&self, direct: &Direct) -> String {
        rows(direct, "app.db")
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        let target = direct.path().join("again.db");
        let _ = std::fs::remove_file(&target);
        restore(direct, json!(id), json!("again.db"), json!({ "part": "app.db" }))?;
        Ok(rows(direct, "again.db"))
    }

    fn doomed(&self, direct: &Direct) -> Vec<Doomed> {
        let whole = std::fs::read(direct.path().join("app.db")).unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(direct.path().join(name), bytes).unwrap();
        write("none.db", &b"no database at all ".repeat(500));
        write("half.db", &whole[..whole.len() / 2]);
        let mut damaged = whole.clone();
        damaged[8192..12000].fill(0x55);
        write("damaged.db", &damaged);
        let mut torn = whole;
        let end = torn.len() - 5000;
        torn[end..end + 3000].fill(0);
        write("torn.db", &torn);
        std::fs::create_dir_all(direct.path().join("folder.db")).unwrap();
        let locked = Connection::open(direct.path().join("locked.db")).unwrap();
        locked.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE;").unwrap();
        // For as long as the tests run.
        std::mem::forget(locked);
        let of = |name: &str| json!({ "sqlite": name });
        vec![
            doomed("no database", of("none.db")),
            doomed("half of one", of("half.db")),
            doomed("a damaged page", of("damaged.db")),
            doomed("a torn page", of("torn.db")),
            doomed("a folder", of("folder.db")),
            doomed("nothing", of("nothing.db")),
            doomed("beside a command that fails", json!([of("app.db"), { "command": ["false"], "name": "x" }])),
            slowly("others lock it", of("locked.db")),
        ]
    }
}

fn rows(direct: &Direct, file: &str) -> String {
    let connection = Connection::open(direct.path().join(file)).unwrap();
    let mut statement = connection.prepare("SELECT rowid, name, amount FROM account ORDER BY rowid").unwrap();
    let mut found = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = found.next().unwrap() {
        all.extend(row.get::<_, i64>(0).unwrap().to_le_bytes());
        all.extend(row.get::<_, Vec<u8>>(1).unwrap());
        all.extend(row.get::<_, i64>(2).unwrap().to_le_bytes());
    }
    hash(&all)
}

/// A PostgreSQL database.
pub struct Tables(Postgres);

impl Tables {
    pub fn new() -> Option<Self> {
        let server = Postgres::start()?;
        server.sql("postgres", "create database shop");
        server.sql("shop", "create table t (id bigserial primary key, name text, raw bytea); create index on t (name)");
        Some(Self(server))
    }

    fn at(&self, database: &str, way: &Way) -> Value {
        let address = self.0.address(database);
        let port = address.rsplit(':').next().unwrap().split('/').next().unwrap();
        json!({ "postgres": address.replace(&format!(":{port}/"), &format!(":{}/", way.port())), "name": "shop", "globals": false })
    }

    fn port(&self) -> u16 {
        let address = self.0.address("shop");
        address.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap()
    }
}

impl Subject for Tables {
    fn name(&self) -> &'static str {
        "a PostgreSQL database"
    }

    fn source(&self) -> Value {
        json!({ "postgres": self.0.address("shop"), "name": "shop", "globals": false })
    }

    fn alter(&self, _: &Direct, round: u64) {
        self.0.sql("shop", &format!("insert into t (name, raw) select md5(n::text || '{round}'), decode(md5(n::text || 'r{round}') || md5(n::text || 's{round}'), 'hex') from generate_series(1, 2000) n"));
    }

    fn look(&self, _: &Direct) -> String {
        self.0.sql(
            "shop",
            "select count(*), max(id), sum(hashtextextended(t::text, 0)::numeric), (select last_value from t_id_seq) from t",
        )
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        self.0.sql("postgres", "drop database if exists again with (force)");
        let target = json!({ "postgres": self.0.address("again"), "name": "shop" });
        restore(direct, json!(id), target, json!({}))?;
        Ok(self.0.sql(
            "again",
            "select count(*), max(id), sum(hashtextextended(t::text, 0)::numeric), (select last_value from t_id_seq) from t",
        ))
    }

    fn doomed(&self, _: &Direct) -> Vec<Doomed> {
        let of = |address: String| json!({ "postgres": address, "name": "shop", "globals": false });
        let weak = self.0.address("shop").replace("postgres@", "weak@");
        self.0.sql("postgres", "create role weak login");
        let mut all = vec![
            doomed("no such database", of(self.0.address("none"))),
            doomed("nobody there", of("postgres://postgres@127.0.0.1:1/shop".into())),
            doomed("a role that may not read", of(weak)),
            doomed("a role that is none", json!({ "postgres": self.0.address("shop"), "role": "nobody" })),
            doomed("beside a command that fails", json!([self.source(), { "command": ["false"], "name": "x" }])),
        ];
        for bytes in [200, 3_000, 30_000, 100_000, 160_000] {
            let way = Way::until(self.port(), bytes, cut::Blow::Cut, false);
            all.push(doomed(format!("the connection ends after {bytes} bytes"), self.at("shop", &way)));
        }
        for bytes in [3_000, 100_000] {
            let way = Way::until(self.port(), bytes, cut::Blow::Stall, false);
            all.push(slowly(format!("nothing comes after {bytes} bytes"), self.at("shop", &way)));
        }
        all
    }
}

/// A Redis server, and another one to come back in.
pub struct Keys(Redis, Redis);

impl Keys {
    pub fn new() -> Option<Self> {
        let server = Redis::start(&["--appendonly", "yes"])?;
        server.script(
            "for n = 1, 300 do redis.call('rpush', 'list', n); redis.call('zadd', 'scores', n / 7, 'p' .. n);
             redis.call('hset', 'hash', 'f' .. n, n); redis.call('sadd', 'set', 'm' .. n); redis.call('xadd', 'stream', n .. '-1', 'k', n) end",
        );
        Some(Self(server, Redis::start(&["--appendonly", "yes"])?))
    }

    fn at(way: &Way) -> Value {
        json!({ "redis": format!("127.0.0.1:{}", way.port()), "name": "cache.rdb" })
    }

    fn port(&self) -> u16 {
        self.0.address().rsplit(':').next().unwrap().parse().unwrap()
    }
}

impl Subject for Keys {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn source(&self) -> Value {
        json!({ "redis": self.0.address(), "name": "cache.rdb" })
    }

    fn alter(&self, _: &Direct, round: u64) {
        self.0.script(&format!(
            "for n = 1, 2000 do redis.call('set', 'k' .. n, redis.sha1hex(n .. ':{round}') .. redis.sha1hex(n .. '-{round}')) end"
        ));
    }

    fn look(&self, _: &Direct) -> String {
        self.0.ask(&["debug", "digest"])
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        self.1.ask(&["flushall"]);
        let target = json!({ "redis": self.1.address(), "name": "cache.rdb" });
        restore(direct, json!(id), target, json!({}))?;
        Ok(self.1.ask(&["debug", "digest"]))
    }

    fn doomed(&self, direct: &Direct) -> Vec<Doomed> {
        direct.write("wrong.env", "");
        let mut all = vec![
            doomed("nobody there", json!({ "redis": "127.0.0.1:1", "name": "cache.rdb" })),
            doomed("no such secret", json!({ "redis": self.0.address(), "password": "NONE", "name": "cache.rdb" })),
            doomed(
                "no such container",
                json!({ "redis": "cache", "container": "no-such-container", "name": "cache.rdb" }),
            ),
            doomed("beside a command that fails", json!([self.source(), { "command": ["false"], "name": "x" }])),
        ];
        for bytes in [5, 100, 3_000, 60_000, 120_000] {
            let way = Way::until(self.port(), bytes, cut::Blow::Cut, false);
            all.push(doomed(format!("the connection ends after {bytes} bytes"), Self::at(&way)));
        }
        for bytes in [100, 60_000] {
            let way = Way::until(self.port(), bytes, cut::Blow::Stall, false);
            all.push(slowly(format!("nothing comes after {bytes} bytes"), Self::at(&way)));
        }
        all
    }
}

/// How long anything may take from when it is certain, on top of what it takes when all is well.
pub const SOON: Duration = Duration::from_secs(20);
