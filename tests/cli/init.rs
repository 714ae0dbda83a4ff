use runbook::drivers::Drivers;
use runbook::drivers::http::{Address, Request, send};

use crate::harness::http::closed_port;
use crate::harness::{Lab, Project};

const SHOP: &str = r#"
name: shop
services:
  api:
    image: ghcr.io/example/shop-api:${TAG:-latest}
    ports: ["127.0.0.1:${API_PORT:-8000}:80"]
    environment:
      SECRET: ${SECRET:?set it in .env}
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost/health || exit 1"]
    depends_on: [db]
  db:
    image: postgres:15
    ports: ["5432:5432"]
"#;

#[test]
fn the_compose_file_fills_in_the_project() {
    let project = Project::new().file("compose.yaml", SHOP).file(".env.example", "SECRET=\n");
    project
        .runbook(&["init"])
        .success()
        .says("shop: 2 services in compose.yaml\n  wrote runbook.toml\n  wrote deploy.rhai\n  wrote rollback.rhai\n  wrote .gitignore\n")
        .says("\nnext:\n  runbook doctor");
    let toml = project.read("runbook.toml");
    for line in [
        "#   api          ghcr.io/example/shop-api:latest",
        "#   db           postgres:15",
        "name = \"shop\"",
        "default_env = \"demo\"",
        "project = \"shop-demo\"",
        "project = \"shop\"",
        "protected = true",
        "compose_files = [\"compose.yaml\"]",
        "env_file = \".env\"",
        "# Where `api` answers once it is deployed.",
        "url = \"http://127.0.0.1:8000/health\"",
        "# [registry.\"ghcr.io\"]",
        "# password_env = \"GHCR_IO_TOKEN\"",
    ] {
        assert!(toml.lines().any(|there| there == line), "missing: {line}\n{toml}");
    }
    let deploy = project.read("deploy.rhai");
    assert!(
        deploy.contains("//! @param tag: string = \"latest\"   the tag of the images, `TAG` in compose.yaml\n"),
        "{deploy}"
    );
    assert!(deploy.contains("env: #{ TAG: param(\"tag\") }"), "{deploy}");
    assert_eq!(project.read(".gitignore"), ".runbook/\n.env\n");
}

#[test]
fn what_it_writes_is_a_valid_project_file() {
    let project =
        Project::new().file("docker-compose.yml", "services:\n  web:\n    build: .\n    ports: [\"8080:80\"]\n");
    project.runbook(&["init"]).success();
    let file = runbook::project::ProjectFile::load(project.path()).unwrap();
    assert_eq!(file.environments.keys().collect::<Vec<_>>(), ["demo", "prod"]);
    let prod = file.environment(Some("prod")).unwrap();
    assert!(prod.protected);
    assert_eq!(prod.str("url"), Some("http://127.0.0.1:8080/"));
    assert_eq!(prod.str("env_file"), None);
    assert!(project.read("deploy.rhai").contains("    build: true, pull: false,"));
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let project =
        Project::new().file("compose.yaml", SHOP).file("deploy.rhai", "// mine\n").file(".gitignore", "/target\n/.env");
    project
        .runbook(&["init"])
        .success()
        .says("  wrote runbook.toml\n  kept  deploy.rhai, which was there already\n")
        .says("  added 1 line to .gitignore\n");
    assert_eq!(project.read("deploy.rhai"), "// mine\n");
    assert_eq!(project.read(".gitignore"), "/target\n/.env\n.runbook/\n");
    let again = project.runbook(&["init"]).success();
    assert_eq!(again.stderr.matches("  kept  ").count(), 4, "{}", again.stderr);
}

#[test]
fn without_a_compose_file_it_asks_for_one() {
    let project = Project::new();
    project
        .runbook(&["init"])
        .code(2)
        .says("error: there is no compose file in")
        .says("hint: name it: runbook init --compose path/to/compose.yaml");
    assert!(!project.path().join("runbook.toml").exists());
}

#[test]
fn a_compose_file_elsewhere_can_be_named() {
    let project = Project::new().file("deploy/stack.yml", SHOP);
    project.runbook(&["init", "--compose", "deploy/stack.yml"]).success().says("shop: 2 services in deploy/stack.yml");
    assert!(project.read("runbook.toml").contains("compose_files = [\"deploy/stack.yml\"]"));
    project.runbook(&["init", "--compose", "nowhere.yml"]).code(2).says("no such file or directory");
    Project::new().runbook(&["init", "nowhere"]).code(2).says("cannot open the folder `nowhere`");
}

#[test]
fn a_wrong_compose_file_is_shown_with_its_line_and_nothing_is_written() {
    let project = Project::new().file("compose.yaml", "services:\n  api:\n    imagee: x\n");
    project.runbook(&["init"]).code(2).says("compose.yaml:3:");
    assert!(!project.path().join("runbook.toml").exists());
    assert!(!project.path().join(".gitignore").exists());
}

#[test]
fn what_it_writes_passes_the_check_in_every_environment() {
    let plain = "services:\n  web:\n    build: .\n    ports: [\"8080:80\"]\n";
    for compose in [SHOP, plain] {
        let project = Project::new()
            .file("compose.yaml", compose)
            .file(".env", "SECRET=1\n")
            .file("Dockerfile", "FROM scratch\n");
        project.runbook(&["init"]).success();
        project.runbook(&["check", "--all-envs"]).success().says("2 runbooks checked, nothing found");
    }
}

/// What the web server of the demo environment answers now.
fn version(port: u16) -> String {
    let address = Address::parse(&format!("http://127.0.0.1:{port}/version")).unwrap();
    Drivers::default()
        .block_on(send(&Request::get(address), &crate::harness::http::Anywhere))
        .unwrap()
        .text()
        .trim()
        .to_owned()
}

#[test]
fn what_it_writes_deploys_and_rolls_back() {
    let Some(lab) = Lab::start() else { return };
    let port = closed_port();
    let compose = format!(
        "name: {}\nservices:\n  web:\n    build: .\n    ports: [\"127.0.0.1:{port}:8080\"]\n    stop_grace_period: 1s\n    \
         healthcheck:\n      test: [\"CMD\", \"wget\", \"-qO-\", \"http://127.0.0.1:8080/version\"]\n      interval: 1s\n",
        lab.name("web")
    );
    let dockerfile = format!(
        "{}\nCOPY version /www/version\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n",
        lab.from()
    );
    let project = Project::new().file("compose.yaml", &compose).file("Dockerfile", &dockerfile).file("version", "1\n");
    project.runbook(&["init"]).success();
    assert!(project.read("runbook.toml").contains(&format!("url = \"http://127.0.0.1:{port}/version\"")));

    project.runbook(&["run", "deploy.rhai"]).success();
    assert_eq!(version(port), "1");
    project.runbook(&["run", "deploy.rhai"]).success().says("— nothing changed");
    let project = project.file("version", "2\n");
    project.runbook(&["run", "deploy.rhai"]).success();
    assert_eq!(version(port), "2");
    project.runbook(&["run", "rollback.rhai"]).success();
    assert_eq!(version(port), "1");
}
