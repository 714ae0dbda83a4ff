//! Deployments and rollbacks, planned and then made as planned; and one that dies in its migration.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Site;

const DEPLOY: &str = r#"
import "std/deploy" as deploy;
let app = compose("NAME");
deploy::compose(app, #{
    pull: false, disk: "1MiB", wait: "30s", url: "http://127.0.0.1:PORT/health",
    migrate: ["sh", "-c", "echo x >> /data/migrated; echo begun; sleep 2; echo done"], migrate_service: "api",
});
"#;

const ROLLBACK: &str = r#"
import "std/rollback" as rollback;
rollback::compose(compose("NAME"), #{ wait: "30s", url: "http://127.0.0.1:PORT/health" });
"#;

impl Site {
    /// Plans a runbook and runs it with the plan; returns the changes that the plan lists.
    fn as_planned(&self, runbook: &str) -> Vec<String> {
        let plan = self.project.runbook(&["plan", runbook, "--out", "plan.json"]).success();
        assert!(!plan.stdout.contains("Certain up to"), "{}", plan.stdout);
        self.project.runbook(&["run", runbook, "--plan", "plan.json"]).success();
        let signs = ["  + ", "  ~ ", "  - ", "  ± ", "  > "];
        let lines = plan.stdout.lines().filter(|line| signs.iter().any(|sign| line.starts_with(sign)));
        lines.map(|line| line.trim().replace(&format!("{}-", self.name), "").replace(&self.name, "site")).collect()
    }
}

#[test]
fn a_deployment_and_a_rollback_are_planned_whole() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("back.rhai", ROLLBACK);
    let migration = "> `sh -c echo x >> /data/migrated; echo begun; sleep 2; echo done` in a container of api of site";
    assert_eq!(
        site.as_planned("test.rhai"),
        ["+ network site_default", "+ volume site_data", migration, "+ container api-1"]
    );
    assert_eq!(site.as_planned("test.rhai"), [migration]);
    site.version("2", "exec httpd -f -p 8000 -h /www");
    assert_eq!(site.as_planned("test.rhai"), [migration, "± container api-1"]);
    assert_eq!(site.answers(), "2");
    assert_eq!(site.as_planned("back.rhai"), ["± container api-1"]);
    assert_eq!(site.answers(), "1");
}

#[test]
fn a_deployment_killed_in_its_migration_goes_on_and_migrates_once() {
    let Some(site) = Site::new(DEPLOY) else { return };
    let mut child = site.project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let label = format!("com.docker.compose.project={}", site.name);
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "the migration never began");
        let found = site.lab.run(site.lab.engine.containers(std::slice::from_ref(&label))).unwrap();
        if let Some(found) = found.first()
            && site.lab.run(async { Ok(site.lab.engine.last_lines(&found.id, 5).await) }).unwrap().contains("begun")
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    site.project.runbook(&["resume"]).success();
    assert_eq!(site.answers(), "1");
    let api = format!("{}-api-1", site.name);
    assert_eq!(site.lab.exec(&api, &["cat", "/data/migrated"]).1, "x\n");
    assert_eq!(site.lab.run(site.lab.engine.containers(&[label])).unwrap().len(), 1);
    let logs = site.project.runbook(&["logs", "1"]).stdout;
    assert_eq!((logs.matches("begun").count(), logs.matches("done").count()), (1, 1), "{logs}");
}
