//! `http_check`: does a URL answer as it should?

mod plan;

use std::time::{Duration, Instant};

use runbook::primitive::{Failure, FailureKind, Primitive};
use serde_json::{Value, json};

use crate::harness::certificates::Authority;
use crate::harness::http::{Reply, Server, closed_port};
use crate::harness::{Direct, Project};

fn primitive() -> &'static dyn Primitive {
    runbook::primitives::all().into_iter().find(|primitive| primitive.spec().name == "http_check").unwrap()
}

fn check(url: impl Into<Value>, options: Value) -> Result<Value, Failure> {
    Direct::new().call(primitive(), json!([url.into()]), options).map(|outcome| outcome.value)
}

fn refused(options: Value) -> String {
    let server = Server::start(|_| Reply::text(200, "never asked"));
    let failure = check(server.url("/"), options).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Option, "{failure:?}");
    assert!(server.asked().is_empty(), "something was sent although the options are wrong");
    failure.message
}

fn healthy() -> Value {
    json!({ "status": "ok", "checks": { "db": { "state": "connected" } }, "version": 3 })
}

#[test]
fn a_healthy_url_returns_what_it_answered() {
    let server = Server::start(|_| Reply::json(200, &healthy()));
    let url = server.url("/health");
    let direct = Direct::new();
    let outcome = direct.call(primitive(), json!([url]), json!({ "status": 200 })).unwrap();
    assert!(outcome.note.as_ref().unwrap().starts_with("200 in "), "{:?}", outcome.note);
    assert_eq!(outcome.changed, None);
    let value = outcome.value;
    assert_eq!(value["ok"], true);
    assert_eq!(value["status"], 200);
    assert_eq!(value["json"], healthy());
    assert_eq!(value["body"], healthy().to_string());
    assert_eq!(value["headers"]["content-type"], "application/json");
    assert_eq!(value["url"], url);
    assert_eq!(value["attempts"], 1);
    assert_eq!(value["tls_days"], Value::Null);
    assert_eq!(value["problem"], Value::Null);
    assert!(value["milliseconds"].is_u64());
}

#[test]
fn method_headers_body_and_credentials_reach_the_server() {
    let server = Server::start(|_| Reply::text(201, "made"));
    let options = json!({
        "method": "PUT", "headers": { "X-Trace": "abc" }, "body": { "name": "shop" }, "status": 201,
        "basic_auth": { "username": "bob", "password": "s3cret" },
    });
    check(server.url("/items"), options).unwrap();
    let asked = server.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("PUT", "/items"));
    assert_eq!(asked.header("x-trace"), Some("abc"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("authorization"), Some("Basic Ym9iOnMzY3JldA=="));
    assert_eq!(asked.body, r#"{"name":"shop"}"#);
}

#[test]
fn a_body_makes_it_a_post() {
    let server = Server::start(|_| Reply::text(200, "ok"));
    check(server.url("/"), json!({ "body": "a=1" })).unwrap();
    assert_eq!(server.asked()[0].method, "POST");
    assert_eq!(server.asked()[0].body, "a=1");
}

/// Of a POST that a person says was received, its answer is not known.
#[test]
fn a_post_that_is_said_to_have_happened_has_the_form_of_an_answer() {
    let direct = Direct::new();
    let post = primitive();
    let presumed = |url: Value| {
        let mut value = Value::Null;
        direct.look(post, json!([url]), json!({ "body": "a=1" }), |_, call| value = post.presumed(call));
        value
    };
    let server = Server::start(|_| Reply::text(200, "ok"));
    let answered = check(server.url("/"), json!({ "body": "a=1" })).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let one = presumed(json!(server.url("/")));
    assert_eq!(names(&one), names(&answered));
    assert_eq!((&one["ok"], &one["status"], &one["headers"]), (&json!(true), &Value::Null, &json!({})));
    assert_eq!(presumed(json!([server.url("/")])), json!([one]));
}

#[test]
fn a_wrong_status_shows_the_answer() {
    let server = Server::start(|_| Reply::json(503, &json!({ "status": "starting" })));
    let url = server.url("/health");
    let failure = check(url.as_str(), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    assert_eq!(failure.message, format!("`{url}`: status 503 Service Unavailable, expected 200-299"));
    assert_eq!(failure.evidence[0].title, "answer");
    assert_eq!(
        failure.evidence[0].text,
        "HTTP/1.1 503 Service Unavailable\ncontent-length: 21\ncontent-type: application/json\n\n{\n  \"status\": \"starting\"\n}"
    );
}

#[test]
fn the_expected_status_may_be_a_number_a_range_or_a_list() {
    let server = Server::start(|_| Reply::text(404, "no"));
    for status in [json!(404), json!("404"), json!("400-499"), json!([200, "402-410"])] {
        check(server.url("/"), json!({ "status": status })).unwrap();
    }
    let failure = check(server.url("/"), json!({ "status": [200, "500-599"] })).unwrap_err();
    assert!(failure.message.ends_with("status 404 Not Found, expected 200 or 500-599"), "{failure}");
    assert_eq!(failure.hints, ["is the path of the URL right?"]);
}

#[test]
fn a_wrong_json_value_is_named_by_its_path() {
    let server = Server::start(|_| Reply::json(200, &healthy()));
    check(server.url("/"), json!({ "json": { "status": "ok", "checks.db.state": "connected" } })).unwrap();
    let failure = check(server.url("/"), json!({ "json": { "checks.db.state": "up", "version": 4, "cache": true } }))
        .unwrap_err();
    assert!(
        failure.message.ends_with(
            ": `checks.db.state` is \"connected\", expected \"up\"; `version` is 3, expected 4; `cache` is missing (the body has status, checks, version), expected true"
        ),
        "{failure}"
    );
}

#[test]
fn a_body_that_is_not_json_is_said_to_be_so() {
    let server = Server::start(|_| Reply::text(200, "<html>"));
    let failure = check(server.url("/"), json!({ "json": { "status": "ok" } })).unwrap_err();
    assert!(failure.message.ends_with(": the body is not JSON"), "{failure}");
    assert!(failure.evidence[0].text.ends_with("\n\n<html>"), "{failure:?}");
}

#[test]
fn texts_and_patterns_are_looked_for_in_the_body() {
    let server = Server::start(|_| Reply::text(200, "version 1.4.2, all good"));
    check(server.url("/"), json!({ "text": "all good", "matches": r"version \d+\.\d+" })).unwrap();
    let failure = check(server.url("/"), json!({ "text": ["all", "bad"], "matches": "^v2" })).unwrap_err();
    assert!(failure.message.ends_with(": the body does not contain `bad`; the body does not match `^v2`"), "{failure}");
}

#[test]
fn a_body_without_end_is_cut_off_and_the_rest_never_read() {
    let server = Server::start(|_| Reply::Endless);
    let value = check(server.url("/"), json!({ "max_body": "100KiB", "timeout": "60s" })).unwrap();
    assert_eq!(value["body"].as_str().unwrap().len(), 100 << 10);
    assert!(server.sent() < 64 << 20, "{} bytes were sent", server.sent());
    let failure = check(server.url("/"), json!({ "max_body": 5, "json": { "a": 1 } })).unwrap_err();
    assert!(
        failure.message.ends_with(": the body is longer than `max_body` (5 B), so it cannot be read as JSON"),
        "{failure}"
    );
}

#[test]
fn a_server_that_drips_hits_the_timeout_of_the_attempt() {
    let server = Server::start(|_| Reply::Drip);
    let started = Instant::now();
    let failure = check(server.url("/"), json!({ "timeout": "300ms" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.message.contains("timed out after 300ms while reading the body ("), "{failure}");
    assert!(failure.evidence[0].text.starts_with("HTTP/1.1 200 OK\ncontent-type: text/plain\n\n."), "{failure:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_accepts_and_says_nothing_times_out_waiting() {
    let server = Server::start(|_| Reply::Silence);
    let failure = check(server.url("/"), json!({ "timeout": "200ms" })).unwrap_err();
    assert!(failure.message.ends_with(": timed out after 200ms while waiting for the answer"), "{failure}");
    assert_eq!(
        failure.hints,
        [format!("`{}` accepts connections and says nothing: is the application stuck or overloaded?", server.place())]
    );
}

#[test]
fn nothing_listening_is_connection_refused_with_the_place() {
    let port = closed_port();
    let failure = check(format!("http://127.0.0.1:{port}/health"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.message, format!("`http://127.0.0.1:{port}/health`: connection refused"));
    assert_eq!(failure.hints, [format!("is something listening on 127.0.0.1:{port}?")]);
}

#[test]
fn it_keeps_trying_until_the_application_is_healthy() {
    let server = Server::start(|asked| if asked.number < 3 { Reply::text(503, "no") } else { Reply::text(200, "yes") });
    let direct = Direct::new();
    let options = json!({ "within": "60s", "every": "10ms" });
    let outcome = direct.call(primitive(), json!([server.url("/")]), options).unwrap();
    assert_eq!(outcome.value["attempts"], 4);
    assert!(outcome.note.unwrap().ends_with(", attempt 4"));
    assert_eq!(
        direct.progress(),
        [1, 2, 3].map(|n| format!("attempt {n}: status 503 Service Unavailable, expected 200-299"))
    );
}

#[test]
fn when_time_is_up_the_last_answer_is_the_evidence() {
    let server = Server::start(|asked| Reply::text(500, &format!("answer {}", asked.number)));
    let failure = check(server.url("/"), json!({ "within": "300ms", "every": "50ms" })).unwrap_err();
    let attempts = server.asked().len();
    assert!(attempts > 1);
    assert!(
        failure.message.ends_with(&format!("expected 200-299 (after {attempts} attempts within 300ms)")),
        "{failure}"
    );
    assert_eq!(failure.evidence[0].title, "last answer");
    assert!(failure.evidence[0].text.ends_with(&format!("answer {}", attempts - 1)), "{failure:?}");
}

#[test]
fn cancelling_ends_the_wait_at_once() {
    let server = Server::start(|_| Reply::Silence);
    let direct = Direct::new();
    direct.cancel_after(Duration::from_millis(100));
    let started = Instant::now();
    let failure = direct.call(primitive(), json!([server.url("/")]), json!({ "within": "60s", "timeout": "60s" }));
    assert_eq!(failure.unwrap_err().kind, FailureKind::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn several_urls_are_asked_at_once_and_every_problem_is_reported() {
    let good = Server::start(|_| Reply::text(200, "ok"));
    let bad = Server::start(|_| Reply::text(500, "oh"));
    let port = closed_port();
    let gone = format!("http://127.0.0.1:{port}/");
    let values = check(json!([good.url("/a"), good.url("/b")]), json!({})).unwrap();
    assert_eq!(values[1]["url"], good.url("/b"));
    let failure = check(json!([good.url("/"), bad.url("/"), gone.clone()]), json!({})).unwrap_err();
    assert_eq!(
        failure.message,
        format!(
            "2 of 3 checks failed: `{}`: status 500 Internal Server Error, expected 200-299; `{gone}`: connection refused",
            bad.url("/")
        )
    );
    assert_eq!(failure.evidence[0].title, format!("answer of {}", bad.url("/")));
    let values = check(json!([good.url("/"), gone.clone()]), json!({ "check": false })).unwrap();
    assert_eq!((&values[0]["ok"], &values[1]["ok"]), (&json!(true), &json!(false)));
}

#[test]
fn without_check_the_problem_is_returned() {
    let server = Server::start(|_| Reply::text(500, "oh"));
    let value = check(server.url("/"), json!({ "check": false })).unwrap();
    assert_eq!((&value["ok"], &value["status"], &value["body"]), (&json!(false), &json!(500), &json!("oh")));
    assert_eq!(value["problem"], format!("`{}`: status 500 Internal Server Error, expected 200-299", server.url("/")));
}

#[test]
fn redirects_are_followed_and_told() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/" => Reply::redirect(302, "/login"),
        "/loop" => Reply::redirect(301, "/loop"),
        _ => Reply::text(500, "broken"),
    });
    let failure = check(server.url("/"), json!({})).unwrap_err();
    assert!(failure.message.starts_with(&format!("`{}`: status 500", server.url("/login"))), "{failure}");
    let first = format!("302 {} -> {}\n", server.url("/"), server.url("/login"));
    assert!(failure.evidence[0].text.starts_with(&first), "{failure:?}");

    let failure = check(server.url("/"), json!({ "redirects": "none" })).unwrap_err();
    assert!(failure.message.ends_with("status 302 Found, expected 200-299"), "{failure}");
    assert_eq!(failure.hints, ["it redirects to `/login`; raise `redirects` to follow"]);
    assert_eq!(
        check(server.url("/"), json!({ "redirects": 0, "status": 302 })).unwrap()["headers"]["location"],
        "/login"
    );

    let failure = check(server.url("/loop"), json!({ "redirects": 3 })).unwrap_err();
    assert_eq!(failure.message, format!("`{}` redirects more than 3 times", server.url("/loop")));
    assert_eq!(failure.evidence[0].title, "redirects");
    assert_eq!(failure.evidence[0].text.lines().count(), 3);
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let other = Server::start(|_| Reply::text(200, "ok"));
    let target = other.url("/stolen");
    let server = Server::start(move |_| Reply::redirect(307, target.clone()));
    let options = json!({ "headers": { "Authorization": "Bearer abc" } });
    check(server.url("/"), options).unwrap();
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer abc"));
    assert_eq!(other.asked()[0].header("authorization"), None);
}

#[test]
fn resolve_connects_elsewhere_under_the_same_name() {
    let server = Server::start(|_| Reply::text(200, "ok"));
    for (url, host) in [("http://app.invalid/x", "app.invalid"), ("http://app.invalid:8000/x", "app.invalid:8000")] {
        let place = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let value = check(url, json!({ "resolve": { place: server.place() } })).unwrap();
        assert_eq!(value["url"], url);
        assert_eq!(server.asked().last().unwrap().header("host"), Some(host));
    }
}

#[test]
fn wrong_options_are_refused_before_anything_is_sent() {
    for (options, message) in [
        (json!({ "statsu": 200 }), "unknown option `statsu`"),
        (
            json!({ "status": 99 }),
            "option `status` must be a status like 200, a range like \"200-299\", or a list of them, got 99",
        ),
        (json!({ "redirects": "many" }), "option `redirects` must be a number or \"none\", got \"many\""),
        (json!({ "text": 5 }), "option `text` must be a string or a list of strings"),
        (json!({ "timeout": "0s" }), "option `timeout` must be longer than nothing"),
        (json!({ "method": "get" }), "`get` is not an HTTP method"),
        (json!({ "headers": { "a b": "c" } }), "header `a b` has characters that a header's name cannot have"),
        (
            json!({ "resolve": { "app": "127.0.0.1:1" } }),
            "`resolve` names `app`, which is not of the form `app.example.com:443`",
        ),
    ] {
        assert_eq!(refused(options), message);
    }
    assert!(refused(json!({ "matches": "(" })).starts_with("option `matches` is not a regular expression: `(`: "));
}

#[test]
fn urls_that_cannot_be_asked_are_refused() {
    for (url, message) in [
        ("127.0.0.1:8000", "`127.0.0.1:8000` is not a usable URL: it does not begin with `http://` or `https://`"),
        ("ftp://a.test/", "`ftp://a.test/` is not a usable URL: only http and https can be asked"),
        ("http://bob:pw@a.test/", "the URL of `a.test` holds credentials"),
    ] {
        let failure = check(url, json!({})).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Argument, message));
    }
    assert_eq!(check(json!([]), json!({})).unwrap_err().message, "argument `url` names no URL");
}

#[test]
fn what_a_server_sends_cannot_steer_the_terminal() {
    let server = Server::start(|_| Reply::text(500, "\u{1b}[2Jgone"));
    let failure = check(server.url("/"), json!({})).unwrap_err();
    assert!(failure.evidence[0].text.ends_with("\u{fffd}[2Jgone"), "{failure:?}");
}

#[test]
fn a_certificate_that_expires_soon_fails_the_check() {
    let direct = Direct::new();
    let own = Authority::new(direct.path()).self_signed("DNS:app.test");
    let server = Server::start_tls(&own, |_| Reply::text(200, "ok"));
    let ask = |min_days: i64| {
        let options = json!({
            "tls": { "ca": own.certificate.strip_prefix(direct.path()).unwrap(), "min_days": min_days },
            "resolve": { "app.test:443": server.place() },
        });
        direct.call(primitive(), json!(["https://app.test/"]), options)
    };
    let days = ask(14).unwrap().value["tls_days"].as_i64().unwrap();
    assert!((29..=30).contains(&days), "{days}");
    let message = ask(90).unwrap_err().message;
    assert!(
        message.starts_with(&format!("`https://app.test/`: the certificate expires in {days} days, on ")),
        "{message}"
    );
    assert!(message.ends_with(", expected at least 90 days"), "{message}");

    let failure = check(server.url("/"), json!({ "tls": { "ca": "missing.pem" } })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[test]
fn a_proxy_of_the_environment_is_used_except_for_this_machine() {
    let proxy = Server::start(|_| Reply::text(200, "from the proxy"));
    let own = Server::start(|_| Reply::text(200, "direct"));
    let script = format!(
        "http_check(\"http://app.invalid/x\", #{{ text: \"from the proxy\" }});\nhttp_check(\"{}\", #{{ text: \"direct\" }});",
        own.url("/")
    );
    Project::script(&script).env("HTTP_PROXY", &proxy.url("")).run().success();
    assert_eq!(proxy.asked().len(), 1);
    assert_eq!(proxy.asked()[0].path, "http://app.invalid/x");

    let script = "http_check(\"http://app.invalid/\", #{ timeout: \"5s\" });";
    let dead = format!("http://127.0.0.1:{}", closed_port());
    Project::script(script)
        .env("HTTP_PROXY", &dead)
        .run()
        .code(1)
        .says("connection refused")
        .says("`HTTP_PROXY` is set: the request may have gone through that proxy");
}

#[test]
fn credentials_are_masked_in_everything_that_is_recorded() {
    let server = Server::start(|asked| Reply::text(401, &format!("wrong: {}", asked.header("x-api-key").unwrap())));
    let script = format!(
        "let secret = \"hunter2\" + \"hunter2\";
        http_check(\"{}\", #{{
            basic_auth: #{{ username: \"bob\", password: secret }}, headers: #{{ \"X-Api-Key\": secret + \"1\" }},
        }});",
        server.url("/")
    );
    let project = Project::script(&script);
    let ran = project.runbook(&["run", "--json", "test.rhai"]).code(1);
    assert_eq!(server.asked()[0].header("x-api-key"), Some("hunter2hunter21"));
    assert!(ran.stdout.contains("\"password\":\"••••••\""), "{}", ran.stdout);
    assert!(ran.stdout.contains("wrong: ••••••"), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hunter2hunter2"), "{}", ran.stdout);
}

#[test]
fn only_a_method_that_changes_something_counts_as_a_change() {
    let server = Server::start(|_| Reply::text(200, "ok"));
    let effect = |options: &str| {
        let ran = Project::script(&format!("http_check(\"{}\", {options});", server.url("/")))
            .runbook(&["run", "--json", "test.rhai"])
            .success();
        let line = ran.stdout.lines().find(|line| line.contains("call_started")).unwrap().to_owned();
        serde_json::from_str::<Value>(&line).unwrap()["effect"].as_str().unwrap().to_owned()
    };
    assert_eq!(effect("#{}"), "read");
    assert_eq!(effect("#{ method: \"HEAD\" }"), "read");
    assert_eq!(effect("#{ body: \"x\" }"), "change");
    assert_eq!(effect("#{ method: \"DELETE\" }"), "change");
}
