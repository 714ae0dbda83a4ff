use std::io::Write;
use std::path::Path;

use super::Hosted;
use crate::drivers::ssh::quoted;
use crate::primitive::{Context, Failure, FailureKind, Span};

/// The `runbook` of a host copies as this one does when it is of the same version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What it is called where the host says nothing else.
const PROGRAM: &str = "runbook";
/// What SQLite says of a file that is no database, or is damaged.
const DAMAGED: [&str; 2] = ["not a database", "malformed"];

impl Hosted {
    /// Has the database copied there as it is at one moment, whoever writes to it meanwhile, and fetches the copy.
    pub fn fetch_database(&self, context: &Context<'_>, to: &Path, within: Span) -> Result<(), Failure> {
        let way = self.way(context)?;
        let (path, program) = (quoted(&self.path), quoted(way.target.runbook.as_deref().unwrap_or(PROGRAM)));
        // One transaction around all of the copy: otherwise it would begin anew whenever somebody writes.
        let text = format!(
            "f={path}\nif [ ! -f \"$f\" ]; then if [ -e \"$f\" ]; then finish failed {path} is no file; else finish absent {path}; fi; exit; fi\n\
             case $f in /*) ;; *) f=./$f;; esac\n\
             t=$(mktemp -d \"${{TMPDIR:-/var/tmp}}/runbook-XXXXXX\" 2>/dev/null || mktemp -d) || {{ finish failed there is no place for a copy; exit; }}\n\
             trap 'rm -rf -- \"$t\"' EXIT\ntrap 'exit 1' HUP INT TERM PIPE\n\
             if [ \"$({program} --version 2>/dev/null)\" = 'runbook {VERSION}' ]; then {program} internal copy \"$f\" \"$t/copy\" >&2\n\
             elif command -v sqlite3 >/dev/null; then sqlite3 -readonly -bail \"$f\" '.timeout 30000' BEGIN 'SELECT count(*) FROM sqlite_master' \".backup '$t/copy'\" >/dev/null\n\
             else finish lacking; exit; fi\n\
             if [ $? != 0 ] || [ ! -f \"$t/copy\" ]; then finish failed the database was not copied; exit; fi\n\
             if cat -- \"$t/copy\"; then finish copied; else finish failed; fi"
        );
        let failed = |error: std::io::Error| Failure::system("store a copy of the database", &error);
        let mut file = std::fs::File::create_new(to).map_err(failed)?;
        let mut written = Ok(());
        let mut on_bytes = |bytes: &[u8]| {
            if written.is_ok() {
                written = file.write_all(bytes);
            }
        };
        let fetching = way.run(&text, Vec::new(), &mut on_bytes);
        let spoken = context.wait(&format!("copying the database `{}`", self.shown()), within.0, fetching).map_err(
            |failure| {
                let is_damaged = DAMAGED.iter().any(|word| failure.message.contains(word));
                if is_damaged { Failure { kind: FailureKind::Invalid, ..failure } } else { failure }
            },
        )?;
        if spoken.words == "lacking" {
            let message = format!("`{}`: there is no `sqlite3` that could copy `{}`", self.host, self.path);
            return Err(Failure::new(FailureKind::NotFound, message)
                .hint(format!("install `sqlite3` there, or `runbook` {VERSION}")));
        }
        written.map_err(failed)
    }
}
