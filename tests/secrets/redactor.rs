//! What the redactor masks, what it leaves alone, and that pieces of a stream make no difference.

use runbook::secrets::Redactor;

use super::encodings::{ENCODINGS, Random, secrets};

const MASK: &str = "••••••";

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::default();
    for secret in secrets {
        redactor.learn(secret);
    }
    redactor
}

#[track_caller]
fn masks(secrets: &[&str], text: &str, expected: &str) {
    let mut out = text.to_owned();
    assert_eq!(knowing(secrets).redact(&mut out), text != expected, "{out}");
    assert_eq!(out, expected);
}

#[test]
fn nine_characters_of_a_secret_are_masked_and_eight_are_not() {
    let secret = "Jk3-xQ9_Zr7.Lm2";
    masks(&[secret], "cut: Jk3-xQ9_Z", "cut: ••••••");
    masks(&[secret], "cut: Jk3-xQ9_", "cut: Jk3-xQ9_");
    masks(&[secret], "tail: 9_Zr7.Lm2!", "tail: ••••••!");
}

#[test]
fn a_short_secret_is_masked_whole_as_it_is_written() {
    masks(&["hunter2"], "hunter2, HUNTER2 and aHVudGVyMg==", "••••••, •••••• and ••••••==");
    masks(&["hunter2"], "hunter 2, Hunter2, hunter", "hunter 2, Hunter2, hunter");
    masks(&["abc"], "abc is too short to be told from other words", "abc is too short to be told from other words");
    masks(&["a'b$cd"], r#"'a'\''b$cd' "a'b\$cd" a\'b\$cd"#, r#"'••••••' "••••••" ••••••"#);
}

#[test]
fn what_everybody_knows_of_a_secret_is_left_alone() {
    let url = "postgres://app:s3cr3t-pass@db:5432/shop";
    masks(&[url], "connect to postgres://app:other@db:5432/shop", "connect to postgres://app:other@db:5432/shop");
    masks(&[url], "connect to postgres://app:s3cr3t-pass@db:5432/shop.", "connect to ••••••.");
    masks(&[url], "the password s3cr3t-pass is masked", "the password •••••• is masked");
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----\n";
    masks(&[key], "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----");
    masks(&[key], &format!("key: {key}"), "key: ••••••\n");
    masks(&["00000000000000000000"], "0x0000000000 is harmless", "0x0000000000 is harmless");
}

#[test]
fn each_line_of_a_secret_is_a_secret() {
    let secret = "user: shopkeeper\r\npassword: tr0ub4dor&3\r\npin: 98";
    masks(&[secret], "password: tr0ub4dor&3", "••••••");
    masks(&[secret], "|\n  user: shopkeeper\n  password: tr0ub4dor&3\n  pin: 98", "|\n  ••••••");
    masks(&[secret], "pin: 98", "••••••");
}

#[test]
fn harmless_texts_are_left_as_they_are() {
    let secrets = secrets(&mut Random(1), 40);
    let redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    let mut texts =
        vec![include_str!("../../docs/tutorial.md").to_owned(), include_str!("../../Cargo.lock").to_owned()];
    let numbers = (0..5_000).map(|n: u64| format!("{n:016x} {} {n}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    texts.push(numbers.collect::<Vec<_>>().join("\n"));
    for text in texts {
        let mut out = text.clone();
        assert!(
            !redactor.redact(&mut out),
            "{:?}",
            out.split(MASK).next().map(|before| &before[before.len().saturating_sub(60)..])
        );
        assert_eq!(out, text);
    }
}

#[test]
fn a_secret_after_a_backslash_is_masked() {
    masks(&["nUgget-of-gold"], r"C:\nUgget-of-gold\x", r"C:\••••••\x");
    masks(&["u12ab34cd5"], r"C:\u12ab34cd5\x", r"C:\••••••\x");
    masks(&["25percent-is-a-quarter"], "%25percent-is-a-quarter", "%••••••");
}

fn streamed(redactor: &Redactor, pieces: &[&[u8]]) -> String {
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for piece in pieces {
        stream.push(piece, &mut out);
    }
    stream.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_stream_is_masked_alike_wherever_it_is_cut() {
    let secrets = secrets(&mut Random(99), 10);
    let redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    for secret in &secrets {
        for (name, encode) in ENCODINGS {
            let text = format!("beginning: {}; the end of it\n", encode(secret));
            let mut whole = text.clone();
            redactor.redact(&mut whole);
            for at in 0..=text.len() {
                let (one, other) = text.as_bytes().split_at(at);
                assert_eq!(streamed(&redactor, &[one, other]), whole, "{name} of {secret:?} cut at {at}");
            }
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(streamed(&redactor, &bytes), whole, "{name} of {secret:?}, byte by byte");
        }
    }
}

#[test]
fn a_stream_holds_no_more_back_than_may_be_part_of_a_secret() {
    let redactor = knowing(&["Jk3-xQ9_Zr7.Lm2", "correct horse battery staple"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    stream.push(b"a line of a log, as there are many\n", &mut out);
    assert!(out.starts_with(b"a line of a log, as there"), "{}", String::from_utf8_lossy(&out));
    stream.pause(&mut out);
    assert_eq!(out, b"a line of a log, as there are many\n");
    out.clear();
    stream.push(b"then: Jk3-xQ9", &mut out);
    stream.pause(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "then: ");
    stream.push(b"_Zr7.Lm2, and so on", &mut out);
    stream.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "then: ••••••, and so on");
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let redactor = knowing(&["Jk3-xQ9_Zr7.Lm2"]);
    let noise = Random(5).bytes(100_000);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for piece in noise.chunks(777) {
        stream.push(piece, &mut out);
    }
    stream.finish(&mut out);
    assert!(out == noise);
}

#[test]
fn secrets_may_be_learned_while_texts_are_redacted() {
    let redactor = Redactor::default();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let redactor = &redactor;
            scope.spawn(move || {
                for n in 0..50 {
                    let secret = format!("thread-{thread}-secret-{n}-{}", n * 7919);
                    redactor.learn(&secret);
                    let mut text = format!("here: {secret}.");
                    assert!(redactor.redact(&mut text));
                    assert_eq!(text, "here: ••••••.");
                }
            });
        }
    });
}

#[test]
fn whoever_was_not_kept_waiting_gets_the_rest_once() {
    // What is written at a pause is not taken back, however little comes next and wherever in a character it ends.
    let secret = "correct-ключ-battery";
    let redactor = knowing(&[secret]);
    let text = format!("hello\n\nпривет, {secret} and aGVsbG8gd29ybGQ=\n.\n");
    for cut in 1..9 {
        for every in 1..5 {
            let (mut stream, mut out) = (redactor.stream(), Vec::new());
            for (number, piece) in text.as_bytes().chunks(cut).enumerate() {
                stream.push(piece, &mut out);
                if number % every == 0 {
                    stream.pause(&mut out);
                }
            }
            stream.finish(&mut out);
            let out = String::from_utf8(out).unwrap();
            assert!(out.starts_with("hello\n\nпривет, "), "{cut} {every}: {out}");
            assert!(out.ends_with(" and aGVsbG8gd29ybGQ=\n.\n"), "{cut} {every}: {out}");
            assert!(!out.contains("battery") && out.contains(MASK), "{cut} {every}: {out}");
        }
    }
}
