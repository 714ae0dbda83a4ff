//! `http_check` is no way into a cloud's metadata or a private network, however the address is written.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runbook::drivers::Drivers;
use runbook::drivers::http::{Address, Gate, Request, send};
use runbook::failure::{Failure, FailureKind};
use serde_json::json;

use crate::harness::http::{Reply, Server};
use crate::harness::{Direct, primitive};

/// Lets every address through, and has named nobody.
struct Stranger;

impl Gate for Stranger {
    fn may_ask(&self, _: &Address) -> Result<(), Failure> {
        Ok(())
    }

    fn names(&self, _: &str) -> bool {
        false
    }
}

/// An IPv4 address in every form in which some program takes it.
fn disguises(address: &str) -> Vec<String> {
    let ip: Ipv4Addr = address.parse().unwrap();
    let [a, b, c, d] = ip.octets();
    let number = u32::from(ip);
    let (high, low) = (number >> 16, number & 0xffff);
    vec![
        address.to_owned(),
        number.to_string(),
        format!("0x{number:x}"),
        format!("0{number:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        format!("{a}.{}", number & 0xff_ffff),
        format!("[::ffff:{address}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
    ]
}

/// 120 hosts: ten addresses in twelve forms.
fn hosts() -> Vec<String> {
    let addresses = [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "0.0.0.0",
    ];
    addresses.iter().flat_map(|address| disguises(address)).collect()
}

#[test]
fn no_address_in_disguise_is_asked() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let visits = Arc::new(AtomicUsize::new(0));
    let count = visits.clone();
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let hosts = hosts();
    assert_eq!(hosts.len(), 120);
    let drivers = Drivers::default();
    for host in hosts.iter().map(String::as_str).chain([
        "[fd00:ec2::254]",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd12::1]",
        "localhost",
    ]) {
        let url = format!("http://{host}:{port}/latest/meta-data/");
        let refused =
            Address::parse(&url).and_then(|address| drivers.block_on(send(&Request::get(address), &Stranger)));
        let failure = refused.expect_err(host);
        assert!(matches!(failure.kind, FailureKind::Refused | FailureKind::Argument), "{host}: {failure}");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[test]
fn metadata_is_never_asked_not_even_by_name() {
    let direct = Direct::new();
    for url in
        ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://[::ffff:a9fe:a9fe]/", "http://100.100.100.200/"]
    {
        let failure = direct.call(primitive("http_check"), json!([url]), json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused, "{url}: {failure}");
        assert!(failure.message.contains("clouds hand out credentials"), "{failure}");
    }
    let sent = json!({ "resolve": { "app.test:80": "169.254.169.254:80" } });
    let failure = direct.call(primitive("http_check"), json!(["http://app.test/"]), sent).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
}

#[test]
fn what_the_script_itself_names_is_asked_where_nothing_is_declared() {
    let server = Server::start(|_| Reply::text(200, "ok"));
    let direct = Direct::new();
    direct.call(primitive("http_check"), json!([server.url("/")]), json!({})).unwrap();
    let by_name = format!("http://localhost:{}/", server.port());
    direct.call(primitive("http_check"), json!([by_name]), json!({})).unwrap();
}

#[test]
fn a_redirect_leads_nowhere_that_is_not_allowed() {
    let other = Server::start(|_| Reply::text(200, "inside"));
    let port = other.port();
    for location in [
        "http://169.254.169.254/latest/".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://localhost:{port}/"),
    ] {
        let to = location.clone();
        let server = Server::start(move |_| Reply::redirect(302, to.clone()));
        let failure = Direct::new().call(primitive("http_check"), json!([server.url("/")]), json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused, "{location}: {failure}");
    }
    assert!(other.asked().is_empty());
}

#[test]
fn each_hop_is_judged_by_what_is_declared() {
    let other = Server::start(|_| Reply::text(200, "elsewhere"));
    let to = other.url("/");
    let first = Server::start(move |_| Reply::redirect(302, to.clone()));
    let script = |needs: &str| format!("//! @needs {needs}\nhttp_check({:?});", first.url("/"));
    let run = |needs: String| crate::harness::Project::script(&script(&needs)).run();
    run(format!("http {}", first.url("/"))).code(1).says("which the runbook does not declare").says("redirects");
    assert!(other.asked().is_empty());
    run(format!("http {}, {}", first.url("/"), other.url("/"))).success();
    run("http *".to_owned()).code(1).says("nothing names this host");
}
