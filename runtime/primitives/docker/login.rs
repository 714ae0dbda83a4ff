use std::collections::BTreeMap;

use crate::drivers::docker::Login;
use crate::primitive::{Context, Failure, FailureKind};

/// Who to be at a registry: the option `login`, else the project file, else what `docker login` left.
pub(super) fn login(
    context: &Context<'_>,
    option: Option<BTreeMap<String, String>>,
    registry: &str,
) -> Result<Option<Login>, Failure> {
    let Some(given) = option else {
        let found = context.registry_login(registry)?;
        return Ok(found.map(|found| Login { username: found.username, password: found.password }));
    };
    let login = from_option(given)?;
    context.services.mask(&login.password);
    Ok(Some(login))
}

fn from_option(mut given: BTreeMap<String, String>) -> Result<Login, Failure> {
    let mut take = |name: &str| {
        given.remove(name).ok_or_else(|| {
            Failure::new(FailureKind::Option, format!("option `login` lacks `{name}`"))
                .hint("write it as `login: #{ username: …, password: … }`")
        })
    };
    let login = Login { username: take("username")?, password: take("password")? };
    match given.keys().next() {
        Some(unknown) => Err(Failure::new(
            FailureKind::Option,
            format!("option `login` has no `{unknown}`, only username and password"),
        )),
        None => Ok(login),
    }
}
