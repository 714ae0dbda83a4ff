//! A Redis server: its dump streamed and read on the way, its keys given back one by one while it runs.

mod crc;
mod packed;
mod placing;
mod rdb;

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::feeding::{Taps, tap};
use super::program::{Pumping, pump_from};
use super::{Program, server};
use crate::drivers::backup::Pump;
use crate::primitive::{Context, Failure, FailureKind, Need, parse_options};
use crate::primitives::on_engine::engine_of;

pub use placing::{Placing, read};
use rdb::Item;

/// How a server is reached.
#[derive(Clone)]
pub struct Redis {
    /// The name of its part.
    pub name: String,
    /// `host:port`; empty for the one in the container, or of this machine.
    address: String,
    container: Option<String>,
    pub engine: Option<String>,
    user: Option<String>,
    /// The name of a secret.
    password: Option<String>,
    env: BTreeMap<String, String>,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    redis: String,
    #[serde(default)]
    container: Option<String>,
    #[serde(default)]
    engine: Option<Value>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// What is in a dump, as the manifest tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The server's version.
    pub server: String,
    /// How many keys of each kind.
    pub keys: BTreeMap<String, u64>,
    /// How many keys in each database, by its number.
    pub databases: BTreeMap<String, u64>,
    /// How many keys end by themselves.
    pub expiring: u64,
    /// Keys that had ended already.
    pub ended: u64,
    /// Libraries of functions.
    pub functions: u64,
    /// The hashes of all keys with what they hold, added up.
    pub content: String,
}

impl Redis {
    /// Reads `#{ redis, container, engine, user, password, name }`.
    pub fn read(value: &Value) -> Result<Self, Failure> {
        let written: Written = parse_options(value)?;
        let wrong = |message: &str| Err(Failure::new(FailureKind::Argument, message.to_owned()));
        if written.redis.is_empty() || written.redis.contains(['/', '@']) {
            return wrong("`redis` is a name for what is saved, or `host:port`");
        }
        if written.container.is_none() && written.engine.is_some() {
            return wrong("`engine` is for servers in a container");
        }
        let is_address = written.redis.contains(':');
        let engine = written.engine.as_ref().map(engine_of).transpose()?;
        Ok(Self {
            name: written.name.unwrap_or_else(|| format!("{}.rdb", written.redis.replace(':', "-"))),
            address: if is_address { written.redis } else { String::new() },
            container: written.container,
            engine: engine.and_then(|address| Some(address.as_str()?.to_owned())),
            user: written.user,
            password: written.password,
            env: BTreeMap::new(),
        })
    }

    /// What reaching it needs, as it is written.
    pub fn needs(value: &Value) -> Vec<Need> {
        server::needs(value, &["redis-cli"])
    }

    /// Puts its password where its client looks for it.
    pub fn unlocked(mut self, context: &Context<'_>) -> Result<Self, Failure> {
        server::unlock(context, self.password.as_deref(), "REDISCLI_AUTH", &mut self.env)?;
        Ok(self)
    }

    /// In words.
    pub fn shown(&self) -> String {
        match (&self.container, self.address.as_str()) {
            (Some(container), _) => format!("Redis in container `{container}`"),
            (None, "") => "Redis of this machine".into(),
            (None, address) => format!("Redis at {address}"),
        }
    }

    fn client(&self, arguments: &[&str]) -> Program {
        let mut command = vec!["redis-cli".to_owned()];
        if let Some((host, port)) = self.address.rsplit_once(':') {
            command.extend(["-h", host, "-p", port].map(str::to_owned));
        }
        if let Some(user) = &self.user {
            command.extend(["--user".to_owned(), user.clone()]);
        }
        command.extend(arguments.iter().map(|word| (*word).to_owned()));
        Program {
            command,
            container: self.container.clone(),
            engine: self.engine.clone(),
            user: None,
            env: self.env.clone(),
            label: None,
        }
    }

    /// Streams the server's dump, and reads it on the way: one that cannot be read is none.
    pub fn pump(&self, context: &Context<'_>, pump: Pump, pumping: Pumping<'_>) {
        let what = format!("saving {}", self.shown());
        pump_from(context, pump, pumping, &what, async |pump| {
            let mut on_bytes = |bytes: &[u8]| {
                if !pump.push(bytes) {
                    pumping.over.cancel();
                }
            };
            let facts = self.dump_after(context, None, &mut on_bytes, Some(pumping)).await?;
            Ok(json!({ "redis": facts }))
        });
    }

    /// Lets the server dump, and says what is in it, without keys that end before a moment.
    async fn dump_after(
        &self,
        context: &Context<'_>,
        moment: Option<i64>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
        pumping: Option<Pumping<'_>>,
    ) -> Result<Facts, Failure> {
        let Taps { pour, tapped } = tap();
        let reading = std::thread::spawn(move || facts(tapped, moment, &mut |_| Ok(())));
        let client = self.client(&["--rdb", "-"]);
        let dumped = client
            .print_to(
                context,
                &mut |bytes| {
                    on_bytes(bytes);
                    pour.pour(bytes);
                },
                pumping,
            )
            .await;
        drop(pour);
        dumped?;
        let damaged = |why: &str| {
            Failure::new(FailureKind::Invalid, format!("the dump of {} cannot be read: {why}", self.shown()))
        };
        reading.join().map_err(|_| damaged("its reader stopped"))?.map_err(|why| damaged(&why))
    }
}

/// What is in a dump. Keys that end before `moment` are only counted.
pub(super) fn facts(
    input: impl Read,
    moment: Option<i64>,
    each: &mut dyn FnMut(&Item) -> Result<(), String>,
) -> Result<Facts, String> {
    let (mut facts, mut sum) = (Facts::default(), [0u128; 2]);
    rdb::read(input, &mut |item| {
        each(&item)?;
        let line = match &item {
            Item::About(name, value) => {
                if name == b"redis-ver" {
                    facts.server = String::from_utf8_lossy(value).into_owned();
                }
                return Ok(());
            }
            Item::Functions(code) => {
                facts.functions += 1;
                Sha256::digest(code)
            }
            Item::Entry(entry) => {
                if moment.zip(entry.expires).is_some_and(|(moment, expires)| expires <= moment) {
                    facts.ended += 1;
                    return Ok(());
                }
                *facts.keys.entry(entry.kind.to_owned()).or_default() += 1;
                *facts.databases.entry(entry.database.to_string()).or_default() += 1;
                facts.expiring += u64::from(entry.expires.is_some());
                let mut hasher = Sha256::new();
                hasher.update(entry.database.to_le_bytes());
                hasher.update(entry.expires.unwrap_or_default().to_le_bytes());
                hasher.update((entry.key.len() as u64).to_le_bytes());
                hasher.update(&entry.key);
                hasher.update(entry.digest);
                hasher.finalize()
            }
        };
        let half = |from: usize| line[from..from + 16].iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
        sum = [sum[0].wrapping_add(half(0)), sum[1].wrapping_add(half(16))];
        Ok(())
    })?;
    facts.content = format!("{:032x}{:032x}", sum[0], sum[1]);
    Ok(facts)
}

impl Facts {
    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.keys.values().sum()
    }

    /// What is not as it was; nothing when all is.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for (what, was, is) in [("kind", &self.keys, &found.keys), ("database", &self.databases, &found.databases)] {
            for name in was.keys().chain(is.keys().filter(|name| !was.contains_key(*name))) {
                let (was, is) = (was.get(name).unwrap_or(&0), is.get(name).unwrap_or(&0));
                if was != is {
                    all.push(format!("there are {is} keys of the {what} {name} instead of {was}"));
                }
            }
        }
        if self.expiring != found.expiring {
            all.push(format!("{} keys end by themselves instead of {}", found.expiring, self.expiring));
        }
        if self.functions != found.functions {
            all.push(format!("there are {} libraries of functions instead of {}", found.functions, self.functions));
        }
        if all.is_empty() && self.content != found.content {
            all.push("keys or what they hold are others".into());
        }
        all
    }
}
