//! Configs and secrets: files of the host mounted read only, and texts put into the container before it starts. What an
//! engine on another machine is to have is put into the container as well.

use sha2::{Digest, Sha256};

use crate::compose::{Application, FileMount, FileObject, Service};
use crate::drivers::docker::Engine;
use crate::primitive::{Failure, FailureKind};

/// A text that becomes a file of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inject {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user: u64,
    /// Group.
    pub group: u64,
}

/// The binds and the texts of a service's configs and secrets.
pub(super) fn of(application: &Application, service: &Service) -> Result<(Vec<String>, Vec<Inject>), Failure> {
    let (mut binds, mut inject) = (Vec::new(), Vec::new());
    let configs = service.configs.iter().map(|mount| (mount, application.configs.get(&mount.source), "/"));
    let secrets = service.secrets.iter().map(|mount| (mount, application.secrets.get(&mount.source), "/run/secrets/"));
    for (mount, object, folder) in configs.chain(secrets) {
        let Some(object) = object else { continue };
        let path = target(mount, folder);
        if !object.file.is_empty() {
            if !std::path::Path::new(&object.file).exists() {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!(
                        "service `{}`: the file `{}` of `{}` does not exist",
                        service.name, object.file, mount.source
                    ),
                ));
            }
            if !application.travels {
                binds.push(format!("{}:{path}:ro", object.file));
                continue;
            }
        }
        inject.push(Inject {
            path,
            text: text_of(application, service, mount, object)?,
            mode: mount.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o444),
            user: mount.uid.parse().unwrap_or(0),
            group: mount.gid.parse().unwrap_or(0),
        });
    }
    Ok((binds, inject))
}

/// A digest of what is put into a container; `None` when that is nothing.
pub(super) fn digest(inject: &[Inject]) -> Option<String> {
    let first = inject.first()?;
    let mut hash = Sha256::new();
    for file in std::iter::once(first).chain(&inject[1..]) {
        hash.update(format!("{}\0{:o}\0{}:{}\0{}\0", file.path, file.mode, file.user, file.group, file.text));
    }
    Some(super::hex(&hash.finalize()))
}

/// Puts the texts into a container that does not run yet.
pub(super) async fn put(engine: &Engine, container: &str, inject: &[Inject]) -> Result<(), Failure> {
    for file in inject {
        engine.put_file(container, &file.path, file.text.as_bytes(), file.mode, (file.user, file.group)).await?;
    }
    Ok(())
}

fn target(mount: &FileMount, folder: &str) -> String {
    match mount.target.as_str() {
        "" => format!("{folder}{}", mount.source),
        target if target.starts_with('/') => target.to_owned(),
        target => format!("{folder}{target}"),
    }
}

fn text_of(
    application: &Application,
    service: &Service,
    mount: &FileMount,
    object: &FileObject,
) -> Result<String, Failure> {
    if !object.file.is_empty() {
        return std::fs::read_to_string(&object.file).map_err(|error| {
            Failure::new(
                FailureKind::Invalid,
                format!("service `{}`: `{}` cannot be brought to the engine: {error}", service.name, object.file),
            )
            .hint("on an engine of another machine, configs and secrets have to be text")
        });
    }
    if object.environment.is_empty() {
        return Ok(object.content.clone());
    }
    application.variables.get(&object.environment).cloned().ok_or_else(|| {
        Failure::new(
            FailureKind::Invalid,
            format!(
                "service `{}`: the variable `{}` that `{}` is made from is not set",
                service.name, object.environment, mount.source
            ),
        )
    })
}
