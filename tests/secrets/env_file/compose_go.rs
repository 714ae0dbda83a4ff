//! The reader of Compose files against what compose-go itself made of the same texts.
//!
//! `compose-go.jsonl` has one text a line with the answer of `dotenv.UnmarshalWithLookup(text, nil)` of compose-go (July 2026,
//! commit e70e961c): its values, or an error. To record more, let a Go program of that module answer the texts.

use std::collections::BTreeMap;
use std::fmt::Write;

use runbook::compose::dotenv;
use runbook::secrets::env_file::{Contents, Dialect};
use serde::Deserialize;

use super::random::Random;

#[derive(Deserialize)]
struct Recorded {
    text: String,
    /// `None` where compose-go gave an error.
    values: Option<BTreeMap<String, String>>,
}

#[test]
fn every_recorded_text_is_read_as_compose_go_reads_it() {
    let recorded = include_str!("compose-go.jsonl").lines().map(|line| serde_json::from_str::<Recorded>(line).unwrap());
    let (mut same, mut stricter) = (0, 0);
    for Recorded { text, values } in recorded {
        let read = dotenv::parse(&text, ".env").map(|found| {
            found.into_iter().map(|found| (found.name, found.value)).collect::<BTreeMap<String, String>>()
        });
        match (values, read) {
            (Some(values), Ok(read)) => {
                assert_eq!(read, values, "{text:?}");
                same += 1;
            }
            // Text after a closing quote, a variable without a name, a carriage return in one: compose-go makes something of it.
            (Some(_), Err(problem)) => {
                let expected = ["after the closing quote", "a name is missing", "unexpected character `\r`"];
                assert!(expected.iter().any(|expected| problem.message.contains(expected)), "{text:?}: {problem}");
                stricter += 1;
            }
            (None, Err(_)) => same += 1,
            (None, Ok(_)) => panic!("compose-go refuses {text:?}"),
        }
    }
    assert!(same > 900 && stricter < 50, "{same} read the same, {stricter} refused");
}

/// The SHA-256 of the file with 20,000 random values that compose-go has read as exactly these values.
const READ_BY_COMPOSE_GO: &str = "2a5877cc445dda6c6689bf72b6d1f9ea9dd11ccfa736f019cbd527c6f1b3658f";

#[test]
fn the_file_of_random_values_is_the_one_that_compose_go_has_read() {
    let mut random = Random::new(7);
    let values: Vec<(String, String)> = (0..20_000).map(|number| (format!("V{number}"), random.value())).collect();
    let text = Contents { dialects: &[Dialect::Compose], values: &values, comment: "" }.whole().unwrap();
    let mut kept = String::new();
    for (name, value) in &values {
        writeln!(kept, "{}", serde_json::json!([name, value])).unwrap();
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("compose.env"), &text).unwrap();
    std::fs::write(folder.join("compose.jsonl"), kept).unwrap();
    assert_eq!(
        runbook::drivers::disk::checksum_of(text.as_bytes()),
        READ_BY_COMPOSE_GO,
        "the writer writes another file now: have compose-go read {0}/compose.env, compare with {0}/compose.jsonl, and note the sum",
        folder.display()
    );
}
