use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::Session;
use super::{ident, literal};
use crate::primitive::{Failure, FailureKind};

/// What is in a database, as the manifest tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The server's version, as in `150013`.
    pub version: u32,
    /// The server in words.
    pub server: String,
    /// The tool that dumped it.
    #[serde(default)]
    pub dump: String,
    /// The database itself.
    pub database: Database,
    /// Extensions with their versions.
    pub extensions: BTreeMap<String, String>,
    /// Roles that own something here or may do something with it.
    pub roles: BTreeSet<String>,
    /// The part in which they are.
    #[serde(default)]
    pub globals: Option<String>,
    /// Rows and content of each table, by its name as SQL has it.
    pub tables: BTreeMap<String, Table>,
    /// Large objects, which belong to no table.
    pub large_objects: Table,
    /// Where each sequence is.
    pub sequences: BTreeMap<String, Sequence>,
    /// The hash of what each object is.
    #[serde(default)]
    pub schema: BTreeMap<String, String>,
    /// The hash of who may do what.
    #[serde(default)]
    pub rights: String,
}

/// How a database was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The encoding of its texts.
    pub encoding: String,
    /// By what its texts are sorted.
    pub collate: String,
    /// What is a letter in them.
    pub ctype: String,
    /// The locale of ICU, where texts are sorted by that.
    pub icu: Option<String>,
    /// What is set in it, as in `work_mem=64MB`, for all or after the name of a role and a tab.
    pub settings: BTreeSet<String>,
    /// Who may do what with it, as in `shop CONNECT`; none when nobody changed that.
    pub privileges: Option<BTreeSet<String>>,
}

/// What is in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// How many rows.
    pub rows: u64,
    /// The hashes of all rows, added up.
    pub content: String,
}

/// Where a sequence is: at one number, or somewhere between two while others went on with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The smallest.
    pub low: i64,
    /// The largest.
    pub high: i64,
    /// Was that number given out? Not known of one that was used for the first time meanwhile.
    pub used: Option<bool>,
}

/// What belongs to extensions is made by them.
const OWN: &str = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' and not exists (\
    select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')";

/// Everything but the objects, which only a dump tells, in a transaction that sees one moment.
pub async fn of(session: &mut Session) -> Result<Facts, Failure> {
    // What a row looks like as a text depends on these.
    session
        .ask(
            "set local search_path = pg_catalog; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; \
             set local intervalstyle = 'postgres'; set local extra_float_digits = 1; set local bytea_output = 'hex'; \
             set local xmloption = 'content'; set local client_encoding = 'UTF8'; set local row_security = off; \
             set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0",
        )
        .await?;
    let facts = json(&session.ask(DATABASE).await?)?;
    let mut facts: Facts = serde_json::from_value(facts).map_err(unreadable)?;
    let tables = names(session, "c.relkind = 'r'").await?;
    for (name, shown) in tables {
        // Only its own rows: those of tables that inherit from it are theirs.
        let sum =
            "json_build_array(count(*), coalesce(sum(hashtextextended((runbook_row.*)::text, 0)::numeric), 0)::text)";
        let counted = json(&session.ask(&format!("select {sum} from only {name} runbook_row")).await?)?;
        facts.tables.insert(shown, table(&counted)?);
    }
    let objects = "select json_build_array(count(*), \
        coalesce(sum(hashtextextended(oid::text || ' ' || md5(lo_get(oid)), 0)::numeric), 0)::text) from pg_largeobject_metadata";
    facts.large_objects = table(&json(&session.ask(objects).await?)?)?;
    facts.sequences = sequences(session).await?;
    Ok(facts)
}

const DATABASE: &str = "select json_build_object(
    'version', current_setting('server_version_num')::int, 'server', version(),
    'database', json_build_object(
        'name', d.datname, 'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
        'collate', coalesce(d.datcollate, 'C'), 'ctype', coalesce(d.datctype, 'C'),
        'icu', case to_jsonb(d) ->> 'datlocprovider'
            when 'i' then coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') end,
        'settings', (select coalesce(json_agg(case when s.setrole = 0 then '' else pg_get_userbyid(s.setrole) || E'\\t' end || one), '[]')
            from pg_db_role_setting s, unnest(s.setconfig) one where s.setdatabase = d.oid),
        'privileges', case when d.datacl is not null then (select coalesce(json_agg(
            case when a.grantee = 0 then 'PUBLIC' else pg_get_userbyid(a.grantee) end || E'\\t' || a.privilege_type ||
            case when a.is_grantable then E'\\tGRANT' else '' end), '[]') from aclexplode(d.datacl) a) end),
    'extensions', (select coalesce(json_object_agg(extname, extversion), '{}') from pg_extension),
    'roles', (select coalesce(json_agg(rolname), '[]') from pg_roles r where rolname !~ '^pg_' and (r.oid = d.datdba or r.oid = 10
        or exists (select from pg_shdepend s where s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid
            and (s.dbid = d.oid or (s.dbid = 0 and s.objid = d.oid))))),
    'tables', '{}'::json, 'large_objects', json_build_object('rows', 0, 'content', ''), 'sequences', '{}'::json)
    from pg_database d where d.datname = current_database()";

/// Where the sequences are now, whatever transaction looks.
pub async fn sequences(session: &mut Session) -> Result<BTreeMap<String, Sequence>, Failure> {
    let parts: Vec<String> = names(session, "c.relkind = 'S'")
        .await?
        .into_iter()
        .map(|(name, shown)| format!("select json_build_array({}, last_value, is_called) from {name}", literal(&shown)))
        .collect();
    let mut found = BTreeMap::new();
    if parts.is_empty() {
        return Ok(found);
    }
    for line in session.ask(&parts.join("\nunion all ")).await?.lines() {
        let (name, at, used): (String, i64, bool) = serde_json::from_value(json(line)?).map_err(unreadable)?;
        found.insert(name, Sequence { low: at, high: at, used: Some(used) });
    }
    Ok(found)
}

/// Between what they were and what they are.
pub fn widened(before: BTreeMap<String, Sequence>, after: &BTreeMap<String, Sequence>) -> BTreeMap<String, Sequence> {
    let widen = |(name, was): (String, Sequence)| {
        let is = after.get(&name).copied().unwrap_or(was);
        let used = was.used.filter(|used| is.used == Some(*used));
        (name, Sequence { low: was.low.min(is.low), high: was.high.max(is.high), used })
    };
    before.into_iter().map(widen).collect()
}

/// Tables or sequences: their names as SQL has them, and as people do.
async fn names(session: &mut Session, which: &str) -> Result<Vec<(String, String)>, Failure> {
    let sql = format!(
        "select json_build_array(n.nspname, c.relname) from pg_catalog.pg_class c \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where {which} and {OWN} order by n.nspname, c.relname"
    );
    let mut names = Vec::new();
    for line in session.ask(&sql).await?.lines() {
        let (schema, name): (String, String) = serde_json::from_value(json(line)?).map_err(unreadable)?;
        names.push((format!("{}.{}", ident(&schema), ident(&name)), format!("{schema}.{name}")));
    }
    Ok(names)
}

/// Is there anything in the database that somebody would miss?
pub async fn holds_something(session: &mut Session) -> Result<bool, Failure> {
    let sql = format!(
        "select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where {OWN}) \
         or exists (select from pg_catalog.pg_largeobject_metadata)"
    );
    Ok(session.ask(&sql).await?.trim() == "t")
}

fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(unreadable)
}

fn table(counted: &Value) -> Result<Table, Failure> {
    let (rows, content) = serde_json::from_value(counted.clone()).map_err(unreadable)?;
    Ok(Table { rows, content })
}

fn unreadable(error: impl Display) -> Failure {
    Failure::new(FailureKind::System, format!("what the database answers cannot be understood: {error}"))
}

impl Facts {
    /// How many rows there are in all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// What is not as it was, in words; nothing when all is. Without `owners`, who may do what is not compared.
    pub fn differences(&self, found: &Self, owners: bool) -> Vec<String> {
        let mut all = Vec::new();
        each(&self.tables, &found.tables, "table", &mut all, |was, is| {
            if was.rows == is.rows {
                (was.content != is.content).then(|| "has other content".to_owned())
            } else {
                Some(format!("has {} rows instead of {}", is.rows, was.rows))
            }
        });
        each(&self.sequences, &found.sequences, "sequence", &mut all, |was, is| {
            let fits = (was.low..=was.high).contains(&is.low) && (was.used.is_none() || was.used == is.used);
            (!fits).then(|| format!("is at {} instead of {}", is.low, between(was)))
        });
        if self.large_objects != found.large_objects {
            let (was, is) = (self.large_objects.rows, found.large_objects.rows);
            all.push(format!("the large objects are others: {is} instead of {was}, or with other content"));
        }
        // Servers of another version write objects in another way: then only that they are there can be compared.
        let same = self.version / 10000 == found.version / 10000;
        each(&self.schema, &found.schema, "", &mut all, |was, is| {
            (same && was != is).then(|| "is defined in another way".to_owned())
        });
        each(&self.extensions, &found.extensions, "extension", &mut all, |was, is| {
            (self.version == found.version && was != is).then(|| format!("has version {is} instead of {was}"))
        });
        let (was, is) = (&self.database, &found.database);
        for (what, was, is) in [
            ("encoding", &was.encoding, &is.encoding),
            ("collation", &was.collate, &is.collate),
            ("character type", &was.ctype, &is.ctype),
        ] {
            if was != is {
                all.push(format!("the database has the {what} {is} instead of {was}"));
            }
        }
        if was.settings != is.settings && owners {
            all.push("other things are set in the database".into());
        }
        if owners && (self.rights != found.rights && same || was.owner != is.owner || was.privileges != is.privileges) {
            all.push("owners or privileges are others".into());
        }
        all
    }
}

fn between(sequence: &Sequence) -> String {
    let Sequence { low, high, used } = sequence;
    match used {
        Some(false) => format!("{low}, not given out yet"),
        _ if low == high => low.to_string(),
        _ => format!("{low} to {high}"),
    }
}

fn each<T>(
    wanted: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
    what: &str,
    all: &mut Vec<String>,
    differs: impl Fn(&T, &T) -> Option<String>,
) {
    let shown = |name: &str| if what.is_empty() { format!("`{name}`") } else { format!("the {what} `{name}`") };
    for (name, was) in wanted {
        match found.get(name) {
            None => all.push(format!("{} is missing", shown(name))),
            Some(is) => all.extend(differs(was, is).map(|how| format!("{} {how}", shown(name)))),
        }
    }
    let more = found.keys().filter(|name| !wanted.contains_key(*name));
    all.extend(more.map(|name| format!("{} was not there before", shown(name))));
}
