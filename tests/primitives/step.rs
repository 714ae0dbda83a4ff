//! `step`: a name for a group of calls.

use crate::harness::Project;

#[test]
fn a_step_returns_what_its_block_returns() {
    Project::script("info(step(\"outer\", || step(\"inner\", || 6 * 7)));").run().success().says("info: 42");
}

#[test]
fn a_step_that_fails_is_shown_with_its_failure() {
    Project::script("step(\"break\", || { throw \"no\" });").run().code(1).says("✗ break").says("  no");
}

#[test]
fn a_closure_cannot_be_the_value_of_a_step() {
    Project::script("step(\"make\", || { let f = || 1; f });")
        .run()
        .code(1)
        .says("a closure cannot be kept in a result");
}
