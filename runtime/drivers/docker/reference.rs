use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};

/// The name of an image in a registry, always with a tag or a digest: pulling a bare name pulls every tag there is.
///
/// Written as people write it (`nginx`, `ghcr.io/acme/app:1.4`, `app@sha256:…`); grammar and defaults are those of
/// <https://github.com/distribution/reference>.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The registry's address: `docker.io`, `127.0.0.1:5000`.
    pub registry: String,
    /// The repository there: `library/nginx`.
    pub repository: String,
    /// The tag; `latest` when neither tag nor digest was written.
    pub tag: Option<String>,
    /// The digest: `sha256:…`.
    pub digest: Option<String>,
}

impl Reference {
    /// Parses a reference; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::new(FailureKind::Argument, format!("`{text}` is not the name of an image: {why}"))
                .hint("write `name:tag`, `registry/name:tag` or `name@sha256:…`")
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(wrong("the digest must be `sha256:` and 64 hexadecimal digits"));
        }
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has up to 128 letters, digits, `_`, `.` and `-`"));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        let repository = match repository.split_once('/') {
            None if registry == "docker.io" => format!("library/{repository}"),
            _ => repository,
        };
        if repository.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(wrong("upper-case letters are not allowed"));
        }
        if !repository.split('/').all(is_component) {
            return Err(wrong("a name has lower-case letters, digits and single `.`, `_`, `-` between them"));
        }
        let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { registry: registry.to_owned(), repository, tag, digest: digest.map(str::to_owned) })
    }

    /// The name without tag and digest, as people write it: `nginx`, `ghcr.io/acme/app`.
    pub fn name(&self) -> String {
        if self.registry == "docker.io" {
            return self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned();
        }
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository at another tag.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The same repository at this digest.
    pub fn with_digest(&self, digest: &str) -> Self {
        Self { tag: None, digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// `@sha256:…` or the tag: what a registry is asked for. A digest wins.
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())?;
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_tag(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with(['.', '-'])
}

fn is_component(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn what_people_write_gets_its_defaults() {
        for (written, registry, repository, version, shown) in [
            ("nginx", "docker.io", "library/nginx", "latest", "nginx:latest"),
            ("nginx:1.27", "docker.io", "library/nginx", "1.27", "nginx:1.27"),
            ("docker.io/nginx", "docker.io", "library/nginx", "latest", "nginx:latest"),
            ("acme/app:v1", "docker.io", "acme/app", "v1", "acme/app:v1"),
            ("ghcr.io/acme/app:v1", "ghcr.io", "acme/app", "v1", "ghcr.io/acme/app:v1"),
            ("127.0.0.1:5000/app", "127.0.0.1:5000", "app", "latest", "127.0.0.1:5000/app:latest"),
            ("localhost/app:1", "localhost", "app", "1", "localhost/app:1"),
        ] {
            let reference = Reference::parse(written).unwrap();
            assert_eq!(
                (reference.registry.as_str(), reference.repository.as_str(), reference.version()),
                (registry, repository, version),
            );
            assert_eq!(reference.to_string(), shown);
        }
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let reference = Reference::parse(&format!("acme/app:v1@{DIGEST}")).unwrap();
        assert_eq!(reference.version(), DIGEST);
        assert_eq!(reference.to_string(), format!("acme/app@{DIGEST}"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for wrong in ["", "Nginx", "a b", "app:", "app:-x", "app@sha256:12", "/app", "app/", "a//b", "..", "http://x/y"]
        {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
