use super::Site;

const DEPLOY: &str = r#"
import "std/deploy" as deploy;
let app = compose("NAME");
deploy::compose(app, #{ pull: false, disk: "1MiB", wait: "30s", url: "http://127.0.0.1:PORT/health" });
"#;

#[test]
fn a_first_deployment_runs_and_typed_again_it_changes_nothing() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.run().code(0).says("1 created");
    assert_eq!(site.answers(), "1");
    let before = site.api();
    site.run().code(0).says("1 unchanged").says("nothing changed, everything is as the files say");
    assert_eq!(site.api(), before);
}

#[test]
fn a_broken_version_is_undone_with_the_evidence_on_screen_and_exit_code_1() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.run().code(0);
    site.version("2", "exec httpd -f -p 8000 -h /www");
    site.run().code(0).says("1 recreated");
    assert_eq!(site.answers(), "2");
    site.broken("3");
    site.run()
        .code(1)
        .says("service `api` failed its health gate")
        .says("exited with code 4")
        .says("no column named price")
        .says("put the previous release back");
    assert_eq!(site.answers(), "2");
}

#[test]
fn a_first_deployment_that_breaks_leaves_nothing_running() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.broken("1");
    site.run().code(1).says("no column named price");
    let label = format!("com.docker.compose.project={}", site.name);
    assert_eq!(site.lab.run(site.lab.engine.containers(&[label])).unwrap().len(), 0);
}

#[test]
fn migrations_run_in_the_new_image_before_anything_is_replaced() {
    let script = DEPLOY.replace(
        "wait:",
        r#"migrate: ["sh", "-c", "test ! -e /data/migrated; echo done >> /data/migrated; sleep 0.2"], migrate_service: "api", wait:"#,
    );
    let Some(site) = Site::new(&script) else { return };
    site.run().code(0).says("migrate");
    assert_eq!(site.lab.exec(&format!("{}-api-1", site.name), &["cat", "/data/migrated"]).1, "done\n");
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_untouched() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.run().code(0);
    let before = site.api();
    site.version("2", "exec httpd -f -p 8000 -h /www");
    let failing = DEPLOY
        .replace("wait:", r#"migrate: ["sh", "-c", "echo duplicate key; exit 5"], migrate_service: "api", wait:"#);
    site.script("test.rhai", &failing);
    site.run().code(1).says("ended with exit code 5").says("duplicate key");
    assert_eq!(site.api(), before);
    assert_eq!(site.answers(), "1");
}

#[test]
fn an_environment_with_problems_stops_before_anything_starts() {
    let script = DEPLOY.replace("wait:", r#"env: #{ required: ["SECRET"], not_placeholder: true }, wait:"#);
    let Some(site) = Site::new(&script) else { return };
    std::fs::write(site.project.path().join(".env"), "TOKEN=changeme\n").unwrap();
    site.run().code(1).says("`SECRET` is required and not set").says(".env:1: `TOKEN` still holds a placeholder");
    let label = format!("com.docker.compose.project={}", site.name);
    assert_eq!(site.lab.run(site.lab.engine.containers(&[label])).unwrap().len(), 0);
}

#[test]
fn an_option_that_does_not_exist_is_refused() {
    let Some(site) = Site::new(&DEPLOY.replace("wait:", "wiat:")) else { return };
    site.run().code(1).says("deploy::compose: there is no option `wiat`; the options are ");
}

#[test]
fn ctrl_c_during_the_health_wait_undoes_and_leaves_no_lock() {
    let script = format!("lock(\"deploy\");\n{}", DEPLOY.replace("30s", "120s"));
    let Some(site) = Site::new(&script) else { return };
    site.run().code(0);
    site.version("2", "exec sleep 600");
    let text = std::fs::read_to_string(site.project.path().join("compose.yaml")).unwrap();
    let slow = text.replace("interval: 300ms, retries: 3", "interval: 60s, retries: 99");
    std::fs::write(site.project.path().join("compose.yaml"), slow).unwrap();
    let mut run = site.project.command(&["run", "test.rhai"]).spawn().unwrap();
    let api = format!("{}-api-1", site.name);
    let begun = std::time::Instant::now();
    loop {
        let now = site.lab.run(site.lab.engine.find(&api)).unwrap();
        if now.is_some_and(|now| now.is_running() && now.raw["Config"]["Healthcheck"]["Retries"] == 99) {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "the second version never started");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let id = run.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(site.answers(), "1");
    site.version("1", "exec httpd -f -p 8000 -h /www");
    site.run().code(0);
}

#[test]
fn a_password_in_the_environment_is_in_no_event_and_survives_being_put_back() {
    let Some(site) = Site::new(DEPLOY) else { return };
    let secret = "correct-horse-battery";
    let compose = site.project.path().join("compose.yaml");
    let with_password = || {
        let text = std::fs::read_to_string(&compose).unwrap();
        let text =
            text.replace("    stop_grace", &format!("    environment: {{ DB_PASSWORD: {secret} }}\n    stop_grace"));
        std::fs::write(&compose, text).unwrap();
    };
    with_password();
    site.run().code(0);
    site.version("2", "echo the password is $$DB_PASSWORD; sleep 1; exit 3");
    with_password();
    let ran = site.project.runbook(&["run", "test.rhai", "--json"]).code(1);
    assert!(ran.stdout.contains("the password is ••••••"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(secret), "{}", ran.stdout);
    for arguments in [["show", "1", "--json"], ["show", "2", "--json"], ["logs", "2", "--json"], ["diff", "1", "2"]] {
        let ran = site.project.runbook(&arguments);
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{arguments:?}: {}", ran.stdout);
    }
    let env = site.lab.exec(&format!("{}-api-1", site.name), &["sh", "-c", "echo $DB_PASSWORD"]).1;
    assert_eq!(env.trim(), secret);
}
