//! The short syntax of volumes: `[SOURCE:]TARGET[:OPTIONS]`.

/// What a short volume says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub source: String,
    pub target: String,
    pub read_only: bool,
    pub no_copy: bool,
    pub propagation: String,
    pub selinux: String,
    /// A path of the host, not the name of a volume?
    pub is_bind: bool,
    /// Options that mean nothing, in their order.
    pub unknown: Vec<String>,
}

/// Reads a short volume.
pub fn parse(text: &str) -> Result<Spec, String> {
    let parts = split(text);
    if parts.iter().any(|part| part.is_empty()) {
        return Err(match text {
            "" => "is empty".to_owned(),
            _ => format!("`{text}` has nothing before or after a colon"),
        });
    }
    let (source, target, options) = match parts.as_slice() {
        [target] => ("", *target, ""),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(format!("`{text}` has too many colons")),
    };
    let mut spec =
        Spec { source: source.to_owned(), target: clean(target), is_bind: is_path(source), ..Spec::default() };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => spec.read_only = true,
            "rw" => spec.read_only = false,
            "nocopy" => spec.no_copy = true,
            "z" | "Z" => option.clone_into(&mut spec.selinux),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                option.clone_into(&mut spec.propagation);
            }
            _ => spec.unknown.push(option.to_owned()),
        }
    }
    Ok(spec)
}

/// A path without `.`, `..`, doubled and trailing slashes, resolved by its text alone.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Splits at colons, except the one of a Windows drive.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(':') {
        let part = &text[start..at];
        let is_drive = part.len() == 1 && part.chars().all(char::is_alphabetic) && text.len() > 2;
        if !is_drive {
            parts.push(part);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

fn is_path(source: &str) -> bool {
    let drive = source.as_bytes();
    source.starts_with(['.', '/', '~'])
        || source.starts_with(r"\\")
        || (drive.len() > 1 && drive[0].is_ascii_alphabetic() && drive[1] == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_volume_is_read() {
        let data = parse("data:/var/lib/data:ro,nocopy").unwrap();
        assert_eq!((data.source.as_str(), data.target.as_str()), ("data", "/var/lib/data"));
        assert!(data.read_only && data.no_copy && !data.is_bind);
        assert!(parse("./site:/srv:z").unwrap().is_bind);
        assert_eq!(parse("/cache/").unwrap().target, "/cache");
        assert_eq!(parse("data:/srv:fast").unwrap().unknown, ["fast"]);
        assert_eq!(parse(r"C:\data:/data").unwrap().source, r"C:\data");
    }

    #[test]
    fn a_wrong_volume_says_what_is_wrong() {
        assert_eq!(parse(":/srv").unwrap_err(), "`:/srv` has nothing before or after a colon");
        assert_eq!(parse("data:/b:ro:more").unwrap_err(), "`data:/b:ro:more` has too many colons");
        assert_eq!(parse("").unwrap_err(), "is empty");
    }

    #[test]
    fn paths_are_cleaned_by_their_text() {
        for (path, cleaned) in [("/a/../b/./c/", "/b/c"), ("a/b/../../..", ".."), ("./", "."), ("/..", "/")] {
            assert_eq!(clean(path), cleaned);
        }
    }
}
