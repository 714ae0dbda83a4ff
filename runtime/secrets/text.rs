use std::fmt;

/// The bytes of a secret, as text. It is compared, shown and stored by nobody: whoever needs them says so with [`expose`].
///
/// [`expose`]: SecretText::expose
#[derive(Clone)]
pub struct SecretText(String);

impl SecretText {
    /// Takes over the text of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The bytes themselves, for a sink that may have them.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Are both the same? Takes as long whatever they have in common.
    pub fn equals(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
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
    fn secrets_are_compared_whole() {
        let secret = SecretText::new("correct-horse");
        assert!(secret.equals(&SecretText::new("correct-horse")));
        assert!(!secret.equals(&SecretText::new("correct-horsf")));
        assert!(!secret.equals(&SecretText::new("correct-horse-")));
    }
}
