//! What was saved, put into its place on a host: aside first, compared there, and then exchanged.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Hosted, Way};
use crate::drivers::backup::{Count, Tally, alone};
use crate::drivers::ssh::quoted;
use crate::primitive::{Context, Failure, FailureKind, Span};

/// How a part is put into its place on a host.
pub struct Placing {
    /// Where to.
    pub target: Hosted,
    /// Nobody else's: what is half there carries it.
    pub key: String,
    /// Give files back to whom they belonged.
    pub owners: bool,
    /// May something be in the way?
    pub replace: bool,
    /// How long each step may take.
    pub within: Span,
}

/// What is at a path of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing, or a folder in which nothing is.
    Nothing,
    /// A folder with something in it.
    Folder,
    /// Something else.
    File,
}

/// Writes the archive of what was saved, whose paths begin with this name.
type Writing<'a> = &'a (dyn Fn(&Path, &mut dyn Write) -> Result<Tally, Failure> + Sync);

/// What SQLite keeps beside a database.
const BESIDE: &str = "-wal -shm -journal";

impl Placing {
    /// Names of what is put together, and of what makes way for it, beside the target.
    fn names(&self) -> String {
        let (folder, name) = match self.target.path.rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}/"), name),
            None => (String::new(), self.target.path.as_str()),
        };
        let beside = |word: &str| quoted(&format!("{folder}.{name}.{}.{word}", self.key));
        format!("t={}\nb={}\no={}\n", quoted(&self.target.path), beside("restoring"), beside("before"))
    }

    /// Where it is put together.
    fn beside(&self) -> Hosted {
        let (folder, name) = self.target.path.rsplit_once('/').map_or(("", &self.target.path[..]), |parts| parts);
        let slash = if self.target.path.contains('/') { "/" } else { "" };
        self.target.at(format!("{folder}{slash}.{name}.{}.restoring", self.key))
    }

    fn with<T>(
        &self,
        context: &Context<'_>,
        doing: &str,
        work: impl AsyncFnOnce(&Way) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let way = self.target.way(context)?;
        context.wait(&format!("{doing} `{}`", self.target.shown()), self.within.0, work(&way))
    }

    /// Gives back what an attempt that broke off had moved away, and removes what it had put together.
    pub fn settle(&self, context: &Context<'_>) -> Result<(), Failure> {
        let text = format!(
            "{}if [ -e \"$o\" ] || [ -L \"$o\" ]; then\n\
             if [ -e \"$t\" ] || [ -L \"$t\" ]; then rm -rf -- \"$o\"; for s in {BESIDE}; do rm -f -- \"$o$s\"; done\n\
             else mv -- \"$o\" \"$t\" || {{ finish failed what was there cannot be given back; exit; }}; fi\nfi\n\
             for s in {BESIDE}; do [ ! -e \"$o$s\" ] || mv -- \"$o$s\" \"$t$s\"; done\n\
             if rm -rf -- \"$b\"; then finish done; else finish failed what is half there cannot be removed; fi",
            self.names()
        );
        self.with(context, "looking at", async |way| way.ask(&text).await.map(drop))
    }

    /// What is there now.
    pub fn there(&self, context: &Context<'_>) -> Result<There, Failure> {
        let text = format!(
            "{}if [ -d \"$t\" ] && [ ! -L \"$t\" ]; then if [ -z \"$(ls -A -- \"$t\")\" ]; then echo nothing; else echo folder; fi\n\
             elif [ -e \"$t\" ] || [ -L \"$t\" ]; then echo file; else echo nothing; fi; finish done",
            self.names()
        );
        match self.with(context, "looking at", async |way| way.ask(&text).await)?.as_str() {
            "nothing" => Ok(There::Nothing),
            "folder" => Ok(There::Folder),
            "file" => Ok(There::File),
            _ => Err(Failure::new(FailureKind::System, format!("`{}` gave no answer", self.target.host()))),
        }
    }

    /// Everything in the folder that is there.
    pub fn count<T: Count + Default + Send + 'static>(&self, context: &Context<'_>) -> Result<T, Failure> {
        self.with(context, "reading", async |way| self.target.count(way).await)
    }

    /// The file that is there; nothing where there is none.
    pub fn count_file(&self, context: &Context<'_>) -> Result<Tally, Failure> {
        self.with(context, "reading", async |way| sum(way, &self.target).await)
    }

    /// Unpacks a folder beside its place. Returns what was sent, and what is there of it.
    pub fn unpack(&self, context: &Context<'_>, writing: Writing<'_>) -> Result<(Tally, Tally), Failure> {
        let (gnu, other) =
            if self.owners { ("--same-owner --numeric-owner", "--numeric-owner") } else { ("--no-same-owner", "-o") };
        let text = format!(
            "{}umask 077\nmkdir -- \"$b\" || {{ finish failed; exit; }}\ntrap 'exit 1' HUP INT TERM PIPE\n\
             if tar --version 2>/dev/null | grep -q GNU; then set -- {gnu} --xattrs '--xattrs-include=*'; else set -- {other}; fi\n\
             if tar -xpf - -C \"$b\" \"$@\"; then sync -f \"$b\" 2>/dev/null || sync; finish done; else finish failed; fi",
            self.names()
        );
        let sent = self.send(context, &text, &|out| writing(Path::new("."), out))?;
        let found = self.with(context, "reading", async |way| self.beside().count(way).await)?;
        Ok((sent, found))
    }

    /// Writes a file beside its place, with the rights of the one that is there. Returns what is there of it.
    pub fn write(&self, context: &Context<'_>, from: &Path) -> Result<Tally, Failure> {
        let text = format!(
            "{}umask 077\ntrap 'exit 1' HUP INT TERM PIPE\nif ! cat >\"$b\"; then finish failed; exit; fi\n\
             if [ -f \"$t\" ] && [ ! -L \"$t\" ]; then\n\
             r=$(stat -c '%u:%g %a' -- \"$t\") && chown -- \"${{r%% *}}\" \"$b\" && chmod -- \"${{r#* }}\" \"$b\" || {{ finish failed; exit; }}\nfi\n\
             sync \"$b\" 2>/dev/null || sync; finish done",
            self.names()
        );
        self.send(context, &text, &|out| {
            let failed = |error: std::io::Error| Failure::system("send what was restored", &error);
            let mut file = std::fs::File::open(from).map_err(failed)?;
            std::io::copy(&mut file, out).map_err(failed).map(|_| Tally::default())
        })?;
        self.with(context, "reading", async |way| sum(way, &self.beside()).await)
    }

    /// Runs a script that reads what somebody writes. A script that ends early says why, and not that nobody reads any more.
    fn send(
        &self,
        context: &Context<'_>,
        text: &str,
        write: &(dyn Fn(&mut dyn Write) -> Result<Tally, Failure> + Sync),
    ) -> Result<Tally, Failure> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| Failure::system("make a pair of sockets", &error))?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                let mut out = std::io::BufWriter::with_capacity(256 << 10, ours);
                let written = write(&mut out);
                let flushed = out.flush().map_err(|error| Failure::system("send what was restored", &error));
                written.and_then(|tally| flushed.map(|()| tally))
            });
            let sent = self.with(context, "writing", async |way| {
                way.hosts.feed(&way.target, &way.script(text), theirs).await.map(drop)
            });
            let lost = |_| Failure::new(FailureKind::System, "what was restored was not read to its end");
            match (writing.join().map_err(lost)?, sent) {
                (Err(failure), Err(_)) if failure.kind != FailureKind::System => Err(failure),
                (_, Err(failure)) => Err(failure),
                (written, Ok(())) => written,
            }
        })
    }

    /// Puts what is beside into its place. What was there makes way, and is removed; if it cannot be done, it is given back.
    pub fn put(&self, context: &Context<'_>) -> Result<(), Failure> {
        // Without leave, nothing but an empty folder makes way, whoever put something there meanwhile.
        let clear = if self.replace { "mv -- \"$t\" \"$o\"" } else { "rmdir -- \"$t\"" };
        let text = format!(
            "{}if [ -e \"$t\" ] || [ -L \"$t\" ]; then {clear} || {{ finish failed; exit; }}; fi\n\
             for s in {BESIDE}; do [ ! -f \"$b\" ] || [ ! -e \"$t$s\" ] || mv -- \"$t$s\" \"$o$s\" || {{ finish failed; exit; }}; done\n\
             if mv -- \"$b\" \"$t\"; then sync; rm -rf -- \"$o\"; for s in {BESIDE}; do rm -f -- \"$o$s\"; done; finish done\n\
             else finish failed; fi",
            self.names()
        );
        self.with(context, "putting into its place", async |way| way.ask(&text).await.map(drop)).inspect_err(|_| {
            // Failing that, the next attempt gives it back.
            let _ = self.settle(context);
        })
    }
}

/// What a file of a host is, as its part of the manifest has it; nothing where there is none, or it is a database with a journal, which
/// says something else than the file alone.
async fn sum(way: &Way, file: &Hosted) -> Result<Tally, Failure> {
    let path = quoted(&file.path);
    let text = format!(
        "if [ ! -f {path} ]; then finish none; exit; fi\n\
         for s in {BESIDE}; do [ ! -e {path}$s ] || {{ finish none; exit; }}; done\n\
         if s=$(stat -L -c %s -- {path}) && h=$(sha256sum <{path}); then echo \"$s ${{h%% *}}\"; finish done; else finish failed; fi"
    );
    let answer = way.ask(&text).await?;
    if answer.is_empty() {
        return Ok(Tally::default());
    }
    let parsed = answer.split_once(' ').and_then(|(size, hash)| alone(size.parse().ok()?, hash));
    parsed.ok_or_else(|| way.failure("the hash of the file cannot be read"))
}
