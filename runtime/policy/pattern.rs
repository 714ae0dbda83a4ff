use std::path::{Component, Path, PathBuf};

/// Does a text have the form of a pattern, in which `*` stands for any letters but those of `stops`, and `**` for any?
pub(super) fn matches(pattern: &str, text: &str, stops: &[char]) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Which beginnings of the pattern fit what was read of the text so far: no backtracking, whatever the pattern.
    let mut fits = vec![false; pattern.len() + 1];
    fits[0] = true;
    skip_stars(&pattern, &mut fits);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate().filter(|(at, _)| fits[*at]) {
            let doubled = *wanted == '*' && (pattern.get(at + 1) == Some(&'*') || (at > 0 && pattern[at - 1] == '*'));
            if *wanted == '*' {
                next[at] |= doubled || !stops.contains(&letter);
            } else {
                next[at + 1] |= *wanted == letter;
            }
        }
        skip_stars(&pattern, &mut next);
        fits = next;
    }
    fits[pattern.len()]
}

/// A star may stand for nothing.
fn skip_stars(pattern: &[char], fits: &mut [bool]) {
    for (at, letter) in pattern.iter().enumerate() {
        if *letter == '*' && fits[at] {
            fits[at + 1] = true;
        }
    }
}

/// Is the text a pattern and not a plain name?
pub(super) fn is_open(text: &str) -> bool {
    text.contains('*')
}

/// Does a name fit? `*` stands for any letters.
///
/// An engine takes the beginning of an id for a name: what looks like one fits only a pattern that says it or fits all.
pub(super) fn name(pattern: &str, name: &str, may_be_id: bool) -> bool {
    let is_id = may_be_id && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id && pattern != "*" { pattern == name } else { matches(pattern, name, &[]) }
}

/// Does a program fit? One that is named by a path is another than one that is searched for.
pub(super) fn program(pattern: &str, program: &str) -> bool {
    let settled = |text: &str| match text.contains('/') {
        true if text.starts_with('/') => folded(Path::new(text)).to_string_lossy().into_owned(),
        true => format!("./{}", folded(Path::new(text)).display()),
        false => text.to_owned(),
    };
    pattern == "*" || matches(&settled(pattern), &settled(program), &['/'])
}

/// Does a path fit? A path covers all that is in it; `*` stands for letters of one name, `**` for any path.
pub(super) fn path(root: &Path, pattern: &str, path: &str) -> bool {
    let pattern = absolute(root, pattern);
    let path = absolute(root, path);
    let pattern = pattern.strip_suffix("/**").filter(|front| !front.is_empty()).unwrap_or(&pattern).to_owned();
    let within = format!("{}/**", pattern.trim_end_matches('/'));
    matches(&pattern, &path, &['/']) || matches(&within, &path, &['/'])
}

/// The folder that a fitting path must not leave: what the pattern says before its first star, or for a single file the
/// folder it is in.
pub(super) fn fixed_folder(root: &Path, pattern: &str, path: &str) -> PathBuf {
    let pattern = absolute(root, pattern);
    let fixed: PathBuf = Path::new(&pattern).iter().take_while(|part| !is_open(&part.to_string_lossy())).collect();
    let is_itself = fixed == Path::new(&absolute(root, path));
    if is_itself { fixed.parent().map(Path::to_path_buf).unwrap_or(fixed) } else { fixed }
}

fn absolute(root: &Path, path: &str) -> String {
    folded(&root.join(path)).to_string_lossy().into_owned()
}

/// The path without `.` and `..`, by its text alone. A relative one that climbs out keeps what it climbs.
fn folded(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if folded.file_name().is_some() => {
                folded.pop();
            }
            Component::ParentDir if folded.has_root() => {}
            other => folded.push(other),
        }
    }
    folded
}

/// Does a URL fit? Scheme and port are those of the pattern, in the host `*` stands for any letters, and a path covers
/// all that is below it. The URL is in the form of its standard: lower case, the usual port left out, no `..`.
pub(super) fn url(pattern: &str, url: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (Some(pattern), Some(url)) = (Url::split(pattern), Url::split(url)) else { return false };
    let path = url.path.split(['?', '#']).next().unwrap_or_default();
    let below = format!("{}/**", pattern.path.trim_end_matches('/'));
    pattern.scheme == url.scheme
        && matches(&pattern.host.to_ascii_lowercase(), url.host, &['/', ':'])
        && (pattern.port == "*" || pattern.port == url.port)
        && (pattern.path.is_empty() || matches(pattern.path, path, &['/']) || matches(&below, path, &['/']))
}

/// Does a pattern name this very host, without a star?
pub(super) fn names_host(pattern: &str, host: &str) -> bool {
    Url::split(pattern).is_some_and(|pattern| !is_open(pattern.host) && pattern.host.eq_ignore_ascii_case(host))
}

/// The parts of a URL, or of a pattern for one.
struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let usual = if scheme == "https" { "443" } else { "80" };
        let bracket = authority.rfind(']').unwrap_or_default();
        let (host, port) = match authority.rfind(':').filter(|colon| *colon >= bracket) {
            Some(colon) => (&authority[..colon], &authority[colon + 1..]),
            None => (authority, usual),
        };
        (!host.is_empty()).then_some(Self { scheme, host, port, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_letters_and_stop_where_they_must() {
        for (pattern, text, fits) in [
            ("web-*", "web-1", true),
            ("web-*", "web-", true),
            ("web-*", "db-1", false),
            ("*", "", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("a/*", "a/b/c", false),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text, &['/']), fits, "{pattern} {text}");
        }
        let long = "a".repeat(5_000);
        assert!(!matches(&"a*".repeat(40), &format!("b{long}"), &[]), "and takes no time over it");
    }

    #[test]
    fn what_may_be_the_beginning_of_an_id_fits_no_other_pattern() {
        assert!(name("shop-*", "shop-web-1", true));
        assert!(!name("f*", "fade", true) && name("f*", "fade", false));
        assert!(name("*", "fade", true) && name("fade", "fade", true));
    }

    #[test]
    fn a_program_by_its_path_is_another_than_one_that_is_searched_for() {
        assert!(program("git", "git") && !program("git", "./git") && !program("git", "/tmp/git"));
        assert!(program("scripts/*.sh", "./scripts/up.sh") && !program("scripts/*", "scripts/../../bin/sh"));
        assert!(program("/usr/bin/git", "/usr/bin/../bin/git") && !program("*.sh", "bin/x.sh"));
        assert!(program("*", "/bin/sh"));
    }

    #[test]
    fn a_path_covers_what_is_in_it_and_nothing_beside() {
        let root = Path::new("/project");
        for (pattern, asked, fits) in [
            ("config/**", "config/app.toml", true),
            ("config/**", "config", true),
            ("config", "config/a/b", true),
            ("config", "configs/a", false),
            ("config/*", "config/a", true),
            ("config/*.toml", "config/a/b.toml", false),
            ("config/**", "config/../secrets/x", false),
            ("config/**", "/etc/passwd", false),
            ("/srv/www/**", "/srv/www/index.html", true),
            ("/srv/www/**", "/srv/www2/index.html", false),
            ("/srv/www/**", "/srv/www/../../etc/passwd", false),
            ("/srv/www/**", "../srv/www/x", true),
            ("**", "a/b", true),
            ("**", "/etc/passwd", false),
            ("/**", "/etc/passwd", true),
            (".", "a/b", true),
        ] {
            assert_eq!(path(root, pattern, asked), fits, "{pattern} {asked}");
        }
        assert_eq!(fixed_folder(root, "/srv/www/**", "/srv/www/a/b"), Path::new("/srv/www"));
        assert_eq!(fixed_folder(root, "conf/*.toml", "conf/a.toml"), Path::new("/project/conf"));
        assert_eq!(fixed_folder(root, "conf/a.toml", "conf/a.toml"), Path::new("/project/conf"));
    }

    #[test]
    fn a_url_fits_by_scheme_host_port_and_path() {
        for (pattern, asked, fits) in [
            ("https://shop.test", "https://shop.test/health?x=1", true),
            ("https://shop.test", "http://shop.test/", false),
            ("https://shop.test", "https://shop.test:8443/", false),
            ("https://shop.test:*", "https://shop.test:8443/", true),
            ("https://*.shop.test", "https://api.shop.test/", true),
            ("https://*.shop.test", "https://shop.test/", false),
            ("https://shop.test", "https://shop.test.evil.test/", false),
            ("https://shop.test", "https://evil.test/shop.test", false),
            ("https://shop.test/api", "https://shop.test/api/v1", true),
            ("https://shop.test/api", "https://shop.test/apix", false),
            ("http://[::1]:8000", "http://[::1]:8000/", true),
            ("http://127.0.0.1:8000", "http://127.0.0.1:80001/", false),
            ("*", "http://anything.test/", true),
        ] {
            assert_eq!(url(pattern, asked), fits, "{pattern} {asked}");
        }
        assert!(names_host("http://127.0.0.1:*", "127.0.0.1") && !names_host("http://*", "127.0.0.1"));
    }
}
