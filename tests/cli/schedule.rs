use serde_json::Value;

use crate::harness::Project;

const BACKUP: &str = "//! Back up.\n//! @param keep: integer\n//! @schedule weekly { cron = \"0 3 * * 0\", zone = \"UTC\", parameters = { keep = 4 } }\ninfo(`keep ${param(\"keep\")}`);\n";

fn project() -> Project {
    Project::new().file("backup.rhai", BACKUP).file(
        "runbook.toml",
        "[env.prod]\n[schedule.nightly]\nrunbook = \"backup.rhai\"\nenv = \"prod\"\ncron = \"30 2 * * *\"\n\
         zone = \"Europe/Berlin\"\nparameters = { keep = 7 }\n",
    )
}

#[test]
fn schedules_of_the_project_file_and_of_headers_are_listed() {
    let project = project();
    project.runbook(&["schedule", "list"]).success().prints("nightly   30 2 * * *").prints("weekly    0 3 * * 0");
    let listed = project.runbook(&["schedule", "list", "--json"]).success().stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["name"], "nightly");
    assert_eq!(listed[0]["next"].as_array().unwrap().len(), 3);
    let next = project.runbook(&["schedule", "next", "--days", "14"]).success().stdout;
    assert_eq!(next.lines().filter(|line| line.ends_with("  nightly")).count(), 14, "{next}");
    assert_eq!(next.lines().filter(|line| line.ends_with("  weekly")).count(), 2, "{next}");
    project.runbook(&["schedule", "forecast", "--days", "2"]).success().prints("of unknown length, at most ");
}

#[test]
fn a_paused_schedule_says_so_until_it_is_resumed() {
    let project = project();
    project.runbook(&["schedule", "pause", "nightly"]).success().says("is paused");
    project.runbook(&["schedule", "list"]).success().prints("paused by tester@");
    project.runbook(&["schedule", "resume", "nightly"]).success();
    let listed = project.runbook(&["schedule", "list"]).success();
    assert!(!listed.stdout.contains("paused"), "{}", listed.stdout);
    project.runbook(&["schedule", "pause", "nightyl"]).code(2).says("did you mean `nightly`?");
}

#[test]
fn a_schedule_can_be_run_now_and_has_its_row() {
    let project = project();
    project.runbook(&["schedule", "run", "nightly"]).success().says("keep 7");
    let history = project.runbook(&["schedule", "history", "--json"]).success().stdout;
    let fires: Value = serde_json::from_str(&history).unwrap();
    assert_eq!((fires[0]["schedule"].as_str(), fires[0]["manual"].as_bool()), (Some("nightly"), Some(true)));
    assert_eq!((fires[0]["result"].as_str(), fires[0]["run"].as_i64()), (Some("ok"), Some(1)));
    project.runbook(&["schedule", "history"]).success().prints("asked for");
    project.runbook(&["schedule", "history", "weekly"]).success().says("no fire was expected in that time");
    project.runbook(&["schedule", "history", "weekyl"]).code(2).says("did you mean `weekly`?");
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn what_could_not_run_is_refused_before_anything_is_registered() {
    let refused = |schedule: &str, words: &str| {
        let project = Project::new().file("backup.rhai", BACKUP).file("runbook.toml", schedule);
        project.runbook(&["schedule", "list"]).code(2).says(words);
        assert!(!project.path().join(".runbook").exists(), "{schedule}");
    };
    let with = |more: &str| format!("[schedule.n]\nrunbook = \"backup.rhai\"\nparameters = {{ keep = 1 }}\n{more}\n");
    refused(&with("cron = \"30 25 * * *\""), "runbook.toml: schedule `n`: `cron`: `25` is no hour");
    refused(&with("cron = \"30 2 31 2 *\""), "it never fires");
    refused(&with("cron = \"*5 * * * *\""), "Debian's cron passes over `5` here");
    refused(&with("every = \"1h\"\ncron = \"@daily\""), "it takes one of `cron`, `every` and `at`");
    refused(&with("every = \"1h\"\nzone = \"Mars/Base\""), "there is no time zone `Mars/Base`");
    refused(&with("every = \"1h\"\nexcept = [\"13-40\"]"), "`except`: `13-40` is no day");
    refused(&with("every = \"1h\"\nenv = \"prod\""), "there is no environment `prod`");
    refused("[schedule.n]\nrunbook = \"backup.rhai\"\nevery = \"1h\"\n", "`backup.rhai` needs the parameter `keep`");
    refused("[schedule.n]\nrunbook = \"none.rhai\"\nevery = \"1h\"\n", "there is no runbook `none.rhai`");
    refused("[schedule.n]\nrunbok = \"backup.rhai\"\n", "runbook.toml:2:1: there is no key `runbok` here");
    refused(
        "[schedule.weekly]\nrunbook = \"backup.rhai\"\nevery = \"1h\"\nparameters = { keep = 1 }\n",
        "the schedule `weekly` is declared in `runbook.toml` and in `backup.rhai`",
    );
}

#[test]
fn a_mistake_in_a_header_is_found_by_check() {
    let project = Project::script("//! T.\n//! @schedule nightly { cron = 7 }\ninfo(\"x\");\n");
    project.runbook(&["check", "test.rhai"]).code(2).says("`@schedule`:").says("test.rhai:2:");
    let project = Project::script("//! T.\n//! @schedule every hour\ninfo(\"x\");\n");
    project.runbook(&["check", "test.rhai"]).code(2).says("`@schedule` takes a name and, in braces, when");
}
