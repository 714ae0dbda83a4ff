//! `undo`: what puts things back.

use crate::harness::Project;

#[test]
fn undo_blocks_run_in_reverse_order_when_a_later_call_fails() {
    let script =
        "undo(\"first\", || info(\"A\"));\nundo(\"second\", || info(\"B\"));\nstep(\"break\", || { throw \"no\" });\n";
    let ran = Project::script(script).run().code(1).says("no").says("A").says("B");
    assert!(ran.stderr.find("info: B") < ran.stderr.find("info: A"), "{}", ran.stderr);
}

#[test]
fn nothing_is_undone_when_the_run_goes_well_or_the_failure_is_caught() {
    let script = "undo(\"first\", || info(\"A\"));\ntry { step(\"break\", || { throw \"no\" }) } catch (error) { info(\"caught \" + error.message) }";
    Project::script(script).run().success().says("caught no").never_says("info: A");
}

#[test]
fn an_undo_block_that_fails_does_not_keep_the_others_from_running() {
    let script = "undo(\"first\", || info(\"A\"));\nundo(\"second\", || { throw \"worse\" });\nthrow \"no\"";
    Project::script(script).run().code(1).says("info: A").says("undo `second` failed as well: worse");
}
