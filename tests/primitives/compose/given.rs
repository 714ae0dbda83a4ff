//! Files that containers are given: a changed one is noticed and named.

use serde_json::{Value, json};

use super::Shop;

const COMPOSE: &str = "
services:
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    configs: [site]
    secrets: [token]
    volumes:
      - ./app.conf:/etc/app.conf
      - ./rules:/etc/rules:ro
      - ./state.json:/state.json
      - ./data:/data
configs: { site: { file: ./site.txt } }
secrets: { token: { file: ./token.txt } }
";

fn shop() -> Option<Shop> {
    let shop = Shop::new(COMPOSE)?;
    for file in ["app.conf", "rules/one", "rules/deep/two", "state.json", "data/x", "site.txt", "token.txt"] {
        shop.direct.write(file, "first\n");
    }
    shop.up();
    Some(shop)
}

fn reasons(shop: &Shop) -> Value {
    let plan = shop.direct.predict("compose.up", shop.handle(json!({})), json!([]), json!({})).unwrap();
    let outcome = shop.up();
    assert_eq!(plan.value["services"]["api"]["reasons"], outcome.value["services"]["api"]["reasons"]);
    outcome.value["services"]["api"]["reasons"].clone()
}

#[test]
fn a_file_that_changed_recreates_what_it_is_given_to_and_is_named() {
    let Some(shop) = shop() else { return };
    assert_eq!(reasons(&shop), json!([]));
    for (file, reason) in [
        ("app.conf", "file app.conf: other content"),
        ("site.txt", "file site.txt: other content"),
        ("token.txt", "file token.txt: other content"),
        ("rules/deep/two", "file rules/deep/two: other content"),
        ("rules/three", "file rules/three: new"),
    ] {
        shop.direct.write(file, "second\n");
        assert_eq!(reasons(&shop), json!([reason]));
        assert_eq!(reasons(&shop), json!([]), "{file}");
    }
    std::fs::remove_file(shop.direct.path().join("rules/three")).unwrap();
    assert_eq!(reasons(&shop), json!(["file rules/three: gone"]));
}

#[test]
fn what_a_container_may_write_itself_is_no_configuration() {
    let Some(shop) = shop() else { return };
    for file in ["state.json", "data/x", "data/y"] {
        shop.direct.write(file, "second\n");
    }
    assert_eq!(reasons(&shop), json!([]));
}

#[test]
fn a_release_whose_files_changed_since_says_so() {
    let Some(shop) = shop() else { return };
    let before = shop.call("release", json!([]), json!({})).value;
    shop.direct.write("app.conf", "second\n");
    shop.up();
    shop.call("up", json!([before]), json!({}));
    let line = "warn: service `api`: the file app.conf is not what it was in the release, and stays as it is";
    assert!(shop.direct.lines().contains(&line.to_owned()), "{:?}", shop.direct.lines());
    assert_eq!(reasons(&shop), json!([]), "what is mounted is what the files hold");
}
