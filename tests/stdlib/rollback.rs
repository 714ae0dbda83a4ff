use super::Site;
use crate::execution::{HOLD, killed};

const DEPLOY: &str = r#"
import "std/deploy" as deploy;
deploy::compose(compose("NAME"), #{ pull: false, disk: "1MiB", wait: "30s" });
"#;

const ROLLBACK: &str = r#"//! Go back.
//!
//! @param to: integer = 0    the number of the release

import "std/rollback" as rollback;
rollback::compose(compose("NAME"), #{ to: param("to"), wait: "30s", url: "http://127.0.0.1:PORT/health" });
"#;

#[test]
fn it_goes_to_the_last_good_release_by_itself_or_to_a_number() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", ROLLBACK);
    for version in ["1", "2", "3"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        site.run().code(0);
    }
    // A failed deployment is nothing to go back to.
    site.broken("4");
    site.run().code(1);
    assert_eq!(site.answers(), "3");
    site.project.runbook(&["run", "rollback.rhai"]).code(0).says("release 2 of run 2");
    assert_eq!(site.answers(), "2");
    site.project.runbook(&["run", "rollback.rhai", "--to", "1"]).code(0).says("release 1 of run 1");
    assert_eq!(site.answers(), "1");
    site.project.runbook(&["run", "rollback.rhai", "--to", "1"]).code(0).says("release 1 runs already");
    site.project.runbook(&["run", "rollback.rhai", "--to", "77"]).code(1).says("has no release 77");
    assert_eq!(site.answers(), "1");
}

#[test]
fn without_a_release_to_go_back_to_it_says_so() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", ROLLBACK);
    site.run().code(0);
    let before = site.api();
    site.project.runbook(&["run", "rollback.rhai"]).code(1).says("has no good release to go back to");
    assert_eq!(site.api(), before);
}

#[test]
fn a_rollback_that_was_killed_goes_on_although_the_application_has_passwords() {
    let Some(site) = Site::new(DEPLOY) else { return };
    for version in ["1", "2"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        let compose = site.project.read("compose.yaml");
        let volumes = "volumes: ['data:/data']";
        let password = format!("environment: {{ API_PASSWORD: 'not-to-be-shown' }}\n    {volumes}");
        site.project.file_now("compose.yaml", &compose.replace(volumes, &password));
        site.run().code(0);
    }
    let script = format!(
        "let app = compose(\"NAME\"); let target = app.last_good();
        undo(\"back\", || app.up(target)); app.up(target, #{{ wait: \"30s\" }}); {HOLD}
        app.up(target, #{{ wait: \"30s\" }}).changed"
    );
    site.script("test.rhai", &script);
    killed(&site.project);
    assert_eq!(site.answers(), "1");
    site.project.file_now("go", "");
    // What is the last good release now is another one.
    site.project.runbook(&["resume"]).success();
    let show = site.project.runbook(&["show", "last", "--json"]).success();
    let show = show.prints("\"result\": false");
    assert!(!show.stdout.contains("not-to-be-shown"), "{}", show.stdout);
}
