//! `std/proxy`: the configurations work in the programs they are for.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::harness::{Lab, Project};

/// The status and the body that a port answers with; waits until something listens.
fn get(port: u16) -> (u16, String) {
    let began = Instant::now();
    loop {
        if let Some(answer) = try_get(port) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "nobody answers on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn try_get(port: u16) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.trim().to_owned()))
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Site {
    project: Project,
    port: u16,
    // Last: what it made goes when the project has gone.
    lab: Lab,
}

/// A proxy in front of a server that says its version; `configure` writes the proxy's configuration.
fn site(lab: Lab, proxy: &str, configure: &str, reload: &str) -> Site {
    let (name, port) = (lab.name("proxied"), free_port());
    let script = format!(
        "//! @param version: string = \"1\"
//! @param message: string = \"Back soon.\"
//! @param maintenance: string = \"\"
import \"std/proxy\" as proxy;
folder(\"proxy\").create();
{configure}
let app = compose(\"{name}\", #{{ env: #{{ VERSION: param(\"version\") }} }});
app.up(#{{ wait: \"60s\" }});
if config.changed {{ {reload} }}
if param(\"maintenance\") == \"on\" {{ proxy::maintenance_on(app, \"proxy\"); }}
if param(\"maintenance\") == \"off\" {{ proxy::maintenance_off(app, \"proxy\"); }}
"
    );
    let compose = format!(
        "services:
  proxy:
{proxy}
    ports: ['127.0.0.1:{port}:8080']
    stop_grace_period: 1s
    depends_on: {{ web: {{ condition: service_healthy }} }}
  web:
    image: runbook-test/busybox:1
    command: [sh, -c, 'mkdir -p /www; echo version $$VERSION > /www/index.html; exec httpd -f -p 8000 -h /www']
    init: true
    environment: {{ VERSION: '${{VERSION}}' }}
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8000/'], interval: 1s }}
    deploy: {{ update_config: {{ order: start-first }} }}
"
    );
    let project = Project::script(&script).file("compose.yaml", &compose);
    Site { project, port, lab }
}

fn works(site: &Site) {
    let run = |arguments: &[&str]| site.project.runbook(&[&["run", "test.rhai"], arguments].concat()).success();
    run(&[]);
    assert_eq!(get(site.port), (200, "version 1".into()));
    run(&["--version", "2"]);
    assert_eq!(get(site.port), (200, "version 2".into()));
    run(&["--version", "2", "--maintenance", "on"]);
    assert_eq!(get(site.port), (503, "Back soon.".into()));
    run(&["--version", "2", "--message", "At noon.", "--maintenance", "on"]);
    let began = Instant::now();
    while get(site.port) != (503, "At noon.".into()) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the configuration was not read again: {:?}",
            get(site.port)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    run(&["--version", "2", "--message", "At noon.", "--maintenance", "off"]);
    assert_eq!(get(site.port), (200, "version 2".into()));
    let found = site.lab.run(site.lab.engine.containers(&[])).unwrap();
    let proxies = found.iter().filter(|found| found.name.starts_with(&site.lab.name("proxied"))).count();
    assert_eq!(proxies, 2);
}

#[test]
fn nginx_finds_what_took_over_is_reloaded_and_holds_maintenance() {
    let Some(lab) = Lab::start() else { return };
    let Some(image) = lab.nginx() else { return };
    let main = "user root; daemon off; error_log stderr; pid /tmp/nginx.pid; events { } \
                http { access_log off; include /etc/nginx/conf.d/*.conf; }";
    let proxy = format!(
        "    image: {image}
    command: [nginx]
    configs: [{{ source: main, target: /etc/nginx/nginx.conf }}]
    volumes: ['./proxy:/etc/nginx/conf.d']"
    );
    let configure = "let config = proxy::nginx(\"proxy/default.conf\", #{ listen: 8080, \
        message: param(\"message\"), locations: #{ \"/\": \"web:8000\" } });";
    let site = site(lab, &proxy, configure, "proxy::reload_nginx(app, \"proxy\");");
    let compose = site.project.read("compose.yaml");
    site.project.file_now("compose.yaml", &format!("{compose}configs: {{ main: {{ content: '{main}' }} }}\n"));
    works(&site);
}

#[test]
fn caddy_finds_what_took_over_is_reloaded_and_holds_maintenance() {
    let Some(lab) = Lab::start() else { return };
    let Some(image) = lab.caddy() else { return };
    let proxy = format!(
        "    image: {image}
    command: [caddy, run, --adapter, caddyfile, --config, /etc/caddy/Caddyfile]
    volumes: ['./proxy:/etc/caddy']"
    );
    let configure = "let config = proxy::caddy(\"proxy/Caddyfile\", #{ site: \":8080\", \
        message: param(\"message\"), locations: #{ \"/\": \"web:8000\" } });";
    works(&site(lab, &proxy, configure, "proxy::reload_caddy(app, \"proxy\");"));
}

#[test]
fn a_proxy_without_services_behind_it_is_refused() {
    let project = Project::script("import \"std/proxy\" as proxy;\nproxy::nginx(\"a.conf\", #{});\n");
    project.run().code(1).says("the option `locations` names no service");
}
