use std::fmt;

/// The bytes of a secret, as text. It is compared, shown and stored by nobody: whoever needs them says so with [`expose`].
///
/// [`expose`]: SecretText::expose
#[derive(Clone)]
pub struct SecretText {
    text: String,
    /// Where the part of it begins that nobody may know.
    hidden: usize,
}

impl SecretText {
    /// Takes over the text of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hidden: 0 }
    }

    /// The same, of which only what follows the last of these marks is to be masked: the rest says nothing that nobody may know.
    /// Without the mark, all of it is.
    pub fn hidden_behind(mut self, mark: &str) -> Self {
        self.hidden = self.text.rfind(mark).map_or(0, |at| at + mark.len());
        self
    }

    /// The part that is masked wherever it turns up.
    pub fn hidden(&self) -> &str {
        self.text.get(self.hidden..).filter(|hidden| !hidden.is_empty()).unwrap_or(&self.text)
    }

    /// The bytes themselves, for a sink that may have them.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Are both the same? Takes as long whatever they have in common.
    pub fn equals(&self, other: &Self) -> bool {
        let (a, b) = (self.text.as_bytes(), other.text.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••••")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = SecretText::new("correct-horse");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "•••••• Some(••••••)");
        assert_eq!(secret.expose(), "correct-horse");
    }

    #[test]
    fn of_a_secret_with_a_mark_only_what_follows_is_masked() {
        let hidden = |text: &str| SecretText::new(text).hidden_behind("sig=").hidden().to_owned();
        assert_eq!(hidden("https://x/a?sig=b&sig=0123"), "0123");
        assert_eq!(hidden("https://x/a"), "https://x/a");
        assert_eq!(hidden("https://x/a?sig="), "https://x/a?sig=");
    }

    #[test]
    fn secrets_are_compared_whole() {
        let secret = SecretText::new("correct-horse");
        assert!(secret.equals(&SecretText::new("correct-horse")));
        assert!(!secret.equals(&SecretText::new("correct-horsf")));
        assert!(!secret.equals(&SecretText::new("correct-horse-")));
    }
}
