//! `param`: a parameter of the runbook.

use crate::harness::Project;

#[test]
fn a_parameter_has_its_default_until_it_is_given() {
    let project = Project::script("//! @param tag: string = \"latest\"\ninfo(param(\"tag\"));");
    project.run().success().says("info: latest");
    project.runbook(&["run", "test.rhai", "--tag", "v2"]).success().says("info: v2");
}

#[test]
fn an_undeclared_parameter_is_found_by_check_or_at_the_call() {
    Project::script("info(param(\"tga\"));").run().code(2);
    let script = "fn name() { \"tga\" }\ninfo(param(name()));";
    Project::script(script).run().code(1).says("the runbook declares no parameter `tga`");
}
