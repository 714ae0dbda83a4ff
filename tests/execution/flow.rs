//! Steps, retries, branches and waiting.

use std::time::Instant;

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
fn the_first_failing_branch_stops_the_others() {
    let began = Instant::now();
    let script = "parallel([|| sleep(\"60s\"), || { throw \"second branch\" }]);";
    Project::script(script).run().code(1).says("error: second branch");
    assert!(began.elapsed().as_secs() < 20);
}

#[test]
fn results_of_branches_come_in_the_order_of_the_items() {
    let script = "info(parallel([3, 1, 2], |n| { sleep(`${n * 20}ms`); n * 10 }, #{ limit: 3 }));";
    Project::script(script).run().success().says("[30,10,20]");
}

#[test]
fn wait_until_says_what_it_waited_for_in_vain() {
    let script = "wait_until(\"the moon\", || false, #{ within: \"50ms\", every: \"10ms\" });";
    Project::script(script).run().code(1).says("waited 50ms for `the moon` in vain");
}

#[test]
fn a_question_that_nobody_can_answer_is_refused() {
    let project = Project::script("confirm(\"Really?\");\ninfo(\"done\");");
    project.run().code(1).says("nobody is there to answer `Really?`").never_says("info: done");
    project.runbook(&["run", "test.rhai", "--yes"]).success().says("info: done");
}

#[test]
fn calls_have_the_same_paths_in_every_run_whatever_the_timing() {
    let script = "parallel([1, 2, 3], |n| { step(`branch ${n}`, || { sleep(`${(4 - n) * 10}ms`); retry(#{ times: 2, delay: \"1ms\" }, |a| { sleep(\"1ms\"); if a == 1 { throw \"x\" } }) }) });";
    let project = Project::script(script);
    let paths = || {
        let ran = project.runbook(&["run", "test.rhai", "--json"]).success();
        let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let started = events.filter(|event| event["event"] == "call_started");
        let mut paths: Vec<String> =
            started.map(|event| format!("{} {}", event["path"].as_str().unwrap(), event["name"])).collect();
        paths.sort();
        paths
    };
    let first = paths();
    assert_eq!(first.len(), 16, "{first:?}");
    assert_eq!(first, paths());
    assert!(first.contains(&"1.2.1.2.1.1 \"sleep\"".to_owned()), "{first:?}");
}
