//! Errors name the right file and line, through closures and modules.

use crate::harness::Project;

#[test]
fn a_closure_run_by_a_module_fails_in_the_runbooks_file() {
    let project = Project::script("import \"lib/roll\" as roll;\nroll::twice(\"x\", || {\n    helper();\n});\nfn helper() { throw \"here\" }\n")
        .file("lib/roll.rhai", "fn twice(name, block) {\n    step(name + \" 1\", || 1);\n    step(name + \" 2\", block);\n}\nfn helper() { 1 }\n");
    let ran = project.runbook(&["run", "test.rhai", "--json"]).code(1);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let places: Vec<String> = last["trace"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| format!("{}:{}", site["file"].as_str().unwrap(), site["line"]))
        .collect();
    assert_eq!(places, ["test.rhai:5", "test.rhai:3", "lib/roll.rhai:3", "test.rhai:2"]);
}

#[test]
fn a_call_is_journaled_with_the_place_it_was_made() {
    let project = Project::script("import \"lib/m\" as m;\nm::begin();").file(
        "lib/m.rhai",
        "fn begin() {\n    let block = || step(\"inner\", || 1);\n    step(\"outer\", block);\n}\n",
    );
    let ran = project.runbook(&["run", "test.rhai", "--json"]).success();
    let started: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["event"] == "call_started")
        .collect();
    let places: Vec<String> = started
        .iter()
        .map(|event| {
            format!(
                "{} {}:{}",
                event["title"].as_str().unwrap(),
                event["site"]["file"].as_str().unwrap(),
                event["site"]["line"]
            )
        })
        .collect();
    assert_eq!(places, ["outer lib/m.rhai:3", "inner lib/m.rhai:2"]);
}

#[test]
fn a_wrong_argument_is_named_and_no_rust_type_is_shown() {
    let ran = Project::script("let names = [5];\nstep(names[0], || 1);").run().code(1);
    ran.says("`step`: argument `name` must be a string, got an integer").never_says("i64").never_says("Dynamic");
}

#[test]
fn a_runbook_that_reads_its_environment_finds_its_modules() {
    let project = Project::script("import \"lib/m\" as m;\nlet system = env::shop;\nm::tell(system.url);")
        .file("lib/m.rhai", "fn tell(text) { info(text) }")
        .file("runbook.toml", "[env.demo]\n[env.demo.shop]\nurl = \"http://shop\"\n");
    project.run().success().says("http://shop");
}
