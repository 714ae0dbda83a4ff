//! The images that `runbooks/demo-app/images.rhai` builds, in containers.

use std::process::Command;
use std::sync::OnceLock;

use runbook::drivers::docker::ContainerSpec;

use crate::harness::{Lab, skip};

/// Builds the images once for all tests here. They stay, as a cache.
pub fn images(arguments: &'static [&'static str]) -> Option<Lab> {
    static BUILT: OnceLock<()> = OnceLock::new();
    static DATABASES_BUILT: OnceLock<()> = OnceLock::new();
    let lab = Lab::start()?;
    let built = if arguments.is_empty() { &DATABASES_BUILT } else { &BUILT };
    built.get_or_init(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(["run", "runbooks/demo-app/images.rhai", "--profile", "dev"])
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    Some(lab)
}

pub fn databases() -> Option<Lab> {
    let programs = ["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/redis-check-rdb", "/usr/bin/busybox"];
    if !programs.iter().all(|program| std::path::Path::new(program).exists()) {
        skip("databases to make images of (apt-get install postgresql-15 redis-tools busybox-static)");
        return None;
    }
    images(&[])
}

fn container(lab: &Lab, name: &str, image: &str, env: &[&str]) -> ContainerSpec {
    ContainerSpec {
        name: lab.name(name),
        image: image.into(),
        env: env.iter().map(|variable| (*variable).to_owned()).collect(),
        labels: lab.labels(),
        ..ContainerSpec::default()
    }
}

/// Repeats a command until it ends well; its output.
fn until(lab: &Lab, container: &str, command: &[&str]) -> String {
    let began = std::time::Instant::now();
    loop {
        let (code, output) = lab.exec(container, command);
        if code == 0 {
            return output.trim().to_owned();
        }
        assert!(began.elapsed().as_secs() < 60, "{command:?} never ended well: {output}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn each_version_says_which_it_is_and_the_broken_one_fails_its_health_check() {
    let Some(lab) = images(&["--databases", "false"]) else { return };
    let health = ["curl", "-f", "http://localhost:8000/health"];
    for version in ["1", "2"] {
        let app = lab.up(&container(&lab, version, &format!("demo/app:{version}"), &[]));
        let answer = format!(r#"{{"status":"healthy","version":"{version}","database":"connected"}}"#);
        assert_eq!(until(&lab, &app, &health), answer);
    }
    let broken = lab.up(&container(&lab, "broken", "demo/app:3-broken", &[]));
    let status = until(&lab, &broken, &["curl", "-s", "http://localhost:8000/health"]);
    assert_eq!(status, r#"{"status":"unhealthy","version":"3-broken","database":"connected"}"#);
    assert_eq!(lab.exec(&broken, &health).0, 22);
}

#[test]
fn a_stop_is_heard_by_the_first_process_of_the_container() {
    let Some(lab) = images(&["--databases", "false"]) else { return };
    let app = lab.up(&container(&lab, "app", "demo/app:1", &[]));
    until(&lab, &app, &["curl", "-f", "http://localhost:8000/health"]);
    lab.run(lab.engine.stop(&app, Some(std::time::Duration::from_secs(30)))).unwrap();
    assert_eq!(lab.run(lab.engine.inspect(&app)).unwrap().exit_code, Some(0));
}

#[test]
fn redis_is_reachable_without_a_password_and_keeps_what_it_is_told() {
    let Some(lab) = databases() else { return };
    let redis = lab.up(&container(&lab, "redis", "demo/redis:7", &[]));
    assert_eq!(until(&lab, &redis, &["redis-cli", "ping"]), "PONG");
    assert_eq!(until(&lab, &redis, &["redis-cli", "config", "get", "protected-mode"]), "protected-mode\nno");
    assert_eq!(until(&lab, &redis, &["redis-cli", "save"]), "OK");
}

#[test]
fn postgres_makes_the_user_and_the_database_that_its_variables_name() {
    let Some(lab) = databases() else { return };
    let variables = ["POSTGRES_USER=shop", "POSTGRES_PASSWORD=it's \"secret\"", "POSTGRES_DB=my \"shop\""];
    let postgres = lab.up(&container(&lab, "postgres", "demo/postgres:15", &variables));
    let query =
        ["psql", "-h", "127.0.0.1", "-U", "shop", "my \"shop\"", "-Atc", "select current_user, current_database()"];
    let command = [&["/bin/busybox", "env", "PGPASSWORD=it's \"secret\""][..], &query].concat();
    assert_eq!(until(&lab, &postgres, &command), "shop|my \"shop\"");
}

#[test]
fn postgres_without_a_password_says_which_variable_is_missing() {
    let Some(lab) = databases() else { return };
    let postgres = lab.up(&container(&lab, "postgres", "demo/postgres:15", &[]));
    lab.wait_for_line(
        &postgres,
        "POSTGRES_PASSWORD is not set, and the data folder is empty: set it to a non-empty value",
    );
}
