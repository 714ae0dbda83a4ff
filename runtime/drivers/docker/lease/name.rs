//! What the container of a lock is called.

use sha2::{Digest, Sha256};

/// What every lock's container name begins with.
const PREFIX: &str = "runbook-lock-";
/// A readable length; the engine allows more.
const LONGEST: usize = 100;

/// The container name of a lock. Two locks do not share one: where the lock's name is not a container name as it is, a
/// part of its checksum follows.
pub(super) fn container_name(lock: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !lock.is_empty() && lock.len() <= LONGEST && lock.chars().all(plain) {
        return format!("{PREFIX}{lock}");
    }
    let readable: String = lock.chars().take(LONGEST).map(|c| if plain(c) { c } else { '-' }).collect();
    let mut name = format!("{PREFIX}{readable}.");
    Sha256::digest(lock.as_bytes()).iter().take(4).for_each(|byte| name.push_str(&format!("{byte:02x}")));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_locks_never_share_a_container_name() {
        assert_eq!(container_name("shop-1.prod_eu"), "runbook-lock-shop-1.prod_eu");
        assert_eq!(container_name("deploy/prod"), "runbook-lock-deploy-prod.1a7b4df2");
        assert_ne!(container_name("deploy/prod"), container_name("deploy-prod"));
        assert_ne!(container_name("deploy/prod"), container_name("deploy prod"));
        assert!(container_name("").starts_with("runbook-lock-."));
        let long = "ü".repeat(300);
        assert!(container_name(&long).len() < 130 && container_name(&long).is_ascii());
        assert_ne!(container_name(&long), container_name(&"ü".repeat(301)));
    }
}
