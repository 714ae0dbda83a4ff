//! `env_var`: the environment of the process.

use crate::harness::Project;

#[test]
fn a_variable_or_its_default() {
    let script = "info(env_var(\"COLOUR\")); info(env_var(\"SHAPE\", \"round\")); info(`${env_var(\"NONE\", 3) + 1}`);";
    Project::script(script)
        .env("COLOUR", "blue")
        .run()
        .success()
        .says("info: blue")
        .says("info: round")
        .says("info: 4");
}

#[test]
fn one_that_is_not_set_is_named_with_its_near_name() {
    let ran = Project::script("env_var(\"COLOR\")").env("COLOUR", "blue").run().code(1);
    ran.says("the environment variable `COLOR` is not set")
        .says("did you mean `COLOUR`?")
        .says("env_var(\"COLOR\", \"…\")");
    Project::script("try { env_var(\"A=B\") } catch (error) { info(error.kind) }")
        .run()
        .success()
        .says("info: argument");
}

#[test]
fn a_secret_is_masked_everywhere_and_works_all_the_same() {
    let script = "let token = env_var(\"REGISTRY_TOKEN\"); let url = env_var(\"DB\"); info(token); info(url);
        file(\"out\").write(token + \" \" + url);";
    let project =
        Project::script(script).env("REGISTRY_TOKEN", "s3cr3t-t0ken").env("DB", "postgresql://shop:hunter2!@db/shop");
    project.run().success().never_says("s3cr3t").never_says("hunter2!").says("postgresql://shop:••••••@db/shop");
    assert_eq!(project.read("out"), "s3cr3t-t0ken postgresql://shop:hunter2!@db/shop");
    for command in [&["show", "1", "--calls"][..], &["show", "1", "--json"], &["logs", "1"]] {
        let shown = project.runbook(command).success();
        assert!(!shown.stdout.contains("s3cr3t") && !shown.stdout.contains("hunter2!"), "{}", shown.stdout);
    }
}
