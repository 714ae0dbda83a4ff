//! Every route with every kind of asker: the table of routes makes the cases.

use runbook::serve::api::{Permission, ROUTES, SCOPES};

use super::{Api, project, token};

#[test]
fn every_route_lets_in_who_may_and_shows_nothing_to_others() {
    let project = project("[webhook.hook]\nrunbook = \"note.rhai\"\nkey = { secret = \"HOOK_KEY\" }\n")
        .env("HOOK_KEY", "a-key-that-nobody-guesses");
    project.runbook(&["run", "note.rhai"]).success();
    let tokens: Vec<(&str, String)> = SCOPES.iter().map(|scope| (*scope, token(&project, scope, scope))).collect();
    let expired = project.runbook(&["token", "add", "old", "--scope", "read", "--expires", "1ms"]).success();
    let removed = token(&project, "gone", "read");
    project.runbook(&["token", "remove", "gone"]).success();
    let api = Api::start(&project);
    let nothing = api.with(&tokens[0].1, "GET", "/nothing", "");
    assert_eq!(nothing.status, 404);
    let stranger = api.ask("GET", "/nothing", &[], "");
    assert_eq!(stranger.status, 401);
    let short = &tokens[0].1[..tokens[0].1.len() - 1];
    let swapped = tokens[0].1.replace("_read_", "_start_");
    let mut cases = 0;
    for route in ROUTES {
        let path = route.path.replace("{run}", "1").replace("{name}", "rare");
        for bad in ["", "x", short, &swapped, expired.stdout.trim(), &removed] {
            let found = api.with(bad, route.method, &path, "{}");
            let wanted = match route.needs {
                Permission::Anybody => 200,
                Permission::Scope(_) | Permission::Signature => 401,
            };
            assert_eq!(found.status, wanted, "{} {path} with {bad:?}: {found:?}", route.method);
            if matches!(route.needs, Permission::Scope(_)) {
                assert_eq!(found.body, stranger.body, "{path}");
            }
            cases += 1;
        }
        for (scope, text) in &tokens {
            // Whoever follows is answered until the run ends, which run 1 has.
            let found = api.with(text, route.method, &path, "{}");
            match route.needs {
                Permission::Anybody => assert_eq!(found.status, 200, "{path} {scope}"),
                Permission::Signature => assert_eq!(found.status, 401, "{path} {scope}"),
                Permission::Scope(wanted) if wanted == *scope => {
                    assert!(![401, 403].contains(&found.status) && found.body != nothing.body, "{path} {found:?}");
                }
                Permission::Scope(_) => {
                    assert_eq!((found.status, &found.body), (404, &nothing.body), "{path} {scope}");
                }
            }
            cases += 1;
        }
        let other = if route.method == "GET" { "DELETE" } else { "GET" };
        let others = ROUTES.iter().any(|one| one.path == route.path && one.method == other);
        assert!(others || api.with(&tokens[0].1, other, &path, "").body == nothing.body, "{other} {path}");
    }
    assert_eq!(cases, ROUTES.len() * (6 + SCOPES.len()));
    let stored = project.runbook(&["token", "list", "--json"]).success();
    assert!(!stored.stdout.contains(&tokens[0].1) && !stored.stdout.contains("hash"), "{}", stored.stdout);
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn names_pages_sizes_and_rates_have_limits() {
    let project = project("");
    let read = token(&project, "ann", "read,start");
    let text = project.read("runbook.toml").replace("[service]", "rate = 30\n[service]");
    project.file_now("runbook.toml", &text);
    let api = Api::start(&project);
    let strange = api.raw(b"GET /healthz HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n");
    assert_eq!(strange.status, 403);
    let page = api.ask("GET", "/healthz", &[("Origin", "https://evil.example.com")], "");
    assert_eq!(page.status, 403);
    let large = "x".repeat(10 << 20);
    // The connection may be closed while it is still being said.
    assert!([413, 0].contains(&api.with(&read, "POST", "/v1/runs", &large).status));
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nX-Large: {}\r\n\r\n", api.place, "x".repeat(64 << 10));
    assert!([400, 431, 0].contains(&api.raw(head.as_bytes()).status));
    let wrong = api.with(&read, "POST", "/v1/runs", "{\"runbook\": \"../note.rhai\"}");
    assert_eq!(wrong.status, 404, "{wrong:?}");
    let wrong = api.with(&read, "POST", "/v1/runs", "{\"runbook\": \"note.rhai\", \"parameters\": {\"nope\": 1}}");
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let statuses: Vec<u16> = (0..40).map(|_| api.with(&read, "GET", "/v1/runs", "").status).collect();
    assert!(statuses.contains(&200) && statuses.last() == Some(&429), "{statuses:?}");
}

#[test]
fn a_place_that_others_reach_is_refused() {
    let project = project("");
    project.file_now("runbook.toml", "[api]\nlisten = \"0.0.0.0:7423\"\n");
    project.runbook(&["serve"]).code(2).says("which others can reach without TLS");
}
