use serde_json::{Value, json};

use super::{GIT, Repository, needs, touches};
use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches, Ty};

/// A method that asks the repository something.
const fn question(name: &'static str, summary: &'static str, example: &'static str) -> Spec {
    Spec { name, receiver: Some(GIT), args: &[], options: None, returns: None, effect: Effect::Read, summary, example }
}

/// The hash of a commit.
pub struct Revision;

crate::options! {
    /// Options of `git.revision`.
    pub struct RevisionOptions {
        /// Return the shortest beginning that is still unique, at least 7 digits.
        short: bool = false,
    }
}

static REVISION: Spec = Spec {
    args: &[Arg::optional("name", Ty::Str, "A tag, a branch or a hash; what is checked out when left out.")],
    options: Some(RevisionOptions::SPEC),
    ..question(
        "revision",
        "Returns the hash of the commit that is checked out, or that a tag or branch names.",
        r#"let revision = git().revision("v1.4.2");"#,
    )
};

impl Primitive for Revision {
    fn spec(&self) -> &'static Spec {
        &REVISION
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RevisionOptions = call.options()?;
        let repository = Repository::of(context, call)?;
        let commit = repository.commit(call.optional(0).and_then(Value::as_str).unwrap_or("HEAD"))?;
        let hash = if options.short { repository.ask(&["rev-parse", "--short", &commit])? } else { commit };
        Ok(Value::from(hash).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// The branch.
pub struct Branch;

static BRANCH: Spec = question(
    "branch",
    "Returns the name of the branch that is checked out, or `()` when it is a tag or a single commit.",
    r#"if git().branch() != "main" { warn("this is not the main branch") }"#,
);

impl Primitive for Branch {
    fn spec(&self) -> &'static Spec {
        &BRANCH
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let name = Repository::of(context, call)?.ask_whether(&["symbolic-ref", "--short", "--quiet", "HEAD"])?;
        Ok(Value::from(name).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// Is there nothing to commit?
pub struct IsClean;

static IS_CLEAN: Spec = question(
    "is_clean",
    "Is every file as it was committed, and none new? Ignored files do not count.",
    r#"if !git().is_clean() { throw "commit your changes first" }"#,
);

impl Primitive for IsClean {
    fn spec(&self) -> &'static Spec {
        &IS_CLEAN
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Ok(Value::from(changes(context, call)?.is_empty()).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// What would be committed.
pub struct Changes;

static CHANGES: Spec = question(
    "changes",
    "Returns the files that are not as they were committed, as maps with `path` and `status`.",
    "for change in git().changes() { warn(`${change.status}: ${change.path}`) }",
);

impl Primitive for Changes {
    fn spec(&self) -> &'static Spec {
        &CHANGES
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Ok(Value::from(changes(context, call)?).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

fn changes(context: &Context<'_>, call: &Call) -> Result<Vec<Value>, Failure> {
    let answer = Repository::of(context, call)?.ask(&["status", "--porcelain=v1", "-z", "--untracked-files=normal"])?;
    let mut entries = answer.split('\0').filter(|entry| !entry.is_empty());
    let mut changes = Vec::new();
    while let Some(entry) = entries.next() {
        let (Some(code), Some(path)) = (entry.get(..2), entry.get(3..)) else { continue };
        changes.push(json!({ "path": path, "status": status(code) }));
        if code.contains(['R', 'C']) {
            // The name it had before follows as an entry of its own.
            entries.next();
        }
    }
    Ok(changes)
}

/// The two letters of `git status --porcelain` (index, work tree) in one word.
fn status(code: &str) -> &'static str {
    match code {
        "??" => "untracked",
        "DD" | "AU" | "UD" | "UA" | "DU" | "AA" | "UU" => "conflict",
        _ if code.contains('R') => "renamed",
        _ if code.contains('D') => "deleted",
        _ if code.contains(['A', 'C']) => "added",
        _ => "modified",
    }
}

/// The tags.
pub struct Tags;

crate::options! {
    /// Options of `git.tags`.
    pub struct TagsOptions {
        /// Only tags that fit, as in `v*`.
        pattern: String = "*".to_owned(),
    }
}

static TAGS: Spec = Spec {
    options: Some(TagsOptions::SPEC),
    ..question(
        "tags",
        "Returns the names of the tags, newest first.",
        r#"let latest = git().tags(#{ pattern: "v*" })[0];"#,
    )
};

impl Primitive for Tags {
    fn spec(&self) -> &'static Spec {
        &TAGS
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: TagsOptions = call.options()?;
        // The last key decides; tags of the same second are told apart by their version.
        let order = ["--sort=-version:refname", "--sort=-creatordate"];
        let answer =
            Repository::of(context, call)?.ask(&["tag", "--list", order[0], order[1], "--", &options.pattern])?;
        Ok(answer.lines().collect::<Value>().into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// A name for the commit.
pub struct Describe;

static DESCRIBE: Spec = question(
    "describe",
    "Returns a name for what is checked out: the nearest tag, how far it is past that, and `-dirty` with changes.",
    "let version = git().describe();",
);

impl Primitive for Describe {
    fn spec(&self) -> &'static Spec {
        &DESCRIBE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let repository = Repository::of(context, call)?;
        repository.commit("HEAD")?;
        Ok(Value::from(repository.ask(&["describe", "--tags", "--always", "--dirty"])?).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}
