//! Whole runbooks: correct ones, and ones with a mistake as people make them.

use std::fs;
use std::path::PathBuf;

use super::{check_text, environments, line, project};

fn scripts(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(project().join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn nothing_is_found_in_correct_runbooks() {
    let all = scripts("correct");
    assert!(all.len() >= 20, "{} correct runbooks", all.len());
    let mut wrong = Vec::new();
    for (path, text) in &all {
        for names in [&["prod"][..], &["demo"], &["demo", "prod"], &[]] {
            let found = check_text(text, &environments(names)).findings;
            let name = path.file_name().unwrap().display();
            wrong.extend(
                found.iter().map(|finding| format!("{name} for {names:?}: {} {}", finding.file, line(finding))),
            );
        }
    }
    eprintln!("{} correct runbooks, {} false alarms", all.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first line says what is wrong: `// mistake: words [code:line]`, or `[code:line code:line]` when one mistake is two.
fn expected(text: &str) -> (String, Vec<(String, usize)>) {
    let first = text.lines().next().unwrap();
    let (words, places) = first.strip_prefix("// mistake: ").unwrap().rsplit_once(" [").unwrap();
    let places = places.trim_end_matches(']').split(' ').map(|place| {
        let (code, line) = place.split_once(':').unwrap();
        (code.to_owned(), line.parse().unwrap())
    });
    (words.to_owned(), places.collect())
}

#[test]
fn mistakes_are_found_where_they_are() {
    let all = scripts("mistakes");
    assert!(all.len() >= 60, "{} runbooks with a mistake", all.len());
    let (mut missed, mut extra) = (Vec::new(), Vec::new());
    for (path, text) in &all {
        let name = path.file_name().unwrap().display();
        let (words, places) = expected(text);
        let findings = check_text(text, &environments(&["prod"])).findings;
        let is_expected = |code: &str, line: usize| places.contains(&(code.to_owned(), line));
        if !findings.iter().any(|finding| is_expected(finding.code, finding.line)) {
            missed.push(format!("{name}: {words}"));
        }
        let others = findings.iter().filter(|finding| !is_expected(finding.code, finding.line));
        extra.extend(others.map(|finding| format!("{name}: {} {}", finding.file, line(finding))));
    }
    eprintln!(
        "{} of {} mistakes found{}{}",
        all.len() - missed.len(),
        all.len(),
        if missed.is_empty() { "" } else { "; missed:\n  " },
        missed.join("\n  ")
    );
    assert!(extra.is_empty(), "found besides the mistake:\n{}", extra.join("\n"));
    assert!(missed.len() * 10 <= all.len(), "more than one in ten missed");
}
