//! Which name was meant.

use super::Failure;

/// From 0 for nothing alike to 1 for the same.
const ALIKE: f64 = 0.65;

/// The candidate that `name` is most likely a misspelling of.
pub fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(name);
    let scored = candidates.into_iter().filter(|candidate| *candidate != name).map(|candidate| {
        let other = plain(candidate);
        let distance = strsim::osa_distance(&wanted, &other);
        let longest = wanted.chars().count().max(other.chars().count()).max(1);
        #[allow(clippy::cast_precision_loss)] // names are short
        let mut likeness = 1.0 - distance as f64 / longest as f64;
        // One slip is much of a short name.
        if distance <= 1 && longest > 1 {
            likeness = likeness.max(ALIKE);
        }
        // A beginning in common counts for much; without one, short names are alike by chance.
        if wanted.chars().next() == other.chars().next() {
            likeness = likeness.max(strsim::jaro_winkler(&wanted, &other) - 0.15);
        }
        (likeness, candidate)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))?;
    (best.0 >= ALIKE).then_some(best.1)
}

impl Failure {
    /// Adds the name that was most likely meant, where there is one.
    #[must_use]
    pub fn did_you_mean<'n>(self, name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(name, candidates) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["zone", "http_check", "sleep", "step", "retry", "parallel", "compose", "up", "ps"];
        for (written, meant) in [
            ("http_chek", Some("http_check")),
            ("httpcheck", Some("http_check")),
            ("slepe", Some("sleep")),
            ("setp", Some("step")),
            ("paralell", Some("parallel")),
            ("composer", Some("compose")),
            ("sp", Some("ps")),
            ("x", None),
            ("on", None),
            ("deploy", None),
            ("banana", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
