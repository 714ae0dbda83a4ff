use serde_json::Value;

use super::history::filled;
use crate::harness::Project;

#[test]
fn two_runs_differ_in_script_parameters_steps_and_results() {
    let printed = filled().runbook(&["diff", "1", "2"]).success().stdout;
    let expected = "\
RUN  RUNBOOK      ENV   STATE   STARTED            TIME  BY
  1  deploy.rhai  prod  ok      2026-11-01 09:00   8.1s  ann@desk
  2  deploy.rhai  prod  failed  2026-11-02 09:30  1m02s  ann@desk

run
- state: ok
+ state: failed
- failure: null
+ failure: `https://shop.example.com/health` answered 503, expected 200

script deploy.rhai
--- deploy.rhai (run 1)
+++ deploy.rhai (run 2)
@@ -1,4 +1,4 @@
 //! Deploy the shop
 import \"std/health\" as health;
-step(\"pull\", || info(\"pulling v1\"));
+step(\"pull\", || info(\"pulling v2\"));
 step(\"verify\", || health::wait(env::url));

parameters
- tag: v1
+ tag: v2

steps
~ pull
-   tag: v1
+   tag: v2
~ verify: ok in 810ms → failed in 54.1s
-   returned: {\"tag\":\"v1\"}
+   returned: null

result
- {\"serving\":\"v1\"}
+ null
";
    assert_eq!(printed, expected);
}

#[test]
fn the_same_run_twice_is_no_difference() {
    let project = Project::script("step(\"a\", || info(\"x\"));");
    project.run().success();
    project.run().success();
    project.runbook(&["diff", "1", "last"]).success().prints("\nno difference\n");
}

#[test]
fn steps_that_only_one_run_has_are_named() {
    let project = Project::script("step(\"a\", || 1); step(\"b\", || 2); step(\"d\", || 3);");
    project.run().success();
    let project =
        project.file("test.rhai", "step(\"a\", || 1); step(\"c\", || step(\"inner\", || 4)); step(\"d\", || 3);");
    project.run().success();
    let printed = project.runbook(&["diff", "1", "2", "--json"]).success().stdout;
    let difference: Value = serde_json::from_str(&printed).unwrap();
    let steps: Vec<String> = difference["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{} {} {}", step["step"], !step["a"].is_null(), !step["b"].is_null()))
        .collect();
    assert_eq!(steps, ["[\"c\"] false true", "[\"c\",\"inner\"] false true", "[\"b\"] true false"]);
    let keys: Vec<&str> = difference.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["a", "b", "run", "scripts", "parameters", "environment", "steps", "result"]);
    assert_eq!(difference["scripts"][0]["hunks"][0]["lines"][0]["in"], "a");
}

#[test]
fn a_run_that_is_not_there_cannot_be_compared() {
    filled().runbook(&["diff", "1", "9"]).code(2).says("there is no run 9");
    Project::new().runbook(&["diff", "1", "2"]).code(2).says("there is no run 1: there are no runs yet");
}
