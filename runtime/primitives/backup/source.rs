use serde::Deserialize;
use serde_json::Value;

use super::{Bucket, Deployment, Hosted, Postgres, Program, Redis, Volume, excludes};
use crate::drivers::docker::OVER_SSH;
use crate::primitive::{Failure, FailureKind, Need, kind_of, parse_options, text_of};
use crate::primitives::on_engine::{engine_of, machine};

/// One thing that is saved.
#[derive(Clone)]
pub struct Source {
    /// Its name in the snapshot.
    pub name: String,
    pub kind: Kind,
}

/// What it is.
#[derive(Clone)]
pub enum Kind {
    /// A folder of this machine.
    Folder { path: String, exclude: Vec<String> },
    /// A SQLite database of this machine.
    Sqlite(String),
    /// A folder of a host.
    FolderThere { place: Box<Hosted>, exclude: Vec<String> },
    /// A SQLite database of a host.
    SqliteThere(Box<Hosted>),
    /// A file of a host, as it is: what makes way for a restore.
    FileThere(Box<Hosted>),
    /// A PostgreSQL database, by way of its server.
    Postgres(Box<Postgres>),
    /// A Redis server.
    Redis(Box<Redis>),
    /// A bucket.
    Bucket(Box<Bucket>),
    /// An application as it is deployed.
    Deployment(Box<Deployment>),
    /// A Docker volume.
    Volume(Box<Volume>),
    /// What a command prints.
    Program(Program),
}

/// A source written as a map.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    folder: Option<Value>,
    exclude: Vec<String>,
    host: Option<Value>,
    sqlite: Option<String>,
    command: Option<Vec<String>>,
    container: Option<String>,
    engine: Option<Value>,
    user: Option<String>,
    name: Option<String>,
}

impl Source {
    /// Is it in a container of another host?
    pub fn is_far(&self) -> bool {
        let engine = match &self.kind {
            Kind::Program(program) => &program.engine,
            Kind::Postgres(postgres) => &postgres.engine,
            Kind::Redis(redis) => &redis.engine,
            _ => &None,
        };
        engine.as_ref().is_some_and(|address| address.starts_with(OVER_SSH))
    }
}

/// Every source of a call.
pub fn read(value: Option<&Value>, exclude: &[String]) -> Result<Vec<Source>, Failure> {
    each(value).map(|value| one(value, exclude)).collect()
}

/// What a call needs as it is written, before values are known.
pub fn needs(value: Option<&Value>) -> Vec<Need> {
    each(value).flat_map(needs_of).collect()
}

fn needs_of(value: &Value) -> Vec<Need> {
    if kind_of(value).is_some() || value.is_string() {
        return vec![Need::read(path_of(value))];
    }
    if value.get("postgres").is_some() {
        return Postgres::needs(value, &["psql", "pg_dump", "pg_dumpall"]);
    }
    if value.get("redis").is_some() {
        return Redis::needs(value);
    }
    if value.get("deployment").is_some() {
        return Deployment::needs(value);
    }
    if value.get("volume").is_some() {
        return Volume::needs(value);
    }
    if value.get("bucket").is_some() {
        return Bucket::needs(value);
    }
    if let Some(host) = value.get("host").filter(|host| !host.is_null()) {
        return vec![Hosted::need(host)];
    }
    let mut needs: Vec<Need> = value.get("folder").map(|folder| Need::read(path_of(folder))).into_iter().collect();
    needs.extend(value.get("sqlite").map(|path| Need::read(text_of(Some(path)))));
    if let Some(command) = value.get("command") {
        needs.extend(Program::needs(command, value.get("container"), value.get("engine")));
    }
    if needs.is_empty() {
        // Not known yet: whatever it is, it is looked at.
        needs.push(Need::read(text_of(Some(value))));
    }
    needs
}

fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or(value.map_or(&[], std::slice::from_ref)).iter()
}

/// The path of a folder that is given as a handle, or by its path.
fn path_of(value: &Value) -> String {
    text_of(if kind_of(value) == Some("folder") { value.get("path") } else { Some(value) })
}

fn one(value: &Value, exclude: &[String]) -> Result<Source, Failure> {
    let wrong = |message: &str| Failure::new(FailureKind::Argument, format!("argument `source`: {message}"));
    match kind_of(value) {
        Some("folder") => return folder(path_of(value), None, exclude.to_vec()),
        Some(other) => return Err(wrong(&format!("a {other} handle cannot be saved"))),
        None if value.is_string() => return folder(path_of(value), None, exclude.to_vec()),
        None => {}
    }
    let explained = |mut failure: Failure| {
        failure.message = format!("argument `source`: {}", failure.message);
        failure
    };
    if value.get("postgres").is_some() {
        let postgres = Postgres::read(value).map_err(explained)?;
        return Ok(Source { name: postgres.dump_name(), kind: Kind::Postgres(Box::new(postgres)) });
    }
    if value.get("redis").is_some() {
        let redis = Redis::read(value).map_err(explained)?;
        return Ok(Source { name: redis.name.clone(), kind: Kind::Redis(Box::new(redis)) });
    }
    if value.get("bucket").is_some() {
        let bucket = Bucket::read(value, exclude).map_err(explained)?;
        return Ok(Source { name: bucket.name.clone(), kind: Kind::Bucket(Box::new(bucket)) });
    }
    if value.get("deployment").is_some() {
        let deployment = Deployment::read(value, exclude).map_err(explained)?;
        return Ok(Source { name: deployment.name.clone(), kind: Kind::Deployment(Box::new(deployment)) });
    }
    if value.get("volume").is_some() {
        let volume = Volume::read(value, exclude).map_err(explained)?;
        return Ok(Source { name: volume.name.clone(), kind: Kind::Volume(Box::new(volume)) });
    }
    let Written { folder: path, exclude: own, host, sqlite, command, container, engine, user, name } =
        parse_options(value).map_err(explained)?;
    if let Some(path) = sqlite {
        let is_alone = own.is_empty() && [container.is_some(), engine.is_some(), user.is_some()] == [false; 3];
        if !is_alone || command.is_some() || value.get("folder").is_some() {
            return Err(wrong("beside `sqlite` there can be a `host` and a `name`, and nothing else"));
        }
        let name = name.unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default().to_owned());
        let there = host.map(|host| Hosted::new(&host, &path)).transpose().map_err(explained)?;
        let kind = there.map_or(Kind::Sqlite(path), |place| Kind::SqliteThere(Box::new(place)));
        return Ok(Source { name, kind });
    }
    match (path, command) {
        (Some(path), None) if container.is_none() && engine.is_none() && user.is_none() => {
            let (path, exclude) = (path_of(&path), [exclude, &own].concat());
            let Some(host) = host else { return folder(path, name, exclude) };
            excludes(&exclude)?;
            let place = Box::new(Hosted::new(&host, &path).map_err(explained)?);
            let Source { name, .. } = folder(path, name, Vec::new())?;
            Ok(Source { name, kind: Kind::FolderThere { place, exclude } })
        }
        (_, Some(_)) if host.is_some() => Err(wrong("`host` is for folders and SQLite databases")
            .hint("a command is run on a host by `ssh(…).exec`, in a container of it with `engine: ssh(…)`")),
        (None, Some(command)) => {
            if !own.is_empty() {
                return Err(wrong("`exclude` is for folders"));
            }
            let name =
                name.ok_or_else(|| wrong("what a command prints needs a name").hint("add `name: \"shop.dump\"`"))?;
            let engine =
                engine.as_ref().map(engine_of).transpose()?.and_then(|address| Some(address.as_str()?.to_owned()));
            Ok(Source { name, kind: Kind::Program(Program::new(command, container, engine, user)?) })
        }
        (Some(_), None) => Err(wrong("`container`, `engine` and `user` are for commands")),
        _ => Err(wrong(
            "a map has one of `folder`, `volume`, `bucket`, `sqlite`, `postgres`, `redis`, `deployment` and `command`",
        )),
    }
}

fn folder(path: String, name: Option<String>, exclude: Vec<String>) -> Result<Source, Failure> {
    let last = || path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let name = name.unwrap_or_else(last);
    if name.is_empty() || name == "." || name == ".." {
        return Err(Failure::new(FailureKind::Argument, format!("the folder `{path}` needs a name in the snapshot"))
            .hint(format!("`#{{ folder: {path:?}, name: \"files\" }}`")));
    }
    Ok(Source { name, kind: Kind::Folder { path, exclude } })
}

impl Program {
    /// What running it needs.
    pub fn needs(command: &Value, container: Option<&Value>, engine: Option<&Value>) -> Vec<Need> {
        let program = command.as_array().map_or(Some(command), |words| words.first());
        Self::reached(vec![Need::command(text_of(program))], container, engine)
    }

    /// What running something needs: that much on this machine, or leave to do it in a container.
    pub fn reached(here: Vec<Need>, container: Option<&Value>, engine: Option<&Value>) -> Vec<Need> {
        let Some(container) = container else { return here };
        let address = engine.and_then(|engine| engine_of(engine).ok());
        let machine = address.as_ref().and_then(Value::as_str).map(machine);
        machine.into_iter().chain([Need::docker(text_of(Some(container)), "exec")]).collect()
    }
}
