//! `runbook backup import`: what people have from before.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::project;
use crate::harness::{Postgres, Project, Redis};

fn shell(project: &Project, script: &str) {
    let done = Command::new("sh").args(["-ec", script]).current_dir(project.path()).stdout(Stdio::null()).status();
    assert!(done.unwrap().success(), "{script}");
}

fn newest(project: &Project) -> Value {
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["snapshots"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn archives_come_back_as_folders_of_their_own_time() {
    let project = project().file("site/b/two", "2").file("site/a", "1").file("site/z/last", "z");
    project.runbook(&["backup", "init"]).success();
    // In no order, without folders, with a name that comes twice and one file under two names.
    shell(
        &project,
        "ln -s ../a site/b/link; ln site/z/last site/z/again; chmod 0604 site/a; \
         tar -cf one.tar --no-recursion site/z/last site/z/again site/b/two site/b/link site/a; \
         echo changed > site/a; chmod 0644 site/a; tar -rf one.tar --no-recursion site/a; chmod 0604 site/a; \
         gzip -k one.tar; touch -d '2024-05-01 03:00:00 UTC' one.tar one.tar.gz",
    );
    for file in ["one.tar", "one.tar.gz"] {
        let ran = project.runbook(&["backup", "import", file, "--job", "old", "--tag", "monthly"]).success();
        ran.says("a tar archive is snapshot");
        let made = newest(&project);
        assert!(made["time"].as_str().unwrap().starts_with("2024-05-01"), "{made}");
        assert_eq!((&made["job"], &made["tags"]), (&"old".into(), &serde_json::json!(["imported", "monthly"])));
        let to = format!("back-{file}");
        project.runbook(&["backup", "restore", made["id"].as_str().unwrap(), &to]).success();
        shell(&project, &format!("diff -r --no-dereference site {to}/site; test $(stat -c %a {to}/site/a) = 644"));
    }
    shell(
        &project,
        "head -c 5000 one.tar > torn.tar; head -c 5120 one.tar > cut.tar; head -c 200 one.tar.gz > cut.tar.gz; echo no > text; mkfifo p; tar -cf p.tar p",
    );
    project.runbook(&["backup", "import", "torn.tar"]).code(2).says("the archive cannot be read");
    project.runbook(&["backup", "import", "cut.tar"]).code(2).says("it was cut off");
    project.runbook(&["backup", "import", "cut.tar.gz"]).code(1);
    project.runbook(&["backup", "import", "text"]).code(2).says("nothing that can be looked at");
    project.runbook(&["backup", "import", "p.tar"]).code(2).says("neither a file nor a folder nor a link");
    project.runbook(&["backup", "import", "one.tar", "--time", "soon"]).code(2).says("is no moment");
    project.runbook(&["backup", "import", "one.tar", "--time", "2999-01-01"]).code(2).says("from the future");
    assert_eq!(newest(&project)["job"], "old");
}

#[test]
fn dumps_of_postgresql_are_whole_or_not_taken() {
    let Some(server) = Postgres::start() else { return };
    let project = project();
    project.runbook(&["backup", "init"]).success();
    server.sql("postgres", "create table t as select n, repeat('x', 100) as text from generate_series(1, 20000) n");
    let address = server.address("postgres");
    shell(
        &project,
        &format!(
            "pg_dump -Fc '{address}' > shop.dump; pg_dump '{address}' > shop.sql; gzip -k shop.sql; \
                  head -c 40000 shop.dump > cut.dump; head -c 40000 shop.sql > cut.sql"
        ),
    );
    let ran =
        project.runbook(&["backup", "import", "shop.dump", "shop.sql.gz", "--time", "2024-05-01 03:00"]).success();
    ran.says("a dump of PostgreSQL, custom and a dump of PostgreSQL, plain is snapshot");
    let made = newest(&project);
    let id = made["id"].as_str().unwrap();
    for part in ["shop.dump", "shop.sql"] {
        let to = format!("back-{part}");
        project.runbook(&["backup", "restore", id, &to, "--part", part]).success();
        shell(&project, &format!("cmp {part} {to}"));
    }
    project.runbook(&["backup", "import", "cut.dump"]).code(2).says("`pg_restore` cannot read the dump");
    project.runbook(&["backup", "import", "cut.sql"]).code(2).says("it was cut off");
    assert_eq!(newest(&project)["id"], made["id"]);
}

#[test]
fn a_dump_of_redis_is_counted_and_can_be_given_to_a_server() {
    let Some(server) = Redis::start(&[]) else { return };
    let project = project();
    project.runbook(&["backup", "init"]).success();
    server.script("for i = 1, 1000 do redis.call('set', 'key:' .. i, i) end");
    let (host, port) =
        server.address().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    shell(&project, &format!("redis-cli -h {host} -p {port} --rdb dump.rdb; head -c 3000 dump.rdb > cut.rdb"));
    project.runbook(&["backup", "import", "dump.rdb", "--job", "cache"]).success().says("a dump of Redis is snapshot");
    project.runbook(&["backup", "import", "cut.rdb"]).code(2).says("cannot be read");
    server.ask(&["FLUSHALL"]);
    let script = format!(
        "//! Back.\nlet done = restore(\"latest\", #{{ redis: \"{host}:{port}\" }}, #{{ job: \"cache\" }});\ninfo(`${{done.keys}} keys`);\n"
    );
    project.file_now("back.rhai", &script);
    project.runbook(&["run", "back.rhai"]).success().says("1000 keys");
}
