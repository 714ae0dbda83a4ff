//! What tests share.

#![allow(dead_code, unused_imports)]

pub mod bucket;
pub mod certificates;
pub mod cut;
mod direct;
mod docker;
pub mod http;
pub mod ports;
mod postgres;
mod programs;
mod project;
mod redis;
mod registry;
pub mod smtp;
pub mod sshd;
pub mod strace;
mod terminal;

pub use direct::Direct;
pub use docker::Lab;
pub use postgres::Postgres;
pub use redis::Redis;
pub use registry::Registry;
pub use terminal::{at_terminal, has_script};

use runbook::primitive::Primitive;

/// The primitive of that name: `http_check`, `file.write`.
pub fn primitive(name: &str) -> &'static dyn Primitive {
    let all = runbook::primitives::all();
    all.into_iter().find(|primitive| primitive.spec().qualified_name() == name).unwrap_or_else(|| panic!("no `{name}`"))
}

/// Is there time for the whole size? `RUNBOOK_NIGHT=1` says so; otherwise a sample must do.
pub fn at_night() -> bool {
    std::env::var_os("RUNBOOK_NIGHT").is_some()
}

/// The same, said aloud where there is none: for a test that has no smaller size.
pub fn only_at_night() -> bool {
    if !at_night() {
        eprintln!("skipped: this test takes a night, RUNBOOK_NIGHT=1 runs it");
    }
    at_night()
}

/// Says that a test could not run for lack of something; a failure when everything is required to be there.
pub fn skip(what: &str) {
    assert!(std::env::var("RUNBOOK_REQUIRE").as_deref() != Ok("all"), "this test needs {what}");
    eprintln!("skipped: this test needs {what}");
}
#[allow(unused_imports)]
pub use project::{Project, Ran};

/// An event as a run without secrets hands it on.
pub fn fit(event: &runbook::journal::Event) -> runbook::journal::Redacted {
    runbook::journal::Redacted::by(&runbook::secrets::Redactor::default(), event.clone())
}
