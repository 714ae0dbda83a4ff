//! `wait_until`: asks until it is so.

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
