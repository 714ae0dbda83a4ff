//! `runbook check`: what it prints, and its exit code.

use serde_json::Value;

use crate::harness::Project;

fn shop() -> Project {
    Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = \"shop\"\n\n[env.demo]\nurl = \"http://127.0.0.1\"\n\n[env.prod]\nurl = \"https://a.example\"\nteam = \"web\"\n",
        )
        .file("lib/tools.rhai", "fn wash(x) { slep(x) }\n")
        .file("deploy.rhai", "//! Deploy.\nimport \"lib/tools\" as tools;\ntools::wash(1);\n")
}

#[test]
fn a_finding_has_its_place_the_line_a_caret_and_what_to_do() {
    let project = Project::script("// first\nstep(\"pull\", || {\n    sleep(5);\n});\nslep(\"5s\");\n");
    let ran = project.runbook(&["check", "test.rhai"]).code(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "\
error[wrong-type]: `sleep`: argument `time` must be a duration like \"90s\", got an integer
 --> test.rhai:3:11
  |
3 |     sleep(5);
  |           ^
  |
  = hint: did you mean \"5s\"?

error[unknown-function]: there is no function `slep`
 --> test.rhai:5:1
  |
5 | slep(\"5s\");
  | ^^^^
  |
  = hint: did you mean `sleep`?

2 errors
"
    );
}

#[test]
fn a_run_with_a_mistake_does_not_start() {
    let project = Project::script("sh([\"touch\", \"started\"]);\nslep(\"5s\");\n");
    project.run().code(2).says("error[unknown-function]: there is no function `slep`");
    assert!(!project.path().join("started").exists());
    project.runbook(&["runs"]).success().prints("");
}

#[test]
fn a_warning_is_shown_and_the_run_starts() {
    let project = Project::script("//! T\n//! @param days: integer = 3\nsh([\"touch\", \"started\"]);\n");
    project.run().success().says("warning[unused-parameter]: parameter `days` is declared and never used");
    assert!(project.path().join("started").exists());
    project.runbook(&["check"]).success().says("1 warning\n");
}

#[test]
fn without_names_every_runbook_is_checked_and_modules_through_their_imports() {
    let project = shop().file("rollback.rhai", "import \"lib/tools\" as tools;\nstpe(1);\n");
    let ran = project.runbook(&["check", "--json"]).code(2);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| format!("{}:{} {}", finding["file"].as_str().unwrap(), finding["line"], finding["code"]))
        .collect();
    assert_eq!(findings, ["lib/tools.rhai:1 \"unknown-function\"", "rollback.rhai:2 \"unknown-function\""]);
    assert_eq!((report["version"].as_i64(), report["errors"].as_i64()), (Some(1), Some(2)));
}

#[test]
fn nothing_found_is_said_in_one_line() {
    let project = Project::script("info(\"fine\");\n");
    let ran = project.runbook(&["check"]).success();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "1 runbook checked, nothing found\n"));
    Project::new().runbook(&["check"]).code(2).says("there is no runbook in");
}

#[test]
fn all_environments_are_named_where_something_lacks() {
    let project = shop().file("deploy.rhai", "info(env::url);\ninfo(env::team);\n");
    project.runbook(&["check", "deploy.rhai", "--env", "prod"]).success();
    let ran = project.runbook(&["check", "deploy.rhai", "--all-envs"]).code(2);
    let ran = ran
        .says("error[unknown-key]: environment `demo` has no key `team` (environment `demo`)\n --> deploy.rhai:2:11\n");
    ran.says("hint: add `team = …` to [env.demo] in runbook.toml");
    project.runbook(&["check", "deploy.rhai"]).success();
    project.runbook(&["check", "deploy.rhai", "--env", "stage"]).code(2).says("there is no environment `stage`");
}

#[test]
fn sarif_has_what_the_standard_asks_for() {
    let ran = shop().runbook(&["check", "--sarif"]).code(2);
    let log: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!((rule["id"].as_str(), result["ruleId"].as_str()), (Some("unknown-function"), Some("unknown-function")));
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "lib/tools.rhai");
    assert_eq!(
        (&place["region"]["startLine"], &place["region"]["startColumn"], &place["region"]["endColumn"]),
        (&1.into(), &14.into(), &18.into())
    );
    let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(replacement["insertedContent"]["text"], "sleep");
    for rule in rules {
        assert!(rule["shortDescription"]["text"].as_str().unwrap().ends_with('.'), "{rule}");
        assert!(rule["help"]["text"].as_str().unwrap().ends_with('.'), "{rule}");
    }
}

#[test]
fn imports_are_followed_within_the_project_only() {
    let outside = Project::new().file("secret.rhai", "fn x() { 1 }\n");
    let project = Project::new()
        .file("runbook.toml", "")
        .file(
            "a.rhai",
            "import \"lib/one\" as one;\nimport \"../secret\" as two;\nimport \"lib/link\" as three;\none::go_on();\n",
        )
        .file("lib/one.rhai", "import \"lib/two\" as two;\nfn go_on() { two::end() }\n")
        .file("lib/two.rhai", "import \"lib/one\" as one;\ninfo(\"hello\");\nfn end() { 1 }\nlet later = 1;\n");
    std::os::unix::fs::symlink(outside.path().join("secret.rhai"), project.path().join("lib/link.rhai")).unwrap();
    let ran = project.runbook(&["check", "a.rhai"]).code(2);
    ran.says("error[missing-import]: import path `../secret` leaves the project's folder\n --> a.rhai:2:8\n")
        .says("error[missing-import]: import path `lib/link` leaves the project's folder\n --> a.rhai:3:8\n")
        .says("error[import-circle]: modules import each other in a circle: lib/two.rhai → lib/one.rhai → lib/two.rhai")
        .says("error[code-in-module]: a module holds functions and constants; this would run whenever it is imported\n --> lib/two.rhai:2:1\n");
}

#[test]
fn a_host_that_passes_the_check_has_its_address_in_the_run() {
    let project = Project::script("info(env::host(\"web\"));\n")
        .file("runbook.toml", "[env.prod.hosts]\nweb = \"web-1.example.com\"\n");
    project.run().success().says("web-1.example.com");
    let project = project.file("test.rhai", "let name = \"db\";\ninfo(env::host(name));\n");
    project.run().code(1).says("environment `prod` has no host `db`").says("test.rhai:2:11");
}

#[test]
fn a_services_name_is_looked_up_in_the_compose_files() {
    let project = Project::new()
        .file("runbook.toml", "[env.prod]\nfiles = [\"compose.yaml\"]\n")
        .file("compose.yaml", "name: shop\nservices:\n  api:\n    image: a\n  postgres:\n    image: b\n")
        .file("a.rhai", "let app = compose(\"shop\", #{ files: env::files });\napp.exec(\"postgress\", [\"true\"]);\n");
    project
        .runbook(&["check", "a.rhai"])
        .code(2)
        .says("error[unknown-service]: the compose files define no service `postgress`\n --> a.rhai:2:10\n")
        .says("hint: did you mean `postgres`?");
}

#[test]
fn what_keeps_a_service_from_being_replaced_start_first_is_named() {
    let compose = "services:
  web: { image: a, ports: ['8000:80'], deploy: { update_config: { order: start-first } } }
  api: { image: a, volumes: ['data:/data'] }
  proxy: { image: nginx, volumes: ['./site.conf:/etc/nginx/conf.d/site.conf'] }
volumes: { data: }
";
    let project = Project::new()
        .file("runbook.toml", "[env.prod]\nfiles = [\"compose.yaml\"]\n")
        .file("compose.yaml", compose)
        .file("site.conf", "location / { proxy_pass http://api; }\n")
        .file("a.rhai", "let app = compose(\"shop\", #{ files: env::files });\napp.up();\n")
        .file("b.rhai", "let app = compose(\"shop\", #{ files: env::files });\napp.up(#{ order: \"start-first\", shared_volumes: [\"data\"] });\n")
        .file("c.rhai", "let app = compose(\"shop\", #{ files: env::files });\napp.up(#{ order: \"stop-first\" });\n");
    project
        .runbook(&["check", "a.rhai"])
        .says("warning[not-start-first]: `web` cannot be replaced start-first: the port 8000 of the host is fixed (compose.yaml:2:")
        .never_says("`api`");
    project
        .runbook(&["check", "b.rhai"])
        .says("warning[not-start-first]: `web`")
        .says("warning[stale-upstream]: `proxy` looks `api` up only when it reads site.conf:1")
        .never_says("has one writer");
    project.runbook(&["check", "c.rhai"]).success().never_says("warning");
}
