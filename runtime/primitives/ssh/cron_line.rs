use super::thing::{Made, Thing, lines};
use super::{method, needs, touches_part};
use crate::drivers::ssh::quoted;
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FailureKind, Need, Spec, Touches, Ty};

crate::options! {
    /// Options of `ssh.cron_line`.
    pub struct Options {
        /// Whose table; whoever logs in when left out.
        user: Option<String>,
        /// It must not be there.
        absent: bool = false,
    }
}

/// Makes sure that a line is in a user's table of cron.
pub const CRON_LINE: Made<CronLine> = Made::METHOD;

/// A line, under a comment that names it.
pub struct CronLine {
    name: String,
    line: String,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "cron_line",
        &[
            Arg::new("name", Ty::Str, "By what the line is found again; a comment above it says it."),
            Arg::new("line", Ty::Str, "The line as crontab(5) has it: `17 3 * * * /usr/local/bin/clean-up`."),
        ],
        "Makes sure that a user's crontab has a line. Returns whether there was something to do.",
        r#"ssh("web-1").cron_line("clean up", "17 3 * * * /usr/local/bin/clean-up", #{ user: "deploy" });"#,
    )
};

/// What stands before the name in the comment.
const MARK: &str = "# runbook: ";

impl Thing for CronLine {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        let (name, line) = (call.str(0).to_owned(), call.str(1).trim().to_owned());
        let options: Options = call.options()?;
        let wrong = |what: &str| Err(Failure::new(FailureKind::Argument, what));
        if name.trim().is_empty() || name.contains(['\n', '\r', '\0']) {
            return wrong("argument `name` must be one line");
        }
        if line.is_empty() || line.contains(['\n', '\r', '\0']) || line.starts_with('#') {
            return wrong("argument `line` must be one line of a crontab");
        }
        if options.user.as_deref().is_some_and(|user| user.is_empty() || user.starts_with('-')) {
            return wrong("option `user` is no user");
        }
        Ok(Self { name, line, options })
    }

    fn shown(call: &Call) -> String {
        format!("cron line {}", call.str(0))
    }

    /// What is in a crontab can be any program.
    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::command("*")])
    }

    fn touches(call: &Call) -> Touches {
        touches_part(call, "cron")
    }

    fn names(&self) -> Vec<String> {
        vec![self.what()]
    }

    fn look(&self) -> String {
        format!(
            "command -v crontab >/dev/null || lacks crontab\n\
             if table=$({} -l 2>&1); then printf '%s\\n' \"$table\" | sed 's/^/line /'; finish done; exit; fi\n\
             # Busybox has these words for a user without a table.
             case $table in *'no crontab for'* | *\"can't open '\"*'No such file'*) finish done;; *) finish failed \"$table\";; esac",
            self.crontab()
        )
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        let what = self.what();
        let now = self.now(seen);
        Ok(match (now.as_deref(), self.options.absent) {
            (None, true) => Vec::new(),
            (Some(_), true) => vec![Change::new(Action::Remove, what)],
            (None, false) => vec![Change::new(Action::Create, what)],
            (Some(now), false) if now == self.line => Vec::new(),
            (Some(now), false) => vec![Change::new(Action::Update, what).detail(format!("{now} → {}", self.line))],
        })
    }

    /// `crontab` itself refuses what it does not understand, and then the table stays as it is.
    fn make(&self, seen: &str) -> String {
        let mark = format!("{MARK}{}", self.name);
        let mut table: Vec<&str> = Vec::new();
        let mut rest = lines(seen, "line").peekable();
        while let Some(line) = rest.next() {
            if line == mark {
                rest.next();
            } else {
                table.push(line);
            }
        }
        if !self.options.absent {
            table.extend([mark.as_str(), self.line.as_str()]);
        }
        let words: Vec<String> = table.iter().map(|line| quoted(line)).collect();
        if words.is_empty() {
            return format!("{} -r\n", self.crontab());
        }
        format!("printf '%s\\n' {} | {} -\n", words.join(" "), self.crontab())
    }
}

impl CronLine {
    /// What its changes are changes of.
    fn what(&self) -> String {
        format!("cron line {}", self.name)
    }

    fn crontab(&self) -> String {
        self.options.user.as_ref().map_or_else(|| "crontab".into(), |user| format!("crontab -u {}", quoted(user)))
    }

    /// The line under the comment with its name.
    fn now(&self, seen: &str) -> Option<String> {
        let mark = format!("{MARK}{}", self.name);
        let mut table = lines(seen, "line").skip_while(|line| *line != mark);
        table.next()?;
        Some(table.next().unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_line_is_touched() {
        let options = Options::default();
        let line = CronLine { name: "a".into(), line: "1 1 * * * new".into(), options };
        let seen =
            "line # mine\nline 0 0 * * * other\nline # runbook: a\nline 1 1 * * * old\nline # runbook: ab\nline x\n";
        assert_eq!(line.now(seen).as_deref(), Some("1 1 * * * old"));
        let made = line.make(seen);
        assert!(made.contains("'# mine' '0 0 * * * other' '# runbook: ab' x '# runbook: a' '1 1 * * * new'"), "{made}");
    }
}
