//! What is declared and what is missing: told before anything runs, and written into the header on request.

use crate::harness::Project;

const SCRIPT: &str =
    "file(\"out/one\").write(\"x\");\nsh([\"true\"]);\nlet who = env_var(\"HOME\");\nfile(\"/etc/hostname\").read();\n";

#[test]
fn all_that_is_missing_is_told_at_once_before_anything_runs() {
    let project = Project::script(&format!("//! Writes.\n//! @needs env HOME\n{SCRIPT}")).file("out/kept", "");
    let ran = project.run().code(2);
    let ran = ran.says("`file.write` needs `write out/one`, which the runbook does not declare");
    let ran = ran.says("`sh` needs `command true`").says("`file.read` needs `read /etc/hostname`");
    ran.says("`//! @needs command true; read /etc/hostname; write out/one`").never_says("env HOME,");
    assert!(!project.path().join("out/one").exists());
}

#[test]
fn check_says_the_same_and_writes_it_on_request() {
    let project = Project::script(&format!("//! Writes.\n//!\n//! @timeout 1m\n{SCRIPT}")).file("out/kept", "");
    project.runbook(&["check", "test.rhai"]).success();
    project.runbook(&["check", "--fix", "test.rhai"]).success().says("declared `@needs command true;");
    let text = project.read("test.rhai");
    let line = "//! @timeout 1m\n//! @needs command true; read /etc/hostname; write out/one; env HOME\n";
    assert!(text.contains(line), "{text}");
    project.runbook(&["check", "--fix", "test.rhai"]).success().never_says("declared");
    assert_eq!(project.read("test.rhai"), text);
    project.run().success();
}

#[test]
fn a_star_stands_for_what_only_the_run_knows() {
    let script = "//! @param name: string = \"a\"\nlet name = param(\"name\");\ndocker().stop(`shop-${name}`);\nfor n in [1] { sh([`x${n}`]); }\n";
    let project = Project::script(script);
    project.runbook(&["check", "--fix", "test.rhai"]).success().says("known only in the run");
    let text = project.read("test.rhai");
    assert!(text.contains("//! @needs docker shop-* stop; command x*\n"), "{text}");
}

#[test]
fn a_host_is_known_by_its_name_and_one_that_only_the_run_knows_is_not_missing() {
    let script = "let web = ssh(\"web-1\");\nssh(\"web-1\").exec([\"true\"]);\nlet armed = web.arm(\"true\");\narmed.confirm();\n\
                  let disk = web.disk_free(\"/\");\ndisk.at_least(\"1GiB\");\n";
    let known = format!("//! Works.\n//! @needs secret A\n{script}");
    let of_a_run = "ssh(param(\"name\")).arm(\"true\").revert();\nlet other = if true { web } else { ssh(\"web-2\") };\nother.facts();\n";
    let project = Project::script(&format!(
        "//! Works.\n//! @param name: string = \"web-1\"\n//! @needs host web-1\n{script}{of_a_run}"
    ))
    .file("runbook.toml", "[host.web-1]\naddress = '127.0.0.1'\n");
    let ran = project.runbook(&["check", "test.rhai"]).code(2);
    ran.says("`ssh.exec` needs `command true`").says("`ssh.arm` needs `command *`").never_says("needs `host");
    project.file_now("test.rhai", &known);
    project.runbook(&["check", "test.rhai"]).code(2).says("`ssh.exec` needs `host web-1`");
    project.runbook(&["check", "--fix", "test.rhai"]).success();
    let text = project.read("test.rhai");
    assert!(text.contains("host web-1;") && !text.contains("host *"), "{text}");
}

#[test]
fn the_environments_own_values_are_known() {
    let project = Project::script("//! Asks.\nhttp_check(env::url + \"/health\");\n")
        .file("runbook.toml", "[env.dev]\nurl = \"http://127.0.0.1:1\"\n[env.prod]\nurl = \"https://shop.test\"\n");
    project.runbook(&["check", "--fix", "--all-envs", "test.rhai"]).success();
    let text = project.read("test.rhai");
    assert!(text.contains("//! @needs http http://127.0.0.1:1/health, https://shop.test/health\n"), "{text}");
}

#[test]
fn a_wrong_line_is_shown_with_its_place() {
    let ran = Project::script("//! Wrong.\n//! @needs docker shop; comand git\n").run().code(2);
    ran.says("there is no kind of need called `comand`").says("test.rhai:2:25").says("did you mean `command`?");
}

#[test]
fn what_only_the_run_knows_is_judged_at_the_door() {
    let script = "//! @needs write out/**\n//! @param to: string = \"out/one\"\nfile(param(\"to\")).write(\"x\");\n";
    let project = Project::script(script).file("out/kept", "");
    project.run().success();
    let ran = project.runbook(&["run", "test.rhai", "--to", "else"]).code(1);
    ran.says("`file.write` needs `write else`, which the runbook does not declare").says("test.rhai:3");
    assert!(!project.path().join("else").exists());
}

#[test]
fn what_policy_toml_does_not_grant_is_told_before_anything_runs() {
    let project = Project::script(&format!("//! @needs command true; read /etc/**; write out/**; env HOME\n{SCRIPT}"))
        .file("out/kept", "")
        .file("runbook.toml", "[env.dev]\n[env.prod]\n")
        .file(
            "policy.toml",
            "[all]\nallow = [\"read /etc/**\", \"env *\", \"write out/**\"]\n[env.dev]\nallow = [\"command *\"]\n",
        );
    project.runbook(&["run", "test.rhai", "--env", "dev"]).success();
    let ran = project.runbook(&["run", "test.rhai", "--env", "prod"]).code(2);
    ran.says("`sh` needs `command true`, which policy.toml does not grant on `prod`").says("[env.prod]");
    project.file_now("policy.toml", "[env.prod]\nallow = [\"cmmand *\"]\n");
    project.runbook(&["run", "test.rhai", "--env", "prod"]).code(2).says("policy.toml:2:11: ");
}
