use runbook::primitive::FailureKind;
use serde_json::json;

use super::{Shop, evidence};

const COMPOSE: &str = "
services:
  api:
    image: app:${TAG:-1}
    environment:
      - SECRET=${JWT_SECRET:?}
      - URL=${REDIS_URL}
      - MODE=$MODE # and ${COMMENT}
      - EMPTY=${OPTIONAL}
";

#[test]
fn every_problem_of_the_environment_is_told_at_once_and_none_of_the_values() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.direct
        .write(".env", "JWT_SECRET=short\nPORT=80a\nREDIS_URL=redis\nAPI_KEY=your-api-key\nLEVEL=LOUD\nOPTIONAL=\n");
    let options = json!({
        "required": ["MISSING", "OPTIONAL"],
        "pattern": { "PORT": "^[0-9]+$" },
        "url": ["REDIS_URL"],
        "one_of": { "LEVEL": ["INFO", "DEBUG"] },
        "min_length": { "JWT_SECRET": 32 },
        "not_placeholder": true,
    });
    let failure = shop.fails("check_env", json!([]), options);
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.message.starts_with("8 problems in the environment of `"), "{failure:?}");
    assert_eq!(
        failure.evidence[0].text,
        "compose.yaml:8: the variable `MODE` is not set and has no default\n\
         `MISSING` is required and not set\n\
         .env:6: `OPTIONAL` is required and empty\n\
         .env:2: `PORT` does not match `^[0-9]+$`\n\
         .env:3: `REDIS_URL` is not a URL like `scheme://host/…`\n\
         .env:5: `LEVEL` must be one of `INFO`, `DEBUG`\n\
         .env:1: `JWT_SECRET` is too short: it needs at least 32 characters\n\
         .env:4: `API_KEY` still holds a placeholder"
    );
    assert!(!format!("{failure:?}").contains("short\n"));
    assert_eq!(failure.hints, ["values come from `.env`", "nothing was started"]);
}

#[test]
fn a_required_variable_without_a_value_is_told_with_its_place() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    for method in ["check_env", "up", "pull", "config"] {
        let failure = shop.fails(method, json!([]), json!({}));
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure.message.contains("compose.yaml:6:9") || evidence(&failure).contains("compose.yaml:6:9"),
            "{method}: {failure:?}"
        );
        assert!(format!("{failure:?}").contains("the variable `JWT_SECRET` is required and has no value"));
    }
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn an_environment_in_order_is_said_to_be() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.direct.write(".env", "JWT_SECRET=0123456789abcdef\nREDIS_URL=redis://redis:6379/0\nMODE=x\nOPTIONAL=\n");
    let outcome =
        shop.call("check_env", json!([]), json!({ "url": ["REDIS_URL"], "min_length": { "JWT_SECRET": 16 } }));
    assert_eq!(outcome.note.as_deref(), Some("4 variables in order"));
    assert_eq!(outcome.value["file"], ".env");
    assert!(shop.direct.lines().contains(&"warn: .env:4: `OPTIONAL` is empty, and compose.yaml:9 uses it".to_owned()));
}

#[test]
fn a_rule_that_is_no_expression_is_refused() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let failure = shop.fails("check_env", json!([]), json!({ "pattern": { "PORT": "[0-9" } }));
    assert_eq!(failure.kind, FailureKind::Option);
    assert!(
        failure.message.starts_with("option `pattern.PORT` must be a regular expression, and `[0-9` is none"),
        "{failure:?}"
    );
}

#[test]
fn a_missing_environment_file_is_said() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let failure = shop.fails("check_env", json!([]), json!({}));
    assert!(failure.hints.contains(&"there is no `.env`: write one, or name it with `env_file`".to_owned()));
}
