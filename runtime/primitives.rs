//! Every primitive, one file each, and the list of them.

mod always;
mod compose;
mod confirm;
mod disk_free;
mod docker;
mod file;
mod folder;
mod git;
mod http_check;
mod info;
mod lock;
mod parallel;
mod param;
mod retry;
mod sh;
mod sleep;
mod step;
mod template;
mod undo;
mod wait_until;
mod warn;

use crate::primitive::{Primitive, Spec};

/// All primitives there are. Binding, checking and the reference pages start from this list.
pub fn all() -> Vec<&'static dyn Primitive> {
    let functions: &[&dyn Primitive] = &[
        &always::Always,
        &confirm::Confirm,
        &http_check::HttpCheck,
        &info::Info,
        &lock::Lock,
        &parallel::Parallel,
        &param::Param,
        &retry::Retry,
        &sh::Sh,
        &sleep::Sleep,
        &step::Step,
        &template::Template,
        &undo::Undo,
        &wait_until::WaitUntil,
        &warn::Warn,
    ];
    [functions, compose::ALL, disk_free::ALL, docker::ALL, file::ALL, folder::ALL, git::ALL].concat()
}

/// What is known about all of them without calling any.
pub fn specs() -> Vec<&'static Spec> {
    all().iter().map(|primitive| primitive.spec()).collect()
}
