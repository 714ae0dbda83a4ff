//! Paths of calls.

use crate::harness::Project;

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
