//! The account of migrations beside the releases.

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::Shop;

const COMPOSE: &str = "services: { api: { image: BASE, command: sleep 600, stop_grace_period: 0s } }\n";

impl Shop {
    /// Notes a migration from one revision to another.
    fn migrate(&self, before: &str, after: &str, more: Value) {
        let mut options = json!({ "before": before });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let number = self.call("migrating", json!(["api", ["alembic", "upgrade", "head"]]), options).value;
        self.call("migrated", json!([number]), json!({ "after": after }));
    }

    fn crossed(&self, release: i64) -> Vec<(String, bool)> {
        let found = self.call("crossed", json!([release]), json!({})).value;
        let found = found.as_array().unwrap().iter();
        found.map(|one| (one["before"].as_str().unwrap().to_owned(), one["reversible"] == true)).collect()
    }
}

#[test]
fn what_lies_between_a_release_and_the_database_is_told_and_refused() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.migrate("", "a (head)", json!({}));
    shop.up();
    assert_eq!(shop.crossed(1), []);
    shop.migrate("a (head)", "a (head)", json!({}));
    assert_eq!(shop.crossed(1), [], "what changes nothing lies between nothing");
    shop.migrate("a (head)", "b (head)", json!({ "undo": ["alembic", "downgrade", "{before}"] }));
    shop.write(&COMPOSE.replace("600", "601"));
    shop.up();
    assert_eq!(shop.crossed(1), [("a (head)".to_owned(), true)]);
    assert_eq!(shop.crossed(2), []);
    let between = shop.call("crossed", json!([1]), json!({ "allow": "reversible" })).value;
    assert_eq!(between[0]["undo"], json!(["alembic", "downgrade", "a"]));
    let refused = shop.fails("crossed", json!([1]), json!({ "allow": "none" }));
    assert_eq!(refused.kind, FailureKind::Conflict);
    assert!(refused.evidence[0].text.contains("a (head) → b (head) in `api`"), "{refused:?}");

    let saved = json!({ "id": "3f2a91c0b7de", "repository": "main", "time": "2026-01-01T00:00:00Z", "files": 1 });
    shop.migrate("b (head)", "c (head)", json!({ "saved": saved }));
    let refused = shop.fails("crossed", json!([2]), json!({ "allow": "reversible" }));
    let offer = "the database as release 2 knew it is the backup 3f2a91c0 in `main`: restoring it loses what was written in the ";
    assert!(refused.hints.iter().any(|hint| hint.starts_with(offer)), "{refused:?}");
    let none = shop.fails("crossed", json!([1]), json!({ "allow": "reversible" }));
    assert!(none.hints.iter().any(|hint| hint.starts_with("no backup was made before")), "{none:?}");
}

#[test]
fn one_that_was_begun_lies_between_until_it_is_known_how_it_ended() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let number = shop.call("migrating", json!(["api", ["migrate"]]), json!({})).value;
    let refused = shop.fails("crossed", json!([1]), json!({ "allow": "none" }));
    assert!(refused.evidence[0].text.ends_with("was begun, and its end is not known"), "{refused:?}");
    shop.call("migrated", json!([number]), json!({}));
    let found = shop.call("crossed", json!([1]), json!({ "allow": "none" })).value;
    assert_eq!(found[0]["certain"], false);
    assert!(found[0]["text"].as_str().unwrap().ends_with("nobody asked for its revision"), "{found}");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let missing = shop.fails("crossed", json!([7]), json!({}));
    assert_eq!((missing.kind, missing.message.ends_with("has no release 7")), (FailureKind::NotFound, true));
    let allow = shop.fails("crossed", json!([1]), json!({ "allow": "some" }));
    assert_eq!(allow.message, "option `allow` cannot be `some`: it is `all`, `reversible` or `none`");
    let saved = shop.fails("migrating", json!(["api", ["migrate"]]), json!({ "saved": { "id": 3 } }));
    assert_eq!(saved.message, "option `saved` must be what `backup` returned");
}
