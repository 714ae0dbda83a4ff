//! `sleep`: waits.

use crate::harness::Project;

#[test]
fn sleep_waits_at_least_as_long_as_it_says() {
    let began = std::time::Instant::now();
    Project::script("sleep(\"300ms\");").run().success();
    assert!(began.elapsed() >= std::time::Duration::from_millis(300));
}

#[test]
fn a_time_without_a_unit_is_refused_before_anything_runs() {
    Project::script("info(\"first\");\nsleep(\"5\");")
        .run()
        .code(2)
        .says("is not a duration")
        .never_says("info: first");
}
