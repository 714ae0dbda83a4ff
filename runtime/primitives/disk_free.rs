//! `disk_free(path)`: the space of a file system, and the gate on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::drivers::disk::{Place, Space, space};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Spec, Ty, handle,
    unknown,
};

/// The kind of the handle.
pub const DISK: &str = "disk";

/// Every primitive of this file.
pub const ALL: &[&dyn Primitive] = &[&DiskFree, &AtLeast];

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures a file system.
pub struct DiskFree;

static DISK_FREE: Spec = Spec {
    name: "disk_free",
    receiver: None,
    args: &[Arg::new("path", Ty::Str, "Any file or folder on the file system, relative to the project's folder.")],
    options: None,
    returns: Some(DISK),
    effect: Effect::Read,
    summary: "Measures the file system that holds a path: total, free and used space.",
    example: r#"disk_free("/var/lib/docker").at_least("5GiB");"#,
};

impl Primitive for DiskFree {
    fn spec(&self) -> &'static Spec {
        &DISK_FREE
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let space = measure(context, call.str(0))?;
        Ok(Outcome::from(value(call.str(0), &space)).note(format!("{} free", ByteSize(space.free))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        foreseen(context, call.str(0))
    }

    fn observed(&self, _call: &Call, result: &Value) -> Value {
        observed(result)
    }
}

/// Fails when it is too full.
pub struct AtLeast;

static AT_LEAST: Spec = Spec {
    name: "at_least",
    receiver: Some(DISK),
    args: &[Arg::new("size", Ty::Size, "What must be free.")],
    options: None,
    returns: Some(DISK),
    effect: Effect::Read,
    summary: "Measures again and fails when less is free.",
    example: r#"disk_free("/").at_least("2GiB");"#,
};

impl Primitive for AtLeast {
    fn spec(&self) -> &'static Spec {
        &AT_LEAST
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn preview(&self, call: &Call) -> String {
        format!("{} has at least {} free", call.receiver_str("path"), call.str(0))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let path = call.receiver_str("path");
        let space = measure(context, path)?;
        if space.free_files == Some(0) {
            let mount = space.mount.display();
            let message = format!("the file system at `{mount}` can hold no more files");
            let free = ByteSize(space.free);
            return Err(Failure::new(FailureKind::Check, message).hint(format!(
                "{free} are free, but it ran out of inodes: look for a folder with very many small files"
            )));
        }
        let measured = measured(&space);
        measured.holds(call.str(0), &format!("`{path}`")).map_err(|mut failure| {
            let hint =
                "`docker system df` shows what images and volumes take, `docker system prune` removes unused ones";
            failure.hints.insert(0, hint.into());
            failure
        })?;
        Ok(Outcome::from(value(path, &space)).note(format!("{} free", ByteSize(space.free))))
    }

    /// A plan takes it that there will be enough.
    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        foreseen(context, call.receiver_str("path"))
    }

    fn observed(&self, _call: &Call, result: &Value) -> Value {
        observed(result)
    }
}

fn foreseen(context: &Context<'_>, path: &str) -> Result<Prediction, Failure> {
    Ok(unforeseen(value(path, &measure(context, path)?), path))
}

fn measured(space: &Space) -> Measured {
    let mount = space.mount.to_string_lossy().into_owned();
    Measured { mount, total: space.total, free: space.free, used_percent: space.used_percent }
}

fn value(path: &str, space: &Space) -> Value {
    handle(DISK, measured(space).fields(path))
}

/// A file system of this machine or of another.
pub(super) struct Measured {
    pub mount: String,
    pub total: u64,
    pub free: u64,
    pub used_percent: u64,
}

impl Measured {
    /// What a script gets of it.
    pub fn fields(&self, path: &str) -> Value {
        json!({
            "path": path, "mount": self.mount, "total": self.total, "free": self.free, "used_percent": self.used_percent,
        })
    }

    /// Fails when less is free than is needed.
    pub fn holds(&self, needed: &str, place: &str) -> Result<(), Failure> {
        let needed = ByteSize::parse(needed).map_err(|why| Failure::new(FailureKind::Argument, why))?;
        if self.free >= needed.0 {
            return Ok(());
        }
        let (free, total, mount, used) = (ByteSize(self.free), ByteSize(self.total), &self.mount, self.used_percent);
        let message = format!("{place} has {free} free, {needed} are needed (`{mount}`: {total}, {used} % used)");
        Err(Failure::new(FailureKind::Check, message)
            .hint(format!("`du -xh --max-depth=2 {mount} | sort -h | tail` shows the largest folders")))
    }
}

/// What is there whatever is planned; how much will be free after changes before it, nobody knows.
pub(super) fn unforeseen(mut value: Value, path: &str) -> Prediction {
    for field in ["free", "used_percent"] {
        value[field] = unknown(format!("how much will be free at `{path}`"));
    }
    Prediction::nothing(value)
}

/// Free space changes by itself.
pub(super) fn observed(result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(fields) = result.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "free" | "used_percent"));
    }
    result
}

/// A network file system whose server is gone never answers, and no signal ends the question: it is asked from a thread
/// that may be left behind.
fn measure(context: &Context<'_>, path: &str) -> Result<Space, Failure> {
    let place = Place::new(context.project.root(), path)?;
    let asked: PathBuf = Path::to_path_buf(place.path());
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(space(&asked)));
    context.wait(&format!("measuring the file system of `{path}`"), PATIENCE, async {
        match answer.await {
            Ok(Ok(space)) => Ok(space),
            Ok(Err(error)) => Err(Failure::system(format!("measure the file system of `{path}`"), &error)),
            Err(_) => Err(Failure::new(FailureKind::System, format!("nothing measured the file system of `{path}`"))),
        }
    })
}
