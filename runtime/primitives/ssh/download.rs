use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::super::on_engine::short_key;
use super::tree::{self, Kind};
use super::{ask_within, method, needs, target, told, touches_path, user};
use crate::drivers::disk::{Checksum, Held, Place};
use crate::drivers::ssh::{GO_HOME, Script, needing, quoted};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, FileMode, Left, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Span, Spec, Touches, Ty, text_of,
};

crate::options! {
    /// Options of `ssh.download`.
    pub struct Options {
        /// The permissions of files, as in `"0600"`; those they have on the host when left out.
        mode: Option<FileMode>,
        /// How long it may take.
        timeout: Span = Span::seconds(600),
    }
}

/// Fetches a file or folder.
pub struct Download;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "download",
        &[
            Arg::new("from", Ty::Str, "A file or folder of the host."),
            Arg::new(
                "to",
                Ty::Str,
                "The path on this machine, relative to the project's folder: of the file, or of the folder whose content it becomes.",
            ),
        ],
        "Fetches a file or folder, of which only what differs travels. Returns whether there was something to do.",
        r#"ssh("web-1").download("/var/log/nginx", "logs/web-1");"#,
    )
};

/// How many names a plan and the run log show.
const SHOWN: usize = 20;

impl Primitive for Download {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::read(text_of(call.args.first())), Need::write(text_of(call.args.get(1)))])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("download {} to {}", call.str(0), call.str(1)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let fetching = Fetching::new(context, call)?;
        let Some(change) = fetching.change(call) else { return Ok(Outcome::unchanged(false)) };
        let note = format!("{} of {} fetched", fetching.open.len(), fetching.remote.files.len());
        let outcome = Outcome::changed(true).made([change]).note(note);
        context.announce(&outcome, &Value::Null)?;
        fetching.fetch(context, call)?;
        Ok(outcome)
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announced) = context.announced() else { return Ok(Probe::NotDone) };
        let is_there = Fetching::new(context, call)?.is_empty();
        Ok(if is_there { Probe::Done(announced.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        match (touches_path(call, call.str(0)), context.touches(call.str(1))) {
            (Touches::These(there), Touches::These(here)) => Touches::These([there, here].concat()),
            _ => Touches::Anything,
        }
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let fetching = Fetching::new(context, call)?;
        let Some(change) = fetching.change(call) else { return Ok(Prediction::nothing(false)) };
        let left = if fetching.is_folder { Left::Tree } else { Left::File { text: None, mode: fetching.options.mode } };
        context.services.leaves(&fetching.name, left);
        Ok(Prediction::one(change, true))
    }
}

/// What the host has.
#[derive(Default)]
struct Remote {
    folders: Vec<String>,
    /// Permissions and checksum.
    files: BTreeMap<String, (u32, String)>,
    links: BTreeMap<String, String>,
}

/// What is to be fetched, and where to.
struct Fetching {
    remote: Remote,
    is_folder: bool,
    /// Where it goes: its folder is held open.
    held: Held,
    /// The same by its name.
    name: PathBuf,
    options: Options,
    /// Files that differ.
    open: Vec<String>,
    /// Links and folders that are missing.
    missing: Vec<String>,
    is_new: bool,
}

impl Fetching {
    fn new(context: &Context<'_>, call: &Call) -> Result<Self, Failure> {
        let options: Options = call.options()?;
        let (remote, is_folder) = look(context, call, &options)?;
        let mut to = call.str(1).to_owned();
        if !is_folder && to.ends_with('/') {
            to.push_str(call.str(0).rsplit('/').next().unwrap_or_default());
        }
        let place: Place = context.writable(to.trim_end_matches('/'))?;
        let held = place.target()?;
        let here = held.path();
        if !is_folder && here.is_dir() {
            return Err(Failure::new(FailureKind::Invalid, format!("`{to}` is a folder"))
                .hint("end it with `/` to put the file into it"));
        }
        if is_folder && here.exists() && !here.is_dir() {
            return Err(Failure::new(FailureKind::Invalid, format!("`{to}` is a file, not a folder")));
        }
        let is_new = !here.exists();
        let mut now = BTreeMap::new();
        if !is_new {
            let name = if is_folder { "" } else { "." };
            let tree = held.tree().map_err(|error| Failure::system(format!("read `{to}`"), &error))?;
            for entry in tree::local(tree, &to, name, &|| context.still_wanted())? {
                now.insert(entry.name, entry.kind);
            }
        }
        let wanted_mode = options.mode.map(|mode| mode.0);
        let differs = |(name, (_, sum)): &(&String, &(u32, String))| match now.get(*name) {
            Some(Kind::File(mode, _, now)) => now != sum || wanted_mode.is_some_and(|wanted| wanted != *mode),
            _ => true,
        };
        let open = remote.files.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        let has_folder = |name: &&String| !matches!(now.get(*name), Some(Kind::Folder(_)));
        let folders = remote.folders.iter().filter(has_folder).cloned();
        let has_link = |(name, to): &(&String, &String)| now.get(*name) != Some(&Kind::Link((*to).clone()));
        let links = remote.links.iter().filter(has_link).map(|(name, _)| name.clone());
        let missing = folders.chain(links).collect();
        Ok(Self { is_folder, held, name: place.name(), options, open, missing, is_new, remote })
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.missing.is_empty() && !self.is_new
    }

    fn change(&self, call: &Call) -> Option<Change> {
        if self.is_empty() {
            return None;
        }
        let what = format!("{} {}", if self.is_folder { "folder" } else { "file" }, call.str(1).trim_end_matches('/'));
        let mut change = Change::new(if self.is_new { Action::Create } else { Action::Update }, what);
        change.detail.push(format!("from {} on {}", call.str(0), call.receiver_str("name")));
        if self.is_folder {
            change.detail.extend(self.open.iter().chain(&self.missing).take(SHOWN).cloned());
            let count = self.open.len() + self.missing.len();
            if count > SHOWN {
                change.detail.push(format!("and {} more", count - SHOWN));
            }
        }
        Some(change)
    }

    /// Everything arrives beside, is checked, and then each takes its place.
    fn fetch(&self, context: &Context<'_>, call: &Call) -> Result<(), Failure> {
        let what = format!("write `{}`", call.str(1));
        let failed = |error: std::io::Error| Failure::system(&what, &error);
        let stage = Stage(self.held.beside(format!(".runbook-{}", short_key(context))));
        let _ = std::fs::remove_dir_all(&stage.0);
        std::fs::create_dir(&stage.0).map_err(failed)?;
        std::fs::set_permissions(&stage.0, Permissions::from_mode(0o700)).map_err(failed)?;
        if !self.open.is_empty() {
            self.receive(context, call, &stage.0)?;
        }
        let here = self.held.path();
        let place = |name: &str| if self.is_folder { here.join(name) } else { here.clone() };
        if self.is_folder {
            std::fs::create_dir_all(&here).map_err(failed)?;
            for name in &self.remote.folders {
                check_way(&here, name)?;
                std::fs::create_dir_all(here.join(name)).map_err(failed)?;
            }
        }
        for (number, name) in self.open.iter().enumerate() {
            check_way(&here, name)?;
            std::fs::rename(stage.0.join(number.to_string()), place(name)).map_err(failed)?;
        }
        for (name, to) in self.remote.links.iter().filter(|(name, _)| self.missing.contains(name)) {
            check_way(&here, name)?;
            let made = stage.0.join("link");
            symlink(to, &made).map_err(failed)?;
            std::fs::rename(&made, place(name)).map_err(failed)?;
        }
        Ok(())
    }

    fn receive(&self, context: &Context<'_>, call: &Call, stage: &Path) -> Result<(), Failure> {
        let target = target(context, call)?;
        let (mut ours, theirs) =
            UnixStream::pair().map_err(|error| Failure::system("make a pair of sockets", &error))?;
        let path = quoted(call.str(0));
        let (enter, names): (String, Vec<String>) = if self.is_folder {
            (format!("cd -- {path}"), self.open.iter().map(|name| format!("./{name}")).collect())
        } else {
            let (folder, name) = call.str(0).rsplit_once('/').unwrap_or((".", call.str(0)));
            let folder = if folder.is_empty() { "/" } else { folder };
            (format!("cd -- {}", quoted(folder)), vec![format!("./{name}")])
        };
        // A host's `tar` follows the link when the path itself is one.
        let text = format!(
            "{GO_HOME}\nlist=$(mktemp) || {{ finish failed; exit; }}\ntrap 'rm -f -- \"$list\"' EXIT\ncat >\"$list\"\n\
             if {enter} && xargs -0r tar {}-cf - <\"$list\"; then finish done; else finish failed; fi",
            if self.is_folder { "" } else { "-h " }
        );
        let input = names.iter().fold(String::new(), |text, name| text + name.as_str() + "\0");
        let script = Script::new(text).reading(input).run_by(user(call));
        let what = format!("fetching files from `{}`", target.name);
        let unpacked = std::thread::scope(|scope| {
            let unpacking = scope.spawn(|| self.unpack(theirs, stage));
            let fetched =
                context.wait(&what, self.options.timeout.0, context.drivers.ssh().fetch(&target, &script, &mut ours));
            drop(ours);
            let unpacked = unpacking.join();
            fetched.map(|_| unpacked)
        })?;
        match unpacked {
            Ok(Ok(missing)) if missing.is_empty() => Ok(()),
            Ok(Ok(missing)) => {
                let name = missing.first().map_or("", String::as_str);
                let message =
                    format!("`{}`: `{name}` did not arrive as it was, perhaps because it changes", target.name);
                Err(Failure::new(FailureKind::Check, message).hint("fetch it again, or stop whatever writes it"))
            }
            Ok(Err(error)) => Err(Failure::system("store what arrives", &error)),
            Err(_) => Err(Failure::new(FailureKind::System, "what arrived could not be stored")),
        }
    }

    /// Stores the files by their numbers. Returns those that did not come, or came as something else than they were.
    fn unpack(&self, from: UnixStream, stage: &Path) -> std::io::Result<BTreeSet<String>> {
        let mut missing: BTreeSet<String> = self.open.iter().cloned().collect();
        let numbers: BTreeMap<&str, usize> =
            self.open.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut rest = from.try_clone()?;
        let mut archive = tar::Archive::new(from);
        // Of many files, `xargs` makes several archives, one behind the other.
        archive.set_ignore_zeros(true);
        let mut piece = vec![0; 128 << 10];
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let name = if self.is_folder { path.trim_start_matches("./") } else { "." };
            let (Some(number), Some((mode, sum))) = (numbers.get(name), self.remote.files.get(name)) else { continue };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let mut file = std::fs::File::create(stage.join(number.to_string()))?;
            let mut arrived = Checksum::default();
            loop {
                match entry.read(&mut piece)? {
                    0 => break,
                    length => {
                        arrived.add(&piece[..length]);
                        file.write_all(&piece[..length])?;
                    }
                }
            }
            file.set_permissions(Permissions::from_mode(self.options.mode.map_or(*mode, |mode| mode.0)))?;
            file.sync_all()?;
            if arrived.finish() == *sum {
                missing.remove(name);
            }
        }
        // The end of the archive is padded: whoever sends it must be able to send all of it.
        std::io::copy(&mut rest, &mut std::io::sink())?;
        Ok(missing)
    }
}

/// A folder for what is on its way, which never stays.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the host has at the path: a folder with everything in it, or a file, which gets the name `.`.
fn look(context: &Context<'_>, call: &Call, options: &Options) -> Result<(Remote, bool), Failure> {
    let path = quoted(call.str(0));
    let text = format!(
        "{}{GO_HOME}\nif [ ! -e {path} ]; then finish absent {path}; exit; fi\n\
         if [ -f {path} ]; then\nif printf 'file\\n%s  ./.\\n' \"$(sha256sum <{path} | cut -d ' ' -f 1)\" && echo == && stat -L -c '%a ./.' -- {path}; \
         then echo ==; echo ==; finish done; else finish failed; fi\nexit\nfi\n\
         if [ ! -d {path} ]; then finish failed {path} is neither a file nor a folder; exit; fi\n\
         cd -- {path} || {{ finish failed; exit; }}\necho folder\n\
         if find . -type f -exec sha256sum -- {{}} + && echo == && find . -type f -exec stat -c '%a %n' -- {{}} + && echo == \
         && find . -mindepth 1 -type d -print && echo == \
         && find . -type l -exec sh -c 'for p; do printf \"%s\\n%s\\n\" \"$p\" \"$(readlink -- \"$p\" | tr \"\\n\" \"?\")\"; done' sh {{}} +; \
         then finish done; else finish failed; fi",
        needing("cat cut find mktemp readlink sha256sum stat tar tr xargs")
    );
    let answer = ask_within(context, call, "looking at files", Script::new(text), 256 << 20, options.timeout.0)?;
    let answer = String::from_utf8_lossy(&answer);
    let invalid = |what: String| Failure::new(FailureKind::Invalid, format!("`{}`: {what}", call.receiver_str("name")));
    let (kind, rest) = answer.split_once('\n').unwrap_or_default();
    let parts: Vec<&str> = rest.split("==\n").collect();
    let [sums, modes, folders, links] = parts[..] else {
        return Err(invalid("it tells about its files what nobody understands".into()));
    };
    // A name comes from the host, and must lead nowhere else.
    let name = |text: &str| -> Result<String, Failure> {
        let name = text.strip_prefix("./").unwrap_or_default();
        let is_below = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        let is_plain = name == "." || is_below && !name.is_empty() && !name.contains('\\');
        if is_plain { Ok(name.to_owned()) } else { Err(invalid(format!("the name {text:?} cannot travel"))) }
    };
    let mut remote = Remote::default();
    let modes: BTreeMap<&str, u32> = modes
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(mode, name)| Some((name, u32::from_str_radix(mode, 8).ok()? & 0o777)))
        .collect();
    for line in sums.lines() {
        let (sum, path) = line.split_once("  ").ok_or_else(|| invalid(format!("the line {line:?} makes no sense")))?;
        let mode = modes.get(path).copied().unwrap_or(0o600);
        remote.files.insert(name(path)?, (mode, sum.to_owned()));
    }
    for path in folders.lines() {
        remote.folders.push(name(path)?);
    }
    remote.folders.sort();
    let mut lines = links.lines();
    while let (Some(path), Some(to)) = (lines.next(), lines.next()) {
        remote.links.insert(name(path)?, to.trim_end_matches('?').to_owned());
    }
    Ok((remote, kind == "folder"))
}

/// No link of this machine may lead elsewhere what comes from another.
fn check_way(here: &Path, name: &str) -> Result<(), Failure> {
    let mut path = here.to_owned();
    let parts: Vec<_> = Path::new(name).components().collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        path.push(part);
        if path.is_symlink() {
            let message = format!("`{name}` would be written through a link, which leads elsewhere");
            return Err(Failure::new(FailureKind::Refused, message));
        }
    }
    Ok(())
}
