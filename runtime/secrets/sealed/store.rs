use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::identity::Identity;
use super::memory::Memory;
use super::people::{People, Person};
use super::recipient::Card;
use super::seal::{Belongs, open, seal};
use super::signature::PublicKey;
use super::values::{Value, Values};
use crate::drivers::disk;
use crate::failure::{Failure, FailureKind};
use crate::project::{Environment, ProjectFile, state_folder};
use crate::secrets::{SecretText, check_name, check_value};
use crate::units::FileMode;

/// The folder of sealed values, in the project's.
pub const FOLDER: &str = "secrets";

/// The list of people.
pub const PEOPLE_FILE: &str = "secrets/people.toml";

/// Everything is sealed to so many people at least: the key of one may be lost.
const FEWEST_READERS: usize = 2;

/// How long a change waits for another one to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file with the sealed values of an environment, relative to the project's folder.
pub fn file_of(environment: &str) -> String {
    format!("{FOLDER}/{environment}.toml")
}

/// The sealed values of a project: read only when verified, changed only under a lock.
pub struct Store {
    root: PathBuf,
    state: PathBuf,
    pinned: Option<PublicKey>,
}

/// The verified values of one environment.
pub struct Opened {
    people: People,
    values: Values,
}

/// Values on their way to be changed.
pub struct Draft<'i> {
    opened: Opened,
    environment: Environment,
    identity: &'i Identity,
    readers: Vec<Person>,
    /// The names that were sealed to these readers just now.
    fresh: BTreeSet<String>,
    is_changed: bool,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is a new file, with this serial.
    Made(u64),
    /// Everything was as it should be already.
    Nothing,
}

impl Store {
    /// The sealed values of the project in this folder.
    pub fn of(root: &Path, file: &ProjectFile) -> Result<Self, Failure> {
        let pinned = file.secrets.root.as_deref().map(PublicKey::parse).transpose()?;
        Ok(Self { root: root.to_owned(), state: state_folder(root), pinned })
    }

    /// Was a list of people begun?
    pub fn is_begun(&self) -> bool {
        self.root.join(PEOPLE_FILE).exists()
    }

    /// The list of people.
    pub fn people(&self) -> Result<People, Failure> {
        let mut memory = Memory::load(&self.state)?;
        let people = self.read_people(&mut memory)?;
        memory.save()?;
        Ok(people)
    }

    /// The environments that have a file, by name.
    pub fn environments(&self) -> Result<Vec<String>, Failure> {
        let folder = self.root.join(FOLDER);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::system(format!("list `{}`", folder.display()), &error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let names = names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| file_of(name) != PEOPLE_FILE).collect();
        names.sort();
        Ok(names)
    }

    /// The values of an environment, verified; `None` when it has no file and this machine never saw one.
    pub fn open(&self, environment: &str) -> Result<Option<Opened>, Failure> {
        let file = checked_file_of(environment)?;
        let mut memory = Memory::load(&self.state)?;
        let Some(text) = read(&self.root, &file)? else {
            memory.admit_absence(Some(environment), &file)?;
            if !self.is_begun() {
                memory.admit_absence(None, PEOPLE_FILE)?;
            }
            return Ok(None);
        };
        let people = self.read_people(&mut memory)?;
        let values = Values::parse(&text, &file)?;
        values.verify(environment, &file, &people)?;
        memory.admit_values(&values, &file)?;
        memory.save()?;
        Ok(Some(Opened { people, values }))
    }

    /// The values in an older text of an environment's file, verified but for its age.
    pub fn open_old(&self, environment: &str, text: &str, file: &str) -> Result<Opened, Failure> {
        let people = self.people()?;
        let values = Values::parse(text, file)?;
        values.verify_old(environment, file, &people)?;
        Ok(Opened { people, values })
    }

    /// Changes the values of an environment: what `edit` does to them is signed and written as a whole, or not at all.
    pub fn change(
        &self,
        environment: &Environment,
        identity: &Identity,
        edit: impl FnOnce(&mut Draft<'_>) -> Result<(), Failure>,
    ) -> Result<Change, Failure> {
        let lock = self.lock()?;
        let people = self.people()?;
        let change = self.change_locked(environment, identity, readers(&people, &environment.name), edit);
        drop(lock);
        change
    }

    /// Seals all values of an environment anew to those who may read them now.
    pub fn seal_anew(&self, environment: &Environment, identity: &Identity) -> Result<Change, Failure> {
        self.change(environment, identity, seal_anew)
    }

    /// Begins the list of people with the one whose identity this is, and returns the key to be pinned.
    pub fn begin(&self, name: &str, identity: &Identity) -> Result<PublicKey, Failure> {
        std::fs::create_dir_all(self.root.join(FOLDER))
            .map_err(|error| Failure::system(format!("make the folder `{FOLDER}`"), &error))?;
        let lock = self.lock()?;
        Memory::load(&self.state)?.admit_absence(None, PEOPLE_FILE)?;
        if self.is_begun() {
            return Err(Failure::new(FailureKind::Conflict, format!("{PEOPLE_FILE} exists already"))
                .hint("`runbook secret recipient list` shows who is on it"));
        }
        let people = People::begin(name, identity)?;
        self.write_people(&people)?;
        drop(lock);
        Ok(identity.signing()?.public())
    }

    /// Puts somebody on the list, and seals to them what they may read.
    pub fn admit(
        &self,
        name: &str,
        card: &Card,
        environments: Option<Vec<String>>,
        identity: &Identity,
    ) -> Result<(), Failure> {
        let lock = self.lock()?;
        let mut people = self.people()?;
        people.add(name, card, environments, identity)?;
        self.write_people(&people)?;
        for environment in self.environments()?.iter().filter(|name| people.readers(name).len() >= FEWEST_READERS) {
            if people.person(name).is_some_and(|person| person.reads(environment)) {
                self.reseal(environment, identity, readers(&people, environment))?;
            }
        }
        drop(lock);
        Ok(())
    }

    /// Seals everything anew without this person, and then takes the person off the list. Returns, by environment, the names
    /// of what that person knows until it is changed.
    pub fn dismiss(&self, name: &str, identity: &Identity) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let lock = self.lock()?;
        let mut people = self.people()?;
        let Some(person) = people.person(name).cloned() else {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no `{name}` on the list of people"))
                .hint("`runbook secret recipient list` shows who is"));
        };
        if people.who(identity)?.name == name {
            return Err(Failure::new(
                FailureKind::Refused,
                "nobody takes themselves off the list: what they signed would be refused",
            )
            .hint("somebody else on it has to"));
        }
        // Everything that could be wrong with it is found out before anything is written.
        people.remove(name, identity)?;
        let mut known = Vec::new();
        for environment in self.environments()?.into_iter().filter(|environment| person.reads(environment)) {
            self.reseal(&environment, identity, readers(&people, &environment))?;
            let names = self.open(&environment)?.map(|opened| opened.names()).unwrap_or_default();
            known.push((environment, names));
        }
        self.write_people(&people)?;
        drop(lock);
        Ok(known)
    }

    fn reseal(&self, environment: &str, identity: &Identity, readers: Vec<Person>) -> Result<Change, Failure> {
        self.change_locked(&Environment::named(environment), identity, readers, seal_anew)
    }

    fn change_locked(
        &self,
        environment: &Environment,
        identity: &Identity,
        readers: Vec<Person>,
        edit: impl FnOnce(&mut Draft<'_>) -> Result<(), Failure>,
    ) -> Result<Change, Failure> {
        enough(&readers, &environment.name)?;
        let opened = match self.open(&environment.name)? {
            Some(opened) => opened,
            None => Opened { people: self.people()?, values: Values::empty(&environment.name) },
        };
        let mut draft = Draft {
            opened,
            environment: environment.clone(),
            identity,
            readers,
            fresh: BTreeSet::new(),
            is_changed: false,
        };
        edit(&mut draft)?;
        if !draft.is_changed {
            return Ok(Change::Nothing);
        }
        draft.seal_for_newcomers()?;
        let Draft { opened: Opened { people, mut values }, readers, .. } = draft;
        values.sign(&people, &readers.iter().collect::<Vec<_>>(), identity)?;
        let file = checked_file_of(&environment.name)?;
        values.verify(&environment.name, &file, &people)?;
        let mut memory = Memory::load(&self.state)?;
        memory.admit_values(&values, &file)?;
        replace(&self.root, &file, &values.render(), None)?;
        memory.save()?;
        Ok(Change::Made(values.manifest.serial))
    }

    fn read_people(&self, memory: &mut Memory) -> Result<People, Failure> {
        let Some(text) = read(&self.root, PEOPLE_FILE)? else {
            memory.admit_absence(None, PEOPLE_FILE)?;
            return Err(Failure::new(FailureKind::NotFound, "nobody may read or change secrets yet")
                .hint("`runbook secret init` begins the list of people"));
        };
        let Some(pinned) = &self.pinned else {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("{PEOPLE_FILE} is there, but no key is pinned for it"),
            )
            .hint("`root` in [secrets] of runbook.toml names the key of whoever began it; git has it"));
        };
        let people = People::parse(&text, PEOPLE_FILE, pinned)?;
        memory.admit_people(&people, PEOPLE_FILE)?;
        Ok(people)
    }

    fn write_people(&self, people: &People) -> Result<(), Failure> {
        let mut memory = Memory::load(&self.state)?;
        memory.admit_people(people, PEOPLE_FILE)?;
        replace(&self.root, PEOPLE_FILE, &people.render(), None)?;
        memory.save()
    }

    /// Keeps other processes of this machine from changing anything until it is dropped.
    fn lock(&self) -> Result<File, Failure> {
        let path = self.root.join(FOLDER);
        let folder = match File::open(&path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("there is no folder `{FOLDER}` in this project"),
                )
                .hint("`runbook secret init` begins it"));
            }
            Err(error) => return Err(Failure::system(format!("open `{}`", path.display()), &error)),
        };
        let began = Instant::now();
        while let Err(error) = flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::AGAIN && error != rustix::io::Errno::INTR {
                return Err(Failure::system(format!("lock `{}`", path.display()), &error.into()));
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(
                    FailureKind::Conflict,
                    "another process is changing the secrets of this project",
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(folder)
    }
}

impl Opened {
    /// The names of all values, sorted.
    pub fn names(&self) -> Vec<String> {
        self.values.secret.keys().cloned().collect()
    }

    /// What can be told about a value without opening it.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.secret.get(name)
    }

    /// Opens a value; `None` when there is none of that name.
    pub fn get(&self, name: &str, identity: &Identity) -> Result<Option<SecretText>, Failure> {
        let Some(value) = self.values.secret.get(name) else { return Ok(None) };
        open(&self.belongs(name), &value.sealed, identity).map(Some)
    }

    /// Which environment they are of.
    pub fn environment(&self) -> &str {
        &self.values.manifest.environment
    }

    /// The names of all values that somebody knows who was taken off the list: those that were not changed since.
    pub fn known_by(&self, person: &str) -> Vec<String> {
        let departed = self.people.departed().iter().filter(|departed| departed.person.name == person);
        let departed = departed.filter(|departed| departed.person.reads(self.environment()));
        let Some(left) = departed.map(|departed| departed.left).max() else { return Vec::new() };
        let known = self.values.secret.iter().filter(|(_, value)| value.changed < left);
        known.map(|(name, _)| name.clone()).collect()
    }

    /// How often the file was changed.
    pub fn serial(&self) -> u64 {
        self.values.manifest.serial
    }

    /// Whom the values are sealed to, by name.
    pub fn recipients(&self) -> &[String] {
        &self.values.manifest.recipients
    }

    /// The list of people.
    pub fn people(&self) -> &People {
        &self.people
    }

    fn belongs(&self, name: &str) -> Belongs {
        Belongs {
            project: self.people.project().to_owned(),
            environment: self.values.manifest.environment.clone(),
            name: name.to_owned(),
        }
    }
}

impl Draft<'_> {
    /// What is there.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        self.opened.get(name, self.identity)
    }

    /// Sets a value; says whether it is another one than before. `generated` says how it was made.
    pub fn set(&mut self, name: &str, text: &SecretText, generated: Option<&str>) -> Result<bool, Failure> {
        check_name(name)?;
        check_value(name, text, &self.environment)?;
        if self.get(name)?.is_some_and(|old| old.equals(text)) {
            return Ok(false);
        }
        let by = self.opened.people.who(self.identity)?.name.clone();
        let sealed = self.seal(name, text)?;
        let value = Value { changed: jiff::Timestamp::now(), by, generated: generated.map(str::to_owned), sealed };
        self.opened.values.secret.insert(name.to_owned(), value);
        self.fresh.insert(name.to_owned());
        self.is_changed = true;
        Ok(true)
    }

    /// Removes a value; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let was_there = self.opened.values.secret.remove(name).is_some();
        self.is_changed |= was_there;
        was_there
    }

    /// Seals every value anew to those who may read it now.
    fn seal_anew(&mut self) -> Result<(), Failure> {
        self.is_changed = true;
        for name in self.opened.names().into_iter().filter(|name| !self.fresh.contains(name)).collect::<Vec<_>>() {
            let Some(text) = self.get(&name)? else { continue };
            let sealed = self.seal(&name, &text)?;
            if let Some(value) = self.opened.values.secret.get_mut(&name) {
                value.sealed = sealed;
            }
            self.fresh.insert(name);
        }
        Ok(())
    }

    /// All values are sealed to the same people: where the list has changed since, those that stay are sealed anew.
    fn seal_for_newcomers(&mut self) -> Result<(), Failure> {
        let is_current = self.readers.iter().map(|reader| &reader.name).eq(self.opened.recipients());
        if is_current { Ok(()) } else { self.seal_anew() }
    }

    fn seal(&self, name: &str, text: &SecretText) -> Result<String, Failure> {
        let keys: Vec<_> = self.readers.iter().map(|reader| &reader.card.recipient).collect();
        seal(&self.opened.belongs(name), text, &keys)
    }
}

fn seal_anew(draft: &mut Draft<'_>) -> Result<(), Failure> {
    draft.seal_anew()
}

fn readers(people: &People, environment: &str) -> Vec<Person> {
    people.readers(environment).into_iter().cloned().collect()
}

fn enough(readers: &[Person], environment: &str) -> Result<(), Failure> {
    if readers.len() >= FEWEST_READERS {
        return Ok(());
    }
    let names: Vec<&str> = readers.iter().map(|person| person.name.as_str()).collect();
    let only = if names.is_empty() { "nobody".to_owned() } else { format!("only `{}`", names.join("`, `")) };
    Err(Failure::new(
        FailureKind::Refused,
        format!("{only} could read the secrets of `{environment}`: with that key lost, all of them would be"),
    )
    .hint("add a colleague's key, or one that you keep elsewhere: `runbook secret recipient add NAME KEY`")
    .hint("`runbook secret identity --recovery FILE` makes a key to be kept elsewhere"))
}

/// The file of an environment whose name can be one.
fn checked_file_of(environment: &str) -> Result<String, Failure> {
    let file = file_of(environment);
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if file == PEOPLE_FILE || environment.starts_with('.') || !environment.chars().all(is_plain) {
        let message = format!("an environment named {environment:?} cannot have a file of secrets");
        return Err(Failure::new(FailureKind::Invalid, message).hint("give it another name in runbook.toml"));
    }
    Ok(file)
}

fn read(root: &Path, file: &str) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(root.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::system(format!("read `{file}`"), &error)),
    }
}

/// Writes a file as a whole.
pub(super) fn replace(folder: &Path, file: &str, text: &str, mode: Option<FileMode>) -> Result<(), Failure> {
    let place = disk::Place::new(folder, file)?;
    let replacement = disk::Replacement::begin(&place, mode, &format!("{}-{file}", std::process::id()))?;
    disk::write(replacement, text.as_bytes(), &mut |_| Ok(())).map(drop)
}
