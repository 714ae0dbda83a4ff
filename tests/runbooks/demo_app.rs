//! The demo application on this machine, under each of its names.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::harness::skip;

/// The program, a folder for its database, and a server if one was started.
struct Demo {
    program: PathBuf,
    folder: tempfile::TempDir,
    servers: Vec<Child>,
}

impl Demo {
    fn new() -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_runbook")).with_file_name("examples").join("demo-app");
        if !program.exists() {
            skip("the demo application: cargo build --example demo-app");
            return None;
        }
        Some(Self { program, folder: tempfile::tempdir().unwrap(), servers: Vec::new() })
    }

    fn command(&self, name: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(format!("/bin/{name}")).current_dir(self.folder.path()).env_clear();
        command.env("DATABASE_PATH", self.folder.path().join("demo.db")).env("HOST", "127.0.0.1");
        command.envs(variables.iter().copied());
        command
    }

    fn run(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(name, variables).args(arguments).output().unwrap()
    }

    /// Starts the server and waits until it listens; its address.
    fn serve(&mut self, variables: &[(&str, &str)]) -> String {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = self.command("demo-app", &[variables, &[("PORT", &port)]].concat());
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains(" listens on "));
        std::thread::spawn(move || lines.count());
        self.servers.push(server);
        format!("http://localhost:{port}")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn health_names_the_version_and_the_database() {
    let Some(mut demo) = Demo::new() else { return };
    let url = demo.serve(&[("DEMO_VERSION", "2")]);
    let answer = demo.run("curl", &["-f", &format!("{url}/health")], &[]);
    assert_eq!(text(&answer), r#"{"status":"healthy","version":"2","database":"connected"}"#);
    assert!(answer.status.success());
}

#[test]
fn an_unhealthy_one_answers_503_and_curl_exits_with_22() {
    let Some(mut demo) = Demo::new() else { return };
    let url = demo.serve(&[("DEMO_UNHEALTHY", "1")]);
    let answer = demo.run("curl", &["-fsS", &format!("{url}/health")], &[]);
    assert_eq!(text(&answer), "curl: (22) The requested URL returned error: 503\n");
    assert_eq!(answer.status.code(), Some(22));
}

#[test]
fn curl_exits_with_7_where_nobody_listens() {
    let Some(demo) = Demo::new() else { return };
    let answer = demo.run("curl", &["-sf", "localhost:1/health"], &[]);
    assert_eq!((text(&answer).as_str(), answer.status.code()), ("", Some(7)));
}

#[test]
fn it_can_be_told_to_exit_at_once() {
    let Some(demo) = Demo::new() else { return };
    let output = demo.run("demo-app", &[], &[("DEMO_EXIT", "3")]);
    assert_eq!(text(&output), "demo 1 was told to exit with 3\n");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_database_that_cannot_be_written_ends_it() {
    let Some(demo) = Demo::new() else { return };
    let output = demo.run("demo-app", &[], &[("DATABASE_PATH", "/proc/demo.db")]);
    assert!(text(&output).starts_with("the database cannot be opened: "), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn sigterm_ends_the_server_and_the_bot() {
    let Some(mut demo) = Demo::new() else { return };
    demo.serve(&[]);
    let bot = demo.command("python", &[]).args(["-m", "dnd_helper_bot.main"]).stdout(Stdio::piped()).spawn();
    let mut bot = bot.unwrap();
    BufReader::new(bot.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    demo.servers.push(bot);
    for server in &mut demo.servers {
        rustix::process::kill_process(rustix::process::Pid::from_child(server), rustix::process::Signal::TERM).unwrap();
        let status = server.wait().unwrap();
        // The handler is set by a thread of its own, which may not have come so far: then the signal itself ends it.
        assert!(status.code() == Some(0) || status.signal() == Some(15), "{status}");
    }
}

#[test]
fn migrations_run_once_and_go_back() {
    let Some(demo) = Demo::new() else { return };
    let alembic = |arguments: &[&str], version| text(&demo.run("alembic", arguments, &[("DEMO_VERSION", version)]));
    let line = "INFO  [alembic.runtime.migration] Running";
    assert_eq!(alembic(&["upgrade", "head"], "1"), format!("{line} upgrade  -> 0001, create entries\n"));
    assert_eq!(alembic(&["upgrade", "head"], "1"), "");
    assert_eq!(alembic(&["upgrade", "head"], "2"), format!("{line} upgrade 0001 -> 0002, add a rank\n"));
    assert_eq!(alembic(&["current"], "2"), "0002 (head)\n");
    assert_eq!(alembic(&["downgrade", "-1"], "2"), format!("{line} downgrade 0002 -> 0001, add a rank\n"));
    assert_eq!(alembic(&["current"], "1"), "0001 (head)\n");
    let failed = demo.run("alembic", &["upgrade", "head"], &[("DEMO_MIGRATION_FAILS", "1")]);
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn seeding_twice_inserts_once_and_notices_what_changed() {
    let Some(mut demo) = Demo::new() else { return };
    demo.run("alembic", &["upgrade", "head"], &[]);
    let url = demo.serve(&[]);
    demo.write("seed_data_enums.json", r#"{ "rarity": ["common", "rare"] }"#);
    demo.write("seed_data_spells.json", r#"[{ "name": "Fireball" }, { "name": "Magic Missile" }]"#);
    demo.write("seed_data_monsters.json", r#"[{ "id": 7, "name": "Owlbear" }]"#);
    let seed = || text(&demo.run("python", &["-m", "seeding.cli", "--api-base-url", &url, "--all"], &[]));
    assert_eq!(seed(), "4 inserted, 0 updated\n");
    assert_eq!(seed(), "0 inserted, 0 updated\n");
    demo.write("seed_data_monsters.json", r#"[{ "id": 7, "name": "Bugbear" }]"#);
    assert_eq!(seed(), "0 inserted, 1 updated\n");
}

#[test]
fn seeding_before_the_migrations_says_what_is_missing() {
    let Some(mut demo) = Demo::new() else { return };
    let url = demo.serve(&[]);
    demo.write("seed_data_enums.json", r#"{ "rarity": [] }"#);
    let output = demo.run("python", &["-m", "seeding.cli", "--api-base-url", &url, "--all"], &[]);
    assert!(text(&output).contains("no such table: entries"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_runbook_that_builds_the_images_passes_its_check() {
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["check", "runbooks/demo-app/images.rhai"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
