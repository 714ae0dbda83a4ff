use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Keep, PROJECT_FILE, Project, ProjectFile};
use crate::failure::{Failure, FailureKind};
use crate::units::{ByteSize, Span};

/// What stands behind a job's name in that of what was saved before a restore replaced it.
pub const BEFORE_RESTORE: &str = ".before-restore";

/// What is signed where nobody says anything else.
const USUAL_REGION: &str = "us-east-1";

/// What has to be let through in a second: with less, servers and hosts would give up waiting.
const SLOWEST: ByteSize = ByteSize(64 << 10);

/// `[backup.NAME]`: a repository of backups.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRepository {
    /// Its folder, relative to the project's; with `host`, a whole path there.
    path: Option<String>,
    /// The host it lies on.
    host: Option<String>,
    /// Its bucket: `https://server/bucket/folder`.
    bucket: Option<String>,
    /// The region of the bucket.
    region: Option<String>,
    /// How the bucket's name is said.
    style: Option<BucketStyle>,
    /// The names of the secrets with the bucket's keys.
    access_key: Option<String>,
    secret_key: Option<String>,
    /// The name of the secret with its password.
    pub password: String,
    /// How much may travel to it in a second.
    pub limit_upload: Option<ByteSize>,
    /// How much may travel from it in a second.
    pub limit_download: Option<ByteSize>,
    /// Which snapshots of each job stay.
    #[serde(default)]
    pub keep: Keep,
    /// How old the newest snapshot of each job may be.
    pub max_age: Option<Span>,
    /// How long ago each job's last restore drill may be.
    pub max_drill_age: Option<Span>,
    /// How long restoring everything of a job may take.
    pub recovery_time: Option<Span>,
    /// `[backup.NAME.job.JOB]`: jobs that there have to be, and what is different for them.
    #[serde(default, rename = "job")]
    pub jobs: BTreeMap<String, BackupJob>,
}

/// `[backup.NAME.job.JOB]`: what is different for one job; what is left out is as for all others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupJob {
    /// Which of its snapshots stay.
    pub keep: Option<Keep>,
    /// How old its newest snapshot may be.
    pub max_age: Option<Span>,
    /// How long ago its last restore drill may be.
    pub max_drill_age: Option<Span>,
    /// How long restoring everything of it may take.
    pub recovery_time: Option<Span>,
    /// The runbook that drills a restore of it, relative to the project.
    pub drill: Option<PathBuf>,
}

impl BackupRepository {
    /// How long restoring everything of a job may take.
    pub fn recovery_time_of(&self, job: &str) -> Option<Span> {
        self.jobs.get(job).and_then(|own| own.recovery_time).or(self.recovery_time)
    }

    /// The runbook that drills a restore of a job.
    pub fn drill_of(&self, job: &str) -> Option<&Path> {
        self.jobs.get(job)?.drill.as_deref()
    }

    /// Which snapshots of a job stay.
    pub fn keep_of(&self, job: &str) -> &Keep {
        self.jobs.get(job).and_then(|job| job.keep.as_ref()).unwrap_or(&self.keep)
    }

    /// How old a job's newest snapshot, and how long ago its last drill, may be. What a restore saved before it replaced it comes
    /// and goes as it may.
    pub fn limits_of(&self, job: &str) -> (Option<Span>, Option<Span>) {
        match self.jobs.get(job) {
            Some(own) => (own.max_age.or(self.max_age), own.max_drill_age.or(self.max_drill_age)),
            None if job.ends_with(BEFORE_RESTORE) => (None, None),
            None => (self.max_age, self.max_drill_age),
        }
    }
}

/// How a bucket's name is said to its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketStyle {
    /// In the path, which every server understands.
    #[default]
    Path,
    /// As the first word of the host.
    VirtualHost,
}

/// Where a repository is, as the project file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryPlace<'a> {
    /// A folder, relative to the project's.
    Folder(&'a str),
    /// A folder of a host.
    Host {
        /// Its name.
        host: &'a str,
        /// The whole path.
        path: &'a str,
    },
    /// A bucket.
    Bucket {
        /// The server, the bucket and the folder in it.
        url: &'a str,
        /// Its region.
        region: &'a str,
        /// How its name is said.
        style: BucketStyle,
        /// The name of the secret with the name of the key.
        access_key: &'a str,
        /// The name of the secret with the key itself.
        secret_key: &'a str,
    },
}

impl BackupRepository {
    /// Where it is.
    pub fn place(&self) -> Result<RepositoryPlace<'_>, String> {
        let of_bucket = [
            ("region", self.region.is_some()),
            ("style", self.style.is_some()),
            ("access_key", self.access_key.is_some()),
            ("secret_key", self.secret_key.is_some()),
        ];
        let is_plain = |what: &str| match of_bucket.iter().find(|(_, is_there)| *is_there) {
            Some((name, _)) => Err(format!("`{name}` belongs to a `bucket`, and this is a {what}")),
            None => Ok(()),
        };
        let limits = [("limit_upload", self.limit_upload), ("limit_download", self.limit_download)];
        if let Some((name, _)) = limits.iter().find(|(_, limit)| limit.is_some_and(|limit| limit < SLOWEST)) {
            return Err(format!("`{name}` is at least {SLOWEST}, in a second"));
        }
        match (&self.path, &self.host, &self.bucket) {
            (Some(_), None, None) if limits.iter().any(|(_, limit)| limit.is_some()) => {
                Err("limits are for what travels to a `host` or a `bucket`, and this is a folder".into())
            }
            (Some(path), None, None) => is_plain("folder").map(|()| RepositoryPlace::Folder(path)),
            (Some(path), Some(host), None) => {
                is_plain("folder of a host")?;
                let is_whole = path.starts_with('/') && path.split('/').all(|part| part != "..") && path.len() > 1;
                if !is_whole {
                    return Err(format!("`path` on a host begins at its root: `{path}` does not"));
                }
                Ok(RepositoryPlace::Host { host, path })
            }
            (None, None, Some(url)) => {
                let (region, style) = (self.region.as_deref().unwrap_or(USUAL_REGION), self.style.unwrap_or_default());
                let access_key = named(self.access_key.as_deref(), "access_key")?;
                let secret_key = named(self.secret_key.as_deref(), "secret_key")?;
                Ok(RepositoryPlace::Bucket { url, region, style, access_key, secret_key })
            }
            (None, None, None) => Err("it needs `path`, a folder, or `bucket`".into()),
            (None, Some(_), None) => Err("`host` needs `path`, a folder there".into()),
            (_, _, Some(_)) => Err("it is in a `bucket`, so it has no `path` and no `host`".into()),
        }
    }
}

fn named<'a>(secret: Option<&'a str>, key: &str) -> Result<&'a str, String> {
    secret.ok_or_else(|| format!("a bucket needs `{key}`: the name of a secret"))
}

impl ProjectFile {
    /// The repository of that name with its name; without one, the only one.
    pub fn backup(&self, name: Option<&str>) -> Result<(&str, &BackupRepository), Failure> {
        let all = &self.backups;
        let names = || all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let found = match name {
            Some(name) => all.get_key_value(name),
            None if all.len() > 1 => {
                return Err(Failure::new(FailureKind::Argument, "which repository of backups?")
                    .hint(format!("{PROJECT_FILE} has {}", names())));
            }
            None => all.iter().next(),
        };
        found.map(|(name, repository)| (name.as_str(), repository)).ok_or_else(|| {
            let what = name.map_or_else(|| "no repository of backups".into(), |name| format!("no [backup.{name}]"));
            let failure = Failure::new(FailureKind::NotFound, format!("there is {what} in {PROJECT_FILE}"));
            if all.is_empty() {
                let name = name.unwrap_or("main");
                return failure
                    .hint(format!("add one: [backup.{name}] with `path` and, as `password`, the name of a secret"));
            }
            failure.hint(format!("there is {}", names()))
        })
    }
}

impl Project {
    /// The repository of that name with its name; without one, the only one.
    pub fn backup(&self, name: Option<&str>) -> Result<(&str, &BackupRepository), Failure> {
        self.file().backup(name)
    }

    /// A folder of the project file.
    pub fn backup_folder(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }
}
