//! How much a run may do at most: no volume goes in a protected environment, and no more is stopped than was said.

use std::net::TcpListener;

use runbook::drivers::docker::ContainerSpec;

use crate::harness::{Lab, Project};

fn project(script: &str, policy: &str) -> Project {
    let project = Project::script(script).file("runbook.toml", "[env.prod]\nprotected = true\n[env.dev]\n");
    project.file("policy.toml", policy)
}

#[test]
fn no_volume_is_removed_in_a_protected_environment_unless_the_policy_says_so() {
    let Some(_lab) = Lab::start() else { return };
    let name = format!("runbook-policy-{}", std::process::id());
    let script = format!(
        "//! @needs docker {name} create_volume, remove_volume\n\
         docker().create_volume(\"{name}\");\nalways(|| info(\"settled\"));\ndocker().remove_volume(\"{name}\");\n"
    );
    let rules = |budget: &str| {
        format!("[all]\nallow = [\"docker * create_volume,remove_volume\"]\napproval = false\n[env.prod]\n{budget}\n")
    };
    let refused = project(&script, &rules("")).runbook(&["run", "test.rhai", "--env", "prod"]);
    let refused = refused.code(1).says("would go beyond the budget of this run: 1 volumes removed of at most 0");
    refused.says("budget = { volumes = 1 }");
    project(&script, &rules("budget = { volumes = 1 }")).runbook(&["run", "test.rhai", "--env", "prod"]).success();
    let declared = format!("//! @budget volumes 0\n{script}");
    project(&declared, &rules("")).runbook(&["run", "test.rhai", "--env", "dev"]).code(1).says("beyond the budget");
    project(&script, &rules("")).runbook(&["run", "test.rhai", "--env", "dev"]).success();
}

#[test]
fn removing_a_volume_must_be_said() {
    let ran = Project::script("//! @needs docker data\ndocker().remove_volume(\"data\");").run().code(2);
    ran.says("`docker.remove_volume` needs `docker data remove_volume`, which the runbook does not declare");
    let app = "//! @needs docker shop\ncompose(\"shop\").down(#{ volumes: true });";
    let ran = Project::script(app).file("compose.yaml", "services: { web: { image: x } }\n").run().code(2);
    ran.says("`compose.down` needs `docker shop remove_volume`");
}

#[test]
fn volumes_that_go_with_their_container_are_volumes_too() {
    let Some(lab) = Lab::start() else { return };
    let image = lab.image("keeps", "1", "VOLUME /data");
    let name = lab.name("keeps");
    let keeps = || {
        let spec = ContainerSpec { image: image.clone(), ..lab.spec("keeps", "sleep 600") };
        lab.up(&spec);
        lab.run(lab.engine.inspect(&name)).unwrap().mounts.remove(0).name
    };
    let is_there = |volume: &str| lab.run(lab.engine.volume(volume)).unwrap().is_some();
    let rules = "[all]\nallow = [\"docker *\", \"docker * remove_volume\"]\napproval = false\n";
    let removes = |verbs: &str| {
        project(
            &format!("//! @needs docker {name} {verbs}\ndocker().remove(\"{name}\", #{{ volumes: true }});\n"),
            rules,
        )
    };

    let volume = keeps();
    let ran = removes("remove").runbook(&["run", "test.rhai", "--env", "dev"]).code(1);
    ran.says(&format!("needs `docker {name} remove_volume`"));
    let refused = removes("remove,remove_volume").runbook(&["run", "test.rhai", "--env", "prod"]).code(1);
    refused.says("beyond the budget of this run: 1 volumes removed of at most 0");
    let plan = removes("remove,remove_volume").runbook(&["plan", "test.rhai", "--env", "dev"]).success();
    plan.prints(&format!("- volume {volume}"));
    assert!(is_there(&volume));
    removes("remove,remove_volume").runbook(&["run", "test.rhai", "--env", "dev"]).success();
    assert!(!is_there(&volume));

    // What was made to be thrown away is no loss, even where no volume may be lost.
    let made = format!(
        "//! @needs docker {name} run; docker {image} run\n\
         docker().run(\"{image}\", [\"sleep\", \"600\"], #{{ name: \"{name}\", detach: true, scratch: true, pull: \"never\" }});\n"
    );
    project(&made, rules).runbook(&["run", "test.rhai", "--env", "prod"]).success();
    let volume = lab.run(lab.engine.inspect(&name)).unwrap().mounts.remove(0).name;
    removes("remove").runbook(&["run", "test.rhai", "--env", "prod"]).success();
    assert!(!is_there(&volume));
}

#[test]
fn no_more_machines_are_worked_on_at_once_than_the_policy_allows() {
    // Two engines that take a call and never answer it.
    let engines = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let places: Vec<String> = engines.iter().map(|engine| format!("tcp://{}", engine.local_addr().unwrap())).collect();
    let script = format!(
        "//! @needs host *; docker *\n//! @timeout 5s\nparallel({places:?}, |place| docker(place).version());\n"
    );
    let rules = |most: usize| format!("[env.dev]\nallow = [\"host *\", \"docker *\"]\nmax_hosts = {most}\n");
    let ran = project(&script, &rules(1)).runbook(&["run", "test.rhai", "--env", "dev"]).code(1);
    ran.says("would be at work on 2 machines at the same time, and policy.toml allows 1").says("`limit: 1`");
    let ran = project(&script, &rules(2)).runbook(&["run", "test.rhai", "--env", "dev"]).code(1);
    ran.never_says("at the same time");
}
