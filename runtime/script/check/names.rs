//! Names: which one was meant, and how a list of them is written.

/// The candidate that `name` is most likely a misspelling of.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(name);
    let scored = candidates.into_iter().filter(|candidate| *candidate != name).map(|candidate| {
        let other = plain(candidate);
        let distance = strsim::osa_distance(&wanted, &other);
        let longest = wanted.chars().count().max(other.chars().count()).max(1);
        #[allow(clippy::cast_precision_loss)] // names are short
        let likeness = 1.0 - distance as f64 / longest as f64;
        (likeness.max(strsim::jaro_winkler(&wanted, &other) - 0.15), candidate)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))?;
    (best.0 >= 0.6).then_some(best.1)
}

/// `a`, `b` and `c`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 argument`, `2 arguments`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Is this a name a script can write (not an operator or a generated one)?
pub(super) fn is_word(name: &str) -> bool {
    name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["http_check", "sleep", "step", "retry", "parallel", "compose", "up", "ps"];
        for (written, meant) in [
            ("http_chek", Some("http_check")),
            ("httpcheck", Some("http_check")),
            ("slepe", Some("sleep")),
            ("setp", Some("step")),
            ("paralell", Some("parallel")),
            ("composer", Some("compose")),
            ("deploy", None),
            ("banana", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
