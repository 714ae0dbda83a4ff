//! Deployments under load: what clients notice of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Shop, free_port};
use crate::harness::{Project, at_night};

/// What happened to the requests.
#[derive(Debug, Default)]
struct Tally {
    by_version: BTreeMap<String, usize>,
    failed: Vec<String>,
}

/// 50 requests a second until it is told to end, each of some 200 ms.
fn load(port: u16, until: &AtomicBool) -> Tally {
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        let mut next = Instant::now();
        while !until.load(Ordering::Relaxed) {
            scope.spawn(|| {
                let answer = get(port, "/");
                let mut tally = tally.lock().unwrap();
                match answer {
                    Ok(version) => *tally.by_version.entry(version).or_default() += 1,
                    Err(why) => tally.failed.push(why),
                }
            });
            next += Duration::from_millis(20);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    tally.into_inner().unwrap()
}

/// The first line of a whole answer.
fn get(port: u16, path: &str) -> Result<String, String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream =
        TcpStream::connect_timeout(&address, Duration::from_secs(10)).map_err(|e| format!("connect: {e}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: shop\r\n\r\n").as_bytes())
        .map_err(|e| format!("write: {e}"))?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|e| format!("read: {e}"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(status.to_owned());
    }
    if path == "/" && body.len() < 12_000 {
        return Err(format!("cut off after {} bytes", body.len()));
    }
    Ok(body.lines().next().unwrap_or_default().to_owned())
}

const SERVER: &str = "user root;
daemon off;
worker_processes 1;
error_log stderr;
pid /tmp/nginx.pid;
events { worker_connections 512; }
";

/// An application: 12 kB at 10 kB a second, so that a request takes a while, and it ends in peace when it is asked to.
fn web_conf() -> String {
    format!(
        "{SERVER}http {{ access_log off; server {{ listen 8000; root /www; location / {{ limit_rate 10k; }} location /health {{ }} }} }}\n"
    )
}

fn proxy_conf() -> String {
    format!(
        "{SERVER}http {{
  access_log off;
  resolver 127.0.0.11 valid=1s ipv6=off;
  server {{
    listen 8080;
    location / {{
      set $web web:8000;
      proxy_pass http://$web;
      proxy_connect_timeout 2s;
    }}
  }}
}}
"
    )
}

/// Looks the application up every second, and asks another container when one refuses.
const CADDYFILE: &str = ":8080 {
	reverse_proxy {
		dynamic a web 8000 {
			refresh 1s
		}
		lb_try_duration 5s
		transport http {
			dial_timeout 1s
		}
	}
}
";

/// The application behind a proxy, whose image and command these lines say.
fn behind(proxy: &str, image: &str, port: u16, version: &str) -> String {
    let ready = if version == "broken" { "true" } else { "echo well > /www/health" };
    format!(
        "services:
  proxy:
{proxy}
    ports: ['127.0.0.1:{port}:8080']
  web:
    image: {image}
    command: [sh, -c, '(echo {version}; head -c 12000 /dev/zero | tr \"\\0\" x) > /www/index.html; {ready}; exec nginx -c /etc/web.conf']
    stop_signal: SIGQUIT
    stop_grace_period: 10s
    volumes: ['./web.conf:/etc/web.conf:ro']
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8000/health'], interval: 1s, retries: 2 }}
    deploy: {{ update_config: {{ order: start-first }} }}
"
    )
}

/// How many deployments; more in a long night.
fn deployments() -> usize {
    if at_night() { 30 } else { 6 }
}

/// Deploys again and again under load, every third time something broken; no request may fail.
fn nobody_notices(shop: &Shop, proxy: &str, image: &str) {
    let port = free_port();
    shop.direct.write("web.conf", &web_conf());
    shop.write(&behind(proxy, image, port, "version-0"));
    shop.up();
    let began = Instant::now();
    while get(port, "/").is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "the proxy does not answer");
    }
    let until = AtomicBool::new(false);
    let tally = std::thread::scope(|scope| {
        let load = scope.spawn(|| load(port, &until));
        for number in 1..=deployments() {
            let broken = number % 3 == 0;
            let version = if broken { "broken".to_owned() } else { format!("version-{number}") };
            shop.write(&behind(proxy, image, port, &version));
            let result = shop.try_call("up", json!([]), json!({ "wait": "60s" }));
            let containers = shop.containers();
            if result.is_err() != broken || containers != ["proxy-1 running", "web-1 running"] {
                until.store(true, Ordering::Relaxed);
                panic!("deployment {number}: {containers:?}, {result:?}");
            }
        }
        until.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    let answered: usize = tally.by_version.values().sum();
    eprintln!(
        "{} deployments, {answered} answers, {} failed: {:?}",
        deployments(),
        tally.failed.len(),
        tally.by_version
    );
    assert_eq!(tally.failed, Vec::<String>::new(), "of {:?}", tally.by_version);
    assert!(!tally.by_version.contains_key("broken"), "{:?}", tally.by_version);
    assert!(tally.by_version.len() > deployments() / 2, "{:?}", tally.by_version);
}

#[test]
fn clients_notice_nothing_of_deployments_behind_nginx_good_or_broken() {
    let Some(shop) = Shop::new("services: {}") else { return };
    let Some(image) = shop.lab.nginx() else { return };
    shop.direct.write("proxy.conf", &proxy_conf());
    let proxy = format!(
        "    image: {image}\n    command: [nginx, -c, /etc/proxy.conf]\n    volumes: ['./proxy.conf:/etc/proxy.conf:ro']"
    );
    nobody_notices(&shop, &proxy, &image);
}

#[test]
fn clients_notice_nothing_of_deployments_behind_caddy_good_or_broken() {
    let Some(shop) = Shop::new("services: {}") else { return };
    let (Some(image), Some(caddy)) = (shop.lab.nginx(), shop.lab.caddy()) else { return };
    shop.direct.write("Caddyfile", CADDYFILE);
    let proxy = format!(
        "    image: {caddy}\n    command: [caddy, run, --adapter, caddyfile, --config, /etc/Caddyfile]\n    \
         volumes: ['./Caddyfile:/etc/Caddyfile:ro']"
    );
    nobody_notices(&shop, &proxy, &image);
}

/// What the application of the next test takes to start, by itself.
const START: f64 = 3.0;

#[test]
fn the_gap_of_a_published_port_is_as_long_as_was_predicted() {
    let compose = |version: usize, port: u16| {
        format!(
            "services:
  web:
    image: BASE
    command: [sh, -c, 'mkdir -p /www; echo {version} > /www/index.html; sleep {START}; exec httpd -f -p 8000 -h /www']
    init: true
    ports: ['127.0.0.1:{port}:8000']
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8000/'], interval: 10s }}
    deploy: {{ update_config: {{ order: start-first }} }}
"
        )
    };
    let port = free_port();
    let Some(shop) = Shop::new(&compose(1, port)) else { return };
    shop.up();
    shop.write(&compose(2, port));
    shop.up();
    let replacements = if at_night() { 30 } else { 1 };
    let mut all = Vec::new();
    for version in 3..3 + replacements {
        shop.write(&compose(version, port));
        let predicted = predicted_gap(&shop);
        let gap = measured_gap(port, || drop(shop.up()));
        let start = started(&shop);
        all.push((predicted, start, gap));
        assert!((gap - predicted).abs() <= 0.2 * predicted, "predicted {predicted:.2} s, measured {gap:.2} s");
        assert!(start >= START, "the application needs {START} s to start: {start:.2}");
        assert!(gap <= start + 1.0, "{gap:.2} s, of which the start takes {start:.2} s");
    }
    let most = |of: &dyn Fn(&(f64, f64, f64)) -> f64| all.iter().map(of).fold(0.0, f64::max);
    eprintln!(
        "{} replacements: at most {:.2} s, at most {:.2} s beside the start, predicted within {:.0} %",
        all.len(),
        most(&|(_, _, gap)| *gap),
        most(&|(_, start, gap)| gap - start),
        most(&|(predicted, _, gap)| 100.0 * ((gap - predicted) / predicted).abs()),
    );
}

/// How long the application took to start, in seconds, as its canary showed a moment before.
fn started(shop: &Shop) -> f64 {
    let lines = shop.direct.lines();
    let said = lines.iter().rev().find_map(|line| line.split_once("was healthy after ")).expect("a canary goes first");
    said.1.trim_end_matches('s').parse().unwrap()
}

/// How long nobody will answer, in seconds, as a plan says.
fn predicted_gap(shop: &Shop) -> f64 {
    let plan = shop.direct.predict("compose.up", shop.handle(json!({})), json!([]), json!({})).unwrap();
    let lines: Vec<String> = plan.changes.iter().flat_map(|change| change.detail.clone()).collect();
    let lead = "nobody answers for about ";
    let said = lines.iter().find_map(|line| line.strip_prefix(lead)).unwrap_or_else(|| panic!("{lines:?}"));
    said.split('s').next().unwrap().parse().unwrap()
}

/// The longest time between two answers, in seconds, in the course of some work.
fn measured_gap(port: u16, work: impl FnOnce()) -> f64 {
    let until = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !until.load(Ordering::Relaxed) {
                if get(port, "/index.html").is_ok() {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            longest
        });
        work();
        std::thread::sleep(Duration::from_millis(500));
        until.store(true, Ordering::Relaxed);
        watching.join().unwrap().as_secs_f64()
    })
}

/// A run that is killed at a moment, and taken up again.
#[test]
fn killed_at_any_point_one_resume_ends_with_one_container_of_the_right_name() {
    let points: u32 = if at_night() { 40 } else { 8 };
    let Some(shop) = Shop::new("services: {}") else { return };
    let name = &shop.project;
    let project =
        Project::script(&format!("let app = compose(\"{name}\");\napp.up(#{{ wait: \"30s\", settle: \"1s\" }});\n"));
    let compose = |version: u32| {
        format!(
            "services:
  web:
    image: runbook-test/busybox:1
    command: [sh, -c, 'trap \"sleep 0.3; exit 0\" TERM; sleep 0.5; touch /ready; while :; do sleep 0.1; done']
    environment: {{ VERSION: '{version}' }}
    healthcheck: {{ test: [CMD, test, -f, /ready], interval: 1s }}
    deploy: {{ update_config: {{ order: start-first }} }}
"
        )
    };
    project.file_now("compose.yaml", &compose(0));
    project.run().success();
    project.file_now("compose.yaml", &compose(1));
    let whole = Instant::now();
    project.run().success();
    let whole = whole.elapsed();
    for point in 0..points {
        project.file_now("compose.yaml", &compose(point + 2));
        let at = whole.mul_f64((f64::from(point) + 0.5) / f64::from(points));
        let mut child = project.command(&["run", "test.rhai"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(at);
        child.kill().unwrap();
        child.wait().unwrap();
        let running = shop.containers().iter().filter(|found| found.ends_with("running")).count();
        assert!(running >= 1, "point {point}: nothing serves after the kill");
        let resumed = project.runbook(&["resume"]);
        if resumed.code != 0 {
            // It was killed before there was a run, or after its end.
            project.run().success();
        }
        assert_eq!(shop.containers(), ["web-1 running"], "point {point}: {}", resumed.stderr);
        let version = format!("VERSION={}", point + 2);
        assert!(shop.container("web").env.contains(&version), "point {point}: {}", resumed.stderr);
    }
}
