use std::sync::RwLock;

/// What stands where a secret stood.
const MASK: &str = "••••••";

/// Shorter texts are too likely to be part of something harmless.
const SHORTEST: usize = 4;

/// The choke point through which everything passes on its way out of a run: it masks every secret it was told of.
#[derive(Default)]
pub struct Redactor {
    secrets: RwLock<Vec<String>>,
}

impl Redactor {
    /// Masks this text from now on. Each line of a text of several lines is masked on its own as well.
    pub fn learn(&self, secret: &str) {
        let Ok(mut secrets) = self.secrets.write() else { return };
        for part in std::iter::once(secret).chain(secret.lines()) {
            if part.len() >= SHORTEST && !secrets.iter().any(|known| known == part) {
                secrets.push(part.to_owned());
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Is there anything to mask?
    pub fn is_idle(&self) -> bool {
        self.secrets.read().is_ok_and(|secrets| secrets.is_empty())
    }

    /// Masks every secret in the text.
    pub fn redact(&self, text: &mut String) {
        let Ok(secrets) = self.secrets.read() else {
            MASK.clone_into(text);
            return;
        };
        for secret in secrets.iter() {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), MASK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_secret_is_masked_before_one_it_contains() {
        let redactor = Redactor::default();
        redactor.learn("hunter");
        redactor.learn("hunter22-long");
        let mut text = "a hunter22-long b hunter c".to_owned();
        redactor.redact(&mut text);
        assert_eq!(text, "a •••••• b •••••• c");
    }
}
