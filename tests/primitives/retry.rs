//! `retry`: until it does not fail.

use crate::harness::Project;

#[test]
fn retry_stops_at_the_first_success_and_tells_each_failure() {
    let script = "let got = retry(#{ times: 5, delay: \"1ms\" }, |attempt| { if attempt < 3 { throw \"busy\" } attempt });\ninfo(got);";
    Project::script(script)
        .run()
        .success()
        .says("attempt 2 of 5 failed: busy")
        .never_says("attempt 3 of 5")
        .says("info: 3");
}

#[test]
fn retry_gives_the_last_failure_back() {
    let script = "retry(#{ times: 2, delay: \"1ms\" }, |attempt| { throw `failure ${attempt}` });";
    Project::script(script).run().code(1).says("error: failure 2");
}

#[test]
fn an_unknown_limit_of_retry_is_refused() {
    Project::script("retry(#{ tries: 2 }, || 1);")
        .run()
        .code(2)
        .says("`retry` has no option `tries`")
        .says("did you mean `times`?");
}

#[test]
fn limits_without_sense_are_refused() {
    Project::script("fn none() { 0 }\nretry(#{ times: none() }, || 1);")
        .run()
        .code(1)
        .says("`times` must be at least 1");
}
