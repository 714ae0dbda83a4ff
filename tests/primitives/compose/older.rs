//! Keys that an engine is too old for: it would pass over them in silence.

use runbook::primitive::FailureKind;
use serde_json::json;

use super::Shop;

const COMPOSE: &str = "
services:
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    annotations: { a: b }
    MORE
volumes: { data: {} }
";

/// `None`, said aloud, where the engine knows all of them.
fn shop(more: &str) -> Option<Shop> {
    let shop = Shop::new(&COMPOSE.replace("MORE", more))?;
    let version = shop.lab.run(shop.lab.engine.api_version()).unwrap();
    if version.strip_prefix("1.").is_none_or(|minor| minor.parse::<u32>().unwrap() >= 43) {
        eprintln!("skipped: the engine speaks API {version}, and knows everything");
        return None;
    }
    Some(shop)
}

#[test]
fn what_makes_another_container_is_refused_and_the_rest_warned_of() {
    let Some(shop) = shop("volumes: [{ type: volume, source: data, target: /x, volume: { subpath: y } }]") else {
        return;
    };
    for (method, args) in [("up", json!([])), ("run", json!(["api", ["true"]]))] {
        let failure = shop.fails(method, args, json!({}));
        assert_eq!(failure.kind, FailureKind::Invalid);
        let told = "services.api.volumes[0]: needs Docker 26: this engine would mount all of the volume, and not only `subpath`";
        assert!(failure.message.contains(told), "{method}: {failure}");
    }
    assert_eq!(shop.containers(), Vec::<String>::new());
    shop.write(&COMPOSE.replace("MORE", "mac_address: '02:42:ac:11:65:43'"));
    let failure = shop.fails("up", json!([]), json!({}));
    assert!(failure.message.contains("services.api.mac_address: needs Docker 25"), "{failure}");

    shop.write(&COMPOSE.replace("MORE", ""));
    shop.up();
    let said = shop.direct.lines();
    let told = "services.api.annotations: needs Docker 24: this engine keeps none";
    assert!(said.iter().any(|line| line.contains(told)), "{said:?}");
}
