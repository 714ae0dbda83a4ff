//! Every primitive, one file each, and the list of them.

mod always;
mod backup;
mod compose;
mod confirm;
mod disk_free;
mod docker;
mod env_file;
mod env_var;
mod file;
mod folder;
mod git;
mod http_check;
mod info;
mod lock;
mod now;
mod on_engine;
mod parallel;
mod param;
mod random;
mod retry;
mod rolling;
mod running;
mod schema;
mod secret;
mod sh;
mod sleep;
mod sqlite_query;
pub mod ssh;
mod step;
mod template;
mod this_machine;
mod threads;
mod to_json;
mod undo;
mod wait_until;
mod warn;
mod writing;

pub use backup::{Imports, moment};

use crate::primitive::{Primitive, Spec};

/// All primitives there are. Binding, checking and the reference pages start from this list.
pub fn all() -> Vec<&'static dyn Primitive> {
    let functions: &[&dyn Primitive] = &[
        &always::Always,
        &confirm::Confirm,
        &env_var::EnvVar,
        &http_check::HttpCheck,
        &info::Info,
        &lock::Lock,
        &now::Now,
        &parallel::Parallel,
        &param::Param,
        &random::Random,
        &retry::Retry,
        &rolling::Rolling,
        &sh::Sh,
        &sleep::Sleep,
        &sqlite_query::SqliteQuery,
        &step::Step,
        &template::Template,
        &this_machine::ThisMachine,
        &to_json::ToJson,
        &undo::Undo,
        &wait_until::WaitUntil,
        &warn::Warn,
    ];
    let handles: &[&[&dyn Primitive]] = &[
        backup::ALL,
        compose::ALL,
        disk_free::ALL,
        docker::ALL,
        env_file::ALL,
        file::ALL,
        folder::ALL,
        git::ALL,
        secret::ALL,
        ssh::ALL,
    ];
    [functions.to_vec(), handles.concat()].concat()
}

/// What is known about all of them without calling any.
pub fn specs() -> Vec<&'static Spec> {
    all().iter().map(|primitive| primitive.spec()).collect()
}
