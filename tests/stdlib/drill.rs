use std::path::Path;

use runbook::drivers::backup::Repository;
use serde_json::Value;

use crate::harness::{Lab, Project};
use crate::runbooks::demo_images;

const SAVE: &str = r#"
let db = "NAME";
docker().run("demo/postgres:15", #{ name: db, detach: true, pull: "never", labels: #{ "runbook-test.lab": "LAB" }, env: #{ POSTGRES_PASSWORD: "x" } });
wait_until("it answers", || docker().exec(db, ["pg_isready", "-q", "-h", "127.0.0.1"], #{ check: false, read_only: true }).ok, #{ within: "5m" });
for sql in ["create database shop", "\\c shop\ncreate table users as select n as id, 'user ' || n as name from generate_series(1, 1000) n"] {
    docker().exec(db, ["psql", "-X", "-U", "postgres", "-v", "ON_ERROR_STOP=1"], #{ stdin: sql });
}
backup(#{ postgres: "shop", container: db });
"#;

const DRILL: &str = r#"
import "std/drill" as drill;
let done = drill::postgres("shop", #{
    like: "NAME", checks: #{ "users": #{ sql: "select count(*) from users", gives: 1000 } OTHER },
    verify: || info("looked at by the runbook"),
});
info(`${done.tables} tables, ${done.rows} rows, ${done.phases.len()} phases`);
"#;

#[test]
fn a_drill_restores_where_it_harms_nobody_and_leaves_evidence() {
    let Some(lab) = demo_images::databases() else { return };
    let name = lab.name("db");
    let fill = |text: &str| text.replace("NAME", &name).replace("LAB", lab.label().split('=').nth(1).unwrap());
    let project = Project::script(&fill(SAVE));
    let write = |file: &str, text: &str| std::fs::write(project.path().join(file), text).unwrap();
    write(
        "runbook.toml",
        "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
         [secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n",
    );
    write("secrets.env", "STORE='a password of the store'\n");
    Repository::init(project.path().join("store"), "a password of the store").unwrap();
    project.run().code(0);

    write("drill.rhai", &fill(DRILL).replace("OTHER", ""));
    let ran = project.runbook(&["run", "drill.rhai"]);
    ran.code(0).says("looked at by the runbook").says("1 tables, 1000 rows, 4 phases");
    let wrong = r#", "nobody": #{ sql: "select count(*) from users where id = 7", gives: 0 }"#;
    write("wrong.rhai", &fill(DRILL).replace("OTHER", wrong));
    project.runbook(&["run", "wrong.rhai"]).code(1).says("the drill of shop failed: nobody: found 1");
    project.runbook(&["backup", "drill", "--history"]).success().prints("shop: 2 drills, 1 failed; recovery time");

    let evidence = evidence(&project.path().join("drills"));
    let [(good, page), (bad, bad_page)] = evidence.as_slice() else { panic!("{evidence:?}") };
    for drill in [good, bad] {
        assert_eq!(left(&lab, drill["drill"].as_str().unwrap()), 0, "nothing is left");
    }
    assert_eq!((&good["ok"], &good["rows"], &good["failure"]), (&true.into(), &1000.into(), &"".into()));
    let names: Vec<&str> =
        good["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    let own = ["all that the manifest tells", "sequences are ahead of what they number", "foreign keys"];
    let own = own.map(|name| format!("shop.dump: {name}"));
    assert_eq!(names, [&own[0], &own[1], &own[2], "users", "recovery time", "age of the snapshot"]);
    assert!(page.starts_with("# Drill of shop: ok\n") && page.contains("| users | ok | 1000 |"), "{page}");
    assert_eq!(bad["ok"], false);
    assert!(bad_page.contains("| nobody | NOT OK | 1 |"), "{bad_page}");
}

/// Containers and networks of a drill.
fn left(lab: &Lab, drill: &str) -> usize {
    let labels = [format!("dev.runbook.drill={drill}")];
    let containers = lab.run(lab.engine.containers(&labels)).unwrap().len();
    containers + lab.run(lab.engine.networks(&labels)).unwrap().len()
}

/// What drills left, the oldest first: for machines, and for people.
fn evidence(folder: &Path) -> Vec<(Value, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    files.iter().map(|path| (serde_json::from_str(&read(path)).unwrap(), read(&path.with_extension("md")))).collect()
}
