use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncRead;

use super::{Facts, Postgres, Session, facts, ident, literal, schema};
use crate::primitive::{Context, Failure, FailureKind, LogStream, Span};

/// What is said of a database that was replaced.
const KEPT: &str = "kept by runbook until ";

/// Where a database that is restored comes to be.
pub struct Placing {
    /// The database whose place it takes.
    pub target: Postgres,
    /// The name of this call, which the database has until then.
    pub key: String,
    /// Give everything to whom it belonged.
    pub owners: bool,
    /// How long the database that was there is kept.
    pub kept: Span,
    /// How long each step may take.
    pub within: Span,
}

/// What is there under the target's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    Nothing,
    /// A database with nothing in it.
    Empty,
    Something,
}

impl Placing {
    /// The name that the new database has until it is what it has to be.
    fn fresh(&self) -> String {
        self.named("restoring")
    }

    /// The name under which the old one is kept.
    pub fn old(&self) -> String {
        self.named("before")
    }

    fn named(&self, what: &str) -> String {
        let end = format!("_{what}_{}", self.key);
        // A name has 63 bytes at most.
        let name = &self.target.database;
        let fits = (0..=name.len().min(63 - end.len())).rev().find(|length| name.is_char_boundary(*length));
        format!("{}{end}", &name[..fits.unwrap_or_default()])
    }

    /// Works with the database in which others are made and renamed.
    fn managing<T>(
        &self,
        context: &Context<'_>,
        what: &str,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.target.database == "postgres" {
            return Err(Failure::new(
                FailureKind::Argument,
                "the database `postgres` is needed to replace others, and is not replaced itself",
            ));
        }
        let what = format!("{what} {}", self.target.shown());
        context.wait(&what, self.within.0, Session::with(context, self.target.session("postgres"), work))
    }

    /// What is in the way.
    pub fn there(&self, context: &Context<'_>) -> Result<There, Failure> {
        let name = self.target.database.clone();
        let is_there = self.managing(context, "looking for", async |session| exists(session, &name).await)?;
        if !is_there {
            return Ok(There::Nothing);
        }
        let program = self.target.session(&name);
        let holds = Session::with(context, program, async |session| facts::holds_something(session).await);
        let holds = context.wait(&format!("looking into {}", self.target.shown()), self.within.0, holds)?;
        Ok(if holds { There::Something } else { There::Empty })
    }

    /// Did a process that died put it into its place? Before that nothing but the new database was touched.
    pub fn was_put(&self, context: &Context<'_>) -> Result<bool, Failure> {
        let (old, name) = (self.old(), self.target.database.clone());
        self.managing(context, "looking for", async |session| {
            Ok(exists(session, &old).await? && exists(session, &name).await?)
        })
    }

    /// Makes the roles that are missing, as the server they come from prints them.
    pub fn make_roles(&self, context: &Context<'_>, wanted: &Facts, globals: Option<&str>) -> Result<(), Failure> {
        let wanted: Vec<&String> = wanted.roles.iter().collect();
        self.managing(context, "making the roles of", async |session| {
            let there = session.ask("select rolname from pg_catalog.pg_roles").await?;
            let missing: Vec<&&String> =
                wanted.iter().filter(|role| !there.lines().any(|line| line == **role)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            let names = || missing.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
            let Some(globals) = globals else {
                return Err(Failure::new(FailureKind::NotFound, format!("the server has no role {}", names()))
                    .hint("make it, or restore with `owners: false`: then everything belongs to who restores it"));
            };
            context.log(LogStream::Info, &format!("making the role {}", names()));
            for line in globals.lines().filter(|line| missing.iter().any(|role| is_about(line, role))) {
                session.ask(line.trim_end_matches(';')).await?;
            }
            Ok(())
        })
    }

    /// Makes the new database and fills it.
    pub fn fill(
        &self,
        context: &Context<'_>,
        wanted: &Facts,
        dump: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(), Failure> {
        let (fresh, database) = (self.fresh(), wanted.database.clone());
        self.managing(context, "making a new database beside", async |session| {
            session.ask(&format!("drop database if exists {} with (force)", ident(&fresh))).await?;
            let icu = database.icu.as_ref();
            let icu =
                icu.map(|locale| format!(" locale_provider icu icu_locale {}", literal(locale))).unwrap_or_default();
            let made = format!(
                "create database {} template template0 encoding {} lc_collate {} lc_ctype {}{icu}",
                ident(&fresh),
                literal(&database.encoding),
                literal(&database.collate),
                literal(&database.ctype)
            );
            session.ask(&made).await.map(drop)
        })?;
        let mut command = vec!["pg_restore", "--exit-on-error", "--no-password", "-d", &fresh];
        if !self.owners {
            command.extend(["--no-owner", "--no-privileges"]);
        }
        self.target.tool(&command).feed(context, dump, self.within)?;
        if self.owners {
            self.managing(context, "giving back", async |session| {
                for statement in furnishing(&fresh, &database) {
                    session.ask(&statement).await?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks whether the new database is what it has to be; what is found in it.
    pub fn verify(&self, context: &Context<'_>, wanted: &Facts) -> Result<Facts, Failure> {
        let fresh = self.fresh();
        let found = self.facts(context, &fresh)?;
        let differences = wanted.differences(&found, self.owners);
        if differences.is_empty() {
            return Ok(found);
        }
        let count = differences.len();
        let first = differences.first().cloned().unwrap_or_default();
        let message = format!("the database that was restored is not what was saved: {first}");
        let failure = Failure::new(FailureKind::Check, message);
        let failure = failure.evidence(format!("{count} differences"), differences[..count.min(40)].join("\n"));
        Err(failure.hint(format!("it is still there as `{fresh}`; nothing else was touched")))
    }

    /// Is what is there what was saved?
    pub fn holds(&self, context: &Context<'_>, wanted: &Facts) -> Result<bool, Failure> {
        Ok(wanted.differences(&self.facts(context, &self.target.database)?, self.owners).is_empty())
    }

    /// What is in a database now.
    fn facts(&self, context: &Context<'_>, database: &str) -> Result<Facts, Failure> {
        let target = &self.target;
        let looking = Session::with(context, target.session(database), async |session| {
            session.ask("begin isolation level repeatable read read only").await?;
            let mut facts = facts::of(session).await?;
            let plain = target.tool(&["pg_dump", "-s", "--no-password", "-d", database]).text(context, None).await?;
            (facts.schema, facts.rights) = schema::read(&plain);
            Ok(facts)
        });
        context.wait(&format!("comparing `{database}`"), self.within.0, looking)
    }

    /// Puts the new database in the place of the old one, in one transaction. Whoever works with the old one is cut off.
    pub fn put(&self, context: &Context<'_>, there: There) -> Result<(), Failure> {
        let (name, fresh, old) = (ident(&self.target.database), ident(&self.fresh()), ident(&self.old()));
        let analyze = self.target.session(&self.fresh());
        let analyze = Session::with(context, analyze, async |session| session.ask("analyze").await);
        context.wait("counting for the planner of queries", self.within.0, analyze)?;
        let until = Timestamp::now().checked_add(SignedDuration::try_from(self.kept.0).unwrap_or(SignedDuration::MAX));
        let comment = literal(&format!("{KEPT}{}", until.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ")));
        let mut statements = vec!["begin".to_owned()];
        if there != There::Nothing {
            statements.push(format!("alter database {name} rename to {old}"));
            statements.push(format!("comment on database {old} is {comment}"));
        }
        statements.extend([format!("alter database {fresh} rename to {name}"), "commit".into()]);
        let cut = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and datname = {}",
            literal(&self.target.database)
        );
        // The renaming locks the name, so that nobody new comes in, and waits five seconds for whoever is in to leave.
        let cutting = self.target.session("postgres");
        let cutting = Session::with(context, cutting, async |session| {
            loop {
                session.ask(&cut).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        self.managing(context, "putting in its place", async |session| {
            let renaming = async {
                for statement in &statements {
                    session.ask(statement).await?;
                }
                Ok::<(), Failure>(())
            };
            tokio::select! {
                renamed = renaming => renamed,
                cut = cutting => cut,
            }
        })?;
        if there == There::Empty {
            let drop_old = format!("drop database {old} with (force)");
            self.managing(context, "removing the empty", async |session| session.ask(&drop_old).await.map(drop))?;
        }
        Ok(())
    }

    /// Drops what was kept here for long enough.
    pub fn tidy(&self, context: &Context<'_>) -> Result<(), Failure> {
        let start = format!("{}_before_", self.target.database);
        self.managing(context, "looking after", async |session| {
            let listed = "select datname || E'\\t' || shobj_description(oid, 'pg_database') from pg_catalog.pg_database \
                          where shobj_description(oid, 'pg_database') is not null";
            for line in session.ask(listed).await?.lines() {
                let Some((name, said)) = line.split_once('\t').filter(|(name, _)| name.starts_with(&start)) else { continue };
                let until = said.strip_prefix(KEPT).and_then(|until| until.parse::<Timestamp>().ok());
                if until.is_some_and(|until| until < Timestamp::now()) {
                    context.log(LogStream::Info, &format!("dropping the database `{name}`, which was {said}"));
                    session.ask(&format!("drop database {} with (force)", ident(name))).await?;
                }
            }
            Ok(())
        })
    }
}

async fn exists(session: &mut Session, database: &str) -> Result<bool, Failure> {
    let sql = format!("select exists (select from pg_catalog.pg_database where datname = {})", literal(database));
    Ok(session.ask(&sql).await?.trim() == "t")
}

/// Does a line of what `pg_dumpall --globals-only` prints make this role, or give it something?
fn is_about(line: &str, role: &str) -> bool {
    let is_plain = !role.is_empty()
        && !role.starts_with(|first: char| first.is_ascii_digit())
        && role.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    let names = if is_plain { vec![role.to_owned(), ident(role)] } else { vec![ident(role)] };
    names.iter().any(|name| {
        let starts =
            [format!("CREATE ROLE {name};"), format!("ALTER ROLE {name} "), format!("COMMENT ON ROLE {name} ")];
        let to = [format!(" TO {name};"), format!(" TO {name} ")];
        let is_granted = line.starts_with("GRANT ") && to.iter().any(|to| line.contains(to));
        starts.iter().any(|start| line.starts_with(start)) || is_granted
    })
}

/// What makes a database that of somebody, with what is set in it: no part of its dump.
fn furnishing(name: &str, database: &super::facts::Database) -> Vec<String> {
    let name = ident(name);
    let mut statements = vec![format!("alter database {name} owner to {}", ident(&database.owner))];
    for setting in &database.settings {
        let (role, setting) =
            setting.split_once('\t').map_or((None, setting.as_str()), |(role, rest)| (Some(role), rest));
        let Some((variable, value)) = setting.split_once('=') else { continue };
        // Of these the value is a list of names, written as it has to be.
        let is_list =
            variable == "search_path" || variable.ends_with("_preload_libraries") || variable == "temp_tablespaces";
        let value = if is_list { value.to_owned() } else { literal(value) };
        let whose =
            role.map_or_else(|| format!("database {name}"), |role| format!("role {} in database {name}", ident(role)));
        statements.push(format!("alter {whose} set {} to {value}", ident(variable).replace('.', "\".\"")));
    }
    if let Some(privileges) = &database.privileges {
        statements.push(format!("revoke all on database {name} from public"));
        statements.push(format!("revoke all on database {name} from {}", ident(&database.owner)));
        for privilege in privileges {
            let mut words = privilege.split('\t');
            let (Some(who), Some(what)) = (words.next(), words.next()) else { continue };
            let who = if who == "PUBLIC" { who.to_owned() } else { ident(who) };
            let option = if words.next().is_some() { " with grant option" } else { "" };
            statements.push(format!("grant {what} on database {name} to {who}{option}"));
        }
    }
    statements
}
