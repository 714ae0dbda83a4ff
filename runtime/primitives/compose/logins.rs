//! Where the login for a registry comes from: the call's option, the project file, the Docker client's own file.

use serde::Deserialize;

use crate::drivers::docker::{Login, Reference};
use crate::primitive::{Context, Failure, OptionType};

/// A login among the options.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginOption {
    /// The user name.
    username: String,
    /// The password or token.
    password: String,
    /// The registry it is for; without it, every one that is asked.
    registry: Option<String>,
}

impl OptionType for LoginOption {
    fn label() -> String {
        "map like #{ username: …, password: … }".into()
    }
}

/// The logins of one call.
pub(super) struct Logins(Option<LoginOption>);

impl Logins {
    /// With what the call says.
    pub fn of(context: &Context<'_>, given: Option<LoginOption>) -> Self {
        if let Some(given) = &given {
            context.services.mask(&given.password);
        }
        Self(given)
    }

    /// The login for the registry of an image; `None` when there is none, which many registries allow.
    pub fn find(&self, context: &Context<'_>, image: &Reference) -> Result<Option<Login>, Failure> {
        let registry = image.registry.as_str();
        if let Some(given) = &self.0
            && given.registry.as_ref().is_none_or(|of| of == registry)
        {
            return Ok(Some(Login { username: given.username.clone(), password: given.password.clone() }));
        }
        let found = context.registry_login(registry)?;
        Ok(found.map(|login| Login { username: login.username, password: login.password }))
    }
}
