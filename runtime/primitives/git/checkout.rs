use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{GIT, Repository};
use crate::drivers::disk::Place;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Probe, Span, Spec, Ty, handle,
};

/// The file in a checked out folder that says which commit it holds.
const MARKER: &str = ".runbook-revision";

crate::options! {
    /// Options of `git.checkout`.
    pub struct Options {
        /// How long it may take.
        timeout: Span = Span::seconds(600),
    }
}

/// Copies a revision into a folder.
pub struct Checkout;

static SPEC: Spec = Spec {
    name: "checkout",
    receiver: Some(GIT),
    args: &[
        Arg::new("revision", Ty::Str, "A tag, a branch or a hash."),
        Arg::new("folder", Ty::OneOf(&[Ty::Str, Ty::Handle("folder")]), "The folder to make, new or empty."),
    ],
    options: Some(Options::SPEC),
    returns: Some("folder"),
    effect: Effect::Change,
    summary: "Makes a folder with the files of a revision, at once or not at all; your own files are not touched.",
    example: r#"let release = git().checkout("v1.4.2", "releases/v1.4.2");"#,
};

impl Primitive for Checkout {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("git.checkout {} to {}", call.str(0), destination(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let repository = Repository::of(context, call)?;
        let commit = repository.commit(call.str(0))?;
        let place = Place::new(context.project.root(), destination(call))?;
        place.check_new()?;
        if is_done(&place, &commit)? {
            return Ok(Outcome::unchanged(value(&place, &commit, false)));
        }
        let draft = Draft::beside(&place)?;
        let folder = PathBuf::from(repository.ask(&["rev-parse", "--absolute-git-dir"])?);
        let index = draft.0.join("index");
        let tree = draft.0.join("tree");
        // An index of its own: the repository's index, work tree and HEAD stay as they are, and it works for bare ones too.
        let variables: [(&str, &Path); 3] =
            [("GIT_DIR", &folder), ("GIT_WORK_TREE", &tree), ("GIT_INDEX_FILE", &index)];
        for arguments in [&["read-tree", &commit][..], &["checkout-index", "--all"]] {
            repository.run(&tree, arguments, &variables, options.timeout.0)?.text()?;
        }
        if tree.join(".gitmodules").exists() {
            context.log(LogStream::Warn, &format!("the submodules of `{}` are not part of the copy", call.str(0)));
        }
        let failed = |error: &std::io::Error| Failure::system(format!("make the folder `{}`", place.written()), error);
        std::fs::write(tree.join(MARKER), format!("{commit}\n")).map_err(|error| failed(&error))?;
        force_to_disk(&tree).map_err(|error| failed(&error))?;
        match std::fs::rename(&tree, place.path()) {
            Ok(()) => {
                Ok(Outcome::changed(value(&place, &commit, true)).note(commit.chars().take(12).collect::<String>()))
            }
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                Err(occupied(&place, None))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let commit = Repository::of(context, call)?.commit(call.str(0))?;
        let place = Place::new(context.project.root(), destination(call))?;
        Ok(match is_done(&place, &commit) {
            Ok(true) => Probe::Done(Outcome::changed(value(&place, &commit, true))),
            _ => Probe::NotDone,
        })
    }
}

fn destination(call: &Call) -> &str {
    let argument = call.args.get(1);
    argument.and_then(|folder| folder.get("path").or(Some(folder))).and_then(Value::as_str).unwrap_or_default()
}

fn value(place: &Place, commit: &str, changed: bool) -> Value {
    handle("folder", json!({ "path": place.written(), "revision": commit, "changed": changed }))
}

/// Does the folder hold this commit already? One that holds anything else is in the way.
fn is_done(place: &Place, commit: &str) -> Result<bool, Failure> {
    match std::fs::read_dir(place.path()).map(|mut entries| entries.next().is_none()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Ok(true) => return Ok(false),
        _ => {}
    }
    let held = std::fs::read_to_string(place.path().join(MARKER)).unwrap_or_default();
    match held.trim() {
        held if held == commit => Ok(true),
        "" => Err(occupied(place, None)),
        held => Err(occupied(place, Some(held))),
    }
}

fn occupied(place: &Place, held: Option<&str>) -> Failure {
    let shown = place.written();
    let held = held.map_or_else(String::new, |held| format!(": it holds revision {held}"));
    Failure::new(FailureKind::Conflict, format!("`{shown}` is in the way{held}"))
        .hint("name the folder after the revision, as in `releases/v1.4.2`")
        .hint(format!("or remove it first: `folder({shown:?}).remove(#{{ recursive: true }})`"))
}

/// A folder beside the one to make, for work in progress: gone again when dropped.
struct Draft(PathBuf);

impl Draft {
    fn beside(place: &Place) -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let failed = |error: std::io::Error| Failure::system(format!("make the folder `{}`", place.written()), &error);
        let target = std::path::absolute(place.path()).map_err(failed)?;
        let above = target.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(above).map_err(failed)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = Self(above.join(format!(".runbook-{}-{count}", std::process::id())));
        std::fs::create_dir_all(draft.0.join("tree")).map_err(failed)?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything written so far, so that the marker never stands for files that a power cut took.
fn force_to_disk(folder: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(folder)?)?;
    #[cfg(not(target_os = "linux"))]
    File::open(folder)?.sync_all()?;
    Ok(())
}
