//! Secrets in applications: in the containers that need them, and in nothing that is shown or stored.

use crate::harness::{Lab, Project};
use crate::primitives::secret::{VALUE, is_nowhere};

const COMPOSE: &str = "
services:
  api:
    image: runbook-test/busybox:1
    command: sh -c 'echo began with $$PASSWORD; exec sleep 600'
    stop_grace_period: 0s
    environment: { PASSWORD: '${PASSWORD}', TAG: '${TAG:-1}' }
";

struct Shop {
    lab: Lab,
    name: String,
    project: Project,
}

impl Shop {
    fn new(compose: &str, script: &str) -> Option<Self> {
        let lab = Lab::start()?;
        let name = lab.name("shop");
        let head = format!("let app = compose({name:?}, #{{ env: #{{ PASSWORD: secret(\"DB_PASSWORD\") }} }});\n");
        let script = (head + script).replace("NAME", &name);
        let project = Project::script(&script).file("compose.yaml", compose).env("DB_PASSWORD", VALUE);
        Some(Self { lab, name, project })
    }

    fn password(&self) -> String {
        self.lab.exec(&format!("{}-api-1", self.name), &["sh", "-c", "printf %s \"$PASSWORD\""]).1.trim_end().to_owned()
    }
}

#[test]
fn a_container_gets_its_secret_and_a_way_back_keeps_it() {
    let script = "
        app.up(#{ wait: \"0s\" });
        let before = app.release();
        let newer = compose(\"NAME\", #{ env: #{ PASSWORD: \"a-newer-password\", TAG: 2 } });
        newer.up(#{ wait: \"0s\" });
        app.up(before);
        print(app.logs(\"api\"));
        print(app.config().services.api.environment.PASSWORD);
        let told = app.exec(\"api\", [\"sh\", \"-c\", \"printf %s \\\"$PASSWORD\\\"; cat\"], #{ stdin: secret(\"DB_PASSWORD\") });
        file(\"told\").write(told.stdout, #{ mode: \"0600\" });";
    let Some(shop) = Shop::new(COMPOSE, script) else { return };
    let ran = shop.project.run().success().never_says(VALUE);
    ran.says("began with ⟨secret DB_PASSWORD⟩");
    assert_eq!(shop.password(), VALUE);
    assert_eq!(shop.project.read("told"), VALUE.repeat(2));
    is_nowhere(&shop.project);
}

#[test]
fn a_container_of_an_image_gets_it_and_a_plan_names_it() {
    let script = "
        docker().run(\"runbook-test/busybox:1\", [\"sh\", \"-c\", \"test \\\"$PASSWORD\\\" = \\\"$OTHER\\\" && echo \\\"is $PASSWORD\\\"\"],
            #{ env: #{ PASSWORD: secret(\"DB_PASSWORD\"), OTHER: secret(\"DB_PASSWORD\") } });
        app.up(#{ wait: \"0s\" });";
    let Some(shop) = Shop::new(COMPOSE, script) else { return };
    let plan = shop.project.runbook(&["plan", "test.rhai", "--out", "plan.json"]).success().never_says(VALUE);
    assert!(!plan.stdout.contains(&VALUE[..10]), "{}", plan.stdout);
    assert!(!shop.project.read("plan.json").contains(&VALUE[..10]));
    shop.project.runbook(&["run", "test.rhai", "--plan", "plan.json", "-v"]).success().says("is ⟨secret DB_PASSWORD⟩");
    assert_eq!(shop.password(), VALUE);
    is_nowhere(&shop.project);
}

#[test]
fn what_everybody_can_list_may_not_have_it() {
    for (place, line) in [
        ("services.api.command", "command: [sh, -c, 'x ${PASSWORD}']"),
        ("services.api.labels", "labels: { token: '${PASSWORD}' }"),
        ("services.api.healthcheck", "healthcheck: { test: [CMD, check, '${PASSWORD}'] }"),
        ("services.api.hostname", "hostname: '${PASSWORD}'"),
    ] {
        let compose = format!("services:\n  api:\n    image: runbook-test/busybox:1\n    {line}\n");
        let Some(shop) = Shop::new(&compose, "app.up(#{ wait: \"0s\" });") else { return };
        let ran = shop.project.run().code(1).never_says(VALUE);
        ran.says(&format!("the secret `DB_PASSWORD` may not stand in `{place}"));
        let all = shop.lab.run(shop.lab.engine.containers(&[])).unwrap();
        assert!(all.iter().all(|container| !container.name.starts_with(&shop.name)), "{place}");
    }
}
