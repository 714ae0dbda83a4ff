use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{GIT, Repository, needs};
use crate::drivers::disk::{Place, short_name};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Left, LogStream, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Span, Spec, Touches, Ty, handle,
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        {
            let mut needs = needs(call);
            needs.push(Need::write(call.needed(1)));
            needs
        }
    }

    fn preview(&self, call: &Call) -> String {
        format!("git.checkout {} to {}", call.str(0), destination(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let repository = Repository::of(context, call)?;
        let commit = repository.commit(call.str(0))?;
        let place = context.writable(destination(call))?;
        place.check_new()?;
        if is_done(&place, &commit)? {
            return Ok(Outcome::unchanged(value(&place, &commit, false)));
        }
        let draft = Draft::beside(&place, &context.key())?;
        draft.create()?;
        let folder = PathBuf::from(repository.ask(&["rev-parse", "--absolute-git-dir"])?);
        let index = draft.folder.join("index");
        let tree = draft.folder.join("tree");
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
        let outcome =
            Outcome::changed(value(&place, &commit, true)).note(short(&commit)).made([change(&place, &commit)]);
        context.announce(&outcome, &commit.clone().into())?;
        match std::fs::rename(&tree, place.entry()?.path()) {
            Ok(()) => Ok(outcome),
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                Err(occupied(&place, None))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let place = context.writable(destination(call))?;
        drop(Draft::beside(&place, &context.key()));
        let Some(announcement) = context.announced() else { return Ok(Probe::NotDone) };
        // The branch may have moved on since: the commit it named then counts.
        let commit = announcement.proof.as_str().unwrap_or_default();
        Ok(match is_done(&place, commit) {
            Ok(true) => Probe::Done(announcement.outcome),
            _ => Probe::NotDone,
        })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        context.touches(destination(call))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let commit = Repository::of(context, call)?.commit(call.str(0))?;
        let place = context.writable(destination(call))?;
        place.check_new()?;
        let is_there = match context.left(&place) {
            None | Some((Left::Tree, _)) => is_done(&place, &commit)?,
            _ => false,
        };
        if is_there {
            return Ok(Prediction::nothing(value(&place, &commit, false)));
        }
        context.services.leaves(&place.name(), Left::Tree);
        Ok(Prediction::one(change(&place, &commit), value(&place, &commit, true)))
    }
}

/// An empty folder that is there already makes no difference: the whole folder takes its place.
fn change(place: &Place, commit: &str) -> Change {
    let what = format!("folder {}", place.written().trim_end_matches('/'));
    Change::new(Action::Create, what).detail(format!("revision {}", short(commit)))
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
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
    let failed = |error: &std::io::Error| Failure::system(format!("look into `{}`", place.written()), error);
    match std::fs::read_dir(place.path()).map(|mut entries| entries.next().is_none()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(occupied(place, None)),
        Err(error) => return Err(failed(&error)),
        Ok(true) => return Ok(false),
        Ok(false) => {}
    }
    let held = match std::fs::read_to_string(place.path().join(MARKER)) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        held => held.map_err(|error| failed(&error))?,
    };
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

/// A folder beside the one to make, for work in progress: gone again when dropped, and whatever a process that died has left
/// of the same work with it.
struct Draft {
    folder: PathBuf,
    shown: String,
}

impl Draft {
    fn beside(place: &Place, key: &str) -> Result<Self, Failure> {
        let shown = place.written().to_owned();
        let failed = |error: std::io::Error| Failure::system(format!("make the folder `{shown}`"), &error);
        let target = std::path::absolute(place.path()).map_err(failed)?;
        let above = target.parent().unwrap_or(Path::new("/"));
        Ok(Self { folder: above.join(format!(".runbook-{}", short_name(key))), shown })
    }

    fn create(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::system(format!("make the folder `{}`", self.shown), &error);
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).map_err(failed)?;
        }
        std::fs::create_dir_all(self.folder.join("tree")).map_err(failed)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
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
