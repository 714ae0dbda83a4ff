//! From a repository of the project file to where it is, what opens it and what that needs.

use serde_json::Value;

use super::{ByteSize, Call, Failure, FailureKind, Need, Primitive, target_named, unknown_in_text};
use crate::drivers::backup::Location;
use crate::drivers::bucket::{Keys, Place, Style};
use crate::drivers::pace::Limits;
use crate::project::{BackupRepository, BucketStyle, Project, ProjectFile, RepositoryPlace};
use crate::secrets::SecretText;

/// Where a repository is, and its password. `secret` gives the value of a secret for a place by its name.
pub fn opening(
    project: &Project,
    repository: &BackupRepository,
    secret: &dyn Fn(&str, &str) -> Result<SecretText, Failure>,
) -> Result<(Location, SecretText), Failure> {
    let location = match place_of(repository)? {
        RepositoryPlace::Folder(path) => Location::Folder(project.backup_folder(path)),
        RepositoryPlace::Host { host, path } => {
            Location::Host(Box::new(target_named(project.file(), host)?), path.to_owned())
        }
        RepositoryPlace::Bucket { url, region, style, access_key, secret_key } => {
            let style = if style == BucketStyle::Path { Style::Path } else { Style::VirtualHost };
            let place = Place::parse(url, region, style)?;
            let access = secret("the bucket's access key", access_key)?.expose().to_owned();
            let secret = secret("the bucket's secret key", secret_key)?.expose().to_owned();
            Location::Bucket(place, Keys { access, secret })
        }
    };
    let bytes = |size: ByteSize| size.0;
    let limits = Limits { upload: repository.limit_upload.map(bytes), download: repository.limit_download.map(bytes) };
    let location = if limits == Limits::default() { location } else { Location::Limited(Box::new(location), limits) };
    Ok((location, secret("the repository's password", &repository.password)?))
}

/// What has to be granted to work with a repository.
pub fn repository_needs(repository: &BackupRepository) -> Result<Vec<Need>, Failure> {
    let mut needs = vec![Need::secret(&repository.password)];
    match place_of(repository)? {
        RepositoryPlace::Folder(path) => needs.push(Need::write(path)),
        RepositoryPlace::Host { host, .. } => needs.push(Need::host(host)),
        RepositoryPlace::Bucket { url, access_key, secret_key, .. } => {
            needs.extend([Need::secret(access_key), Need::secret(secret_key), Need::http(url)]);
        }
    }
    Ok(needs)
}

/// Everything that a call needs.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// What its arguments say, and what the project file says of the repositories that it opens.
    pub certain: Vec<Need>,
    /// What any of the repositories needs, where only the run knows which of them it is.
    pub possible: Vec<Need>,
}

impl Needs {
    /// What this call needs in that project. A repository that the project does not have needs nothing: the call fails.
    pub fn of(primitive: &dyn Primitive, call: &Call, file: &ProjectFile) -> Self {
        let mut all = Self { certain: primitive.needs(call), possible: Vec::new() };
        let needs = |entry: &BackupRepository| repository_needs(entry).unwrap_or_default();
        for name in primitive.repositories(call) {
            let known = match &name {
                Value::Null => Some(file.backup(None)),
                Value::String(name) if unknown_in_text(name).is_none() => Some(file.backup(Some(name))),
                // Whatever it is called: there is no other.
                _ if file.backups.len() == 1 => Some(file.backup(None)),
                _ => None,
            };
            match known {
                Some(found) => all.certain.extend(found.map(|(_, entry)| needs(entry)).unwrap_or_default()),
                None => all.possible.extend(file.backups.values().flat_map(needs)),
            }
        }
        all
    }
}

fn place_of(repository: &BackupRepository) -> Result<RepositoryPlace<'_>, Failure> {
    // It was looked at when the project file was read.
    repository.place().map_err(|why| Failure::new(FailureKind::Invalid, format!("a repository of backups: {why}")))
}
