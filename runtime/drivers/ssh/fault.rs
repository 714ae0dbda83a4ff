//! Why a host could not be worked with: which host, how far it came, how long it took, and the `ssh` line that shows the same.

use std::time::Duration;

use super::target::Target;
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The name is looked up.
    #[default]
    LookingUp,
    /// The network connection is made.
    Connecting,
    /// Server and client greet each other and agree on keys.
    Greeting,
    /// The user is logged in.
    LoggingIn,
    /// A channel is opened.
    Opening,
    /// A shell is started on the host.
    Starting,
}

impl Phase {
    fn doing(self, target: &Target) -> String {
        match self {
            Self::LookingUp => format!("looking up `{}`", target.address),
            Self::Connecting => format!("connecting to `{}:{}`", target.address, target.port),
            Self::Greeting => "exchanging keys with the server".into(),
            Self::LoggingIn => format!("logging in as `{}`", target.user),
            Self::Opening => "opening a channel".into(),
            Self::Starting => "waiting for its login shell".into(),
        }
    }

    fn hint(self) -> Option<&'static str> {
        match self {
            Self::LookingUp => Some("is the name right, and do this machine's name servers answer?"),
            Self::Connecting => {
                Some("is the host up, is this its SSH port, and does a firewall let this machine through?")
            }
            Self::Greeting => Some("is it an SSH server that listens there? `journalctl -u ssh` on the host may tell"),
            Self::Starting => Some("what does its `.profile` or `.bashrc` wait for?"),
            Self::LoggingIn | Self::Opening => None,
        }
    }
}

/// Something went wrong in a phase.
pub fn in_phase(target: &Target, phase: Phase, kind: FailureKind, why: &str) -> Failure {
    let message = format!("`{}` ({}): {why} while {}", target.name, target.spot(), phase.doing(target));
    let failure = Failure::new(kind, message);
    let failure = match phase.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    };
    failure.hint(same_with_ssh(target))
}

/// A deadline passed in a phase.
pub fn timed_out(target: &Target, phase: Phase, after: Duration) -> Failure {
    let why = format!("timed out after {}", Span(after));
    in_phase(target, phase, FailureKind::Timeout, &why)
}

/// The connection broke.
pub fn cut(target: &Target, why: &str, after: Duration) -> Failure {
    // What libssh2 says where a read finds the end.
    let why = if matches!(why, "transport read" | "socket disconnect") { "the other side ended it" } else { why };
    let message =
        format!("`{}` ({}): the connection was lost after {}: {why}", target.name, target.spot(), Span(after));
    Failure::new(FailureKind::Unreachable, message).hint(same_with_ssh(target))
}

/// How to see the same by hand.
pub fn same_with_ssh(target: &Target) -> String {
    format!("see the same with `{}`", target.ssh_line())
}

/// The failure that the last words of a script mean, if any, with what it printed to the errors: `failed WHY`, `absent PATH`,
/// `folder PATH` and `other PATH` where something of another kind is, and `lacking PROGRAM`.
pub fn complaint(target: &Target, words: &str, errors: &str) -> Option<Failure> {
    let name = &target.name;
    let (word, what) = words.split_once(' ').unwrap_or((words, ""));
    Some(match word {
        "failed" => {
            let errors: Vec<&str> = errors.trim().lines().map(without_shell).collect();
            let why = if errors.is_empty() { what.to_owned() } else { errors.join("\n") };
            Failure::new(FailureKind::System, format!("`{name}`: {why}"))
        }
        "absent" => Failure::new(FailureKind::NotFound, format!("there is no `{what}` on `{name}`")),
        "folder" => Failure::new(FailureKind::Conflict, format!("`{what}` on `{name}` is a folder")),
        "other" => Failure::new(FailureKind::Conflict, format!("`{what}` on `{name}` is no folder")),
        "lacking" => lacking(target, what),
        _ => return None,
    })
}

/// What a shell complains about, without its own name and the place in a script that nobody wrote.
fn without_shell(line: &str) -> &str {
    let Some(mut rest) = line.strip_prefix("/bin/sh: ") else { return line };
    while let Some((word, more)) = rest.split_once(": ") {
        let number = word.strip_prefix("line ").unwrap_or(word);
        if word != "eval" && number.parse::<u32>().is_err() {
            break;
        }
        rest = more;
    }
    rest
}

/// A program is not there without which nothing can be done.
pub fn lacking(target: &Target, program: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("`{}` has no `{program}`, which this needs", target.name))
        .hint("Debian has it in `coreutils` or `util-linux`, Alpine in `busybox`")
}

/// Somebody else cannot run it, for the reason that `sudo` gave.
pub fn not_become(target: &Target, user: &str, answer: &str) -> Failure {
    let (name, login) = (&target.name, &target.user);
    if answer.contains("unknown user") {
        return Failure::new(FailureKind::NotFound, format!("`{name}` has no user `{user}`"));
    }
    if answer.contains("not found") {
        let message = format!("`{name}` has no `sudo`, with which `{login}` would become `{user}`");
        return Failure::new(FailureKind::NotFound, message).hint(format!("install it, or log in as `{user}`"));
    }
    let rule = format!("{login} ALL=({user}) NOPASSWD: ALL");
    Failure::new(FailureKind::Unauthorized, format!("`{name}`: `{login}` cannot become `{user}` without a password"))
        .hint(format!("let it, with `visudo` on the host: `{rule}`"))
}

#[cfg(test)]
mod tests {
    use super::without_shell;

    #[test]
    fn what_a_shell_complains_about_is_told_without_where_in_its_script() {
        for shell in ["/bin/sh: 8: eval: ", "/bin/sh: line 8: ", "/bin/sh: eval: line 8: ", ""] {
            let line = format!("{shell}cannot create /nope/x: Directory nonexistent");
            assert_eq!(without_shell(&line), "cannot create /nope/x: Directory nonexistent", "{shell}");
        }
    }
}
