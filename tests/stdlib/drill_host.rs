//! A drill of a whole machine: deployment and data, in a project of its own, beside the one that is live and without it.

use runbook::drivers::backup::Repository;
use serde_json::Value;

use crate::harness::{Lab, Project};

/// In a file of variables, and given by the runbook out of its secrets.
const SECRET: &str = "q7Vw2mx9-of-the-shop";
const TOKEN: &str = "8d0c41aa7be5f29360d1";

const COMPOSE: &str = "services:
  api:
    image: ${IMAGE}
    container_name: NAME-fixed
    command: [httpd, -f, -p, '8000', -h, /srv]
    environment: { PASSWORD: '${PASSWORD}', TOKEN: '${TOKEN}' }
    ports: ['127.0.0.1:PORT:8000']
    stop_grace_period: 1s
    volumes: ['data:/srv', './conf:/conf:ro']
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://127.0.0.1:8000/word'], interval: 1s }
  batch: { image: 'runbook-test/busybox:1', command: ['sh', '-c', 'exit 0'], profiles: [batch] }
volumes: { data: { name: NAME-live } }
";

const SAVE: &str = r#"//! Deploy, fill and save.
let app = compose("NAME", #{ files: ["app/compose.yaml"], env: #{ TOKEN: secret("TOKEN") } });
docker().create_volume("NAME-live", #{ labels: #{ "runbook-test.lab": "LAB" } });
docker().run("runbook-test/busybox:1", ["sh", "-c", "echo hello > /srv/word"], #{ volumes: ["NAME-live:/srv"], pull: "never", labels: #{ "runbook-test.lab": "LAB" } });
app.up(#{ wait: "30s" });
backup([#{ deployment: app, images: true, files: ["conf"], name: "app" }, #{ volume: "NAME-live", name: "data" }], #{ job: "shop" });
"#;

const DRILL: &str = r#"//! Is the repository enough?
//! @param gives: string = "hello"
import "std/drill/host" as host;
let done = host::drill("shop", #{
    checks: #{
        "the word": #{ service: "api", command: ["wget", "-q", "-O-", "http://127.0.0.1:8000/word"], gives: param("gives") },
        "its password": #{ service: "api", command: ["sh", "-c", "test -n \"$PASSWORD\" && test ${#TOKEN} = 20 && cat /conf/setting"], gives: "a setting" },
    },
    wait: "30s",
});
info(`runs again: ${done.parts.len()} parts, ${done.checks.len()} checks, ${done.recovery_time_ms > 0}`);
"#;

fn site(lab: &Lab, name: &str, image: &str, port: u16) -> Project {
    let label = lab.label();
    let lab_name = label.split('=').nth(1).unwrap_or_default().to_owned();
    let fill = |text: &str| text.replace("NAME", name).replace("LAB", &lab_name).replace("PORT", &port.to_string());
    let project = Project::script(&fill(SAVE))
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n[backup.main.job.shop]\ndrill = 'drill.rhai'\n\
             [secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n",
        )
        .file("secrets.env", &format!("STORE='a password of the store'\nTOKEN={TOKEN}\n"))
        .file("drill.rhai", DRILL)
        .file("app/compose.yaml", &fill(COMPOSE))
        .file("app/conf/setting", "a setting\n")
        .file("app/.env", &format!("PASSWORD='{SECRET}'\nIMAGE={image}\n"));
    Repository::init(project.path().join("store"), "a password of the store").unwrap();
    project
}

fn drills(project: &Project) -> Vec<Value> {
    let listed = project.runbook(&["backup", "drill", "--history", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["drills"].as_array().unwrap().clone()
}

/// Nothing of a drill is on the engine, and nothing but its evidence in the project.
fn nothing_is_left(lab: &Lab, project: &Project) {
    for drill in drills(project) {
        let name = drill["name"].as_str().unwrap();
        let mine = [format!("com.docker.compose.project={name}")];
        assert_eq!(lab.run(lab.engine.containers(&mine)).unwrap().len(), 0, "{name}");
        assert_eq!(lab.run(lab.engine.networks(&mine)).unwrap().len(), 0, "{name}");
        assert_eq!(lab.run(lab.engine.volumes(&mine)).unwrap().len(), 0, "{name}");
        let images = lab.run(lab.engine.images()).unwrap();
        let mut tags = images.iter().flat_map(|image| &image.tags);
        assert!(!tags.any(|tag| tag.contains(name)), "{name}");
        assert!(!project.path().join("drills").join(name).exists(), "{name}");
    }
}

#[test]
fn a_machine_comes_back_from_its_repository_beside_the_live_one_and_without_it() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.name("host");
    let image = lab.image("host-api", "1", "RUN echo one > /version");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let project = site(&lab, &name, &image, port);
    project.run().success().never_says(SECRET).never_says(TOKEN);
    let fixed = format!("{name}-fixed");
    let live = lab.run(lab.engine.inspect(&fixed)).unwrap();

    // Beside the live one, whose port, name and volume are taken.
    let drilled = project.runbook(&["backup", "drill", "shop"]);
    drilled.success().says("runs again: 3 parts, 6 checks, true").never_says(SECRET).never_says(TOKEN);
    for run in ["1", "2"] {
        let shown = project.runbook(&["show", run, "--json"]).success().stdout;
        let shown = format!("{shown}{}", project.runbook(&["logs", run]).success().stdout);
        assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "run {run}");
    }
    let now = lab.run(lab.engine.inspect(&fixed)).unwrap();
    assert_eq!((now.id, now.started), (live.id, live.started), "nothing live is touched");
    nothing_is_left(&lab, &project);
    let page = project.read(&format!("drills/{}.md", drills(&project)[0]["name"].as_str().unwrap()));
    for line in [
        "# Drill of the machine of shop: ok",
        "| app | deployment | 4 files, ",
        "| app.images.tar | images | 1 files, ",
        "| api: runs the image that was saved | ok |",
        "| the word | ok | hello |",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!page.contains(SECRET));
    project.runbook(&["backup", "list"]).success().prints("drilled 20");

    // What does not hold is told, and nothing is left of it either.
    let failed = project.runbook(&["run", "drill.rhai", "--gives", "bye"]);
    failed.code(1).says("the drill of the machine of shop failed: the word: found hello");
    nothing_is_left(&lab, &project);

    // The machine is lost: containers, volume, image, files and run log. The repository and its password are enough.
    lab.run(lab.engine.remove(&fixed, true)).unwrap();
    lab.run(lab.engine.remove_volume(&format!("{name}-live"))).unwrap();
    let id = lab.run(lab.engine.image(&image)).unwrap().unwrap().id;
    lab.run(lab.engine.remove_image(&id, true)).unwrap();
    std::fs::remove_dir_all(project.path().join("app")).unwrap();
    std::fs::remove_dir_all(project.path().join(".runbook")).unwrap();
    project
        .runbook(&["backup", "drill", "shop"])
        .success()
        .says("runs again: 3 parts, 6 checks, true")
        .never_says(SECRET);
    nothing_is_left(&lab, &project);
    assert!(lab.run(lab.engine.image(&id)).unwrap().is_none(), "nor is the image that it brought");
    let mine = [format!("com.docker.compose.project={name}")];
    for network in lab.run(lab.engine.networks(&mine)).unwrap() {
        lab.run(lab.engine.remove_network(&network.name)).unwrap();
    }
}

#[test]
fn what_would_reach_the_live_machine_is_refused() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.name("reach");
    let image = lab.image("reach-api", "1", "RUN echo one > /version");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let project = site(&lab, &name, &image, port);
    let elsewhere = tempfile::tempdir().unwrap();
    let compose = project.read("app/compose.yaml").replace("./conf:", &format!("{}:", elsewhere.path().display()));
    project.file_now("app/compose.yaml", &compose);
    project.run().success();
    project
        .runbook(&["backup", "drill", "shop"])
        .code(1)
        .says(&format!("api mounts {} of this machine", elsewhere.path().display()));
    nothing_is_left(&lab, &project);
    let gone = DRILL.replace("wait: \"30s\"", "wait: \"30s\", without: [\"data\"]");
    project.file_now("drill.rhai", &gone);
    project.runbook(&["backup", "drill", "shop"]).code(1);
    lab.run(lab.engine.remove(&format!("{name}-fixed"), true)).unwrap();
    lab.run(lab.engine.remove_volume(&format!("{name}-live"))).unwrap();
    let mine = [format!("com.docker.compose.project={name}")];
    for network in lab.run(lab.engine.networks(&mine)).unwrap() {
        lab.run(lab.engine.remove_network(&network.name)).unwrap();
    }
}
