//! `wait_until`: asks until it is so.

use std::time::{Duration, Instant};

use crate::execution::killed;
use crate::harness::Project;

#[test]
fn wait_until_says_what_it_waited_for_in_vain() {
    let script = "wait_until(\"the moon\", || false, #{ within: \"50ms\", every: \"10ms\" });";
    Project::script(script).run().code(1).says("waited 50ms for `the moon` in vain");
}

#[test]
fn the_answer_is_returned_as_soon_as_it_is_there() {
    let script = "info(wait_until(\"a word\", || \"here\", #{ within: \"5s\" }));";
    Project::script(script).run().success().says("info: here");
}

#[test]
fn a_failure_inside_ends_the_waiting() {
    let script = "wait_until(\"nothing\", || { throw \"broken question\" }, #{ within: \"60s\" });";
    Project::script(script).run().code(1).says("broken question");
}

#[test]
fn questions_that_were_asked_are_gone_through_without_their_pauses() {
    let script = "let asked = 0;
        wait_until(\"the third time\", || { asked += 1; file(\"asked\").append_line(`${asked}`); asked == 3 }, #{ every: \"1500ms\" });
        file(\"ready\").write(\"\");
        wait_until(\"go\", || file(\"go\").exists(), #{ every: \"10ms\" });
        file(\"result\").write(`${asked}`);";
    let project = Project::script(script);
    killed(&project);
    project.file_now("go", "");
    let began = Instant::now();
    project.runbook(&["resume"]).success();
    assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    assert_eq!((project.read("asked").as_str(), project.read("result").as_str()), ("1\n2\n3\n", "3"));
}
