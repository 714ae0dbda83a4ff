//! `retry`: until it does not fail.

use std::time::{Duration, Instant};

use crate::execution::killed;
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

#[test]
fn attempts_that_were_made_are_gone_through_without_their_waits() {
    let script = "let n = retry(#{ times: 4, delay: \"2s\" }, |attempt| {
            file(\"attempts\").append_line(`${attempt}`);
            if attempt < 3 { throw \"busy\" }
            if attempt == 3 { file(\"ready\").write(\"\"); wait_until(\"go\", || file(\"go\").exists(), #{ every: \"10ms\" }); throw \"late\" }
            attempt
        });
        file(\"result\").write(`${n}`);";
    let project = Project::script(script);
    killed(&project);
    project.file_now("go", "");
    let began = Instant::now();
    let resumed = project.runbook(&["resume"]).success();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "only the wait before the fourth attempt is new: {took:?}");
    resumed.never_says("attempt 2 of 4").says("attempt 3 of 4 failed: late");
    assert_eq!((project.read("attempts").as_str(), project.read("result").as_str()), ("1\n2\n3\n4\n", "4"));
}
