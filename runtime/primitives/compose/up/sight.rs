//! What the engine has of an application before `up` decides anything, asked for at once: over a link with a long way, the
//! time goes by questions that wait for the answers to others.

use super::resources::{self, There};
use crate::primitive::Failure;
use crate::primitives::compose::app::{App, Existing};
use crate::primitives::compose::images::{self, Present};
use crate::primitives::compose::release::Labelled;

/// What there is.
pub(super) struct Sight {
    /// Containers.
    pub existing: Existing,
    /// Networks and volumes that the services use.
    pub there: There,
    /// The services' images.
    pub images: Present,
    /// Networks and volumes of the project, whoever uses them.
    pub labelled: Labelled,
    /// Does a run have the application to itself, this one or another?
    pub is_locked: bool,
}

impl Sight {
    /// Asks for all of it, and fails where networks or volumes are not what the files need.
    pub fn of(app: &App<'_>) -> Result<Self, Failure> {
        let names = images::names(app)?;
        let sight = app.look("looking at what is there", async {
            let expected = app.expected();
            let (existing, there, images, labelled, is_locked) = tokio::try_join!(
                Existing::find(&app.engine, app.name(), &expected),
                There::of(app),
                images::present(app, &names),
                Labelled::find(app),
                app.engine.is_locked(app.name()),
            )?;
            Ok(Self { existing, there, images, labelled, is_locked })
        })?;
        resources::check(app, &sight.there)?;
        Ok(sight)
    }
}
