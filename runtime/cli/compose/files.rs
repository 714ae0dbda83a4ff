//! Which files, variables and profiles are meant: the same for every command that reads compose files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::compose::{LoadRequest, USUAL_FILES, usual_files};
use crate::failure::{Failure, FailureKind};

/// Files, variables and profiles, as `compose` in a runbook takes them.
#[derive(Args)]
pub struct Files {
    /// Compose file; given several times, later ones over earlier ones
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    named: Vec<PathBuf>,
    /// The file of variables; `.env` in the project's folder without it
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// A variable, over those of the file
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = assignment)]
    env: Vec<(String, String)>,
    /// A variable of this shell that the files may use; no other one is seen
    #[arg(long, value_name = "NAME")]
    inherit: Vec<String>,
    /// A profile that is active; `*` means all
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// The project's name, instead of the one the files or their folder give
    #[arg(short, long = "project-name", value_name = "NAME", default_value = "", hide_default_value = true)]
    project: String,
    /// The folder that relative paths in the files start from; that of the first file without it
    #[arg(long, value_name = "FOLDER")]
    project_directory: Option<PathBuf>,
}

impl Files {
    /// What is to be loaded. Fails when no file is named and none is where one is looked for.
    pub fn request(self) -> Result<LoadRequest, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure::system("find the current folder", &error))?;
        let folder = self.project_directory.map(|folder| here.join(folder));
        let files = if self.named.is_empty() {
            usual_files(folder.as_deref().unwrap_or(&here))
        } else {
            self.named.iter().map(|file| here.join(file)).collect()
        };
        let Some(first) = files.first() else {
            let looked = folder.unwrap_or(here);
            let failure =
                Failure::new(FailureKind::NotFound, format!("there is no compose file in `{}`", looked.display()));
            return Err(failure.hint(format!("name it with --file, or make one of {}", USUAL_FILES.join(", "))));
        };
        let folder = folder.unwrap_or_else(|| first.parent().map(Path::to_path_buf).unwrap_or_default());
        let inherited =
            self.inherit.into_iter().filter_map(|name| std::env::var(&name).ok().map(|value| (name, value)));
        let environment: BTreeMap<String, String> = inherited.chain(self.env).collect();
        Ok(LoadRequest {
            project: self.project,
            files,
            project_directory: folder,
            env_file: self.env_file.map(|file| here.join(file)),
            environment,
            profiles: self.profiles,
        })
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}
