//! Deployments on the engine of a host, of which `runbook` is killed, or whose link is cut, at points of their course: one
//! `resume` ends them in one release, with as many healthy replicas at every moment as the plan promised, and nothing
//! else is left.
//!
//! A sample, or at night (`RUNBOOK_NIGHT=1`) a hundred points.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runbook::drivers::docker::Container;

use crate::harness::at_night;
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::Sshd;
use crate::harness::{Lab, Project, Ran};

const COMPOSE: &str = "services:
  web:
    image: runbook-test/busybox:1
    command: [sh, -c, 'mkdir -p /www; sleep 0.3; echo SAID > /www/version; exec httpd -f -p 8000 -h /www']
    stop_grace_period: 0s
    environment: { VERSION: 'SAID' }
    healthcheck: { test: [CMD, wget, -q, -O-, 'http://127.0.0.1:8000/version'], interval: 1s, timeout: 10s, retries: 30 }
    deploy: { replicas: 2, update_config: { order: start-first } }
";

const DEPLOY: &str = r#"let app = compose("NAME", #{ host: "web" });
let before = app.release();
undo("put the release from before back", || app.up(before, #{ wait: "60s", settle: "300ms" }));
app.up(#{ wait: "60s", settle: "300ms" });
app.running_is(app.release());
"#;

/// How many replicas serve at every moment, as the plan says of start-first.
const PROMISED: usize = 2;

/// What befalls a deployment.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The program is killed when this share of the undisturbed time has passed.
    Killed(Share),
    /// The link is cut when the host has sent this share of what it sends undisturbed.
    Cut(Share),
    /// The same, and it stays down until the run has ended.
    Down(Share),
}

/// The middle of one of so many equal parts.
#[derive(Clone, Copy, Debug)]
struct Share {
    part: u32,
    of: u32,
}

impl Share {
    fn time(self, whole: Duration) -> Duration {
        whole * (2 * self.part + 1) / (2 * self.of)
    }

    fn bytes(self, whole: u64) -> u64 {
        whole * u64::from(2 * self.part + 1) / u64::from(2 * self.of)
    }
}

/// An application of two replicas on a host, and the project that deploys it.
struct Fleet {
    server: Sshd,
    project: Project,
    name: String,
    // Last: what it made goes when the project has gone.
    lab: Lab,
}

impl Fleet {
    fn new() -> Option<Self> {
        let (lab, server) = (Lab::start()?, Sshd::start()?);
        let name = lab.name("fleet");
        let project = Project::script(&DEPLOY.replace("NAME", &name));
        Some(Self { server, project, name, lab })
    }

    /// The files say this version, and the host is reached this way.
    fn next(&self, version: usize, way: &Way) {
        self.project.file_now("compose.yaml", &COMPOSE.replace("SAID", &version.to_string()));
        self.reached_by(way);
    }

    fn reached_by(&self, way: &Way) {
        self.project.file_now("runbook.toml", &self.server.entry_at("web", way.port()));
    }

    /// Every container that has to do with it, the lock of a run included.
    fn all(&self) -> Vec<String> {
        let all = self.lab.run(self.lab.engine.containers(&[])).unwrap();
        let mut names: Vec<_> = all.iter().filter(|found| found.name.contains(&self.name)).collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names.iter().map(|found| format!("{} {}", found.name, found.state)).collect()
    }

    fn replicas(&self) -> Vec<Container> {
        let of = [format!("com.docker.compose.project={}", self.name)];
        let found = self.lab.run(self.lab.engine.containers(&of)).unwrap();
        found.iter().filter_map(|found| self.lab.run(self.lab.engine.find(&found.id)).unwrap()).collect()
    }

    /// How many containers answer that others find under the service's name.
    fn healthy(&self) -> usize {
        let addresses = self.replicas().into_iter().filter_map(|replica| {
            let network = replica.raw["NetworkSettings"]["Networks"][format!("{}_default", self.name)].clone();
            let named = network["Aliases"].as_array().is_some_and(|all| all.iter().any(|alias| alias == "web"));
            network["IPAddress"].as_str().filter(|_| named)?.parse().ok()
        });
        addresses.filter(|address: &std::net::IpAddr| answers(SocketAddr::new(*address, 8000))).count()
    }

    /// The fewest healthy replicas at any moment of some work.
    fn watched<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let (until, fewest) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !until.load(Ordering::Relaxed) {
                    fewest.fetch_min(self.healthy(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(40));
                }
            });
            let result = work();
            until.store(true, Ordering::Relaxed);
            (result, fewest.load(Ordering::Relaxed))
        })
    }

    /// What is wrong with the application: two containers of one version, and nothing else.
    fn wrong(&self, version: usize) -> Vec<String> {
        let expected = [1, 2].map(|number| format!("{}-web-{number} running", self.name));
        let all = self.all();
        if all != expected {
            return vec![format!("containers: {all:?}")];
        }
        let line = format!("VERSION={version}");
        let others = self.replicas().into_iter().filter(|replica| !replica.env.contains(&line));
        others.map(|replica| format!("{} is not of version {version}", replica.name)).collect()
    }
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(2)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut answer = String::new();
    stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.contains(" 200 ")
}

/// Deploys while this befalls it; how the run ended, and whether it was gone on with.
fn befallen(fleet: &Fleet, fate: Fate, whole: Duration, bytes: u64, version: usize) -> (Ran, Option<Ran>) {
    let way = match fate {
        Fate::Killed(_) => Way::open(fleet.server.port()),
        Fate::Cut(share) => Way::until(fleet.server.port(), share.bytes(bytes), Blow::Cut, true),
        Fate::Down(share) => Way::until(fleet.server.port(), share.bytes(bytes), Blow::Cut, false),
    };
    fleet.next(version, &way);
    let mut command = fleet.project.command(&["run", "test.rhai"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let Fate::Killed(share) = fate {
        std::thread::sleep(share.time(whole));
        child.kill().unwrap();
    }
    let ran = Ran::from(child.wait_with_output().unwrap());
    let open = Way::open(fleet.server.port());
    fleet.reached_by(&open);
    let stands = !matches!(ran.code, 0 | 1 | 130) || ran.stderr.contains("`runbook resume");
    let resumed = stands.then(|| fleet.project.runbook(&["resume"]));
    // Killed before there was a run: typed again, it begins.
    let nothing_begun = |resumed: &Ran| resumed.code == 2 || resumed.stderr.contains("no run stands still");
    let resumed = resumed.map(|resumed| if nothing_begun(&resumed) { fleet.project.run() } else { resumed });
    (ran, resumed)
}

fn fates() -> Vec<Fate> {
    let (kills, cuts) = if at_night() { (50, 50) } else { (2, 2) };
    let cut = |part| {
        let share = Share { part, of: cuts };
        if part % 2 == 0 { Fate::Cut(share) } else { Fate::Down(share) }
    };
    (0..kills).map(|part| Fate::Killed(Share { part, of: kills })).chain((0..cuts).map(cut)).collect()
}

#[test]
fn a_deployment_on_a_host_whose_runbook_is_killed_or_whose_link_is_cut_converges() {
    let Some(fleet) = Fleet::new() else { return };
    let open = Way::open(fleet.server.port());
    fleet.next(0, &open);
    fleet.project.run().success();
    fleet.next(1, &open);
    let (sent, began) = (open.passed(), Instant::now());
    let ((), fewest) = fleet.watched(|| drop(fleet.project.run().success()));
    let (whole, bytes) = (began.elapsed(), open.passed() - sent);
    assert_eq!((fewest, fleet.wrong(1)), (PROMISED, Vec::new()), "undisturbed");
    let (mut problems, mut ends, mut running) = (Vec::new(), BTreeMap::<&str, usize>::new(), 1);
    for (number, fate) in fates().into_iter().enumerate() {
        let version = number + 2;
        let ((ran, resumed), fewest) = fleet.watched(|| befallen(&fleet, fate, whole, bytes, version));
        let last = resumed.as_ref().unwrap_or(&ran);
        let is_new = last.code == 0;
        let mut wrong = fleet.wrong(if is_new { version } else { running });
        if fewest < PROMISED {
            wrong.push(format!("only {fewest} healthy replicas"));
        }
        let end = match (&resumed, is_new) {
            (None, true) => "went through",
            (None, false) => "failed and was put back",
            (Some(_), true) => "resumed to the new release",
            (Some(_), false) => "resumed to the one from before",
        };
        *ends.entry(end).or_default() += 1;
        if wrong.is_empty() {
            running = if is_new { version } else { running };
        } else {
            let said = resumed.map(|resumed| resumed.stderr).unwrap_or_default();
            problems.push(format!("{fate:?}, {end}: {wrong:?}\nrun ({}): {}\nresume: {said}", ran.code, ran.stderr));
            // The next point begins in order.
            fleet.next(version, &open);
            fleet.project.run().success();
            running = version;
        }
    }
    eprintln!("undisturbed {whole:.1?}, {bytes} bytes; {ends:?}, {} went wrong", problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
