//! Images of a deployment, given back to an engine: loaded without names, compared, and only then named.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drivers::docker::{Engine, Layered, Reference};
use crate::primitive::{Context, Failure, FailureKind, Need, Span, parse_options};
use crate::primitives::on_engine::{engine_of, machine};

/// What stands behind the tag of an image whose name went to one that was restored.
const BEFORE: &str = ".before-restore";

/// An image that was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedImage {
    /// What it is.
    pub image: Layered,
    /// For which services, and what it is called there.
    pub names: Vec<Name>,
}

/// The name of an image for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The service.
    pub service: String,
    /// `repository:tag`; empty where it had no name of its own.
    pub name: String,
}

/// Where images are restored to.
pub struct ImagesPlacing {
    engine: Option<String>,
    prefix: Option<String>,
    replace: bool,
    within: Span,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    images: bool,
    #[serde(default)]
    engine: Option<Value>,
    #[serde(default)]
    prefix: Option<String>,
}

impl ImagesPlacing {
    /// Reads `#{ images: true, engine, prefix }`.
    pub fn read(value: &Value, replace: bool, within: Span) -> Result<Self, Failure> {
        let Written { images, engine, prefix } = parse_options(value)?;
        let wrong = |message: String| Err(Failure::new(FailureKind::Argument, message));
        if !images {
            return wrong("`images` is `true`, for a part with images".into());
        }
        if let Some(prefix) =
            prefix.as_ref().filter(|prefix| Reference::parse(&format!("{prefix}/x:restored")).is_err())
        {
            return wrong(format!("`{prefix}` cannot stand before the name of an image"));
        }
        let engine = engine.as_ref().map(engine_of).transpose()?;
        let engine = engine.and_then(|address| Some(address.as_str()?.to_owned()));
        Ok(Self { engine, prefix, replace, within })
    }

    /// What restoring them needs, as it is written.
    pub fn needs(value: &Value) -> Vec<Need> {
        let address = value.get("engine").and_then(|engine| engine_of(engine).ok());
        let machine = address.as_ref().and_then(Value::as_str).map(machine);
        machine.into_iter().chain([Need::docker("images", "restore")]).collect()
    }

    fn engine(&self, context: &Context<'_>) -> Result<Arc<Engine>, Failure> {
        context.drivers.docker(self.engine.as_deref())
    }

    /// The names that an image gets: its own, or such as nobody else has.
    fn names(&self, image: &SavedImage) -> Result<Vec<Reference>, Failure> {
        let names = image.names.iter().map(|Name { service, name }| match &self.prefix {
            Some(prefix) => format!("{prefix}/{}:restored", service.to_lowercase()),
            None => name.clone(),
        });
        names.filter(|name| !name.is_empty()).map(|name| Reference::parse(&name)).collect()
    }

    /// Names that belong to other images. Without `replace`, none may.
    pub fn in_the_way(
        &self,
        context: &Context<'_>,
        images: &[SavedImage],
    ) -> Result<Vec<(Reference, Layered)>, Failure> {
        let engine = self.engine(context)?;
        let looking = async {
            let mut found = Vec::new();
            for image in images {
                for name in self.names(image)? {
                    let there = engine.layered(&name.to_string()).await?;
                    found.extend(there.filter(|there| !there.is(&image.image)).map(|there| (name, there)));
                }
            }
            Ok(found)
        };
        let found = context.wait("looking at the names of images", self.within.0, looking)?;
        match found.first() {
            Some((name, _)) if !self.replace => {
                Err(Failure::new(FailureKind::Refused, format!("`{name}` is another image, which would lose its name"))
                    .hint(format!("`replace: true` gives the name away, and calls that one `{}`", kept(name)))
                    .hint("or give them other names: `#{ images: true, prefix: \"restored\" }`"))
            }
            _ => Ok(found),
        }
    }

    /// Has the engine all of them, whatever they are called?
    pub fn has(&self, context: &Context<'_>, images: &[SavedImage]) -> Result<bool, Failure> {
        let engine = self.engine(context)?;
        let looking = async {
            for image in images {
                if !engine.layered(&image.image.id).await?.is_some_and(|there| there.is(&image.image)) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        context.wait("looking at images", self.within.0, looking)
    }

    /// Has each its names?
    pub fn has_named(&self, context: &Context<'_>, images: &[SavedImage]) -> Result<bool, Failure> {
        let engine = self.engine(context)?;
        let looking = async {
            for image in images {
                for name in self.names(image)? {
                    if !engine.layered(&name.to_string()).await?.is_some_and(|there| there.is(&image.image)) {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        };
        context.wait("looking at the names of images", self.within.0, looking)
    }

    /// Loads an archive of them.
    pub fn load(
        &self,
        context: &Context<'_>,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Failure> {
        let engine = self.engine(context)?;
        context.wait("loading images", self.within.0, engine.load_from("load images", archive))
    }

    /// Gives each its names; whose name was another's, that one is found under a name of its own. Returns the names given.
    pub fn name(
        &self,
        context: &Context<'_>,
        images: &[SavedImage],
        before: &[(Reference, Layered)],
    ) -> Result<Vec<(String, String)>, Failure> {
        let engine = self.engine(context)?;
        let naming = async {
            for (name, old) in before {
                engine.tag(&old.id, &kept(name)).await?;
            }
            let mut given = Vec::new();
            for image in images {
                let id =
                    engine.layered(&image.image.id).await?.map_or_else(|| image.image.id.clone(), |there| there.id);
                for name in self.names(image)? {
                    engine.tag(&id, &name).await?;
                    given.push((name.to_string(), id.clone()));
                }
            }
            Ok(given)
        };
        context.wait("naming images", self.within.0, naming)
    }
}

fn kept(name: &Reference) -> Reference {
    name.with_tag(&format!("{}{BEFORE}", name.version()))
}
