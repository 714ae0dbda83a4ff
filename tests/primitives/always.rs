//! `always`: at the end, whatever happened.

use crate::harness::Project;

#[test]
fn always_blocks_run_whether_it_went_well_or_not() {
    Project::script("always(|| info(\"end\"));\ninfo(\"work\");").run().success().says("info: end");
    Project::script("always(|| info(\"end\"));\nthrow \"no\"").run().code(1).says("info: end");
}

#[test]
fn an_always_block_that_fails_makes_a_good_run_fail() {
    Project::script("always(|| { throw \"left behind\" });\ninfo(\"work\");").run().code(1).says("left behind");
}
