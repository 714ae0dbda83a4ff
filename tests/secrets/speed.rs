//! How fast texts are redacted. Measured, not asserted: `--ignored --nocapture`, at a release build and real-time priority.

use std::fmt::Write;
use std::time::Instant;

use runbook::secrets::Redactor;

use super::encodings::{Random, base64, secrets};

const SIZE: usize = 16 << 20;

fn filled(mut line: impl FnMut(u64) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        text.push_str(&line(number));
    }
    text
}

#[test]
#[ignore = "measures"]
fn mebibytes_in_a_second() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let noise = base64(&random.bytes(57 * 100), *b"+/", true);
    let texts = [
        (
            "log lines",
            filled(|n| {
                format!(
                    "2026-11-20T11:04:{:02}Z INFO web-{} GET /api/v1/items/{n} 200 {}ms trace={:x}\n",
                    n % 60,
                    n % 7,
                    n % 900,
                    n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                )
            }),
        ),
        (
            "JSON lines",
            filled(|n| {
                format!(
                    "{{\"level\":\"info\",\"msg\":\"over \\\"the\\\" lazy dog\",\"path\":\"C:\\\\temp\\\\x{n}\",\"n\":{n}}}\n"
                )
            }),
        ),
        ("prose", filled(|_| include_str!("../../docs/tutorial.md").to_owned())),
        ("base64", filled(|n| noise[usize::try_from(n % 100).unwrap() * 76..][..76].to_owned() + "\n")),
    ];
    let mut table = String::new();
    // As `runbook secret generate` makes them, and keys and tokens; or with passwords that are made of what encoders change.
    for (kinds, is_wanted) in [
        ("generated", &(|kind: usize| matches!(kind, 0 | 1 | 2 | 4 | 8)) as &dyn Fn(usize) -> bool),
        ("any", &|_| true),
    ] {
        for many in [20, 200] {
            let redactor = Redactor::default();
            let all = secrets(&mut random, 2 * many).into_iter().enumerate();
            for (_, secret) in all.filter(|(number, _)| is_wanted(number % 10)).take(many) {
                redactor.learn(&secret);
            }
            for (name, text) in &texts {
                let began = Instant::now();
                let (mut stream, mut out) = (redactor.stream(), Vec::with_capacity(text.len() + 64));
                for piece in text.as_bytes().chunks(64 << 10) {
                    stream.push(piece, &mut out);
                }
                stream.finish(&mut out);
                let speed = 16.0 / began.elapsed().as_secs_f64();
                writeln!(table, "{many} {kinds} secrets, {name}: {speed:.0} MiB/s").unwrap();
            }
        }
    }
    eprint!("{table}");
}
