//! Makes a snapshot of several sources: of all of them or none, or of those that do not fail where the job allows that.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::program::Pumping;
use super::repository::{Place, told, wanted};
use super::source::{Kind, Source};
use crate::drivers::backup::{self, Content, Known, Manifest, Missing, Order, Packer, Part, Pump, Snapshot};
use crate::primitive::{Context, Failure, LogStream, Span};

/// Makes a snapshot of these sources; with `partial`, without those that fail, as long as one is left.
pub fn save(
    context: &Context<'_>,
    place: &Place,
    order: &Order,
    mut sources: Vec<Source>,
    within: Span,
    partial: bool,
) -> Result<(Snapshot, Manifest), Failure> {
    let start = Instant::now();
    let mut order = order.clone();
    loop {
        let faults: Vec<OnceLock<Failure>> = sources.iter().map(|_| OnceLock::new()).collect();
        let faults = Arc::new(faults);
        let failure = match attempt(context, place, &order, sources.clone(), within, &faults) {
            Ok(saved) => return Ok(saved),
            Err(failure) => failure,
        };
        // Nobody wants it any more, or no time is left: that is no source's fault.
        let is_over = context.cancel.reason().is_some() || start.elapsed() >= within.0;
        let (mut left, mut missing) = (Vec::new(), Vec::new());
        for (source, fault) in sources.into_iter().zip(faults.iter()) {
            match fault.get() {
                Some(fault) => missing.push(Missing { name: source.name, why: fault.message.clone() }),
                None => left.push(source),
            }
        }
        if !partial || is_over || missing.is_empty() || left.is_empty() {
            return Err(failure);
        }
        for Missing { name, why } in &missing {
            context.log(LogStream::Warn, &format!("`{name}` is left out, and the snapshot is partial: {why}"));
        }
        order.missing.extend(missing);
        order.blame = Arc::default();
        sources = left;
    }
}

/// Makes a snapshot of all of these sources: commands run beside each other, each into its own stream. What is wrong with a source is in
/// its place of `faults`.
fn attempt(
    context: &Context<'_>,
    place: &Place,
    order: &Order,
    sources: Vec<Source>,
    within: Span,
    faults: &Arc<Vec<OnceLock<Failure>>>,
) -> Result<(Snapshot, Manifest), Failure> {
    // A command that fails ends everything, also where nobody has come to read it yet.
    let (seen, still_wanted) = (Arc::clone(faults), wanted(context, within));
    let repository = place.open(
        context,
        Arc::new(move || {
            seen.iter().find_map(OnceLock::get).map_or_else(|| still_wanted(), |fault| Err(fault.clone()))
        }),
    )?;
    let there = place.reconcile(context, &repository)?;
    // What is known of buckets is in the last snapshot of the job.
    let has_buckets = sources.iter().any(|source| matches!(source.kind, Kind::Bucket(_)));
    let last = there.into_iter().rfind(|snapshot| snapshot.job.as_ref() == Some(&order.job) && !snapshot.is_partial());
    let about = last.as_ref().map(|snapshot| snapshot.bytes);
    // What is on another host need not travel as far as it is known here.
    let pieces: Vec<Option<Known>> = sources
        .iter()
        .map(|source| {
            last.as_ref().filter(|_| source.is_far()).and_then(|last| repository.known(&last.id, &source.name))
        })
        .collect();
    let last = last.filter(|_| has_buckets);
    let known = last.as_ref().map(|snapshot| repository.manifest(snapshot)).transpose()?.flatten();
    let before = last.filter(|_| known.is_some()).map(|snapshot| snapshot.id);
    let order = &Order { before, about, ..order.clone() };
    let over = CancellationToken::new();
    let mut gathered = Gathered { repository: place.on_host(), ..Gathered::default() };
    let mut owners = Vec::new();
    for (number, ((source, fault), known_of)) in sources.into_iter().zip(faults.iter()).zip(&pieces).enumerate() {
        let pumping = Pumping { fault, over: &over, within, known: known_of.as_ref() };
        let before = gathered.parts.len();
        gathered.add(context, number, source, pumping, known.as_ref()).inspect_err(|failure| {
            let _ = fault.set(failure.clone());
        })?;
        owners.extend(gathered.parts[before..].iter().map(|part| (part.name.clone(), number)));
    }
    let Gathered { parts, works, copies, .. } = gathered;
    let meter = repository.meter();
    let saving = || {
        thread::scope(|scope| {
            for work in works {
                scope.spawn(work);
            }
            let saved = repository.save(order, parts);
            // Whether all was well or not: nobody reads what commands still print.
            over.cancel();
            saved
        })
    };
    let saved = told(context, &meter, saving);
    drop(copies);
    let blamed = order.blame.get().and_then(|name| owners.iter().find(|(part, _)| part == name));
    if let (Err(failure), Some((_, number))) = (&saved, blamed) {
        let _ = faults[*number].set(failure.clone());
    }
    saved
}

/// What somebody does at the side while a snapshot is made.
type Pumps<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Sources as parts, and who tells of what is in them.
#[derive(Default)]
struct Gathered<'a> {
    parts: Vec<Part>,
    works: Vec<Pumps<'a>>,
    /// Copies of databases, which are there as long as they are read.
    copies: Vec<Database>,
    /// The host and the folder in which the repository is, which is no part of what is saved in it.
    repository: Option<(String, String)>,
}

impl<'a> Gathered<'a> {
    fn add(
        &mut self,
        context: &'a Context<'_>,
        number: usize,
        Source { name, kind }: Source,
        pumping: Pumping<'a>,
        known: Option<&Manifest>,
    ) -> Result<(), Failure> {
        let (from, content) = match kind {
            Kind::Folder { path, exclude } => {
                let held = context.readable(&path)?.source()?;
                (path, Content::Folder { root: held.real().to_owned(), excludes: exclude })
            }
            Kind::Sqlite(path) => {
                let held = context.readable(&path)?.source()?;
                let copy = Database::copy(context, held.real(), number)?;
                (path, self.copied(copy))
            }
            Kind::FolderThere { place, exclude } => {
                let but = self.repository.as_ref().and_then(|(host, path)| place.below(host, path));
                let shown = place.shown();
                (shown, self.archive(move |packer| place.pump(context, &packer, &exclude, but.as_deref(), pumping)))
            }
            Kind::SqliteThere(place) => {
                let copy = Database::fetch(context, &place, number, pumping.within)?;
                (place.shown(), self.copied(copy))
            }
            Kind::FileThere(place) => (place.shown(), self.stream(move |pump| place.pump_file(context, pump, pumping))),
            Kind::Postgres(postgres) => {
                let postgres = postgres.unlocked(context)?;
                let from = postgres.shown();
                if postgres.globals {
                    let program = postgres.globals(context, pumping)?;
                    // So little that telling of it would be more.
                    let all = Pumping { known: None, ..pumping };
                    let stream = self.stream(move |pump| program.pump(context, pump, all));
                    self.parts.push(Part {
                        name: postgres.globals_name(),
                        from: format!("roles for {from}"),
                        content: stream,
                    });
                }
                (from, self.stream(move |pump| postgres.pump(context, pump, pumping)))
            }
            Kind::Redis(redis) => {
                let redis = redis.unlocked(context)?;
                (redis.shown(), self.stream(move |pump| redis.pump(context, pump, pumping)))
            }
            Kind::Bucket(bucket) => {
                let before = known.and_then(|manifest| bucket.known(manifest));
                (bucket.shown(), self.archive(move |packer| bucket.pump(context, &packer, before, pumping)))
            }
            Kind::Deployment(deployment) => {
                let ready = deployment.ready(context, pumping)?;
                let (mut images, shown) = (None, deployment.shown());
                if deployment.images {
                    let (pump, feed) = backup::feed();
                    images = Some(pump);
                    let from = format!("images of {shown}");
                    self.parts.push(Part { name: deployment.images_name(), from, content: Content::Stream(feed) });
                }
                let pumping = move |packer: Packer| {
                    let ready = ready.pump(&packer);
                    if let Some(pump) = images {
                        ready.pump_images(context, pump, pumping);
                    }
                };
                (shown, self.archive(pumping))
            }
            Kind::Volume(volume) => {
                (volume.shown(), self.archive(move |packer| volume.pump(context, &packer, pumping)))
            }
            Kind::Program(program) => (program.shown(), self.stream(move |pump| program.pump(context, pump, pumping))),
        };
        self.parts.push(Part { name, from, content });
        Ok(())
    }

    fn copied(&mut self, copy: Database) -> Content {
        let (pump, feed) = backup::feed();
        pump.file(copy.file().to_owned(), copy.facts());
        self.copies.push(copy);
        Content::Stream(feed)
    }

    fn stream(&mut self, work: impl FnOnce(Pump) + Send + 'a) -> Content {
        let (pump, feed) = backup::feed();
        self.works.push(Box::new(move || work(pump)));
        Content::Stream(feed)
    }

    fn archive(&mut self, work: impl FnOnce(Packer) + Send + 'a) -> Content {
        let (packer, archive) = backup::archive();
        self.works.push(Box::new(move || work(packer)));
        Content::Archive(archive)
    }
}
