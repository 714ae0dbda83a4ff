//! What differs from one moment to the next is looked at once, and is the same when a run goes on.

use super::resume::{HOLD, killed};
use crate::harness::Project;

#[test]
fn time_chance_environment_files_and_machine_are_the_same_when_the_run_goes_on() {
    let script = format!(
        "let seen = [now().unix_ms, random(#{{ bytes: 16 }}), env_var(\"COLOUR\"), this_machine().hostname, file(\"in\").read(),
            file(\"in\").checksum(), folder(\"sub\").list(), disk_free(\".\").free];
        file(\"before\").write(#{{ seen: seen }}.to_json());
        {HOLD}
        file(\"after\").write(#{{ seen: seen }}.to_json());"
    );
    let project = Project::script(&script).env("COLOUR", "blue").file("in", "one").file("sub/a", "");
    killed(&project);
    project.file_now("go", "");
    project.file_now("in", "two");
    project.file_now("sub/b", "");
    let project = project.env("COLOUR", "red");
    project.runbook(&["resume"]).success();
    assert_eq!(project.read("before"), project.read("after"));
    assert!(project.read("after").contains("\"blue\"") && project.read("after").contains("\"one\""));
}

#[test]
fn a_secret_of_the_environment_is_read_again_because_it_was_not_recorded() {
    let script = format!("let token = env_var(\"TOKEN\"); {HOLD} file(\"out\").write(token);");
    let project = Project::script(&script).env("TOKEN", "s3cr3t-t0ken");
    killed(&project);
    project.file_now("go", "");
    let without = project.command(&["resume"]).env_remove("TOKEN").output().unwrap();
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("the environment variable `TOKEN` is not set"), "{said}");
    assert!(said.contains("run 1 stopped where it was"), "{said}");
    project.runbook(&["resume"]).success();
    assert_eq!(project.read("out"), "s3cr3t-t0ken");
}
