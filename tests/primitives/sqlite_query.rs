use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Direct, primitive};

fn asked(direct: &Direct, sql: &str, options: Value) -> Result<Value, runbook::primitive::Failure> {
    direct.call(primitive("sqlite_query"), json!(["app.db", sql]), options).map(|outcome| outcome.value)
}

#[test]
fn a_question_is_answered_and_nothing_is_changed() {
    let direct = Direct::new();
    let open = Connection::open(direct.path().join("app.db")).unwrap();
    open.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a, b, c, d); INSERT INTO t VALUES (1, 'two', 2.5, x'00ff'), (NULL, '', 0, '');",
    )
    .unwrap();
    let rows = asked(&direct, "SELECT * FROM t ORDER BY rowid", json!({})).unwrap();
    assert_eq!(rows, json!([[1, "two", 2.5, "00ff"], [null, "", 0, ""]]), "also what is in its write-ahead log");
    assert_eq!(asked(&direct, "PRAGMA user_version", json!({})).unwrap(), json!([[0]]));
    let other = direct.path().join("other.db").display().to_string();
    for sql in [
        "DELETE FROM t".to_owned(),
        "PRAGMA user_version = 3".to_owned(),
        format!("ATTACH '{other}' AS other"),
        format!("VACUUM INTO '{other}'"),
        format!("-- SELECT\nATTACH '{other}' AS other"),
        format!("/* SELECT */ VACUUM INTO '{other}'"),
        format!("; ATTACH '{other}' AS other"),
        "WITH n AS (SELECT 1) DELETE FROM t".to_owned(),
        String::new(),
    ] {
        let failure = asked(&direct, &sql, json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Argument, "{sql}: {failure}");
    }
    assert!(!direct.path().join("other.db").exists());
    assert_eq!(asked(&direct, "SELECT count(*) FROM t", json!({})).unwrap(), json!([[2]]));
}

#[test]
fn what_cannot_be_answered_is_said() {
    let direct = Direct::new();
    assert_eq!(asked(&direct, "SELECT 1", json!({})).unwrap_err().kind, FailureKind::NotFound);
    direct.write("app.db", &"no database ".repeat(100));
    assert_eq!(asked(&direct, "SELECT * FROM t", json!({})).unwrap_err().kind, FailureKind::Invalid);
    std::fs::remove_file(direct.path().join("app.db")).unwrap();
    Connection::open(direct.path().join("app.db")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let failure = asked(&direct, "SELECT b FROM t", json!({})).unwrap_err();
    assert!(failure.message.contains("no such column: b"), "{failure}");
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT";
    let began = Instant::now();
    let failure = asked(&direct, &format!("{endless} count(*) FROM n"), json!({ "within": "200ms" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    assert!(began.elapsed() < Duration::from_secs(10));
    let failure = asked(&direct, &format!("{endless} i FROM n"), json!({})).unwrap_err();
    assert_eq!(failure.message, "it answers with more than 1000 rows");
}
