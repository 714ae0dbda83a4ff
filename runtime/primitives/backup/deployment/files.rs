//! The files of a deployment, and the folders they are in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Deployment;
use crate::compose::{Application, is_configuration};
use crate::drivers::backup::{Entry, EntryKind, Packer, Stat, stat_of};
use crate::primitive::{Context, Failure, FailureKind};
use crate::secrets::env_file::Dialect;

/// Where the variables are that come from no file: in a folder of their own.
const VARIABLES: &str = ".runbook/variables.env";

/// What is saved, by its path in the folder.
pub struct Files {
    /// The folder in which all of it is.
    pub root: PathBuf,
    found: BTreeMap<PathBuf, Found>,
}

enum Found {
    /// A folder or file of this machine.
    There(PathBuf),
    /// A folder that only this program's user may look into.
    Own,
    /// A text that only this program's user may read.
    Text(String),
}

impl Files {
    /// A path in the folder.
    pub fn inside<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// The file with the variables that come from no file, if there are any.
    pub fn variables(&self) -> Option<String> {
        self.found.contains_key(Path::new(VARIABLES)).then(|| VARIABLES.to_owned())
    }

    /// Tells of everything, each folder before what is in it.
    pub fn put(&self, packer: &Packer) -> Result<(), Failure> {
        let time = Timestamp::now();
        for (path, found) in &self.found {
            let (stat, kind) = match found {
                Found::Own => (own(0o700, time), EntryKind::Folder),
                Found::Text(text) => {
                    let bytes = text.clone().into_bytes();
                    let length = bytes.len() as u64;
                    let opener = move || Ok(Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>);
                    (own(0o600, time), EntryKind::File(length, Box::new(opener)))
                }
                Found::There(real) => there(real)?,
            };
            if !packer.put(Entry { path: path.clone(), stat, kind }) {
                return Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"));
            }
        }
        Ok(())
    }
}

fn own(mode: u32, time: Timestamp) -> Stat {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Stat { mode, user, group, time, ..Stat::default() }
}

/// A folder or file as it is now.
fn there(real: &Path) -> Result<(Stat, EntryKind), Failure> {
    let shown = real.display();
    let failed = |error: std::io::Error| Failure::system(format!("look at `{shown}`"), &error);
    let stat = stat_of(real).map_err(failed)?;
    let metadata = fs::metadata(real).map_err(failed)?;
    if metadata.is_dir() {
        return Ok((stat, EntryKind::Folder));
    }
    if !metadata.is_file() {
        let message = format!("`{shown}` is neither a file nor a folder: it cannot be saved");
        return Err(Failure::new(FailureKind::Invalid, message).hint("exclude it"));
    }
    let (length, real) = (metadata.len(), real.to_owned());
    let opener = move || {
        let file = File::open(&real).map_err(|error| Failure::system(format!("read `{}`", real.display()), &error))?;
        // One that grows meanwhile is saved as long as it was.
        Ok(Box::new(file.take(length)) as Box<dyn Read + Send>)
    };
    Ok((stat, EntryKind::File(length, Box::new(opener))))
}

impl Deployment {
    /// Every file that the application is described by: each as far as the run may read it.
    pub(super) fn gather(&self, context: &Context<'_>, model: &Application) -> Result<Files, Failure> {
        let excludes = super::super::excludes(&self.exclude)?;
        let mut paths = described(model);
        for path in &self.files {
            let whole = context.resolve(path);
            let meant = [context.resolve(&self.handle.directory).join(path), whole];
            let [beside, named] = &meant;
            walk(if beside.exists() { beside } else { named }, &mut paths)?;
        }
        let is_meant = |path: &&PathBuf| {
            let shown = path.strip_prefix(&model.directory).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
            !excludes.matched_path_or_any_parents(shown, path.is_dir()).is_ignore()
        };
        let paths: BTreeSet<&PathBuf> = paths.iter().filter(is_meant).collect();
        let root = model.directory.ancestors().find(|root| paths.iter().all(|path| path.starts_with(root)));
        let root = root.filter(|root| root.parent().is_some()).ok_or_else(|| {
            let far = paths.iter().find(|path| !path.starts_with(context.project.root()));
            let far = far.map(|path| path.display().to_string()).unwrap_or_default();
            let message = format!("the files of {} have no folder in common: `{far}` is elsewhere", self.shown());
            Failure::new(FailureKind::Invalid, message).hint("exclude that one, and save it as a source of its own")
        })?;
        let mut found = BTreeMap::new();
        for path in paths {
            let text = path.display().to_string();
            let real = context.real(&text)?;
            for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
                let inside = folder.strip_prefix(root).unwrap_or(folder).to_owned();
                found.entry(inside).or_insert_with(|| Found::There(folder.to_owned()));
            }
            found.insert(path.strip_prefix(root).unwrap_or(path).to_owned(), Found::There(real));
        }
        let given = self.handle.env.keys().chain(&self.handle.inherit).next().is_some();
        if given {
            let inside = PathBuf::from(VARIABLES);
            let folder = inside.parent().unwrap_or(Path::new("")).to_owned();
            found.entry(folder).or_insert(Found::Own);
            found.insert(inside, Found::Text(variables(model)?));
        }
        Ok(Files { root: root.to_owned(), found })
    }
}

/// The files that the compose files consist of and name.
fn described(model: &Application) -> BTreeSet<PathBuf> {
    let mut paths = model.read.clone();
    let objects = model.configs.values().chain(model.secrets.values()).map(|object| &object.file);
    paths.extend(objects.filter(|file| !file.is_empty()).map(PathBuf::from));
    let services = || model.services.values().chain(model.disabled.values());
    let files = services().flat_map(|service| &service.env_files).map(|file| PathBuf::from(&file.path));
    let labels = services().flat_map(|service| &service.label_files).map(PathBuf::from);
    paths.extend(files.chain(labels).filter(|file| file.is_file()));
    if !model.travels {
        let mounts = services().flat_map(|service| &service.volumes).filter(|mount| mount.kind == "bind");
        let given = mounts.filter(|mount| mount.read_only || is_configuration(&mount.source));
        paths.extend(given.map(|mount| PathBuf::from(&mount.source)).filter(|file| file.is_file()));
    }
    paths
}

/// A file, or a folder with everything in it.
fn walk(path: &Path, to: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("look at `{}`", path.display()), &error);
    to.insert(path.to_owned());
    if fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            walk(&entry.map_err(failed)?.path(), to)?;
        }
    }
    Ok(())
}

/// All variables that the files were read with, so that they are read the same again.
fn variables(model: &Application) -> Result<String, Failure> {
    let mut text = String::new();
    for (name, value) in model.variables.iter().filter(|(name, _)| *name != "COMPOSE_PROJECT_NAME") {
        let quoted = Dialect::Compose.quoted(value).ok_or_else(|| {
            Failure::new(FailureKind::Invalid, format!("the variable `{name}` of the deployment has no written form"))
        })?;
        text += &format!("{name}={quoted}\n");
    }
    Ok(text)
}
