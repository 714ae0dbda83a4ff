//! How long a check takes. Measured and printed, never judged: `cargo test --release --test tests check::speed -- --nocapture`.

use std::time::Instant;

use super::{check_text, environments, project};

#[test]
fn how_long_four_hundred_lines_take() {
    let folder = project().join("correct");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    // The runbooks one after the other, each in a block of its own so that names and steps do not meet.
    let mut text = String::new();
    for path in names {
        let script = std::fs::read_to_string(path).unwrap();
        if script
            .lines()
            .any(|line| line.starts_with("fn ") || line.starts_with("import ") || line.starts_with("const "))
        {
            continue;
        }
        text.push_str(&format!("{{\n{script}\n}}\n"));
    }
    while text.lines().count() < 400 {
        text = format!("{text}\n{text}");
    }
    let text: String = text.replace("//!", "//");
    let environments = environments(&["prod"]);
    let rounds = 10;
    check_text(&text, &environments);
    let began = Instant::now();
    for _ in 0..rounds {
        check_text(&text, &environments);
    }
    let each = began.elapsed() / rounds;
    eprintln!(
        "{} lines checked in {each:?} ({} build)",
        text.lines().count(),
        if cfg!(debug_assertions) { "debug" } else { "release" }
    );
}
