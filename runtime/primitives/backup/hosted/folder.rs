use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ignore::gitignore::Gitignore;
use serde_json::{Value, json};

use super::super::excludes;
use super::super::packing::Packing;
use super::super::program::{Pumping, pump_from, supervised};
use super::reading::{self, Listed};
use super::{Hosted, Way};
use crate::drivers::backup::{Count, Packer, Pump, TarredKind, count_tars, each_in_tars};
use crate::drivers::ssh::quoted;
use crate::primitive::{Context, Failure, FailureKind, LogStream};

impl Hosted {
    /// Tells a repository of everything in the folder but what the patterns fit and what lies at `but`, and says at the end how it was read.
    pub fn pump(
        &self,
        context: &Context<'_>,
        packer: &Packer,
        patterns: &[String],
        but: Option<&str>,
        pumping: Pumping<'_>,
    ) {
        let what = format!("saving `{}`", self.shown());
        let done = excludes(patterns).and_then(|excludes| {
            let but = but.map(Path::new);
            supervised(context, pumping, &what, self.save(context, packer, &excludes, but))
        });
        packer.end(done);
    }

    async fn save(
        &self,
        context: &Context<'_>,
        packer: &Packer,
        excludes: &Gitignore,
        but: Option<&Path>,
    ) -> Result<Value, Failure> {
        let way = self.way(context)?;
        let listed = reading::list(&way, &self.path, excludes, but).await?;
        let (mut packing, mut asked) = Packing::new(packer, context.marker_folder());
        let (other, folder) = (way.clone(), self.path.clone());
        // Beside it: while an answer is waited for, nothing of the archive is taken.
        let answering = tokio::spawn(async move {
            while let Some(again) = asked.recv().await {
                let content = content(&other, &folder, &again.first).await;
                again.answer(content);
            }
        });
        let read = reading::read(&way, &self.path, &listed, move |input| {
            let mut seen = Seen::default();
            each_in_tars(input, &mut |entry, content| {
                seen.note(&entry.path, entry.kind == TarredKind::Folder)?;
                packing.put(entry, content)
            })?;
            Ok(seen.all)
        })
        .await;
        answering.abort();
        let (seen, spoken) = read?;
        let vanished = reading::kept_back(&way, &self.path, &listed, &seen).await?;
        if vanished > 0 {
            let line =
                format!("{vanished} files of `{}` vanished before they were read, and are left out", self.shown());
            context.log(LogStream::Info, &line);
        }
        let attributes = listed.has_attributes(&spoken);
        if !attributes {
            let line = format!("extended attributes on `{}` are not saved: its `tar` tells of none", self.host);
            context.log(LogStream::Warn, &line);
        }
        let Listed { tar, .. } = listed;
        Ok(json!({ "host": { "name": self.host, "tar": tar, "attributes": attributes } }))
    }

    /// Everything in the folder; nothing where there is none.
    pub(super) async fn count<T: Count + Default + Send + 'static>(&self, way: &Way) -> Result<T, Failure> {
        let listed = match reading::list(way, &self.path, &Gitignore::empty(), None).await {
            Err(failure) if failure.kind == FailureKind::NotFound => return Ok(T::default()),
            listed => listed?,
        };
        let read = reading::read(way, &self.path, &listed, |input| {
            let mut to = T::default();
            count_tars(input, &mut to).map(|()| to)
        });
        read.await.map(|(to, _)| to)
    }

    /// Hands on what is in a file, as it is.
    pub fn pump_file(&self, context: &Context<'_>, pump: Pump, pumping: Pumping<'_>) {
        let what = format!("saving `{}`", self.shown());
        pump_from(context, pump, pumping, &what, async |pump| {
            let path = quoted(&self.path);
            let text = format!(
                "if [ ! -f {path} ]; then finish absent {path}; exit; fi\nif cat -- {path}; then finish done; else finish failed; fi"
            );
            let mut on_bytes = |bytes: &[u8]| {
                if !pump.push(bytes) {
                    pumping.over.cancel();
                }
            };
            self.way(context)?.run(&text, Vec::new(), &mut on_bytes).await?;
            Ok(Value::Null)
        });
    }
}

/// What came so far.
#[derive(Default)]
struct Seen {
    all: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

impl Seen {
    /// Notes an entry, whose folder has to have come before.
    fn note(&mut self, path: &Path, is_folder: bool) -> Result<(), Failure> {
        if path.parent().is_some_and(|folder| !self.folders.contains(folder)) {
            let message = format!("the folder of `{}` was removed or replaced while it was read", path.display());
            return Err(Failure::new(FailureKind::Conflict, message));
        }
        if is_folder {
            self.folders.insert(path.to_owned());
        }
        self.all.insert(path.to_owned());
        Ok(())
    }
}

/// What is in a file of the folder.
async fn content(way: &Way, folder: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let text = format!("{}xargs -0 cat -- && finish done || finish failed", reading::enter(folder));
    let mut name = b"./".to_vec();
    name.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()));
    name.push(0);
    way.run(&text, name, &mut |bytes| content.extend_from_slice(bytes)).await.map(|_| content)
}
