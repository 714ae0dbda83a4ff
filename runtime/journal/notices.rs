//! The outbox: nothing that is to be told is held only in memory.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::columns::{Json, Word, count};
use super::notice::{NewNotice, Notice, NoticeState, RunSign, RunSignKind, Sending};
use super::table::{NOTICE, TOLD};
use super::{Fire, Journal, fires};
use crate::failure::Failure;

/// What the bodies of entries begin with that people may want to be told of.
const SIGNS: [(&str, RunSignKind); 4] = [
    ("run_begun", RunSignKind::Begun),
    ("run_finished", RunSignKind::Finished),
    ("run_parked", RunSignKind::Parked),
    ("run_buried", RunSignKind::Buried),
];

/// Who tries to send a notice has it for so long; when that process dies, others try again afterwards.
const CLAIM: i64 = 120;

impl Journal {
    /// Begins to take note from now on, unless that has begun; without this nothing that was before is told.
    pub fn watch_from_here(&self) -> Result<(), Failure> {
        if self.told_until()?.is_some() {
            return Ok(());
        }
        self.write("write the notifications", |writer| {
            let transaction = writer.transaction()?;
            transaction.execute(
                "INSERT INTO told (id, entry) SELECT 1, ifnull(max(id), 0) FROM entry WHERE true ON CONFLICT DO NOTHING",
                [],
            )?;
            transaction.execute("DELETE FROM untold", [])?;
            TOLD.seal(&transaction, &1)?;
            transaction.commit()
        })
    }

    /// Up to which entry it was looked at what is to be told.
    pub fn told(&self) -> Result<i64, Failure> {
        Ok(self.told_until()?.unwrap_or(0))
    }

    fn told_until(&self) -> Result<Option<i64>, Failure> {
        self.read("read the notifications", |connection| {
            connection.prepare_cached("SELECT entry FROM told")?.query_row([], |row| row.get(0)).optional()
        })
    }

    /// What happened to runs since it was last looked at, and up to which entry that is.
    pub fn untold_signs(&self) -> Result<(Vec<RunSign>, i64), Failure> {
        let from = self.told_until()?.unwrap_or(0);
        self.read("read what happened", |connection| {
            let until: i64 =
                connection.prepare_cached("SELECT ifnull(max(id), 0) FROM entry")?.query_row([], |row| row.get(0))?;
            let found: Vec<(i64, String, Option<String>)> = connection
                .prepare_cached(
                    "SELECT run, substr(body, 1, 24), json_extract(body, '$.at') FROM entry
                     WHERE id > ?1 AND id <= ?2
                       AND (body LIKE '{\"event\":\"run_begun\"%' OR body LIKE '{\"event\":\"run_finished\"%'
                            OR body LIKE '{\"event\":\"run_parked\"%' OR body LIKE '{\"event\":\"run_buried\"%')
                     ORDER BY id",
                )?
                .query_map(params![from, until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let signs = found.into_iter().filter_map(|(run, body, at)| {
                let kind = SIGNS.iter().find(|(word, _)| body.contains(&format!("\"{word}\"")))?.1;
                let at: jiff::Timestamp = at?.parse().ok()?;
                Some(RunSign { run, kind, at: at.as_microsecond() })
            });
            Ok((signs.collect(), until))
        })
    }

    /// The fires of which somebody may have to be told.
    pub fn untold_fires(&self) -> Result<Vec<Fire>, Failure> {
        self.read("read the fires", |connection| {
            connection
                .prepare_cached(&format!(
                    "{} WHERE fire.id IN (SELECT fire FROM untold) ORDER BY fire.id",
                    fires::SELECT
                ))?
                .query_map([], fires::fire_from_row)?
                .collect()
        })
    }

    /// Writes down what is to be told, and with it up to where everything was looked at: all of it or nothing.
    pub fn add_notices(&self, notices: &[NewNotice], now: i64, until: i64, fires: &[i64]) -> Result<(), Failure> {
        self.write("write the notifications", |writer| {
            writer.set_durable(!notices.is_empty())?;
            let transaction = writer.transaction()?;
            for notice in notices {
                add(&transaction, notice, now)?;
            }
            let sql = "UPDATE told SET entry = max(entry, ?1)";
            transaction.prepare_cached(sql)?.execute([until])?;
            TOLD.seal(&transaction, &1)?;
            for fire in fires {
                transaction.prepare_cached("DELETE FROM untold WHERE fire = ?1")?.execute([fire])?;
            }
            transaction.commit()
        })
    }

    /// Takes the notices that are due: for the coming two minutes they are this process's to send.
    pub fn claim_notices(&self, now: i64) -> Result<Vec<Notice>, Failure> {
        if self.next_notice()?.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        self.write("take notifications", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            let due: Vec<Notice> = transaction
                .prepare_cached(
                    "SELECT * FROM notice WHERE state = 'waiting' AND due <= ?1 ORDER BY due, id LIMIT 500",
                )?
                .query_map([now], notice_from_row)?
                .collect::<rusqlite::Result<_>>()?;
            for notice in &due {
                transaction
                    .prepare_cached("UPDATE notice SET due = ?2, attempt = attempt + 1 WHERE id = ?1")?
                    .execute(params![notice.id, now + CLAIM])?;
                NOTICE.seal(&transaction, &notice.id)?;
            }
            transaction.commit()?;
            Ok(due.into_iter().map(|notice| Notice { attempt: notice.attempt + 1, ..notice }).collect())
        })
    }

    /// Writes down what came of it.
    pub fn settle_notice(&self, id: i64, sending: &Sending) -> Result<(), Failure> {
        let (state, due, problem) = match sending {
            Sending::Sent => (NoticeState::Sent, None, None),
            Sending::Again { due, problem } => (NoticeState::Waiting, Some(*due), Some(problem)),
            Sending::GivenUp { problem } => (NoticeState::GivenUp, None, Some(problem)),
        };
        self.write("write the notifications", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            transaction
                .prepare_cached("UPDATE notice SET state = ?2, due = ifnull(?3, due), problem = ?4 WHERE id = ?1")?
                .execute(params![id, Word(state), due, problem])?;
            NOTICE.seal(&transaction, &id)?;
            transaction.commit()
        })
    }

    /// When the next notice is to be sent.
    pub fn next_notice(&self) -> Result<Option<i64>, Failure> {
        self.read("read the notifications", |connection| {
            connection
                .prepare_cached("SELECT min(due) FROM notice WHERE state = 'waiting'")?
                .query_row([], |row| row.get(0))
        })
    }

    /// Was it written down that somebody is to be told of this?
    pub fn is_noticed(&self, subject: &str) -> Result<bool, Failure> {
        self.read("read the notifications", |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM notice WHERE subject = ?1)";
            connection.prepare_cached(sql)?.query_row([subject], |row| row.get(0))
        })
    }

    /// The newest notices, newest first.
    pub fn notices(&self, limit: usize) -> Result<Vec<Notice>, Failure> {
        self.read("read the notifications", |connection| {
            connection
                .prepare_cached("SELECT * FROM notice ORDER BY id DESC LIMIT ?1")?
                .query_map([count(limit)], notice_from_row)?
                .collect()
        })
    }

    /// Forgets what was settled before that second, and fires before it that nobody asked about.
    pub fn forget_notices(&self, before: i64) -> Result<(), Failure> {
        let any: bool = self.read("read the notifications", |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM notice WHERE created < ?1 AND state <> 'waiting')
                OR EXISTS (SELECT 1 FROM untold JOIN fire ON fire.id = untold.fire WHERE fire.at < ?1)";
            connection.prepare_cached(sql)?.query_row([before], |row| row.get(0))
        })?;
        if !any {
            return Ok(());
        }
        self.write("forget old notifications", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            transaction.execute("DELETE FROM notice WHERE created < ?1 AND state <> 'waiting'", [before])?;
            transaction.execute(
                "DELETE FROM untold WHERE fire IN (SELECT fire.id FROM untold JOIN fire ON fire.id = untold.fire
                     WHERE fire.at < ?1)",
                [before],
            )?;
            transaction.commit()
        })
    }
}

fn add(transaction: &Transaction<'_>, notice: &NewNotice, now: i64) -> rusqlite::Result<()> {
    let added = transaction
        .prepare_cached(
            "INSERT INTO notice (subject, channel, environment, message, created, due, bundled, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (subject, channel) DO NOTHING",
        )?
        .execute(params![
            notice.subject,
            notice.channel,
            notice.environment,
            Json(&notice.message),
            now,
            notice.due,
            notice.bundled,
            notice.expires
        ])?;
    if added == 1 {
        NOTICE.seal(transaction, &transaction.last_insert_rowid())?;
    }
    Ok(())
}

fn notice_from_row(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        id: row.get("id")?,
        subject: row.get("subject")?,
        channel: row.get("channel")?,
        environment: row.get("environment")?,
        message: row.get::<_, Json<Value>>("message")?.0,
        created: row.get("created")?,
        due: row.get("due")?,
        bundled: row.get("bundled")?,
        expires: row.get("expires")?,
        attempt: row.get("attempt")?,
        state: row.get::<_, Word<_>>("state")?.0,
        problem: row.get("problem")?,
    })
}

/// Are all rows as they were sealed? Names those that are not.
pub(super) fn altered(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<String>> {
    let notices = NOTICE.broken(connection)?.into_iter().map(|id| format!("notification {id} was altered"));
    let told = TOLD.broken(connection)?.into_iter().map(|_| "the note on what was told was altered".to_owned());
    Ok(notices.chain(told).collect())
}
