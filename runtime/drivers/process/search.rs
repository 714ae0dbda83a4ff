use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Command;
use crate::failure::{Failure, FailureKind, nearest};

/// What to install for a program that is missing, where the package has another name.
const PACKAGES: &[(&str, &str)] = &[
    ("docker", "docker.io"),
    ("pg_dump", "postgresql-client"),
    ("pg_restore", "postgresql-client"),
    ("psql", "postgresql-client"),
    ("redis-cli", "redis-tools"),
    ("ssh", "openssh-client"),
    ("scp", "openssh-client"),
    ("dig", "dnsutils"),
    ("xz", "xz-utils"),
];

/// Programs whose package has their own name.
const SAME_NAME: &[&str] = &["git", "curl", "wget", "rsync", "jq", "sqlite3", "openssl", "zstd", "gzip", "tar", "make"];

/// The program's file: relative names with a slash start at the folder it runs in, others are looked up in its `PATH`.
pub fn find(name: &str, command: &Command) -> Result<PathBuf, Failure> {
    if name.contains('/') {
        let path = command.cwd.as_ref().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        return match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                Err(Failure::new(FailureKind::Invalid, format!("`{name}` is a folder, not a program")))
            }
            Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Err(not_executable(name, &path)),
            Ok(_) => Ok(absolute(path)),
            Err(error) => {
                let failure = Failure::system(format!("run `{name}`"), &error);
                Err(match one_word(name, command) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                })
            }
        };
    }
    let search = search_path(command);
    let mut denied = None;
    for folder in std::env::split_paths(&search) {
        let path = folder.join(name);
        match path.metadata() {
            Ok(metadata) if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 => {
                return Ok(absolute(path));
            }
            Ok(metadata) if metadata.is_file() => denied = Some(path),
            _ => {}
        }
    }
    Err(denied.map_or_else(|| not_found(name, command, &search), |path| not_executable(name, &path)))
}

/// The kernel would look up a relative file after changing the folder, and miss it.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The `PATH` the program will get, which is also the one it is looked up in.
pub fn search_path(command: &Command) -> OsString {
    let given = command.env.get("PATH").map(|value| value.clone().map(OsString::from));
    let inherited = || std::env::var_os("PATH");
    given
        .unwrap_or_else(inherited)
        .unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// The failure for a file that lacks the permission to be run.
pub fn not_executable(name: &str, path: &Path) -> Failure {
    Failure::new(FailureKind::Invalid, format!("`{name}` is not executable"))
        .hint(format!("run `chmod +x {}`, or name its interpreter, as in [\"sh\", {name:?}]", path.display()))
}

fn not_found(name: &str, command: &Command, search: &OsStr) -> Failure {
    let failure = Failure::new(FailureKind::NotFound, format!("there is no program `{name}`"));
    if let Some(hint) = one_word(name, command) {
        return failure.hint(hint);
    }
    let package = PACKAGES.iter().find(|(program, _)| *program == name).map(|(_, package)| *package);
    if let Some(package) = package.or_else(|| SAME_NAME.iter().find(|known| **known == name).copied()) {
        return failure.hint(format!("install it: `apt-get install {package}`"));
    }
    if let Some(near) = meant(name, search) {
        return failure.hint(format!("did you mean `{near}`?"));
    }
    let folder = command.cwd.clone().unwrap_or_default();
    if folder.join(name).is_file() {
        return failure.hint(format!("for the file in the folder it runs in, write `./{name}`"));
    }
    failure.hint(format!("install it, or add its folder to PATH, which is `{}`", search.display()))
}

/// The hint for a whole command line written as the program's name.
fn one_word(name: &str, command: &Command) -> Option<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let is_line = words.len() > 1 && command.argv.len() == 1;
    is_line.then(|| format!("each argument is an item of its own: write {words:?}"))
}

/// The program in `PATH` whose name is most likely meant.
fn meant(name: &str, search: &OsStr) -> Option<String> {
    let folders = std::env::split_paths(search).filter_map(|folder| folder.read_dir().ok());
    let names = folders.flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // Among so many names there is nearly always one that is a bit alike.
    let close = names.filter(|candidate| strsim::osa_distance(name, candidate) <= 1 + name.len() / 6);
    let close: Vec<String> = close.collect();
    nearest(name, close.iter().map(String::as_str)).map(str::to_owned)
}
