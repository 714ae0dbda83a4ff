//! Environment values that look like secrets are masked in everything a run shows and stores of its calls.
//!
//! A variable says by its name what it holds. What a release needs to put a container back is kept apart from that, in
//! the list of releases, and is whole.

use crate::primitive::Context;

const NAMES: &[&str] = &["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "CREDENTIAL"];

/// Shorter values are words that stand in harmless places too.
const SHORTEST: usize = 8;

/// Masks from now on what these variables hold, if it looks like a secret.
pub(super) fn mask<'v>(context: &Context<'_>, variables: impl Iterator<Item = (&'v str, &'v str)>) {
    for (name, value) in variables {
        if let Some(secret) = secret_in(name, value) {
            context.services.mask(secret);
        }
    }
}

/// The secret in a variable: all of it by its name, or the password of a URL.
fn secret_in<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    let name = name.to_ascii_uppercase();
    let secret = if NAMES.iter().any(|word| name.contains(word)) { Some(value) } else { password_of_url(value) };
    secret.filter(|secret| secret.len() >= SHORTEST)
}

/// `pw` in `postgresql://user:pw@host/db`.
fn password_of_url(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_as_the_password_of_a_url() {
        assert_eq!(secret_in("POSTGRES_PASSWORD", "correct-horse"), Some("correct-horse"));
        assert_eq!(secret_in("jwt_secret_key", "0123456789"), Some("0123456789"));
        assert_eq!(secret_in("DATABASE_URL", "postgresql://shop:s3cret-pw@db:5432/shop"), Some("s3cret-pw"));
        assert_eq!(secret_in("REDIS_URL", "redis://redis:6379/0"), None);
        assert_eq!(secret_in("POSTGRES_USER", "administrator"), None);
        assert_eq!(secret_in("API_KEY", "short"), None);
    }
}
