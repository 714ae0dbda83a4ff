//! No ten characters of a secret in a row can be read in what was redacted, through whatever chain of encodings.
//!
//! What can be read is found by experiment: a character of the secret is exchanged for another one, and whatever differs then in
//! the encoded text depends on it. It can be read if any of that is left behind the redactor. A character that cannot be
//! exchanged, because it is escaped, can be read if those beside it can.

use runbook::secrets::Redactor;

use super::encodings::{BINARY, ENCODINGS, Encoding, Random, secrets};

const MASK: &str = "••••••";

/// What stands around a secret in a text.
const AROUND: &[(&str, &str)] =
    &[("", ""), ("2026-11-20 deploy: value=", " end"), ("token is ", "\n"), ("{\"v\":\"", "\"}"), ("a/", ",b")];

fn encoded(secret: &str, chain: &[Encoding]) -> String {
    chain.iter().fold(secret.to_owned(), |text, (_, encode)| encode(&text))
}

/// Base64 cannot be read any more when its case is lost.
fn can_be_undone(chain: &[Encoding]) -> bool {
    let first = |wanted: fn(&str) -> bool| chain.iter().position(|(name, _)| wanted(name)).unwrap_or(chain.len());
    let last_case = chain.iter().rposition(|(name, _)| ["UPPER", "lower"].contains(name));
    last_case.is_none_or(|last| last < first(|name| name.starts_with("base64")))
}

/// Which bytes of a text are left in what came out.
fn left(text: &str, out: &str) -> Vec<bool> {
    let mut left = vec![false; text.len()];
    let pieces: Vec<&str> = out.split(MASK).collect();
    let mut at = 0;
    for (place, piece) in pieces.iter().enumerate() {
        let start = match place {
            0 => 0,
            _ if place == pieces.len() - 1 => text.len() - piece.len(),
            _ => at + text[at..].find(piece).expect("only masks are put in"),
        };
        assert_eq!(&text[start..start + piece.len()], *piece, "only masks are put in");
        left[start..start + piece.len()].fill(true);
        at = start + piece.len();
    }
    left
}

/// The longest part of the secret that can be read in what is left of `text`, where the secret in `encode` makes the text.
fn readable(secret: &str, encode: &dyn Fn(&str) -> String, left: &[bool]) -> String {
    let text = encode(secret);
    let characters: Vec<char> = secret.chars().collect();
    // Does something that is left depend on this character? Unknown where each other one takes more or less room.
    let is_left = |place: usize| {
        let own = characters[place];
        let others = if own.is_ascii_digit() {
            '0'..='9'
        } else if own.is_ascii() {
            'A'..='z'
        } else {
            'а'..='я'
        };
        let others = others.filter(|other| other.is_alphanumeric() && own.is_alphanumeric() && *other != own);
        let mut others: Vec<char> = others.collect();
        others.sort_by_key(|other| u32::from(*other).abs_diff(u32::from(own)));
        let mut changed = others.into_iter().map(|other| {
            encode(
                &characters.iter().enumerate().map(|(at, c)| if at == place { other } else { *c }).collect::<String>(),
            )
        });
        let changed = changed.find(|changed| changed.len() == text.len())?;
        Some(text.bytes().zip(changed.bytes()).zip(left).any(|((one, other), left)| *left && one != other))
    };
    let seen: Vec<Option<bool>> = (0..characters.len()).map(is_left).collect();
    let seen = |place: usize| {
        let before = seen[..=place].iter().rev().find_map(|seen| *seen);
        let after = seen[place..].iter().find_map(|seen| *seen);
        before.unwrap_or(true) && after.unwrap_or(true)
    };
    let mut longest = String::new();
    let mut run = String::new();
    for (place, c) in characters.iter().enumerate() {
        if seen(place) {
            run.push(*c);
        } else {
            run.clear();
        }
        if run.chars().count() > longest.chars().count() {
            longest.clone_from(&run);
        }
    }
    longest
}

/// What of the secret can be read although it was redacted, when it is so much that it leaks.
fn leak(redactor: &Redactor, secret: &str, encode: &dyn Fn(&str) -> String) -> Option<String> {
    let text = encode(secret);
    let mut out = text.clone();
    redactor.redact(&mut out);
    // Where what can be read is shorter as a whole, its bytes cannot be more.
    let left = left(&text, &out);
    if left.iter().all(|left| !left) {
        return None;
    }
    let read = readable(secret, encode, &left);
    let limit = secret.chars().count().min(10);
    (read.chars().count() >= limit).then(|| format!("{read:?} of {secret:?} can be read in {out:?}"))
}

fn report(leaks: &[String], cases: usize) {
    let shown: Vec<&str> = leaks.iter().take(10).map(String::as_str).collect();
    assert!(leaks.is_empty(), "{} of {cases} leak:\n{}", leaks.len(), shown.join("\n"));
}

#[test]
fn no_encoding_lets_a_secret_through() {
    let secrets = secrets(&mut Random(0x9E37_79B9_7F4A_7C15), 40);
    let redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    let (mut leaks, mut cases) = (Vec::new(), 0);
    for secret in &secrets {
        for (name, encode) in ENCODINGS {
            for (before, after) in AROUND {
                cases += 1;
                let encode = |text: &str| format!("{before}{}{after}", encode(text));
                leaks.extend(leak(&redactor, secret, &encode).map(|leak| format!("{name}: {leak}")));
            }
        }
    }
    report(&leaks, cases);
}

#[test]
fn no_half_of_an_encoded_secret_gets_through() {
    let secrets = secrets(&mut Random(0x1234_5678_9ABC_DEF1), 40);
    let redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    let (mut leaks, mut cases) = (Vec::new(), 0);
    for secret in &secrets {
        for (name, encode) in ENCODINGS {
            for half in 0..2 {
                cases += 1;
                let encode = |text: &str| {
                    let text = encode(text);
                    let middle = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap();
                    let (first, last) = text.split_at(middle);
                    format!("value={}.", if half == 0 { first } else { last })
                };
                leaks.extend(leak(&redactor, secret, &encode).map(|leak| format!("{name}: {leak}")));
            }
        }
    }
    report(&leaks, cases);
}

#[test]
fn no_chain_of_encodings_lets_a_secret_through() {
    let many = std::env::var("RUNBOOK_REDACTOR_CHAINS").map_or(300, |many| many.parse().unwrap());
    let seed = std::env::var("RUNBOOK_REDACTOR_SEED").map_or(0x5EED, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    let mut leaks = Vec::new();
    for case in 0..many {
        let kind = random.below(10);
        let secret = secrets(&mut random, kind + 1).remove(kind);
        let redactor = Redactor::default();
        redactor.learn(&secret);
        let chain = loop {
            let chain: Vec<Encoding> =
                (0..=random.below(6)).map(|_| ENCODINGS[random.below(ENCODINGS.len())]).collect();
            if can_be_undone(&chain) && encoded(&secret, &chain).len() < 100_000 {
                break chain;
            }
        };
        let (before, after) = AROUND[random.below(AROUND.len())];
        let encode = |text: &str| format!("{before}{}{after}", encoded(text, &chain));
        let names: Vec<&str> = chain.iter().map(|(name, _)| *name).collect();
        leaks.extend(
            leak(&redactor, &secret, &encode).map(|leak| format!("case {case}, {}: {leak}", names.join(" → "))),
        );
    }
    report(&leaks, many);
}

#[test]
fn no_binary_form_lets_a_secret_through() {
    let secrets = secrets(&mut Random(77), 20);
    let redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    for secret in &secrets {
        for (name, encode) in BINARY {
            let mut out = Vec::new();
            let mut stream = redactor.stream();
            stream.push(&[&b"\x00\x01begin"[..], &encode(secret), &b"end\xff\xfe"[..]].concat(), &mut out);
            stream.finish(&mut out);
            for window in encode(secret).windows(20) {
                assert!(!out.windows(20).any(|other| other == window), "{name} of {secret:?}: {out:?}");
            }
        }
    }
}
