//! Values that look like secrets, by their name or by what they are.

/// A variable says by its name what it holds.
const NAMES: &[&str] = &["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "CREDENTIAL"];

/// The secret in a variable: all of it by its name, or the password of a URL.
pub fn secret_in<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    let name = name.to_ascii_uppercase();
    if NAMES.iter().any(|word| name.contains(word)) { Some(value) } else { password_of_url(value) }
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
        assert_eq!(secret_in("API_KEY", "short"), Some("short"));
    }
}
