//! A drill of everything that a job saves: servers, files, and the application on them.

use runbook::drivers::backup::Repository;

use crate::harness::{Lab, Project};
use crate::runbooks::demo_images;

const SAVE: &str = r#"//! Fill, and save.
let labels = #{ "runbook-test.lab": "LAB" };
docker().run("demo/postgres:15", #{ name: "NAME", detach: true, pull: "never", labels: labels, env: #{ POSTGRES_PASSWORD: "x" } });
docker().run("demo/redis:7", #{ name: "NAME-cache", detach: true, pull: "never", labels: labels });
wait_until("it answers", || docker().exec("NAME", ["pg_isready", "-q", "-h", "127.0.0.1"], #{ check: false, read_only: true }).ok, #{ within: "5m" });
wait_until("it answers", || docker().exec("NAME-cache", ["redis-cli", "ping"], #{ check: false, read_only: true }).ok, #{ within: "1m" });
for sql in ["create database shop", `\c shop
    create table users (id serial primary key, name text); create table orders (id bigint generated always as identity, u int references users);
    insert into users (name) select 'u' || n from generate_series(1, 1000) n; insert into orders (u) select id from users`] {
    docker().exec("NAME", ["psql", "-X", "-U", "postgres", "-v", "ON_ERROR_STOP=1"], #{ stdin: sql });
}
docker().exec("NAME-cache", ["redis-cli", "set", "greeting", "hello"]);
"#;

const TAKE: &str = r#"//! Save.
backup([#{ postgres: "shop", container: "NAME" }, #{ redis: "cache", container: "NAME-cache" }, "uploads", #{ command: ["echo", "3"], name: "version" }]);
"#;

const DRILL: &str = r#"//! Drill all of it.
//! @param break_it: bool = false
import "std/drill" as drill;
let broken = param("break_it");
let done = drill::job("shop", #{
    kinds: #{ postgres: #{ like: "NAME", alias: "db" }, redis: #{ like: "NAME-cache", alias: "cache" } },
    parts: #{
        "shop.dump": #{ checks: #{ "users": #{ sql: "select count(*) from users", gives: 1000 } } },
        "cache.rdb": #{ checks: #{ "the greeting": #{ command: ["get", "greeting"], gives: if broken { "bye" } else { "hello" } } } },
        uploads: #{ has: ["a"] },
    },
    application: #{
        image: "runbook-test/busybox:1", mounts: #{ uploads: "/srv" }, command: ["httpd", "-f", "-p", "8000", "-h", "/srv"],
        ask: ["sh", "-c", "wget -q -O- http://127.0.0.1:8000/a && echo PING | nc -w 5 cache 6379 | grep PONG"], within: "30s",
    },
    keep: KEEP,
});
info(`recovery took ${done.recovery_time_ms > 0}, ${done.parts.len()} parts, ${done.checks.len()} checks`);
"#;

fn site(lab: &Lab, name: &str, keep: &str) -> Project {
    let fill = |text: &str| {
        let label = lab.label();
        text.replace("NAME", name).replace("LAB", label.split('=').nth(1).unwrap_or_default()).replace("KEEP", keep)
    };
    let project = Project::script(&fill(SAVE))
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n[backup.main.job.shop]\ndrill = 'drill.rhai'\n\
             [secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n",
        )
        .file("secrets.env", "STORE='a password of the store'\n")
        .file("take.rhai", &fill(TAKE))
        .file("drill.rhai", &fill(DRILL))
        .file("uploads/a", "a picture");
    Repository::init(project.path().join("store"), "a password of the store").unwrap();
    project
}

/// Containers and networks of drills of this name.
fn left(lab: &Lab, drill: &str) -> (usize, usize) {
    let labels = [format!("dev.runbook.drill={drill}")];
    (lab.run(lab.engine.containers(&labels)).unwrap().len(), lab.run(lab.engine.networks(&labels)).unwrap().len())
}

/// The names of the drills, the oldest first, and how each ended.
fn drills(project: &Project) -> Vec<(String, bool, String)> {
    let listed = project.runbook(&["backup", "drill", "--history", "--json"]).success();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let drills = listed["drills"].as_array().unwrap().iter();
    drills.map(|drill| (text(&drill["name"]), drill["ok"] == true, text(&drill["failure"]))).collect()
}

#[test]
fn everything_that_a_job_saves_comes_back_and_the_application_runs_on_it() {
    let Some(lab) = demo_images::databases() else { return };
    let name = lab.name("all");
    let project = site(&lab, &name, "0");
    project.run().success();
    project.runbook(&["run", "take.rhai"]).success();
    project.runbook(&["backup", "drill"]).success().says("recovery took true, 4 parts, 12 checks");
    // What counts as whole may still not be what somebody relies on.
    let psql = ["psql", "-X", "-U", "postgres", "-d", "shop", "-c", "select setval('users_id_seq', 5)"];
    assert_eq!(lab.exec(&name, &psql).0, 0);
    project.runbook(&["run", "take.rhai"]).success();
    project.runbook(&["backup", "drill"]).code(1).says("sequences are ahead of what they number: found users.id");
    std::fs::remove_file(project.path().join("uploads/a")).unwrap();
    project.runbook(&["run", "take.rhai"]).success();
    project.runbook(&["backup", "drill"]).code(1);
    let drills = drills(&project);
    assert_eq!(drills.iter().map(|drill| drill.1).collect::<Vec<_>>(), [true, false, false]);
    for (drill, ..) in &drills {
        assert_eq!(left(&lab, drill), (0, 0), "{drill}");
    }
    let page = project.read(&format!("drills/{}.md", drills[0].0));
    for line in [
        "# Drill of shop: ok",
        "| shop.dump | postgres in demo/postgres:15 | 2 tables, 2000 rows |",
        "| the application | ok |",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
}

#[test]
fn what_failed_is_left_for_a_while_and_then_removed() {
    let Some(lab) = demo_images::databases() else { return };
    let name = lab.name("kept");
    let project = site(&lab, &name, "2");
    project.run().success();
    project.runbook(&["run", "take.rhai"]).success();
    project
        .runbook(&["run", "drill.rhai", "--break-it", "true"])
        .code(1)
        .says("the greeting: found hello")
        .says("-failed");
    let failed = drills(&project)[0].0.clone();
    assert_eq!(left(&lab, &failed), (3, 1), "two servers and the application, in their network");
    assert!(project.path().join(format!("drills/{failed}/keep-until")).exists());
    std::thread::sleep(std::time::Duration::from_secs(3));
    project.runbook(&["backup", "drill"]).success();
    assert_eq!(left(&lab, &failed), (0, 0));
    assert!(!project.path().join(format!("drills/{failed}")).exists());
}
