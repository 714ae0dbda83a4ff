//! A PostgreSQL database, as its own tools save and restore it: in a container, on this machine, or by its address.

mod facts;
mod placing;
mod schema;
mod session;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::program::{Pumping, pump_from};
use super::{Program, server};
use crate::drivers::backup::Pump;
use crate::primitive::{Context, Failure, FailureKind, Need, parse_options};
use crate::primitives::on_engine::engine_of;

pub use facts::Facts;
pub use placing::{Placing, There};
use session::Session;

/// In a container, its own variables say who may do everything.
const AS_SUPERUSER: &str = "PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}}; export PGUSER; exec \"$@\"";

/// How a database is reached.
#[derive(Clone)]
pub struct Postgres {
    /// The database's name.
    pub database: String,
    /// The start of the names of its parts.
    pub name: String,
    /// Are roles saved besides?
    pub globals: bool,
    container: Option<String>,
    pub engine: Option<String>,
    env: BTreeMap<String, String>,
    /// The name of a secret.
    password: Option<String>,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    postgres: String,
    #[serde(default)]
    container: Option<String>,
    #[serde(default)]
    engine: Option<Value>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    globals: Option<bool>,
    #[serde(default)]
    name: Option<String>,
}

impl Postgres {
    /// Reads `#{ postgres, container, engine, role, password, globals, name }`.
    pub fn read(value: &Value) -> Result<Self, Failure> {
        let written: Written = parse_options(value)?;
        let wrong = |message: String| Failure::new(FailureKind::Argument, message);
        let (database, mut env) = match written.postgres.split_once("://") {
            Some((_, rest)) => address(rest).map_err(|why| wrong(format!("the address of a database {why}")))?,
            None => (written.postgres.clone(), BTreeMap::new()),
        };
        if database.is_empty() || database.contains(['\0', '\n']) {
            return Err(wrong("`postgres` must name a database".into()));
        }
        if written.container.is_none() && written.engine.is_some() {
            return Err(wrong("`engine` is for databases in a container".into()));
        }
        if written.container.is_some() && env.contains_key("PGHOST") {
            return Err(wrong("a database in a container has a name, and no address".into()));
        }
        if let Some(role) = written.role {
            env.insert("PGUSER".into(), role);
        }
        env.insert("PGCONNECT_TIMEOUT".into(), "15".into());
        let engine = written.engine.as_ref().map(engine_of).transpose()?;
        Ok(Self {
            name: written.name.unwrap_or_else(|| database.clone()),
            database,
            globals: written.globals.unwrap_or(true),
            container: written.container,
            engine: engine.and_then(|address| Some(address.as_str()?.to_owned())),
            env,
            password: written.password,
        })
    }

    /// What reaching it needs, as it is written.
    pub fn needs(value: &Value, programs: &[&str]) -> Vec<Need> {
        server::needs(value, programs)
    }

    /// Puts its password where its tools look for it.
    pub fn unlocked(mut self, context: &Context<'_>) -> Result<Self, Failure> {
        server::unlock(context, self.password.as_deref(), "PGPASSWORD", &mut self.env)?;
        Ok(self)
    }

    /// In words: `` database `shop` in container `db` ``.
    pub fn shown(&self) -> String {
        let at = match (&self.container, self.env.get("PGHOST")) {
            (Some(container), _) => format!(" in container `{container}`"),
            (None, Some(host)) => format!(" on {host}"),
            (None, None) => String::new(),
        };
        format!("database `{}`{at}", self.database)
    }

    /// The name of the part that has its dump.
    pub fn dump_name(&self) -> String {
        format!("{}.dump", self.name)
    }

    /// The name of the part that has its roles.
    pub fn globals_name(&self) -> String {
        format!("{}.globals.sql", self.name)
    }

    /// One of its tools.
    fn tool(&self, command: &[&str]) -> Program {
        let label = Some(command.join(" "));
        let words = command.iter().map(|word| (*word).to_owned());
        let command = match self.container {
            Some(_) => ["sh", "-c", AS_SUPERUSER, "sh"].map(str::to_owned).into_iter().chain(words).collect(),
            None => words.collect(),
        };
        Program {
            command,
            container: self.container.clone(),
            engine: self.engine.clone(),
            user: None,
            env: self.env.clone(),
            label,
        }
    }

    /// A session in one of its server's databases.
    fn session(&self, database: &str) -> Program {
        self.tool(&["psql", "-w", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database])
    }

    /// What prints the roles. Who is no superuser is not told their passwords.
    pub fn globals(&self, context: &Context<'_>, pumping: Pumping<'_>) -> Result<Program, Failure> {
        let asking = Session::with(context, self.session(&self.database), async |session| {
            session.ask("select rolsuper from pg_catalog.pg_roles where rolname = current_user").await
        });
        let is_super = context.wait(&format!("asking {}", self.shown()), pumping.within.0, asking)?;
        let without: &[&str] = if is_super.trim() == "t" { &[] } else { &["--no-role-passwords"] };
        Ok(self.tool(&[&["pg_dumpall", "-w", "--globals-only", "-l", &self.database][..], without].concat()))
    }

    /// Dumps it as it is at one moment, and says at the end what was in it at that moment.
    pub fn pump(&self, context: &Context<'_>, pump: Pump, pumping: Pumping<'_>) {
        let what = format!("saving {}", self.shown());
        pump_from(context, pump, pumping, &what, async |pump| {
            let facts = Session::with(context, self.session(&self.database), async |session| {
                self.dump(context, session, pump, pumping).await
            });
            Ok(json!({ "postgres": facts.await? }))
        });
    }

    async fn dump(
        &self,
        context: &Context<'_>,
        session: &mut Session,
        pump: &Pump,
        pumping: Pumping<'_>,
    ) -> Result<Facts, Failure> {
        session.ask("begin isolation level repeatable read read only").await?;
        let snapshot = session.ask("select pg_catalog.pg_export_snapshot()").await?.trim().to_owned();
        let same = format!("--snapshot={snapshot}");
        let dump = self.tool(&["pg_dump", "-Fc", "-Z0", "--no-password", &same, "-d", &self.database]);
        let plain = self.tool(&["pg_dump", "-s", "--no-password", &same, "-d", &self.database]);
        let looked = async {
            let facts = facts::of(session).await?;
            Ok((facts, schema::read(&plain.text(context, None).await?)))
        };
        let ((mut facts, objects), ()) = tokio::try_join!(looked, dump.print(context, pump, pumping))?;
        // Sequences go on while it is dumped: what was dumped lies between what they were before and are now.
        facts.sequences = facts::widened(facts.sequences, &facts::sequences(session).await?);
        (facts.schema, facts.rights) = objects;
        let version = self.tool(&["pg_dump", "--version"]).text(context, None).await?;
        version.trim().clone_into(&mut facts.dump);
        facts.globals = self.globals.then(|| self.globals_name());
        Ok(facts)
    }
}

/// The database and the variables that stand for an address, which has no scheme any more.
fn address(rest: &str) -> Result<(String, BTreeMap<String, String>), &'static str> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, database) = rest.split_once('/').ok_or("names no database")?;
    let (who, place) = place.rsplit_once('@').unwrap_or(("", place));
    if who.contains(':') {
        return Err("holds no password: `password` is the name of a secret that does");
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (place, ""),
    };
    let mut env = BTreeMap::new();
    for (name, value) in [("PGUSER", who), ("PGHOST", host.trim_matches(['[', ']'])), ("PGPORT", port)] {
        if !value.is_empty() {
            env.insert(name.to_owned(), decoded(value)?);
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("has a parameter without a value")?;
        let variable = match name {
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "sslcert" => "PGSSLCERT",
            "sslkey" => "PGSSLKEY",
            "host" => "PGHOST",
            _ => return Err("has a parameter other than `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and `host`"),
        };
        env.insert(variable.to_owned(), decoded(value)?);
    }
    Ok((decoded(database)?, env))
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit(), digit());
        let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(value.ok_or("has a `%` without two hexadecimal digits")?);
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8")
}

/// A name as SQL has it.
fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let (database, env) = address("shop%40eu@db.example.com:5433/shop?sslmode=require").unwrap();
        let wanted =
            [("PGHOST", "db.example.com"), ("PGPORT", "5433"), ("PGSSLMODE", "require"), ("PGUSER", "shop@eu")];
        assert_eq!(database, "shop");
        assert_eq!(env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), wanted);
        assert_eq!(address("[::1]/a").unwrap().1["PGHOST"], "::1");
        assert!(address("shop:secret@db/shop").unwrap_err().contains("no password"));
        assert!(address("db").is_err() && address("db/a?x=1").is_err() && address("db/%4").is_err());
    }
}
