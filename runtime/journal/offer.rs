//! Runs whose processes wait for their time, and are begun for them: all that are due at a second in one transaction.
//!
//! Each of many processes would take the run log in turn, read what the one before it wrote, and share the processors with
//! those that have begun. So each says ahead what is to be written of its run and takes the lock that proves that it lives;
//! who knows that the time has come writes all of that, and gives each lock the name of its run.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::columns::Moment;
use super::entry::HashedSource;
use super::owner::{self, Claim, Process};
use super::store::{self, Writer};
use super::{Event, FireTicket, Journal, NewRun, Redacted, chain, fires, locked};
use crate::failure::Failure;
use crate::secrets::Redactor;

/// What is to be written of a run when its time has come, and whose it will be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    new: NewRun,
    policy: Option<Event>,
    /// Texts that the run log has already.
    sources: Vec<HashedSource>,
    owner: Process,
}

/// What the process of an offered run keeps until it learns what became of it.
#[derive(Debug)]
pub struct Offered {
    uid: String,
    policy: Option<Redacted>,
    claim: Claim,
    /// The newest run of then.
    newest: i64,
}

/// A run that was begun for its process.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its number.
    pub run: i64,
    /// Its name in the world.
    pub uid: String,
    /// When it began.
    pub at: Timestamp,
    /// What its beginning says of what it may do.
    pub policy: Option<Redacted>,
}

impl Journal {
    /// Offers this process for a run that another one is to begin. Nothing is written.
    ///
    /// None where the texts of its scripts are new to the run log: such a run is begun by its own process.
    pub fn offer(&self, new: &NewRun) -> Result<Option<(Offer, Offered)>, Failure> {
        self.refuse_copy()?;
        store::check_depth(&[&new.environment_values, &new.parameters])?;
        let hash =
            |source: &super::Source| HashedSource { path: source.path.clone(), hash: chain::text_hash(&source.text) };
        let sources: Vec<HashedSource> = new.sources.iter().map(hash).collect();
        let newest = self.read("prepare the run", |connection| {
            if are_kept(connection, &sources)? { newest_run(connection).map(Some) } else { Ok(None) }
        })?;
        let Some(newest) = newest else { return Ok(None) };
        let claim = Claim::take_ahead(&self.folder, &new.uid)?;
        let offered = Offered { uid: new.uid.clone(), policy: new.policy.clone(), claim, newest };
        let policy = new.policy.as_ref().map(|policy| (**policy).clone());
        // The texts are named by their hashes.
        let new = NewRun { sources: Vec::new(), policy: None, fire: None, ..new.clone() };
        Ok(Some((Offer { new, policy, sources, owner: Process::current() }, offered)))
    }

    /// Begins these runs, each for its fire, in one transaction, and returns the number of each; none of one that cannot be begun
    /// like that: its process may begin it by itself.
    pub fn begin_offered(&self, offers: &[(FireTicket, Offer)]) -> Result<Vec<Option<i64>>, Failure> {
        self.refuse_copy()?;
        self.write("begin the runs", |writer| writer.begin_offered(&self.folder, offers))
    }

    /// Removes what processes left that were killed while they waited for their run to begin.
    pub fn forget_offers(&self) {
        owner::sweep(&self.folder);
    }

    /// What became of the offer: the run that was begun, or none. The process has the run then, or may begin one by itself.
    pub fn take_offered(&self, offered: Offered) -> Result<Option<Begun>, Failure> {
        let Offered { uid, policy, claim, newest } = offered;
        let found = self.read("read the run", |connection| {
            connection
                .query_row("SELECT id, started_at FROM run WHERE id > ?1 AND uid = ?2", (newest, &uid), |row| {
                    Ok((row.get(0)?, row.get::<_, Moment>(1)?.0))
                })
                .optional()
        })?;
        let Some((run, at)) = found else {
            claim.end();
            return Ok(None);
        };
        locked(&self.claims).insert(run, claim.of(&self.folder, run).beating());
        Ok(Some(Begun { run, uid, at, policy }))
    }
}

impl Writer {
    fn begin_offered(
        &mut self,
        state_folder: &Path,
        offers: &[(FireTicket, Offer)],
    ) -> rusqlite::Result<Vec<Option<i64>>> {
        self.set_durable(false)?;
        let mut transaction = self.transaction()?;
        let mut begun = Vec::with_capacity(offers.len());
        for (ticket, offer) in offers {
            // What one cannot do is taken back without the others.
            let point = transaction.savepoint()?;
            let run = begin(&point, state_folder, ticket, offer)?;
            if run.is_some() {
                point.commit()?;
            }
            begun.push(run);
        }
        transaction.commit()?;
        Ok(begun)
    }
}

fn begin(
    connection: &Connection,
    state_folder: &Path,
    ticket: &FireTicket,
    offer: &Offer,
) -> rusqlite::Result<Option<i64>> {
    if !are_kept(connection, &offer.sources)? {
        return Ok(None);
    }
    // It was redacted by nothing before, as the beginning of a run is: there are no secrets in what a run may do.
    let policy = offer.policy.clone().map(|policy| Redacted::by(&Redactor::default(), policy));
    let new = NewRun { policy, ..offer.new.clone() };
    let run = store::enter_begin(connection, &new, offer.sources.clone(), offer.owner.clone())?;
    // Whoever sees the run sees that it has an owner.
    let is_begun = fires::claim(connection, ticket, run)?.is_ok() && owner::name_ahead(state_folder, &new.uid, run);
    Ok(is_begun.then_some(run))
}

fn are_kept(connection: &Connection, sources: &[HashedSource]) -> rusqlite::Result<bool> {
    let mut look = connection.prepare_cached("SELECT 1 FROM text WHERE hash = ?1")?;
    for source in sources {
        if !look.exists([&source.hash])? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest_run(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(id), 0) FROM run", [], |row| row.get(0))
}
