use serde_json::Value;

use super::history::{SCRIPT, filled};
use crate::harness::Project;

#[test]
fn a_failed_run_is_shown_with_its_steps_and_why_it_failed() {
    let shown = filled().runbook(&["show", "2"]).success().stdout;
    let expected = "\
run 2: deploy.rhai on prod
Deploy the shop

state        failed after 1m02s
started      2026-11-02 09:30:00 by ann@desk
revision     4f2c9aa
modules      std/health
parameters   tag: v2
             keep: 7

✓ pull                                                                      7.3s
✗ verify                                                                   54.1s
  ✗ http_check https://shop.example.com/health                             54.0s

error: `https://shop.example.com/health` answered 503, expected 200
 --> deploy.rhai:4:19
  |
4 | step(\"verify\", || health::wait(env::url));
  |                   ^^^^^^

answer:
  upstream is down
  try later

hint: look at the log of `api`
";
    assert_eq!(shown, expected);
}

#[test]
fn every_call_is_shown_on_demand() {
    let shown = filled().runbook(&["show", "1", "--calls"]).success().stdout;
    let steps: Vec<&str> = shown.lines().skip_while(|line| !line.contains("✓")).collect();
    let expected = [
        "✓ pull                                                                      7.3s",
        "  ✓ compose.pull shop — 2 pulled                                            7.2s",
        "✓ verify                                                                   810ms",
        "  ✓ http_check https://shop.example.com/health                             800ms",
    ];
    assert_eq!(steps, expected);
    assert!(shown.contains("result       {\"serving\":\"v1\"}"));
}

#[test]
fn the_script_is_printed_byte_for_byte_as_it_ran() {
    let project = filled();
    let script = SCRIPT.replace("pulling", "pulling v2");
    assert_eq!(project.runbook(&["show", "2", "--script"]).success().stdout, script);
    assert_eq!(project.runbook(&["show", "2", "--script", "deploy"]).success().stdout, script);
    let module = project.runbook(&["show", "2", "--script", "std/health"]).success().stdout;
    assert_eq!(module, "fn wait(url) { http_check(url) }\n");
    project
        .runbook(&["show", "2", "--script", "std/db"])
        .code(2)
        .says("error: run 2 used no script `std/db`")
        .says("hint: it used deploy.rhai, std/health");
}

#[test]
fn the_script_stays_as_it_ran_when_the_file_changes() {
    let project = Project::script("step(\"old\", || 1);\r\n// größe");
    project.run().success();
    let project = project.file("test.rhai", "step(\"new\", || 2);\n");
    project.run().success();
    assert_eq!(project.runbook(&["show", "1", "--script"]).success().stdout, "step(\"old\", || 1);\r\n// größe");
    assert_eq!(project.runbook(&["show", "last", "--script"]).success().stdout, "step(\"new\", || 2);\n");
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let project = filled();
    let ran = project.runbook(&["show", "7"]).code(2);
    assert_eq!(ran.stderr, "error: there is no run 7\n\nhint: `runbook runs` lists the runs there are\n");
    assert_eq!(ran.stdout, "");
    project.runbook(&["show", "seven"]).code(2).says("write a run's number, or `last`");
    project.runbook(&["show"]).success().prints("run 3: operations/backup.rhai on demo");
    Project::new().runbook(&["show", "last"]).code(2).says("error: there are no runs yet");
}

#[test]
fn json_holds_scripts_and_calls() {
    let shown = filled().runbook(&["show", "2", "--json"]).success().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["id"], 2);
    assert_eq!(shown["sources"][1]["path"], "std/health");
    let call = &shown["calls"][1];
    let keys: Vec<&str> = call.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "path",
        "name",
        "title",
        "effect",
        "arguments",
        "site",
        "state",
        "result",
        "changed",
        "note",
        "changes",
        "masked",
        "marker",
        "decision",
        "failure",
        "started_at",
        "finished_at",
        "milliseconds",
    ];
    assert_eq!(keys, expected);
    assert_eq!((call["path"].as_str(), call["state"].as_str()), (Some("1.1"), Some("done")));
    assert_eq!(call["effect"], "change");
}
