//! Programs, disk and clock of this machine.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::Ward;
use crate::failure::Failure;
use crate::report::Condition;
use crate::units::{ByteSize, Span};

/// The run log needs little, but a full disk stops every run.
const ENOUGH: u64 = 1 << 30;

/// How far the clock may be behind a file before that means something: files come from machines with other clocks.
const SKEW: Duration = Duration::from_secs(300);

pub(super) fn look(ward: &Ward) -> Vec<Condition> {
    let mut all = vec![git(), writable(&ward.state)];
    all.extend(room(&ward.state));
    all.push(clock(ward));
    all
}

/// Where a program is, by `PATH` and the folders that root's programs live in.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| {
        file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// The bytes a user may still write in the file system of `path`, or of what will hold it.
pub(super) fn free(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|folder| folder.exists())?;
    let room = rustix::fs::statvfs(existing).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

fn git() -> Condition {
    let missing =
        || Condition::warn("git", "not found: `git(…)` cannot be used in runbooks").fix("sudo apt-get install git");
    let Some(program) = on_path("git") else { return missing() };
    match Command::new(program).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Condition::ok("git", text.strip_prefix("git version ").unwrap_or(&text))
        }
        _ => missing(),
    }
}

/// Tries it: permissions, read-only mounts and quotas all answer alike.
fn writable(state: &Path) -> Condition {
    let name = "state folder";
    let shown = state.display();
    let Some(existing) = state.ancestors().find(|folder| folder.exists()) else {
        return Condition::missing(name, format!("no part of {shown} exists"));
    };
    let probe = existing.join(format!(".runbook-doctor-{}", std::process::id()));
    let tried = std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
    match tried {
        Ok(()) if existing == state => Condition::ok(name, format!("{shown}, writable")),
        Ok(()) => Condition::ok(name, format!("{shown}, made by the first run")),
        Err(error) => {
            let why = Failure::system(format!("write in {}", existing.display()), &error).message;
            let fix = match error.kind() {
                ErrorKind::ReadOnlyFilesystem => {
                    format!("mount it to be written: `findmnt --target {}` shows how it is mounted", existing.display())
                }
                ErrorKind::StorageFull => format!("free some space: df {}", existing.display()),
                _ => format!("sudo chown \"$USER\" {}", existing.display()),
            };
            Condition::missing(name, why)
                .fix(fix)
                .fix("or keep the run log elsewhere: export RUNBOOK_STATE=/path/to/folder")
        }
    }
}

fn room(state: &Path) -> Option<Condition> {
    let name = "room for the run log";
    let free = free(state)?;
    let found = format!("{} free in {}", ByteSize(free), state.display());
    Some(if free >= ENOUGH {
        Condition::ok(name, found)
    } else if free >= ENOUGH / 10 {
        Condition::warn(name, found).fix("make room on that disk, or set RUNBOOK_STATE")
    } else {
        Condition::missing(name, found).fix("make room on that disk, or set RUNBOOK_STATE")
    })
}

/// A clock that was set back is noticed by files of the future: this program and the run log.
fn clock(ward: &Ward) -> Condition {
    let now = SystemTime::now();
    let witnesses = [std::env::current_exe().ok(), Some(ward.state.join("journal.sqlite"))];
    let written = witnesses.into_iter().flatten().filter_map(|file| file.metadata().ok()?.modified().ok()).max();
    let ahead = written.and_then(|written| written.duration_since(now).ok()).filter(|ahead| *ahead > SKEW);
    let shown = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    match ahead {
        None => Condition::ok("clock", shown.to_string()),
        Some(ahead) => {
            Condition::warn("clock", format!("{shown}, {} behind files that were written here", Span(ahead)))
                .fix("sudo timedatectl set-ntp true")
        }
    }
}
