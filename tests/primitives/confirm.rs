//! `confirm`: a person says yes.

use crate::harness::{Project, at_terminal, has_script};

#[test]
fn a_question_that_nobody_can_answer_waits() {
    let project = Project::script("confirm(\"Really?\");\ninfo(\"done\");");
    project.run().code(3).says("waits for an answer").says("Really?").never_says("info: done");
    project.runbook(&["run", "test.rhai", "--yes"]).success().says("info: done");
}

#[test]
fn what_cannot_be_brought_back_is_typed_by_its_name() {
    let script = "confirm(\"Remove shop-data?\", #{ name: \"shop-data\" });\ninfo(\"done\");";
    let waits = Project::script(script);
    waits.runbook(&["plan", "test.rhai"]).success();
    waits.runbook(&["run", "test.rhai", "--yes"]).code(3).never_says("info: done");
    waits.runbook(&["approve", "1"]).success().says("info: done");
    if !has_script() {
        return;
    }
    for (answer, agrees) in [("shop-data\r", true), ("y\r", false), ("shop\r", false)] {
        let answers = [("shop-data", answer.as_bytes())];
        let (shown, is_ok) = at_terminal(&Project::script(script), &[], &["run", "test.rhai"], &answers);
        assert_eq!((is_ok, shown.contains("info: done")), (agrees, agrees), "{answer:?}: {shown}");
    }
}
