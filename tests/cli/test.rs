//! `runbook test`.

use crate::harness::Project;

#[test]
fn every_test_of_a_folder_runs_and_what_a_failed_one_said_is_shown() {
    let project = Project::new()
        .file("a_test.rhai", "info(\"quiet\");")
        .file("deep/b_test.rhai", "step(\"look\", || { throw \"two is not one\" });")
        .file("deep/helper.rhai", "throw \"not a test\"");
    let ran = project.runbook(&["test"]).code(1);
    assert!(ran.stdout.ends_with("1 passed, 1 failed\n"), "{}", ran.stdout);
    let ran = ran.prints("a_test.rhai ... ok").prints("b_test.rhai ... FAILED").prints("error: two is not one");
    assert!(!ran.stdout.contains("quiet"), "{}", ran.stdout);
    assert!(!project.path().join(".runbook").exists(), "a test left a run log behind");
    project.runbook(&["test", "a_test.rhai"]).success().prints("1 passed, 0 failed");
}

#[test]
fn a_folder_without_tests_is_an_error() {
    Project::new().runbook(&["test"]).code(2).says("no file is named `*_test.rhai`");
}
