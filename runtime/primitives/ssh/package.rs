use std::collections::BTreeMap;
use std::time::Duration;

use super::thing::{Made, Thing, lines};
use super::{method, needs, touches_part};
use crate::drivers::ssh::quoted;
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FailureKind, Need, Span, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.package`.
    pub struct Options {
        /// They must not be there: they are removed, and their configuration is kept.
        absent: bool = false,
        /// Also install what the packages recommend.
        recommends: bool = true,
        /// How old the lists of what there is may be; older ones are fetched again before something is installed.
        lists: Span = Span::seconds(86_400),
        /// How long it may take, waiting for another `apt` included.
        timeout: Span = Span::seconds(900),
    }
}

/// Makes sure that Debian packages are installed.
pub const PACKAGE: Made<Package> = Made::METHOD;

/// Packages: each by its name, with a version where one is asked for.
pub struct Package {
    wanted: Vec<(String, Option<String>)>,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "packages",
        &[Arg::new("names", Ty::Strings, "Debian packages: `nginx`, or `nginx=1.22.1-9` for that very version.")],
        "Makes sure that packages are installed, with `apt`. Returns whether there was something to do.",
        r#"ssh("web-1").packages(["nginx", "curl"], #{ recommends: false });"#,
    )
};

impl Thing for Package {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        let mut wanted = Vec::new();
        for text in call.strings(0) {
            let (name, version) = text.split_once('=').map_or((&*text, None), |(name, version)| (name, Some(version)));
            let of = |text: &str, more: &str| {
                text.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
            };
            if !of(name, "+.-") || version.is_some_and(|version| !of(version, "+.-:~")) {
                return Err(Failure::new(FailureKind::Argument, format!("`{text}` cannot be the name of a package")));
            }
            wanted.push((name.to_owned(), version.map(str::to_owned)));
        }
        if wanted.is_empty() {
            return Err(Failure::new(FailureKind::Argument, "argument `names` names no package"));
        }
        Ok(Self { wanted, options: call.options()? })
    }

    fn shown(call: &Call) -> String {
        format!("packages {}", call.strings(0).join(" "))
    }

    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::command("apt-get")])
    }

    fn touches(call: &Call) -> Touches {
        touches_part(call, "packages")
    }

    fn names(&self) -> Vec<String> {
        self.wanted.iter().map(|(name, _)| format!("package {name}")).collect()
    }

    fn look(&self) -> String {
        let names: Vec<String> = self.wanted.iter().map(|(name, _)| quoted(name)).collect();
        format!(
            "command -v dpkg-query >/dev/null || {{ finish failed 'it has no `dpkg`: `packages` is for Debian and Ubuntu'; exit; }}\n\
             dpkg-query -W -f 'package ${{db:Status-Status}} ${{Package}} ${{Version}}\\n' -- {} 2>/dev/null\nfinish done",
            names.join(" ")
        )
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        let installed = installed(seen);
        let changes = self.wanted.iter().filter_map(|(name, version)| {
            let what = format!("package {name}");
            match (installed.get(name.as_str()), self.options.absent) {
                (None, true) => None,
                (Some(_), true) => Some(Change::new(Action::Remove, what)),
                (None, false) => Some(Change::new(Action::Create, what)),
                (Some(now), false) => {
                    let wanted = version.as_deref().filter(|wanted| wanted != now)?;
                    Some(Change::new(Action::Update, what).detail(format!("version: {now} → {wanted}")))
                }
            }
        });
        Ok(changes.collect())
    }

    fn make(&self, seen: &str) -> String {
        let (installed, absent) = (installed(seen), self.options.absent);
        let is_open = |(name, version): &&(String, Option<String>)| match installed.get(name.as_str()) {
            Some(now) => absent || version.as_deref().is_some_and(|wanted| wanted != *now),
            None => !absent,
        };
        let named = |(name, version): &(String, Option<String>)| {
            quoted(
                &version
                    .as_ref()
                    .filter(|_| !absent)
                    .map_or_else(|| name.clone(), |version| format!("{name}={version}")),
            )
        };
        let names: Vec<String> = self.wanted.iter().filter(is_open).map(named).collect();
        let names = names.join(" ");
        let mut text = "export DEBIAN_FRONTEND=noninteractive\nPATH=$PATH:/usr/sbin:/sbin\n\
                        apt() { apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \
                        -o Dpkg::Options::=--force-confold \"$@\" </dev/null; }\n"
            .to_owned();
        if absent {
            text.push_str(&format!("apt remove -- {names}\n"));
            return text;
        }
        let minutes = self.options.lists.0.as_secs() / 60;
        let recommends = if self.options.recommends { "" } else { " --no-install-recommends" };
        text.push_str(&format!(
            "cache=$(apt-config shell cache Dir::Cache::pkgcache/f | cut -d \"'\" -f 2)\n\
             if [ -z \"$(find \"${{cache:-/var/cache/apt/pkgcache.bin}}\" -mmin -{minutes} 2>/dev/null)\" ]; then apt update; fi\n\
             apt install --allow-downgrades{recommends} -- {names}\n"
        ));
        text
    }

    fn timeout(&self) -> Duration {
        self.options.timeout.0
    }
}

/// The packages that are installed, with their versions.
fn installed(seen: &str) -> BTreeMap<&str, &str> {
    let words = lines(seen, "package").map(|line| line.split(' ').collect::<Vec<_>>());
    words
        .filter(|words| words.first() == Some(&"installed"))
        .filter_map(|words| Some((*words.get(1)?, *words.get(2)?)))
        .collect()
}
