//! What a script may use up.

use crate::harness::Project;

#[test]
fn a_script_that_asks_for_too_much_memory_fails_and_does_not_abort() {
    let script = "let a = []; a.pad(200000000, 0);";
    Project::script(script).run().code(1).says("the value is too large");
}

#[test]
fn endless_recursion_is_an_error_with_a_place() {
    let script = "fn again(n) { again(n + 1) }\nagain(0);";
    Project::script(script).run().code(1).says("more than 64 levels deep").says("test.rhai:2:1");
}

#[test]
fn an_endless_loop_ends_at_the_time_limit() {
    let script = "//! @timeout 1s\nloop { }";
    Project::script(script).run().code(1).says("the run's time limit passed");
}

#[test]
fn eval_does_not_exist() {
    Project::script("eval(\"1 + 1\");").run().code(2).says("eval");
}

#[test]
fn a_module_outside_the_project_cannot_be_imported() {
    let project = Project::new().file("outside.rhai", "fn x() { 1 }").file("inner/runbook.toml", "");
    let project = project.file("inner/test.rhai", "import \"../outside\" as o;\no::x();");
    project.runbook(&["run", "inner/test.rhai"]).code(2).says("leaves the project's folder");
}

#[test]
fn a_symbolic_link_does_not_lead_out_of_the_project() {
    let project = Project::new().file("outside.rhai", "fn x() { 1 }").file("inner/runbook.toml", "");
    std::os::unix::fs::symlink(project.path().join("outside.rhai"), project.path().join("inner/link.rhai")).unwrap();
    let project = project.file("inner/test.rhai", "import \"link\" as o;\no::x();");
    project.runbook(&["run", "inner/test.rhai"]).code(2).says("leaves the project's folder");
}
