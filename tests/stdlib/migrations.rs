//! Releases and the migrations between them: what a rollback says, takes back, and refuses.

use std::time::{Duration, Instant};

use super::Site;

/// A stand-in for a migration tool: the revision is a file of the volume.
const TOOL: &str = "#!/bin/sh
case \"$1\" in
  current) cat /data/revision 2>/dev/null; exit 0 ;;
  upgrade) cat /revision > /data/revision ;;
  downgrade) test \"$2\" = base && rm -f /data/revision || echo $2 > /data/revision ;;
esac
";

const DEPLOY: &str = r#"
import "std/deploy" as deploy;
deploy::compose(compose("NAME"), #{
    pull: false, disk: "1MiB", wait: "30s",
    migrate: ["tool", "upgrade"], migrate_service: "api", revision: ["tool", "current"], MORE
});
"#;

const ROLLBACK: &str = r#"//! Go back.
//!
//! @param to: integer = 0
//! @param data: string = "refuse"

import "std/rollback" as rollback;
rollback::compose(compose("NAME"), #{ to: param("to"), data: param("data"), wait: "30s" });
"#;

const UNDO: &str = r#"migrate_undo: ["tool", "downgrade", "{before}"],"#;

/// A site whose versions have a database at a revision of their own.
fn site(more: &str) -> Option<Site> {
    let site = Site::new(&DEPLOY.replace("MORE", more))?;
    site.script("rollback.rhai", ROLLBACK);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tool"), TOOL).unwrap();
    for version in ["1", "2", "3"] {
        let image = format!("runbook-test/{}:{version}", site.lab.name("app"));
        let lines = format!("COPY tool /bin/tool\nRUN chmod 755 /bin/tool; echo r{version} > /revision");
        site.lab.image_from(folder.path(), &image, &lines);
    }
    Some(site)
}

/// Deploys a version.
fn deploy(site: &Site, version: &str) -> crate::harness::Ran {
    let start = if version == "3" { "exit 4" } else { "exec httpd -f -p 8000 -h /www" };
    site.version(version, start);
    let image = format!("runbook-test/{}:{version}", site.lab.name("app"));
    let compose = site.project.read("compose.yaml").replace("runbook-test/busybox:1", &image);
    site.project.file_now("compose.yaml", &compose);
    site.run()
}

fn back(site: &Site, to: &str, data: &str) -> crate::harness::Ran {
    site.project.runbook(&["run", "rollback.rhai", "--to", to, "--data", data])
}

fn revision(site: &Site) -> String {
    site.lab.exec(&format!("{}-api-1", site.name), &["tool", "current"]).1.trim().to_owned()
}

#[test]
fn across_a_migration_that_nothing_takes_back_it_does_not_go_and_says_why() {
    let Some(site) = site("") else { return };
    deploy(&site, "1").code(0);
    deploy(&site, "1").code(0);
    deploy(&site, "2").code(0);
    let before = site.api();
    for data in ["refuse", "undo"] {
        back(&site, "1", data)
            .code(1)
            .says("does not fit the database as it is: a migration lies between")
            .says("r1 → r2 in `api`, by run 3 at ")
            .says("cannot be taken back: nobody said how")
            .says("no backup was made before: nothing brings the database back as release 1 knew it")
            .says("`data: \"keep\"` goes back all the same");
        assert_eq!((site.answers(), revision(&site), site.api()), ("2".into(), "r2".into(), before.clone()));
    }
    back(&site, "1", "keep").code(0).says("cannot be taken back");
    assert_eq!((site.answers(), revision(&site)), ("1".into(), "r2".into()));
    // Forward again: the database is as that release knew it.
    back(&site, "2", "refuse").code(0);
    assert_eq!(site.answers(), "2");
    back(&site, "1", "sideways").code(1).says("the option `data` is `refuse`, `undo`, `keep` or `restore`");
}

#[test]
fn the_backup_from_before_is_offered_with_what_restoring_it_loses() {
    let more = r#"backup: #{ command: ["cat", "compose.yaml"], name: "db.dump" }, backup_to: "main","#;
    let Some(site) = site(more) else { return };
    site.project.file_now("runbook.toml", "[backup.main]\npath = \"kept\"\npassword = \"BACKUP_PASSWORD\"\n");
    let site = Site { project: site.project.env("BACKUP_PASSWORD", "a-password-of-the-test"), ..site };
    site.project.runbook(&["backup", "init"]).code(0);
    deploy(&site, "1").code(0);
    deploy(&site, "2").code(0).says("back up");
    let listed = site.project.runbook(&["backup", "list", "--json"]).success().stdout;
    let refused = back(&site, "1", "refuse").code(1).says("restoring it loses what was written in the ");
    assert!(refused.stderr.contains("`data: \"restore\"` restores it"), "{}", refused.stderr);
    let offer = refused.stderr.split("knew it is the backup ").nth(1).unwrap();
    let (id, rest) = offer.split_once(' ').unwrap();
    assert!(rest.starts_with("in `main`:"), "{rest}");
    assert!(listed.contains(id), "{id} of {listed}");
    let command = format!("runbook backup restore {id} FOLDER --repository main");
    assert!(rest.contains(&command), "{rest}");
    // The command that it names is one.
    site.project.runbook(&["backup", "restore", id, "out", "--repository", "main"]).code(0);
    assert!(site.project.read("out").contains("services:"));
}

#[test]
fn migrations_that_can_be_taken_back_are_and_the_release_that_had_them_is_refused_then() {
    let Some(site) = site(UNDO) else { return };
    deploy(&site, "1").code(0);
    deploy(&site, "2").code(0);
    back(&site, "1", "refuse")
        .code(1)
        .says("`tool downgrade r1` takes it back")
        .says("`data: \"undo\"` takes back first");
    back(&site, "1", "undo").code(0).says("take back: r1 → r2");
    assert_eq!((site.answers(), revision(&site)), ("1".into(), "r1".into()));
    back(&site, "2", "undo").code(1).says("was taken back since, and the release needs it: deploy it again instead");
    deploy(&site, "2").code(0);
    assert_eq!((site.answers(), revision(&site)), ("2".into(), "r2".into()));
}

#[test]
fn the_database_of_a_first_deployment_is_started_before_it_is_saved() {
    let more = r#"backup: #{ command: ["hostname"], container: "NAME-db-1", name: "db.dump" }, backup_to: "main","#;
    let with_revision = DEPLOY.replace("MORE", more);
    let without = with_revision.replace(r#"revision: ["tool", "current"],"#, "");
    assert_ne!(with_revision, without);
    for (script, asks) in [(with_revision, true), (without, false)] {
        let Some(site) = site("") else { return };
        site.script("test.rhai", &script);
        site.project.file_now("runbook.toml", "[backup.main]\npath = \"kept\"\npassword = \"BACKUP_PASSWORD\"\n");
        let site = Site { project: site.project.env("BACKUP_PASSWORD", "a-password-of-the-test"), ..site };
        site.project.runbook(&["backup", "init"]).code(0);
        let image = format!("runbook-test/{}:1", site.lab.name("app"));
        let compose = site.project.read("compose.yaml").replace("runbook-test/busybox:1", &image);
        let database =
            "services:\n  db: { image: 'runbook-test/busybox:1', command: sleep 1000, stop_grace_period: 0s }\n";
        let compose =
            compose.replace("services:\n", database).replace("    volumes:", "    depends_on: [db]\n    volumes:");
        site.project.file_now("compose.yaml", &compose);
        let plan = site.project.runbook(&["plan", "test.rhai"]).success().stdout;
        assert!(plan.contains(&format!("container {}-db-1", site.name)), "{plan}");
        let first = site.run().code(0).says("start what the migration needs").says("back up");
        assert_eq!(first.stderr.contains("ask for the revision"), asks, "{}", first.stderr);
        assert_eq!((site.answers(), revision(&site)), ("1".into(), "r1".into()));
        let listed = site.project.runbook(&["backup", "list", "--json"]).success().stdout;
        assert!(listed.contains("db.dump") || listed.contains("pre-deploy"), "{listed}");
        site.run().code(0).says("back up");
    }
}

#[test]
fn a_backup_without_a_migration_is_refused_and_not_passed_over() {
    let more = r#"backup: #{ command: ["hostname"], name: "db.dump" },"#;
    let Some(site) = site("") else { return };
    site.script("test.rhai", &DEPLOY.replace("MORE", more).replace(r#"migrate: ["tool", "upgrade"],"#, ""));
    site.run().code(1).says("the option `backup` saves before a migration, and there is no `migrate`");
}

#[test]
fn a_rollback_that_waited_for_a_deployment_knows_its_migration() {
    let Some(site) = &site("") else { return };
    deploy(site, "1").code(0);
    // As long as this one is not through, nothing lies between.
    let (import, deploys) = DEPLOY.trim().split_once('\n').unwrap();
    let hold =
        r#"compose("NAME").release(); wait_until("go", || file("go").exists(), #{ every: "20ms", within: "120s" });"#;
    site.script("test.rhai", &format!("{import}\n{hold}\n{}", deploys.replace("MORE", "")));
    std::thread::scope(|scope| {
        let deployment = scope.spawn(|| deploy(site, "2"));
        until_held(site);
        let waits = ["run", "rollback.rhai", "--to", "1", "--data", "refuse", "--wait", "60s"];
        let waiting = scope.spawn(move || site.project.runbook(&waits));
        std::thread::sleep(Duration::from_secs(2));
        site.project.file_now("go", "");
        deployment.join().unwrap().code(0);
        waiting.join().unwrap().code(1).says("waiting for `").says("r1 → r2 in `api`, by run 2");
    });
    assert_eq!((site.answers(), revision(site)), ("2".into(), "r2".into()));
}

fn until_held(site: &Site) {
    let began = Instant::now();
    while site.lab.run(site.lab.engine.locks()).unwrap().iter().all(|lock| lock.name != site.name) {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody has the lock");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_deployment_that_fails_takes_its_migration_back_or_says_that_it_stays() {
    let Some(site) = site(UNDO) else { return };
    deploy(&site, "1").code(0);
    deploy(&site, "3").code(1).says("take the migration back");
    assert_eq!((site.answers(), revision(&site)), ("1".into(), "r1".into()));
    site.script("test.rhai", &DEPLOY.replace("MORE", ""));
    deploy(&site, "3")
        .code(1)
        .says("what the migration may have changed in the database stays, for nobody said how to take it back");
    assert_eq!((site.answers(), revision(&site)), ("1".into(), "r3".into()));
    // The release that runs was made before: going back to it by number says so.
    back(&site, "1", "refuse").code(1).says("r1 → r3");
}

#[test]
fn a_deployment_with_a_migration_is_planned_whole() {
    let Some(site) = site(UNDO) else { return };
    deploy(&site, "1").code(0);
    let plan = site.project.runbook(&["plan", "test.rhai"]).success();
    assert!(!plan.stdout.contains("Certain up to"), "{}", plan.stdout);
    let plan = site.project.runbook(&["plan", "rollback.rhai", "--to", "1"]).success();
    assert!(!plan.stdout.contains("Certain up to"), "{}", plan.stdout);
}

#[test]
fn the_database_is_restored_where_the_runbook_asks_for_it_and_put_back_when_the_rollback_fails() {
    let Some(site) = site(r#"backup: "state", backup_to: "main","#) else { return };
    site.script(
        "rollback.rhai",
        r#"//! Go back.
//! @param to: integer = 0
//! @param url: string = ""
import "std/rollback" as rollback;
let more = if param("url") == "" { #{} } else { #{ url: param("url"), health: #{ within: "1s" } } };
let how = #{ to: param("to"), data: "restore", database: "state", stop: ["api"], wait: "30s" };
how.mixin(more);
rollback::compose(compose("NAME"), how);
"#,
    );
    site.project.file_now(
        "runbook.toml",
        "[project]\nname = 'shop'\n[backup.main]\npath = \"kept\"\npassword = \"BACKUP_PASSWORD\"\n",
    );
    std::fs::create_dir(site.project.path().join("state")).unwrap();
    site.project.file_now("state/rows", "as release 1 left it");
    let site = Site { project: site.project.env("BACKUP_PASSWORD", "a-password-of-the-test"), ..site };
    site.project.runbook(&["backup", "init"]).code(0);
    deploy(&site, "1").code(0);
    deploy(&site, "2").code(0).says("back up");
    site.project.file_now("state/rows", "as release 2 left it");

    let fails = site.project.runbook(&["run", "rollback.rhai", "--to", "1", "--url", "http://127.0.0.1:1/"]);
    fails.code(1).says("put the database back as it was before the rollback");
    assert_eq!((site.answers(), site.project.read("state/rows")), ("2".into(), "as release 2 left it".into()));
    let back = site.project.runbook(&["run", "rollback.rhai", "--to", "1"]);
    back.code(0).says("is taken out of the database; it is saved first").says("stop who writes to it");
    assert_eq!((site.answers(), site.project.read("state/rows")), ("1".into(), "as release 1 left it".into()));
    // What was there is a snapshot of its own, and the run log knows that the migration is gone.
    site.project.runbook(&["backup", "restore", "latest", "was", "--job", "shop.before-restore"]).code(0);
    assert_eq!(site.project.read("was/rows"), "as release 2 left it");
    site.project.runbook(&["run", "rollback.rhai", "--to", "2"]).code(1).says("was taken back since");
}
