//! From an empty machine and a key to an application that runs: nothing but the project's files, the repository and an identity.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Lab, Project};
use crate::runbooks::demo_images;
use crate::runbooks::systems::docker;

const COMPOSE: &str = "services:
  db: { image: 'demo/postgres:15', pull_policy: never, environment: { POSTGRES_PASSWORD: x, POSTGRES_DB: shop, POSTGRES_USER: shop } }
  api:
    image: runbook-test/busybox:1
    command: httpd -f -p 8000 -h /srv
    stop_grace_period: 0s
    depends_on: [db]
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://127.0.0.1:8000/files/a'], interval: 500ms, retries: 20 }
    volumes: ['files:/srv']
volumes: { files: { name: NAME-files } }
";

const PROJECT: &str =
    "[project]\nname = 'shop'\n[env.demo]\n[backup.main]\npath = 'store'\npassword = 'BACKUP_PASSWORD'\n";

const SAVE: &str = r#"//! Bring it up, and save it.
let app = compose("NAME");
app.up(#{ services: ["db"] });
docker().create_volume("NAME-files");
folder("PLACE/files").create();
file("PLACE/files/a").write("a picture");
app.up(#{ wait: "60s" });
wait_until("it answers", || docker().exec("NAME-db-1", ["pg_isready", "-q", "-h", "127.0.0.1"], #{ check: false, read_only: true }).ok, #{ within: "5m" });
docker().exec("NAME-db-1", ["psql", "-X", "-U", "shop", "-c", "create table users as select generate_series(1, 500) as id"]);
backup([#{ postgres: "shop", container: "NAME-db-1" }, #{ folder: "PLACE/files", name: "files" }]);
"#;

const RECOVER: &str = r#"//! Bring it up on an empty machine.
import "std/recover" as recovery;
recovery::host("shop", #{
    app: compose("NAME"), volumes: ["NAME-files"], pull: false, wait: "60s",
    parts: #{ files: #{ to: "PLACE/files" }, "shop.dump": #{ service: "db", postgres: "shop" } MORE },
});
"#;

fn fill(text: &str, name: &str) -> String {
    text.replace("PLACE", &format!("/var/lib/docker/volumes/{name}-files/_data")).replace("NAME", name)
}

/// Removes everything of a compose project; the last of these also at the end of a test that fails.
struct Gone<'a>(&'a Lab, String);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let label = format!("com.docker.compose.project={}", self.1);
        for container in self.0.run(self.0.engine.containers(std::slice::from_ref(&label))).unwrap_or_default() {
            let _ = docker(&["rm", "-f", "-v", &container.id]);
        }
        docker(&["network", "rm", &format!("{}_default", self.1)]);
        docker(&["volume", "rm", &format!("{}-files", self.1)]);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_empty_machine_and_a_key_are_enough() {
    let Some(lab) = demo_images::databases() else { return };
    let keys = tempfile::tempdir().unwrap();
    let recovery = keys.path().join("recovery.key").display().to_string();
    let (first, second) = (lab.name("first"), lab.name("second"));
    let old = Project::new()
        .file("runbook.toml", PROJECT)
        .file("compose.yaml", &fill(COMPOSE, &first))
        .file("save.rhai", &fill(SAVE, &first))
        .env("HOME", &keys.path().join("alice").display().to_string());
    {
        let _gone = Gone(&lab, first.clone());
        std::fs::create_dir(keys.path().join("alice")).unwrap();
        old.runbook(&["secret", "init", "--name", "alice", "--recovery", &recovery]).success();
        old.runbook(&["secret", "generate", "BACKUP_PASSWORD", "base64:32", "--env", "demo"]).success();
        old.runbook(&["backup", "init", "--env", "demo"]).success();
        old.runbook(&["run", "save.rhai", "--env", "demo"]).success();
    }
    // The machine is gone: what is left is what lies elsewhere.
    let new = Project::new()
        .file("runbook.toml", &old.read("runbook.toml"))
        .file("compose.yaml", &fill(COMPOSE, &second))
        .file("recover.rhai", &fill(RECOVER, &second).replace("MORE", ""))
        .file("partly.rhai", &fill(RECOVER, &second).replace("\"shop.dump\"", "\"other.dump\"").replace("MORE", ""))
        .env("HOME", &keys.path().join("nobody").display().to_string())
        .env("RUNBOOK_IDENTITY", &recovery);
    for folder in ["secrets", "store"] {
        copy(&old.path().join(folder), &new.path().join(folder));
    }
    drop(old);
    let _gone = Gone(&lab, second.clone());
    new.runbook(&["run", "partly.rhai", "--env", "demo"])
        .code(1)
        .says("the snapshot has shop.dump: say in `parts` where it goes");

    let began = Instant::now();
    let ran = new.runbook(&["run", "recover.rhai", "--env", "demo"]).success();
    assert!(began.elapsed() < Duration::from_secs(600));
    ran.says("restore files").says("restore shop.dump").says("start the application").says("runs after");
    let counted = lab
        .exec(&format!("{second}-db-1"), &["psql", "-U", "shop", "-d", "shop", "-Atc", "select count(*) from users"]);
    assert_eq!(counted.1.trim(), "500");
    let picture = lab.exec(&format!("{second}-api-1"), &["wget", "-q", "-O-", "http://127.0.0.1:8000/files/a"]);
    assert_eq!(picture.1.trim(), "a picture");
    new.runbook(&["backup", "drill", "--history", "--env", "demo"])
        .success()
        .prints("shop: 1 drills, 0 failed; recovery time");
    new.runbook(&["run", "recover.rhai", "--env", "demo"]).code(1).says("runs on this machine");
}
