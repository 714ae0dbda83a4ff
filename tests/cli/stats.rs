use crate::harness::Project;

fn project() -> Project {
    Project::new()
        .file("work.rhai", "//! @param fails: bool = false\nstep(\"work\", || { info(\"at work\"); if param(\"fails\") { throw \"no\"; } });\n")
        .file("runbook.toml", "[env.prod]\n[schedule.rare]\nrunbook = \"work.rhai\"\ncron = \"0 0 1 1 *\"\n")
}

#[test]
fn figures_tell_how_the_newest_runs_went() {
    let project = project();
    project.runbook(&["stats"]).success().says("no run matches");
    project.runbook(&["run", "work.rhai"]).success();
    project.runbook(&["run", "work.rhai", "--fails", "true"]).code(1);
    project.runbook(&["stats"]).success().prints("work.rhai").prints("50.0 %").prints("failed");
    let ran = project.runbook(&["stats", "--runbook", "work", "--json"]).success();
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&found[0]["runs"], &found[0]["ok"], &found[0]["last"]), (&2.into(), &1.into(), &"failed".into()));
    assert_eq!(found[0]["last_ok"][0], 1);
    project.runbook(&["stats", "--runbook", "ork"]).success().says("no run matches");
}

#[test]
fn an_export_has_every_run_with_its_calls_and_lines() {
    let project = project();
    project.runbook(&["run", "work.rhai"]).success();
    project.runbook(&["run", "work.rhai", "--fails", "true"]).code(1);
    let ran = project.runbook(&["state", "export", "--lines"]).success();
    let runs: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[1]["id"], &runs[1]["state"]), (&2.into(), &"failed".into()));
    assert_eq!(runs[0]["calls"][0]["title"], "work");
    assert_eq!(runs[0]["lines"][0]["line"], "at work");
    let ran = project.runbook(&["state", "export", "--from", "2"]).success();
    assert_eq!(ran.stdout.lines().count(), 1);
    assert!(!ran.stdout.contains("\"lines\""), "{}", ran.stdout);
}

#[test]
fn top_shows_once_what_goes_on_where_nobody_watches() {
    let project = project();
    project.runbook(&["run", "work.rhai"]).success();
    project.runbook(&["top"]).success().prints("running (0)").prints("rare").prints("work.rhai");
}
