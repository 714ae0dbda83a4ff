//! What a restore says is there is there: every kind of damage to what was restored is noticed. Beside each, whether counting rows,
//! keys or files would have told.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use runbook::primitive::Probe;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{backup, restore, site};
use crate::harness::{Direct, Redis};

/// Is everything there as it has to be? A look that fails says no.
fn is_whole(direct: &Direct, saved: &Value, target: &Value) -> bool {
    let call = json!([saved, target]);
    matches!(direct.recover("restore", Value::Null, call, Value::Null), Ok(Probe::Done(_)))
}

/// A kind of damage: its name, how it is done, and whether counting tells.
type Damage<'a> = (&'a str, Box<dyn Fn() + 'a>, bool);

/// Does each to a fresh restore, and returns how many there were and how many counting told of.
fn tried(
    damages: &[Damage<'_>],
    anew: impl Fn(),
    whole: impl Fn() -> bool,
    count: impl Fn() -> String,
) -> (usize, usize) {
    anew();
    assert!(whole(), "what is whole is no damage");
    let counted = count();
    let mut told = 0;
    for (name, damage, counting_tells) in damages {
        anew();
        assert!(whole(), "{name}: it is whole before");
        damage();
        assert!(!whole(), "{name} is not noticed");
        assert_eq!(count() != counted, *counting_tells, "{name}: does counting tell?");
        told += usize::from(*counting_tells);
    }
    (damages.len(), told)
}

#[test]
fn every_damage_to_a_sqlite_database_is_noticed_and_rows_alone_would_not_tell() {
    let direct = site();
    let (origin, copy) = (direct.path().join("app.db"), direct.path().join("copy.db"));
    let sql = |file: &Path, sql: &str| {
        let all = format!("PRAGMA foreign_keys = OFF; {sql}");
        Connection::open(file).unwrap().execute_batch(&all).unwrap();
    };
    sql(
        &origin,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, bio TEXT); CREATE TABLE orders (id INTEGER PRIMARY KEY, user INT REFERENCES users);
         CREATE INDEX by_name ON users (name); CREATE TRIGGER t AFTER INSERT ON orders BEGIN UPDATE users SET bio = 'x'; END;
         CREATE VIEW rich AS SELECT * FROM users;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO users SELECT i, 'user ' || i, hex(randomblob(100)) FROM n; INSERT INTO orders SELECT id, id FROM users;
         PRAGMA user_version = 7;",
    );
    let saved = backup(&direct, json!({ "sqlite": "app.db" }), json!({})).unwrap().value;
    let by = |statements: &'static str| {
        let copy = copy.clone();
        Box::new(move || sql(&copy, statements)) as Box<dyn Fn()>
    };
    let bytes = |change: fn(&mut Vec<u8>)| {
        let copy = copy.clone();
        Box::new(move || {
            let mut bytes = std::fs::read(&copy).unwrap();
            change(&mut bytes);
            std::fs::write(&copy, bytes).unwrap();
        }) as Box<dyn Fn()>
    };
    let damages: Vec<Damage<'_>> = vec![
        ("a row is missing", by("DELETE FROM users WHERE id = 77"), true),
        ("a value is another", by("UPDATE users SET bio = 'y' WHERE id = 9"), false),
        ("two values are swapped", by("UPDATE users SET name = 'user ' || (21 - id) WHERE id IN (10, 11)"), false),
        ("a row refers to nothing", by("UPDATE orders SET user = 9999 WHERE id = 3"), false),
        ("a table is empty", by("DELETE FROM orders"), true),
        ("an index is gone", by("DROP INDEX by_name"), false),
        ("a trigger is gone", by("DROP TRIGGER t"), false),
        ("a view is gone", by("DROP VIEW rich"), false),
        ("the application's version is another", by("PRAGMA user_version = 8"), false),
        (
            "a bit of a text is flipped",
            bytes(|bytes| {
                let place = bytes.len() - 300;
                bytes[place] ^= 1;
            }),
            false,
        ),
        ("the file ends early", bytes(|bytes| bytes.truncate(bytes.len() / 2)), true),
        (
            "changes of another database lie beside it",
            Box::new(|| std::fs::write(direct.path().join("copy.db-wal"), "old").unwrap()),
            false,
        ),
    ];
    let anew = || {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(direct.path().join(format!("copy.db{suffix}")));
        }
        direct.anew();
        restore(&direct, saved.clone(), json!("copy.db"), json!({})).unwrap();
    };
    let count = || {
        // Beside something that is not its own journal, SQLite would not look.
        let _ = std::fs::remove_file(direct.path().join("copy.db-wal"));
        let counted: rusqlite::Result<(i64, i64)> = Connection::open(&copy).and_then(|open| {
            open.query_row("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders)", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        });
        format!("{counted:?}")
    };
    let whole = || is_whole(&direct, &saved, &json!("copy.db"));
    assert_eq!(tried(&damages, anew, whole, count), (12, 3));
}

#[test]
fn every_damage_to_redis_is_noticed_and_the_number_of_keys_would_not_tell() {
    let (Some(from), Some(to)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    from.script(
        "redis.call('set', 'text', 'some text'); redis.call('set', 'session', 'x', 'EX', 100000);
         for n = 1, 200 do redis.call('rpush', 'list', n); redis.call('sadd', 'set', n); redis.call('zadd', 'scores', n, 'p' .. n);
         redis.call('hset', 'hash', n, 'v') end redis.call('xadd', 'stream', '1-1', 'k', 'v');
         redis.call('xgroup', 'create', 'stream', 'readers', '0')",
    );
    from.ask(&["function", "load", "#!lua name=own\nredis.register_function('own', function() return 1 end)"]);
    let direct = site();
    let saved = backup(&direct, json!({ "redis": from.address(), "name": "cache.rdb" }), json!({})).unwrap().value;
    let target = json!({ "redis": to.address(), "name": "cache.rdb" });
    let by = |words: &'static [&'static str]| {
        let to = &to;
        Box::new(move || drop(to.ask(words))) as Box<dyn Fn()>
    };
    let damages: Vec<Damage<'_>> = vec![
        ("a key is missing", by(&["del", "text"]), true),
        ("a key is more", by(&["set", "other", "1"]), true),
        ("a value is another", by(&["set", "text", "some texT"]), false),
        ("a key lives for ever", by(&["persist", "session"]), false),
        ("a list is turned", by(&["lmove", "list", "list", "left", "right"]), false),
        (
            "a member of a set is another",
            by(&["eval", "redis.call('srem', 'set', 5) redis.call('sadd', 'set', 500)", "0"]),
            false,
        ),
        ("a score is another", by(&["zincrby", "scores", "0.5", "p7"]), false),
        ("a field is gone", by(&["hdel", "hash", "7"]), false),
        ("a reader of a stream is further", by(&["xgroup", "setid", "stream", "readers", "1-1"]), false),
        (
            "a key is of another kind",
            by(&["eval", "redis.call('del', 'text') redis.call('rpush', 'text', 'some text')", "0"]),
            false,
        ),
        ("a key is in another database", by(&["move", "text", "3"]), true),
        ("a function is gone", by(&["function", "flush"]), false),
    ];
    let anew = || {
        to.ask(&["flushall"]);
        to.ask(&["function", "flush"]);
        direct.anew();
        restore(&direct, saved.clone(), target.clone(), json!({})).unwrap();
    };
    let count = || to.ask(&["dbsize"]);
    assert_eq!(tried(&damages, anew, || is_whole(&direct, &saved, &target), count), (12, 3));
}

#[test]
fn every_damage_to_a_folder_is_noticed_and_the_number_of_files_would_not_tell() {
    let direct = site();
    super::furnish(&direct);
    let saved = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    let copy = direct.path().join("copy");
    let at = |path: &str| copy.join(path);
    let flip = || {
        let mut bytes = std::fs::read(at("deep/er/b.bin")).unwrap();
        let time = std::fs::metadata(at("deep/er/b.bin")).unwrap().modified().unwrap();
        bytes[3_000_000] ^= 1;
        std::fs::write(at("deep/er/b.bin"), bytes).unwrap();
        std::fs::File::options().write(true).open(at("deep/er/b.bin")).unwrap().set_modified(time).unwrap();
    };
    let damages: Vec<Damage<'_>> = vec![
        ("a file is missing", Box::new(|| std::fs::remove_file(at("a.txt")).unwrap()), true),
        ("a file is more", Box::new(|| std::fs::write(at("deep/more"), "x").unwrap()), true),
        ("a bit is flipped, and size and time are the same", Box::new(flip), false),
        ("a file ends early", Box::new(|| std::fs::write(at("a.txt"), "hel").unwrap()), false),
        ("a file is empty", Box::new(|| std::fs::write(at("a.txt"), "").unwrap()), false),
        ("a file has another name", Box::new(|| std::fs::rename(at("a.txt"), at("A.txt")).unwrap()), false),
        ("a file is in another folder", Box::new(|| std::fs::rename(at("a.txt"), at("deep/a.txt")).unwrap()), false),
        (
            "two files are swapped",
            Box::new(|| {
                std::fs::rename(at("a.txt"), at("x")).unwrap();
                std::fs::rename(at("a name with blanks"), at("a.txt")).unwrap();
                std::fs::rename(at("x"), at("a name with blanks")).unwrap();
            }),
            false,
        ),
        (
            "everybody may read it",
            Box::new(|| {
                std::fs::set_permissions(at("a.txt"), std::fs::Permissions::from_mode(0o644)).unwrap();
            }),
            false,
        ),
        ("a file is another's", Box::new(|| chown(at("a.txt"), Some(12345), None).unwrap()), false),
        ("an empty folder is gone", Box::new(|| std::fs::remove_dir(at("nothing")).unwrap()), false),
        (
            "a link leads elsewhere",
            Box::new(|| {
                std::fs::remove_file(at("gone")).unwrap();
                symlink("/elsewhere", at("gone")).unwrap();
            }),
            false,
        ),
    ];
    let anew = || {
        let _ = std::fs::remove_dir_all(&copy);
        direct.anew();
        restore(&direct, saved.clone(), json!("copy"), json!({})).unwrap();
    };
    let whole = || is_whole(&direct, &saved, &json!("copy"));
    assert_eq!(tried(&damages, anew, whole, || files(&copy).to_string()), (12, 2));
}

/// How many files there are below a folder.
fn files(folder: &Path) -> usize {
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        if kind.is_dir() { files(&path) } else { usize::from(kind.is_file()) }
    };
    std::fs::read_dir(folder).unwrap().map(count).sum()
}
