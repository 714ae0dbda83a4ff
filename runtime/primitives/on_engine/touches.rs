//! What calls look at and change on an engine, for a plan.
//!
//! An application's containers are containers too, and nobody keeps a list of which: so a look at a container may be
//! altered by a change of any application, and a look at an application by a change of any container.

use crate::drivers::docker::Engine;
use crate::primitive::{Change, Context, Touches};

/// Paths of one engine.
pub struct Paths<'a>(pub &'a Engine);

impl Paths<'_> {
    /// A change of a container.
    pub fn container(&self, name: &str) -> Touches {
        Touches::These(vec![self.container_path(name)])
    }

    /// A look at a container.
    pub fn look_at_container(&self, name: &str) -> Touches {
        Touches::These(vec![self.container_path(name), self.path(&["project"])])
    }

    /// A change of an application.
    pub fn project(&self, name: &str) -> Touches {
        Touches::These(vec![self.path(&["project", name])])
    }

    /// A change of an application that may bring images.
    pub fn project_and_images(&self, name: &str) -> Touches {
        Touches::These(vec![self.path(&["project", name]), self.path(&["image"])])
    }

    /// A look at an application.
    pub fn look_at_project(&self, name: &str) -> Touches {
        Touches::These(vec![self.path(&["project", name]), self.path(&["container"])])
    }

    /// An image, a network or a volume; all of them without a name.
    pub fn one(&self, kind: &str, name: Option<&str>) -> Touches {
        Touches::These(vec![self.path(&[&[kind], name.as_slice()].concat())])
    }

    /// A look at networks or volumes, which applications have too.
    pub fn look_at_all(&self, kind: &str) -> Touches {
        Touches::These(vec![self.path(&[kind]), self.path(&["project"])])
    }

    /// Everything of the engine.
    pub fn everything(&self) -> Touches {
        Touches::These(vec![self.path(&[])])
    }

    fn container_path(&self, name: &str) -> Vec<String> {
        // An id may be any container's.
        let is_id = name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.is_empty() || is_id { self.path(&["container"]) } else { self.path(&["container", name]) }
    }

    fn path(&self, rest: &[&str]) -> Vec<String> {
        ["engine", self.0.address()].iter().chain(rest).map(|part| (*part).to_owned()).collect()
    }
}

/// Will an earlier call of the plan write any of these files?
pub fn will_write(context: &Context<'_>, files: &Touches) -> bool {
    let written = |change: &Change| {
        let path = change.what.strip_prefix("file ").or_else(|| change.what.strip_prefix("folder "))?;
        Some(Touches::disk(&context.resolve(path)).overlaps(files))
    };
    context.services.planned().iter().any(|change| written(change) == Some(true))
}
