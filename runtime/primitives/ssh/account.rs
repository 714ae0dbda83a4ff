use std::collections::BTreeSet;

use super::thing::{Made, Thing, line, lines};
use super::{method, needs, touches_part};
use crate::drivers::ssh::{PublicKey, quoted};
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FailureKind, Need, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.user`.
    pub struct Options {
        /// Groups the user must be in; the groups must be there. Others the user is in are left alone.
        groups: Vec<String>,
        /// The login shell. Without it an existing user keeps its own and a new one gets the system's usual one.
        shell: Option<String>,
        /// The home folder of a new user.
        home: Option<String>,
        /// A new user is one for a service: a low number, and no home unless `home` says one.
        system: bool = false,
        /// Public keys that may log in as the user. Others that may are left alone.
        keys: Vec<String>,
    }
}

/// Makes sure that there is a user.
pub const USER: Made<User> = Made::METHOD;

/// A user and what belongs to it.
pub struct User {
    name: String,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "user",
        &[Arg::new("name", Ty::Str, "The user's name.")],
        "Makes sure that there is a user, in these groups and with these keys. Returns whether there was something to do.",
        r#"ssh("web-1").user("deploy", #{ groups: ["docker"], keys: [file("deploy.pub").read()] });"#,
    )
};

/// What `useradd` takes on every system.
fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    name.len() <= 32 && name.starts_with(first) && name.chars().all(rest)
}

impl Thing for User {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        let mut options: Options = call.options()?;
        for name in options.groups.iter().map(String::as_str).chain([call.str(0)]) {
            if !is_name(name) {
                return Err(Failure::new(
                    FailureKind::Argument,
                    format!("`{name}` cannot be the name of a user or group"),
                ));
            }
        }
        for key in &mut options.keys {
            *key = key.trim().to_owned();
            let wrong = |why| Failure::new(FailureKind::Option, format!("option `keys`: {why}"));
            PublicKey::parse(key).map_err(wrong)?;
        }
        Ok(Self { name: call.str(0).to_owned(), options })
    }

    fn shown(call: &Call) -> String {
        format!("user {}", call.str(0))
    }

    /// Whoever may add a user may run anything.
    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::command("useradd")])
    }

    fn touches(call: &Call) -> Touches {
        touches_part(call, "users")
    }

    fn names(&self) -> Vec<String> {
        vec![self.what()]
    }

    fn look(&self) -> String {
        let name = &self.name;
        format!(
            "command -v useradd >/dev/null || PATH=$PATH:/usr/sbin:/sbin\n\
             for needed in useradd usermod getent; do command -v $needed >/dev/null || lacks $needed; done\n\
             if entry=$(getent passwd {name}); then\n\
             printf 'user %s\\n' \"$entry\"; printf 'groups %s\\n' \"$(id -nG {name})\"\n\
             home=$(printf %s \"$entry\" | cut -d : -f 6)\n\
             if [ -e \"$home/.ssh/authorized_keys\" ]; then sed 's/^/key /' \"$home/.ssh/authorized_keys\"; fi\n\
             fi\nfinish done"
        )
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        let what = self.what();
        let Some(entry) = line(seen, "user") else { return Ok(vec![Change::new(Action::Create, what)]) };
        let mut change = Change::new(Action::Update, what);
        let shell = entry.rsplit(':').next().unwrap_or_default();
        if let Some(wanted) = self.options.shell.as_ref().filter(|wanted| *wanted != shell) {
            change = change.detail(format!("shell: {shell} → {wanted}"));
        }
        for group in self.missing_groups(seen) {
            change = change.detail(format!("group: {group}"));
        }
        for key in self.missing_keys(seen) {
            let shown = key.split_whitespace().nth(2).unwrap_or("one without a name");
            change = change.detail(format!("key: {shown}"));
        }
        Ok((!change.detail.is_empty()).then_some(change).into_iter().collect())
    }

    fn make(&self, seen: &str) -> String {
        let name = &self.name;
        let mut text = "PATH=$PATH:/usr/sbin:/sbin\n".to_owned();
        if line(seen, "user").is_none() {
            text.push_str("useradd");
            let has_home = !self.options.system || self.options.home.is_some();
            text.push_str(if has_home { " --create-home" } else { " --no-create-home" });
            text.push_str(if self.options.system { " --system" } else { "" });
            if let Some(home) = &self.options.home {
                text.push_str(&format!(" --home-dir {}", quoted(home)));
            }
            if let Some(shell) = &self.options.shell {
                text.push_str(&format!(" --shell {}", quoted(shell)));
            }
            text.push_str(&format!(" {name}\n"));
        } else if let Some(shell) = &self.options.shell {
            text.push_str(&format!("usermod --shell {} {name}\n", quoted(shell)));
        }
        let groups = self.missing_groups(seen);
        if !groups.is_empty() {
            text.push_str(&format!("usermod --append --groups {} {name}\n", groups.join(",")));
        }
        let keys = self.missing_keys(seen);
        if !keys.is_empty() {
            text.push_str(&format!(
                "home=$(getent passwd {name} | cut -d : -f 6)\ngroup=$(id -g {name})\numask 077\n\
                 mkdir -p -- \"$home/.ssh\"\nfile=$home/.ssh/authorized_keys\n\
                 if [ -s \"$file\" ] && [ -n \"$(tail -c 1 \"$file\")\" ]; then echo >>\"$file\"; fi\n"
            ));
            for key in keys {
                text.push_str(&format!("printf '%s\\n' {} >>\"$file\"\n", quoted(key)));
            }
            text.push_str(&format!("chown {name}:\"$group\" \"$home/.ssh\" \"$file\"\nchmod 600 \"$file\"\n"));
        }
        text
    }
}

impl User {
    /// What its changes are changes of.
    fn what(&self) -> String {
        format!("user {}", self.name)
    }

    fn missing_groups(&self, seen: &str) -> Vec<&str> {
        let has: BTreeSet<&str> = line(seen, "groups").unwrap_or_default().split(' ').collect();
        self.options.groups.iter().map(String::as_str).filter(|group| !has.contains(group)).collect()
    }

    /// Two lines are the same key whatever their comments and options.
    fn missing_keys(&self, seen: &str) -> Vec<&str> {
        let blob = |key: &str| key.split_whitespace().find(|word| word.starts_with("AAAA")).map(str::to_owned);
        let has: BTreeSet<String> = lines(seen, "key").filter_map(blob).collect();
        let is_missing = |key: &&str| blob(key).is_none_or(|blob| !has.contains(&blob));
        self.options.keys.iter().map(String::as_str).filter(is_missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_that_a_shell_or_useradd_would_take_for_something_else_are_refused() {
        assert!(is_name("deploy") && is_name("_apt") && is_name("web-1"));
        assert!(!is_name("-r") && !is_name("") && !is_name("a b") && !is_name("a;b") && !is_name("Root"));
    }
}
