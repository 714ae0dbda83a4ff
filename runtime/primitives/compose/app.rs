//! An application while a method works on it: the model just loaded, the engine, and what exists there.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::confidential;
use super::descriptor::Descriptor;
use crate::compose::labels::Instance;
use crate::compose::{Application, Service, failure, labels, load};
use crate::drivers::docker::{Container, ContainerState, ContainerSummary, Engine, at_once};
use crate::failure::nearest;
use crate::primitive::{Action, Call, Context, Failure, FailureKind, LogStream, Progress};
use crate::primitives::on_engine::{STARTED, STOPPED};

/// The name of a container that is to take another one's place.
pub(super) const NEXT: &str = ".runbook-next";
/// The name of a container whose place was taken, until the new one has proved itself.
pub(super) const PREVIOUS: &str = ".runbook-previous";

/// How long looking things up may take.
const LOOK: Duration = Duration::from_secs(60);

/// An application and its engine.
pub(super) struct App<'a> {
    /// The run.
    pub context: &'a Context<'a>,
    /// The handle.
    pub descriptor: Descriptor,
    /// What the files say now.
    pub model: Application,
    /// Where it runs.
    pub engine: Arc<Engine>,
}

impl<'a> App<'a> {
    /// Loads the files and says everything that is wrong with them. The engine is not touched.
    pub fn open(context: &'a Context<'a>, call: &Call) -> Result<Self, Failure> {
        Self::of(context, Descriptor::of(call)?)
    }

    /// The same for a handle already read.
    pub fn of(context: &'a Context<'a>, descriptor: Descriptor) -> Result<Self, Failure> {
        let mut model = load(&descriptor.request(context)).map_err(|problems| failure(&problems))?;
        for service in model.services.values() {
            let variables = service.environment.iter();
            confidential::mask(context, variables.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))));
        }
        confidential::check(context, &model)?;
        let engine = context.drivers.docker(descriptor.engine.as_deref())?;
        model.travels = travels(&engine);
        if model.travels {
            // What is put into containers of another machine is read here, as far as the run may read.
            let files = model.configs.values().chain(model.secrets.values()).map(|object| object.file.as_str());
            for file in files.filter(|file| Path::new(file).is_file()) {
                context.real(file)?;
            }
        }
        Ok(Self { context, descriptor, model, engine })
    }

    /// The application without its files, for what must work even when they are not valid any more: the way back.
    pub fn without_files(context: &'a Context<'a>, descriptor: Descriptor) -> Result<Self, Failure> {
        let engine = context.drivers.docker(descriptor.engine.as_deref())?;
        let model = Application {
            name: descriptor.name.clone(),
            directory: context.resolve(&descriptor.directory),
            travels: travels(&engine),
            ..Application::default()
        };
        Ok(Self { context, descriptor, model, engine })
    }

    /// Is there a secret of the run in a text of the files?
    pub fn holds_secret(&self, text: &str) -> bool {
        !self.context.services.secrets_in(text).is_empty()
    }

    /// Writes what is odd in the files to the log: unset variables, keys without effect, and what is not met.
    pub fn warn(&self) {
        for problem in self.model.warnings.iter().chain(self.model.unmet()) {
            self.context.log(LogStream::Warn, &problem.to_string());
        }
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// Keeps only these services and those they depend on; none named keeps all.
    pub fn only(&mut self, names: &[String]) -> Result<(), Failure> {
        if let Some(names) = super::names(names) {
            self.model = self.model.only(names).map_err(|name| self.no_service(&name))?;
        }
        Ok(())
    }

    /// Keeps exactly these services; none named keeps all.
    pub fn exactly(&mut self, names: &[String]) -> Result<(), Failure> {
        if let Some(names) = super::names(names) {
            for name in names {
                self.service(name)?;
            }
            self.model.services.extend(std::mem::take(&mut self.model.disabled));
            self.model.services.retain(|name, _| names.contains(name));
        }
        Ok(())
    }

    /// A service, active or not.
    pub fn service(&self, name: &str) -> Result<&Service, Failure> {
        let found = self.model.services.get(name).or_else(|| self.model.disabled.get(name));
        found.ok_or_else(|| self.no_service(name))
    }

    fn no_service(&self, name: &str) -> Failure {
        let known: Vec<&str> =
            self.model.services.keys().chain(self.model.disabled.keys()).map(String::as_str).collect();
        let failure = Failure::new(FailureKind::NotFound, format!("there is no service `{name}` in {}", self.files()));
        match nearest(name, known.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("the services are {}", known.join(", "))),
        }
    }

    /// The compose files for messages: as the script names them.
    pub fn files(&self) -> String {
        self.descriptor.files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ")
    }

    /// A short wait for the engine's answer to a question.
    pub fn look<T>(&self, what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.context.wait(what, LOOK, work)
    }

    /// Says what is being done for a service.
    pub fn progress(&self, service: &str, doing: &str) {
        self.context.progress(Progress { item: service.to_owned(), doing: doing.to_owned(), ..Progress::default() });
    }

    /// What exists of the project on the engine.
    pub fn existing(&self) -> Result<Existing, Failure> {
        self.look("looking at the project's containers", Existing::find(&self.engine, self.name(), &self.expected()))
    }

    /// The names that the containers of the application have where nobody chose others.
    pub fn expected(&self) -> Vec<String> {
        let of = |service: &Service| -> Vec<String> {
            let numbers = 1..=service.replicas();
            numbers.map(|number| service.name_of(self.name(), &Instance::Replica(number))).collect()
        };
        self.model.services.values().flat_map(of).collect()
    }

    /// A path for messages: relative to the project's folder where it is inside.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.context.project.root()).unwrap_or(path).display().to_string()
    }
}

/// An engine that is not reached through a socket of this machine mounts files of its own.
fn travels(engine: &Engine) -> bool {
    !engine.address().starts_with("unix://")
}

/// The containers of a project, all of them.
#[derive(Debug, Default)]
pub(super) struct Existing {
    /// By service and number, what serves (or should): neither one-offs nor leftovers.
    pub serving: BTreeMap<(String, u64), Container>,
    /// What an interrupted replacement left: made and never put in place, or replaced and kept.
    pub leftovers: Vec<Container>,
    /// In a plan: names of containers that an earlier call makes as the files say.
    pub made: BTreeSet<String>,
}

impl Existing {
    /// Finds them by their labels. Those with expected names are looked at in the same breath.
    pub async fn find(engine: &Engine, project: &str, expected: &[String]) -> Result<Self, Failure> {
        let mine = [format!("{}={project}", labels::PROJECT)];
        let guessed = at_once(expected.iter().map(|name| engine.find(name)));
        let (listed, guessed) = tokio::try_join!(engine.containers(&mine), guessed)?;
        let is_one_off = |summary: &ContainerSummary| {
            summary.labels.get(labels::ONEOFF).is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
        };
        let listed: Vec<ContainerSummary> = listed.into_iter().filter(|summary| !is_one_off(summary)).collect();
        let by_id = |container: Container| (container.id.clone(), container);
        let mut seen: BTreeMap<String, Container> = guessed.into_iter().flatten().map(by_id).collect();
        let others = listed.iter().filter(|summary| !seen.contains_key(&summary.id));
        let others = at_once(others.map(|summary| engine.find(&summary.id)).collect::<Vec<_>>()).await?;
        seen.extend(others.into_iter().flatten().map(by_id));
        let mut existing = Self::default();
        for summary in listed {
            let Some(container) = seen.remove(&summary.id) else { continue };
            if container.name.ends_with(NEXT) || container.name.ends_with(PREVIOUS) {
                existing.leftovers.push(container);
            } else {
                let mut key = key_of(&container);
                while existing.serving.contains_key(&key) {
                    key.1 += 1;
                }
                existing.serving.insert(key, container);
            }
        }
        existing.bring_back();
        Ok(existing)
    }

    /// The same as it will be after the earlier calls of a plan.
    pub fn after_planned(mut self, context: &Context<'_>) -> Self {
        for change in context.services.planned() {
            let Some(name) = change.what.strip_prefix("container ") else { continue };
            match change.action {
                Action::Create | Action::Replace if change.condition.is_none() => {
                    self.made.insert(name.to_owned());
                }
                Action::Remove => {
                    self.made.remove(name);
                    self.serving.retain(|_, container| container.name != name);
                }
                Action::Update => {
                    let does = |word: &str| change.detail.iter().any(|line| line == word);
                    for container in self.serving.values_mut().filter(|container| container.name == name) {
                        if does(STOPPED) {
                            (container.state, container.exit_code) = (ContainerState::Exited, Some(143));
                        } else if does(STARTED) {
                            (container.state, container.exit_code) = (ContainerState::Running, None);
                        }
                    }
                }
                _ => {}
            }
        }
        self
    }

    /// A container whose replacement never came is the one that serves, whatever its name is now.
    fn bring_back(&mut self) {
        let (previous, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.leftovers).into_iter().partition(|container| {
                container.name.ends_with(PREVIOUS) && !self.serving.contains_key(&key_of(container))
            });
        self.leftovers = rest;
        self.serving.extend(previous.into_iter().map(|container| (key_of(&container), container)));
    }

    /// The containers of a service, by number.
    pub fn of<'e>(&'e self, service: &'e str) -> impl Iterator<Item = (u64, &'e Container)> {
        self.serving.iter().filter(move |((name, _), _)| name == service).map(|((_, number), found)| (*number, found))
    }

    /// The names of services that have containers.
    pub fn services(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.serving.keys().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names
    }
}

/// Service and number, as the labels say.
pub(super) fn key_of(container: &Container) -> (String, u64) {
    let service = container.labels.get(labels::SERVICE).cloned().unwrap_or_default();
    let number = container.labels.get(labels::NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1);
    (service, number)
}
