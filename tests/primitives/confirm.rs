//! `confirm`: a person says yes.

use crate::harness::Project;

#[test]
fn a_question_that_nobody_can_answer_is_refused() {
    let project = Project::script("confirm(\"Really?\");\ninfo(\"done\");");
    project.run().code(1).says("nobody is there to answer `Really?`").never_says("info: done");
    project.runbook(&["run", "test.rhai", "--yes"]).success().says("info: done");
}
