//! `disk_free(path)`: the space of a file system, and the gate on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::drivers::disk::{Place, Space, space};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Spec, Ty, handle,
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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let space = measure(context, call.str(0))?;
        Ok(Outcome::from(value(call.str(0), &space)).note(format!("{} free", ByteSize(space.free))))
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

    fn preview(&self, call: &Call) -> String {
        format!("{} has at least {} free", call.receiver_str("path"), call.str(0))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let needed = ByteSize::parse(call.str(0)).map_err(|why| Failure::new(FailureKind::Argument, why))?;
        let path = call.receiver_str("path");
        let space = measure(context, path)?;
        let (free, total, mount) = (ByteSize(space.free), ByteSize(space.total), space.mount.display());
        if space.free_files == Some(0) {
            return Err(Failure::new(
                FailureKind::Check,
                format!("the file system at `{mount}` can hold no more files"),
            )
            .hint(format!("{free} are free, but it ran out of inodes: look for a folder with very many small files")));
        }
        if space.free < needed.0 {
            return Err(Failure::new(
                FailureKind::Check,
                format!(
                    "`{path}` has {free} free, {needed} are needed (`{mount}`: {total}, {} % used)",
                    space.used_percent
                ),
            )
            .hint("`docker system df` shows what images and volumes take, `docker system prune` removes unused ones")
            .hint(format!("`du -xh --max-depth=2 {mount} | sort -h | tail` shows the largest folders")));
        }
        Ok(Outcome::from(value(path, &space)).note(format!("{free} free")))
    }
}

fn value(path: &str, space: &Space) -> Value {
    let fields = json!({
        "path": path,
        "mount": space.mount.to_string_lossy(),
        "total": space.total,
        "free": space.free,
        "used_percent": space.used_percent,
    });
    handle(DISK, fields)
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
