use runbook::drivers::Drivers;
use runbook::drivers::http::{Address, Answer, Request, Trust, send};
use runbook::failure::{Failure, FailureKind};

use crate::harness::certificates::{Authority, Issued};
use crate::harness::http::{Anywhere, Reply, Server};

/// Asks `https://app.test`, which is the server on the loopback.
fn ask(server: &Server, name: &str, trust: Trust) -> Result<Answer, Failure> {
    let mut request = Request::get(Address::parse(&format!("https://{name}/")).unwrap());
    request.trust = trust;
    request.add_resolve(&format!("{name}:443"), &server.place()).unwrap();
    Drivers::default().block_on(send(&request, &Anywhere))
}

fn serve(certificate: &Issued) -> Server {
    Server::start_tls(certificate, |_| Reply::text(200, "ok"))
}

fn authority() -> (tempfile::TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    (folder, authority)
}

const LONG_AGO: &str = "20200101";
const FAR_OFF: &str = "20991231";

#[test]
fn a_certificate_of_an_own_authority_is_trusted_when_named() {
    let (_folder, authority) = authority();
    let server = serve(&authority.issue("DNS:app.test", LONG_AGO, FAR_OFF));
    let answer = ask(&server, "app.test", Trust::file(&authority.certificate).unwrap()).unwrap();
    assert_eq!(answer.status, 200);
    let certificate = answer.certificate.unwrap();
    assert_eq!(certificate.names, ["app.test"]);
    assert_eq!(certificate.issuer, "CN=Test_Authority");
    assert!(certificate.days_left(jiff::Timestamp::now()) > 20_000);

    let failure = ask(&server, "app.test", Trust::System).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    assert_eq!(
        failure.message,
        "`https://app.test/`: the certificate of `app.test` is signed by `CN=Test_Authority`, whom this machine does not trust"
    );
}

#[test]
fn a_certificate_for_another_host_names_both() {
    let (_folder, authority) = authority();
    let server = serve(&authority.issue("DNS:other.test", LONG_AGO, FAR_OFF));
    let failure = ask(&server, "app.test", Trust::file(&authority.certificate).unwrap()).unwrap_err();
    assert_eq!(failure.message, "`https://app.test/`: the certificate is for `other.test`, not for `app.test`");
    assert!(failure.evidence[0].text.contains("names   other.test"), "{failure:?}");
}

#[test]
fn an_expired_certificate_says_since_when() {
    let (_folder, authority) = authority();
    let server = serve(&authority.issue("DNS:app.test", LONG_AGO, "20240229"));
    let failure = ask(&server, "app.test", Trust::file(&authority.certificate).unwrap()).unwrap_err();
    assert!(
        failure.message.starts_with("`https://app.test/`: the certificate of `app.test` expired ")
            && failure.message.ends_with(" days ago, on 2024-02-29"),
        "{failure}"
    );
    assert!(failure.hints[0].starts_with("renew it; this machine's clock says "), "{failure:?}");
}

#[test]
fn a_certificate_of_the_future_points_at_the_clock() {
    let (_folder, authority) = authority();
    let server = serve(&authority.issue("DNS:app.test", "20981231", FAR_OFF));
    let failure = ask(&server, "app.test", Trust::file(&authority.certificate).unwrap()).unwrap_err();
    assert!(failure.message.ends_with("is not valid before 2098-12-31T00:00:00Z"), "{failure}");
}

#[test]
fn a_self_signed_certificate_is_called_that_and_can_be_trusted_by_file() {
    let (_folder, authority) = authority();
    let own = authority.self_signed("DNS:app.test");
    let server = serve(&own);
    let failure = ask(&server, "app.test", Trust::System).unwrap_err();
    assert_eq!(failure.message, "`https://app.test/`: the certificate of `app.test` is self-signed");
    assert_eq!(failure.hints, ["to trust it, save it to a file and pass `tls: #{ ca: \"file.pem\" }`"]);

    let trust = Trust::file(&own.certificate).unwrap();
    let certificate = ask(&server, "app.test", trust.clone()).unwrap().certificate.unwrap();
    assert!((29..=30).contains(&certificate.days_left(jiff::Timestamp::now())), "{certificate:?}");
    let failure = ask(&server, "other.test", trust).unwrap_err();
    assert!(failure.message.ends_with("the certificate is for `app.test`, not for `other.test`"), "{failure}");
}

#[test]
fn without_verification_any_certificate_will_do_and_is_still_reported() {
    let (_folder, authority) = authority();
    let server = serve(&authority.issue("DNS:other.test", LONG_AGO, "20240229"));
    let answer = ask(&server, "app.test", Trust::Anyone).unwrap();
    assert!(answer.certificate.unwrap().days_left(jiff::Timestamp::now()) < 0);
}

#[test]
fn https_to_a_plain_server_says_that_it_does_not_speak_tls() {
    let server = Server::start(|_| Reply::text(200, "ok"));
    let request = Request::get(Address::parse(&format!("https://{}/", server.place())).unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(failure.message, format!("`https://{0}/`: `{0}` does not speak TLS", server.place()));
    assert_eq!(failure.hints, [format!("try it with `http://`: `http://{}/`", server.place())]);
}

#[test]
fn a_server_that_hangs_up_on_the_handshake_is_told_apart() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = server.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Read;
        let (mut stream, _) = server.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    let request = Request::get(Address::parse(&format!("https://{place}/")).unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(
        failure.message,
        format!("`https://{place}/`: `{place}` closed the connection during the TLS handshake")
    );
}

#[test]
fn an_answer_that_is_not_http_is_said_to_be_so() {
    let server = Server::start(|_| Reply::Raw("SSH-2.0-OpenSSH_9.2\r\n"));
    let request = Request::get(Address::parse(&server.url("/")).unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(failure.message, format!("`{}`: the answer is not HTTP", server.url("/")));
    assert_eq!(failure.hints, [format!("does `{}` speak http?", server.place())]);
}

#[test]
fn a_connection_closed_early_is_told_apart_from_no_connection() {
    let server = Server::start(|_| Reply::Raw(""));
    let request = Request::get(Address::parse(&server.url("/")).unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(
        failure.message,
        format!("`{}`: the connection was closed before the answer was complete", server.url("/"))
    );

    let server = Server::start(|_| Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
    let request = Request::get(Address::parse(&server.url("/")).unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert!(failure.evidence[0].text.ends_with("half"), "{failure:?}");
}

#[test]
fn a_name_that_does_not_exist_is_a_failed_lookup() {
    let request = Request::get(Address::parse("http://no-such-host.invalid/").unwrap());
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
    assert!(
        failure
            .message
            .starts_with("`http://no-such-host.invalid/`: the name `no-such-host.invalid` cannot be looked up: "),
        "{failure}"
    );
}

#[test]
fn a_file_without_a_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    assert_eq!(Trust::file(&path).unwrap_err().kind, FailureKind::NotFound);
    std::fs::write(&path, "not a certificate").unwrap();
    let failure = Trust::file(&path).unwrap_err();
    assert_eq!(failure.message, format!("`{}` holds no usable certificate", path.display()));
}

/// A place of the loopback that drops new connections: its queue is full, and nobody accepts.
fn full() -> (Vec<std::net::TcpStream>, rustix::fd::OwnedFd, std::net::SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let queue = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&queue, &"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap()).unwrap();
    listen(&queue, 0).unwrap();
    let place = std::net::SocketAddr::try_from(getsockname(&queue).unwrap()).unwrap();
    let patience = std::time::Duration::from_millis(300);
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&place, patience) {
        waiting.push(stream);
    }
    (waiting, queue, place)
}

#[test]
fn a_host_that_drops_packets_times_out_while_connecting() {
    let (_waiting, _queue, place) = full();
    let mut request = Request::get(Address::parse(&format!("http://{place}/")).unwrap());
    request.timeout = std::time::Duration::from_millis(200);
    let failure = Drivers::default().block_on(send(&request, &Anywhere)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.message, format!("`http://{place}/`: timed out after 200ms while connecting to `{place}`"));
    assert_eq!(failure.hints, [format!("is the host of `{place}` up, and does a firewall let this machine through?")]);
}
