use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::restore::Pieces;
use super::{Facts, Volume, reading};
use crate::drivers::backup::{Count, Tally};
use crate::drivers::docker::{Engine, SHELF, VolumeSpec};
use crate::primitive::{Context, Failure, FailureKind, Span};
use crate::primitives::on_engine::{KEY, is_own};

/// A volume that gets what was saved.
pub struct Placing {
    /// The volume.
    pub target: Volume,
    /// How long everything may take.
    pub within: Span,
}

/// What is there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// No such volume.
    Nothing,
    /// One that is empty.
    Empty,
    /// One that this very call filled before it was interrupted.
    Own,
    /// One with something in it.
    Something,
}

/// Writes the archive of what was saved, whose paths begin with this name.
pub type Packing<'a> = &'a (dyn Fn(&Path, &mut dyn Write) -> Result<Tally, Failure> + Sync);

impl Placing {
    /// Looks what is there. One that has to be made anew must be nobody's, one that is filled must not be in use.
    pub fn there(&self, context: &Context<'_>, is_looked_at: bool) -> Result<There, Failure> {
        self.with(context, "looking at", async |engine| {
            let Some(volume) = engine.volume(&self.target.id).await? else { return Ok(There::Nothing) };
            let shelf = self.target.make_shelf(context, engine).await?;
            let found: Tally = reading::count(engine, &shelf).await?;
            let is_empty = found.files + found.folders + found.links == 0;
            let there = match () {
                () if is_empty => There::Empty,
                () if is_own(context, &volume.labels, KEY) => There::Own,
                () => There::Something,
            };
            if !is_looked_at {
                self.refuse_users(context, engine, there).await?;
            }
            Ok(there)
        })
    }

    async fn refuse_users(&self, context: &Context<'_>, engine: &Engine, there: There) -> Result<(), Failure> {
        let shelf = self.target.shelf(context);
        let users = engine.users_of_volume(&self.target.id).await?;
        let has_to_go = |state| match there {
            There::Empty => state == crate::drivers::docker::ContainerState::Running,
            _ => true,
        };
        let users = users.into_iter().filter(|user| user.name != shelf && has_to_go(user.state));
        let names: Vec<String> = users.map(|user| user.name).collect();
        if names.is_empty() {
            return Ok(());
        }
        let message = format!("{} belongs to {}", self.target.shown(), names.join(", "));
        Err(Failure::new(FailureKind::Conflict, message)
            .hint("remove the containers before, with `down()` of the application, which keeps volumes, and bring it up again after")
            .hint("or restore to another volume, and compare"))
    }

    /// Everything in it.
    pub fn count<T: Count + Default + Send + 'static>(&self, context: &Context<'_>) -> Result<T, Failure> {
        self.with(context, "reading", async |engine| {
            if engine.volume(&self.target.id).await?.is_none() {
                return Ok(T::default());
            }
            let shelf = self.target.make_shelf(context, engine).await?;
            reading::count(engine, &shelf).await
        })
    }

    /// Fills it: one that had something in it is made anew as it was.
    pub fn fill(
        &self,
        context: &Context<'_>,
        there: There,
        saved: Option<&Facts>,
        packing: Packing<'_>,
    ) -> Result<Tally, Failure> {
        let (sender, pieces) = mpsc::channel::<io::Result<Bytes>>(4);
        std::thread::scope(|scope| {
            let packed = scope.spawn(move || {
                let name = Path::new(SHELF).strip_prefix("/").unwrap_or(Path::new(SHELF));
                let mut out = io::BufWriter::with_capacity(256 << 10, Pieces(sender.clone()));
                let packed = packing(name, &mut out).and_then(|tally| {
                    out.flush().map(|()| tally).map_err(|error| Failure::system("write the archive", &error))
                });
                if let Err(failure) = &packed {
                    // An archive that ends early would be unpacked as if it were whole.
                    let _ = sender.blocking_send(Err(io::Error::other(failure.message.clone())));
                }
                packed
            });
            let filled = self.with(context, "filling", async |engine| {
                self.prepare(context, engine, there, saved).await?;
                let shelf = self.target.make_shelf(context, engine).await?;
                engine.put_in(&shelf, "/", pieces).await
            });
            let lost = |_| Failure::new(FailureKind::System, "what was restored was not read to its end");
            let packed = packed.join().map_err(lost)?;
            match (packed, filled) {
                (Err(failure), Err(_)) if failure.kind != FailureKind::System => Err(failure),
                (_, Err(failure)) => Err(failure),
                (packed, Ok(())) => packed,
            }
        })
    }

    async fn prepare(
        &self,
        context: &Context<'_>,
        engine: &Engine,
        there: There,
        saved: Option<&Facts>,
    ) -> Result<(), Failure> {
        let name = &self.target.id;
        let own = |labels: BTreeMap<String, String>| {
            labels.into_iter().filter(|(label, _)| label != KEY).chain([(KEY.to_owned(), context.key())]).collect()
        };
        let spec = match engine.volume(name).await? {
            Some(_) if there == There::Empty => return Ok(()),
            Some(old) => {
                // The container that it was looked at with has it, too.
                engine.remove(&self.target.shelf(context), false).await?;
                engine.remove_volume(name).await?;
                VolumeSpec {
                    name: name.clone(),
                    driver: old.driver,
                    driver_options: old.driver_options,
                    labels: own(old.labels),
                }
            }
            // As it was made, where it is the same again.
            None => match saved.map(|facts| &facts.volume).filter(|volume| volume.name == *name) {
                Some(saved) => VolumeSpec {
                    name: name.clone(),
                    driver: saved.driver.clone(),
                    driver_options: saved.driver_options.clone(),
                    labels: own(saved.labels.clone()),
                },
                None => VolumeSpec { name: name.clone(), labels: own(BTreeMap::new()), ..VolumeSpec::default() },
            },
        };
        engine.create_volume(&spec).await.map(drop)
    }

    fn with<T>(
        &self,
        context: &Context<'_>,
        doing: &str,
        work: impl AsyncFnOnce(&Engine) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let engine = self.target.engine(context)?;
        let done = context.wait(&format!("{doing} {}", self.target.shown()), self.within.0, work(&engine));
        self.target.tidy(context, &engine);
        done
    }
}
