//! The demo application: stands in for the images of a registry on machines that have none.
//!
//! One binary under several names, so that compose files written for real applications run unmodified in an image
//! built FROM scratch: as itself it serves HTTP; as `curl`, `alembic` and `python` it does as much of those as the
//! health checks, migrations and seeding of the runbooks next door ask for.
//!
//! | variable or file | what it does |
//! |---|---|
//! | `HOST`, `PORT` | where the server listens: `0.0.0.0`, `8000` |
//! | `DATABASE_PATH` | the SQLite file; without it the database is in memory |
//! | `/version`, `DEMO_VERSION` | the version in the answers, and the newest migration there is |
//! | `/unhealthy`, `DEMO_UNHEALTHY=1` | `/health` answers 503 |
//! | `DEMO_EXIT=3` | the server says so and exits with 3 |
//! | `DEMO_SILENT=1` | the server accepts connections and never answers |
//! | `DEMO_MIGRATION_FAILS=1` | `alembic upgrade` fails |

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod alembic;
mod client;
mod database;
mod seeding;
mod server;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let (name, arguments) = words.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let name = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (name, arguments.as_slice()) {
        ("curl", arguments) => client::curl(arguments),
        ("alembic", arguments) => alembic::run(arguments),
        ("python", ["-m", "seeding.cli", arguments @ ..]) => seeding::run(arguments),
        ("python", ["-m", "dnd_helper_bot.main"]) => wait_for_the_end(),
        ("python", ["-m", "dnd_helper_api.main"]) => server::run(),
        ("python", _) => {
            eprintln!("this python knows `-m dnd_helper_api.main`, `-m dnd_helper_bot.main` and `-m seeding.cli`");
            ExitCode::from(2)
        }
        _ => server::run(),
    }
}

/// A program that only waits to be stopped.
fn wait_for_the_end() -> ExitCode {
    end_on_signal();
    say("the bot is waiting for messages");
    loop {
        std::thread::park();
    }
}

/// The first process of a container has no default signal handlers: without this, every stop takes ten seconds.
fn end_on_signal() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut terminate), Ok(mut interrupt)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
            else {
                return;
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            say("stopped by a signal");
            std::process::exit(0);
        });
    });
}

/// Writes a line of the log, where there is still somebody who reads it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Is the variable set to something other than nothing and `0`?
fn switched_on(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// The version of the image.
fn version() -> String {
    let of_image = || std::fs::read_to_string("/version").ok();
    std::env::var("DEMO_VERSION").ok().or_else(of_image).map_or_else(|| "1".into(), |version| version.trim().to_owned())
}
