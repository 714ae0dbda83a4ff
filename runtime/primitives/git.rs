//! `git(path)`: what a repository says about itself, and a clean copy of one of its revisions.

mod checkout;
mod look;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::drivers::disk::Place;
use crate::drivers::process::{Command, End, Exit, LastLines};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches, Ty, handle,
};

/// The kind of the handle.
pub const GIT: &str = "git";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[
    &Git,
    &look::Revision,
    &look::Branch,
    &look::IsClean,
    &look::Changes,
    &look::Tags,
    &look::Describe,
    &checkout::Checkout,
];

/// How long a question to a repository may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most that is read of an answer, in bytes.
const ANSWER: usize = 16 << 20;

/// Names a repository.
pub struct Git;

static SPEC: Spec = Spec {
    name: "git",
    receiver: None,
    args: &[Arg::optional("path", Ty::Str, "A folder in the repository; the project's folder when left out.")],
    options: None,
    returns: Some(GIT),
    effect: Effect::Pure,
    summary: "Names a git repository, to ask for its revision or to check one out into a folder of its own.",
    example: "let revision = git().revision(#{ short: true });",
};

impl Primitive for Git {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let path = call.optional(0).and_then(Value::as_str).unwrap_or(".");
        Place::new(context.project.root(), path)?;
        Ok(handle(GIT, json!({ "path": path })).into())
    }
}

/// What asking a repository needs: the program, and to look where the repository is.
fn needs(call: &Call) -> Vec<Need> {
    std::iter::once(Need::command("git")).chain(Need::read_outside(call.receiver_needed("path"))).collect()
}

/// What a question to the repository looks at: everything from the folder down that holds it.
fn touches(context: &Context<'_>, call: &Call) -> Touches {
    let Ok(place) = Place::new(context.project.root(), call.receiver_str("path")) else { return Touches::Nothing };
    let folder = place.name();
    let top = folder.ancestors().find(|above| above.join(".git").exists());
    Touches::disk(top.unwrap_or(&folder))
}

/// A repository, asked through the `git` program.
struct Repository<'a> {
    context: &'a Context<'a>,
    place: Place,
}

impl<'a> Repository<'a> {
    /// The repository of a method's receiver.
    fn of(context: &'a Context<'a>, call: &Call) -> Result<Self, Failure> {
        let place = context.readable(call.receiver_str("path"))?;
        if !place.path().is_dir() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no folder `{}`", place.written())));
        }
        place.source()?;
        Ok(Self { context, place })
    }

    /// The answer to a question, without its last line break.
    fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        let answer = self.run(self.place.path(), arguments, &[], PATIENCE)?;
        answer.text().map_err(|failure| self.explain(failure))
    }

    /// The answer, or `None` when `git` says no (by an exit code of 1).
    fn ask_whether(&self, arguments: &[&str]) -> Result<Option<String>, Failure> {
        let answer = self.run(self.place.path(), arguments, &[], PATIENCE)?;
        if answer.exit.end == End::Code(1) {
            return Ok(None);
        }
        answer.text().map(Some).map_err(|failure| self.explain(failure))
    }

    /// The full hash of the commit that a tag, a branch or a hash names.
    fn commit(&self, name: &str) -> Result<String, Failure> {
        if name.is_empty() || name.starts_with('-') {
            return Err(Failure::new(FailureKind::Argument, format!("`{name}` cannot be the name of a revision")));
        }
        let wanted = format!("{name}^{{commit}}");
        let question = ["rev-parse", "--verify", "--quiet", &wanted];
        if let Some(commit) = self.ask_whether(&question)? {
            return Ok(commit);
        }
        let names =
            self.ask(&["for-each-ref", "--format=%(refname:short)", "refs/tags", "refs/heads"]).unwrap_or_default();
        if !names.lines().any(|known| known == name) {
            return Err(self.unknown(name, &names));
        }
        // To git, a name that it could not read is one that is not there.
        self.ask_whether(&question)?.ok_or_else(|| {
            let message = format!("the repository `{}` has `{name}`, and git cannot read it", self.place.written());
            Failure::new(FailureKind::System, message).hint("`git fsck` says what is wrong with the repository")
        })
    }

    /// Runs `git` so that it asks nobody, changes nothing on the side and speaks English.
    fn run(
        &self,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &Path)],
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let fixed = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
        let mut command = Command::new(fixed.iter().chain(arguments).copied());
        command.cwd = Some(folder.to_owned());
        command.keep = ANSWER;
        command.env = environment();
        for (name, path) in variables {
            command.env.insert((*name).to_owned(), Some(path.to_string_lossy().into_owned()));
        }
        let line = format!("git {}", arguments.first().copied().unwrap_or_default());
        let mut last_lines = LastLines::default();
        let run = self.context.drivers.processes().run(&command, |stream, text| last_lines.push(stream, text));
        let exit = self.context.wait(&format!("running `{line}`"), limit, run)?;
        Ok(Answer { line, exit, last_lines })
    }

    /// What `git` complains about, in words that say what to do.
    fn explain(&self, failure: Failure) -> Failure {
        let seen = failure.evidence.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join("\n");
        let shown = self.place.written();
        if seen.contains("not a git repository") {
            return Failure::new(FailureKind::NotFound, format!("`{shown}` is in no git repository"));
        }
        if seen.contains("dubious ownership") {
            let folder = std::path::absolute(self.place.path()).unwrap_or_else(|_| self.place.path().to_owned());
            return Failure::new(
                FailureKind::Refused,
                format!("git does not trust `{shown}`: it belongs to another user"),
            )
            .hint(format!("`git config --global --add safe.directory {}`", folder.display()));
        }
        failure
    }

    fn unknown(&self, name: &str, names: &str) -> Failure {
        let failure = Failure::new(
            FailureKind::NotFound,
            format!("the repository `{}` knows no revision `{name}`", self.place.written()),
        );
        if name == "HEAD" {
            return failure.hint("it has no commit yet");
        }
        let failure = failure.did_you_mean(name, names.lines());
        failure.hint("a new tag has to be fetched first: `git fetch --tags`")
    }
}

/// What `git` wrote and how it ended.
struct Answer {
    line: String,
    exit: Exit,
    last_lines: LastLines,
}

impl Answer {
    /// Its standard output without the last line break, if it ended well.
    fn text(self) -> Result<String, Failure> {
        if !self.exit.is_ok() {
            return Err(self.last_lines.explain(self.exit.failure(&self.line)));
        }
        if self.exit.stdout.is_truncated() {
            return Err(Failure::new(FailureKind::Invalid, format!("`{}` answered more than 16 MiB", self.line)));
        }
        Ok(self.exit.stdout.into_text())
    }
}

/// Nothing that a hook, a shell or a person's settings left behind may point `git` at another repository or make it wait.
fn environment() -> BTreeMap<String, Option<String>> {
    let set = [("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("GIT_PAGER", "cat"), ("LC_ALL", "C")];
    let unset = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
        "GIT_CEILING_DIRECTORIES",
        "GIT_TRACE",
    ];
    let set = set.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    set.into_iter().chain(unset.map(|name| (name.to_owned(), None))).collect()
}
