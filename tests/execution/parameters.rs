//! A runbook's parameters on the command line.

use crate::harness::Project;

const SCRIPT: &str = "//! Deploy the shop.\n//!\n//! @param tag: string = \"latest\"   image tag\n//! @param replicas: integer\n//! @param dry: bool = false\n//! @param services: list = []\ninfo([param(\"tag\"), param(\"replicas\"), param(\"dry\"), param(\"services\")]);";

#[test]
fn parameters_are_flags_with_types_and_defaults() {
    let project = Project::script(SCRIPT);
    project.runbook(&["run", "test.rhai", "--replicas", "2"]).success().says("[\"latest\",2,false,[]]");
    project
        .runbook(&["run", "--tag=v2", "test.rhai", "--replicas", "3", "--dry", "--services", "api,bot"])
        .success()
        .says("[\"v2\",3,true,[\"api\",\"bot\"]]");
}

#[test]
fn a_missing_or_wrong_parameter_stops_before_anything_runs() {
    let project = Project::script(SCRIPT);
    project.runbook(&["run", "test.rhai"]).code(2).says("--replicas");
    project
        .runbook(&["run", "test.rhai", "--replicas", "two"])
        .code(2)
        .says("`--replicas` must be an integer, got `two`");
    project.runbook(&["run", "test.rhai", "--replica", "2"]).code(2).says("--replicas");
    assert!(!project.path().join(".runbook").exists());
}

#[test]
fn the_help_is_made_from_the_header() {
    let ran = Project::script(SCRIPT).runbook(&["run", "test.rhai", "--help"]).success();
    ran.prints("Deploy the shop.").prints("--tag <TEXT>").prints("image tag [default: latest]").prints("--env <NAME>");
}

#[test]
fn an_earlier_version_runs_again_with_its_parameters_and_modules() {
    let project = Project::script("//! @param tag: string = \"a\"\nimport \"lib\" as lib;\nlib::say(param(\"tag\"));")
        .file("lib.rhai", "fn say(x) { info(\"old \" + x) }");
    project.runbook(&["run", "test.rhai", "--tag", "v1"]).success().says("old v1");
    let project = project.file("lib.rhai", "fn say(x) { info(\"new \" + x) }").file("test.rhai", "throw \"changed\"");
    project.runbook(&["run", "--from-run", "1"]).success().says("old v1");
    project.runbook(&["run", "--from-run", "1", "--tag", "v2"]).success().says("old v2");
}
