//! `std/certificate` and Caddy's own authority: real certificates, in the programs they are for.
//!
//! The server is Pebble, which Let's Encrypt made for tests; certbot and Pebble are Debian's, with the libraries of this
//! machine mounted into their containers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::proxy::free_port;
use crate::harness::certificates::Authority;
use crate::harness::{Lab, Project, skip};

const NAME: &str = "shop.test";

const COMPOSE: &str = "services:
  proxy:
    image: NGINX
    command: [nginx]
    configs: [{ source: main, target: /etc/nginx/nginx.conf }]
    volumes: ['./proxy:/etc/nginx/conf.d', 'certificates:/etc/letsencrypt', 'challenges:/var/www/certbot']
    ports: ['127.0.0.1:PLAIN:80', '127.0.0.1:TLS:443']
    networks: { default: { aliases: [shop.test] } }
    stop_grace_period: 1s
  web:
    image: runbook-test/busybox:1
    command: [sh, -c, 'mkdir -p /www; echo the shop > /www/index.html; exec httpd -f -p 8000 -h /www']
    stop_grace_period: 0s
  certbot:
    image: runbook-test/busybox:1
    entrypoint: [/usr/bin/certbot]
    command: [--version]
    environment: { REQUESTS_CA_BUNDLE: /pki/ca.pem }
    volumes: &here
      - '/usr:/usr:ro'
      - '/usr/lib:/lib:ro'
      - '/usr/lib64:/lib64:ro'
      - './pki:/pki:ro'
      - 'certificates:/etc/letsencrypt'
      - 'challenges:/var/www/certbot'
  acme:
    image: runbook-test/busybox:1
    command: [/usr/bin/pebble, -config, /pki/pebble.json]
    environment: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' }
    stop_grace_period: 0s
    volumes: *here
volumes: { certificates: , challenges: }
configs: { main: { content: 'user root; daemon off; error_log stderr; pid /tmp/nginx.pid; events { } http { access_log off; include /etc/nginx/conf.d/*.conf; }' } }
";

const PEBBLE: &str = r#"{ "pebble": {
    "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "httpPort": 80, "tlsPort": 443,
    "certificate": "/pki/acme.pem", "privateKey": "/pki/acme.key", "ocspResponderURL": ""
} }"#;

const SCRIPT: &str = r#"//! @param name: string = "shop.test"
//! @param force: bool = false
import "std/certificate" as certificate;
import "std/proxy" as proxy;
folder("proxy").create();
let app = compose("PROJECT");
if app.ps().is_empty() {
    proxy::nginx("proxy/default.conf", #{ locations: #{ "/": "web:8000" } });
}
app.up(#{ wait: "30s" });
certificate::nginx(app, "proxy/default.conf", #{
    names: [param("name")], locations: #{ "/": "web:8000" }, server: "https://acme:14000/dir",
    arguments: if param("force") { ["--force-renewal"] } else { [] },
});
"#;

/// What a port answers over TLS to a request for the name, and the serial number and issuer of its certificate.
fn over_tls(port: u16, authority: Option<&Path>) -> (String, String) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME, "-ign_eof"]);
    if let Some(authority) = authority {
        command.arg("-CAfile").arg(authority).args(["-verify_return_error", "-verify_hostname", NAME]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    write!(child.stdin.as_mut().unwrap(), "GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n").unwrap();
    let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    let mut reader = Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-issuer"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = reader.stdin.take().unwrap().write_all(said.as_bytes());
    let certificate = String::from_utf8_lossy(&reader.wait_with_output().unwrap().stdout).into_owned();
    (said, certificate)
}

#[test]
fn certbot_gets_a_certificate_through_the_webroot_and_renews_it_and_nginx_uses_it() {
    let Some(lab) = Lab::start() else { return };
    let Some(nginx) = lab.nginx() else { return };
    if !["certbot", "pebble"].iter().all(|program| Path::new("/usr/bin").join(program).exists()) {
        return skip("certbot and pebble (apt-get install certbot pebble)");
    }
    let (plain, tls, name) = (free_port(), free_port(), lab.name("certified"));
    let compose =
        COMPOSE.replace("NGINX", &nginx).replace("PLAIN", &plain.to_string()).replace("TLS", &tls.to_string());
    let project = Project::script(&SCRIPT.replace("PROJECT", &name)).file("compose.yaml", &compose);
    let project = project.file("pki/pebble.json", PEBBLE);
    let authority = Authority::new(project.path());
    let issued = authority.issue("DNS:acme", "20200101", "20491231");
    for (from, to) in [(&authority.certificate, "ca.pem"), (&issued.certificate, "acme.pem"), (&issued.key, "acme.key")]
    {
        std::fs::copy(from, project.path().join("pki").join(to)).unwrap();
    }

    project.run().success();
    let (said, first) = over_tls(tls, None);
    assert!(said.contains("the shop"), "{said}");
    assert!(first.contains("Pebble Intermediate CA"), "{first}");
    assert!(
        project.read("proxy/default.conf").contains("ssl_certificate /etc/letsencrypt/live/shop.test/fullchain.pem;")
    );

    // Not due: it stays. Forced, it is another one, and in use at once.
    project.run().success();
    assert_eq!(over_tls(tls, None).1, first);
    project.runbook(&["run", "test.rhai", "--force", "true"]).success();
    let began = Instant::now();
    while over_tls(tls, None).1 == first {
        assert!(began.elapsed() < Duration::from_secs(20), "the renewed certificate is not used");
        std::thread::sleep(Duration::from_millis(100));
    }

    // A name that leads nowhere: no certificate, and everything as it was.
    let before = project.read("proxy/default.conf");
    project.runbook(&["run", "test.rhai", "--name", "nowhere.test"]).code(1).says("nowhere.test");
    assert_eq!(project.read("proxy/default.conf"), before);
    assert!(over_tls(tls, None).0.contains("the shop"));
}

#[test]
fn caddys_own_authority_is_one_that_can_be_trusted() {
    let Some(lab) = Lab::start() else { return };
    let Some(caddy) = lab.caddy() else { return };
    let (port, name) = (free_port(), lab.name("trusted"));
    let compose = format!(
        "services:
  proxy:
    image: {caddy}
    command: [caddy, run, --adapter, caddyfile, --config, /etc/caddy/Caddyfile]
    volumes: ['./proxy:/etc/caddy']
    ports: ['127.0.0.1:{port}:8443']
    stop_grace_period: 1s
  web:
    image: runbook-test/busybox:1
    command: [sh, -c, 'mkdir -p /www; echo the shop > /www/index.html; exec httpd -f -p 8000 -h /www']
    stop_grace_period: 0s
"
    );
    let script = format!(
        "import \"std/proxy\" as proxy;
folder(\"proxy\").create();
proxy::caddy(\"proxy/Caddyfile\", #{{ site: \"{NAME}:8443\", tls: \"internal\", locations: #{{ \"/\": \"web:8000\" }} }});
let app = compose(\"{name}\");
app.up(#{{ wait: \"30s\" }});
retry(#{{ times: 20, delay: \"500ms\" }}, |attempt| file(\"ca.pem\").write(proxy::caddy_authority(app, \"proxy\")));
"
    );
    let project = Project::script(&script).file("compose.yaml", &compose);
    project.run().success();
    let authority = project.path().join("ca.pem");
    let began = Instant::now();
    loop {
        let (said, certificate) = over_tls(port, Some(&authority));
        if said.contains("the shop") {
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
            assert!(certificate.contains("Caddy Local Authority"), "{certificate}");
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
