//! The ledger of schedules and their fires.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::columns::{Word, count};
use super::fire::{ClockReading, Fire, FireChange, FireResult, FireState, FireTicket, Pause, ScheduleRow, SkipReason};
use super::table::{CLOCK, FIRE, SCHEDULE};
use super::{Journal, RunState};
use crate::failure::{Failure, FailureKind};

/// Which fires are wanted.
#[derive(Clone, Debug, Default)]
pub struct FireFilter {
    /// Only those of this schedule.
    pub schedule: Option<String>,
    /// Only those expected from then on.
    pub since: Option<i64>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

pub(super) const SELECT: &str = "SELECT fire.*, run.state AS run_state, run.started_at / 1000000 AS run_since
    FROM fire LEFT JOIN run ON run.id = fire.run";

impl Journal {
    /// The schedules, by name.
    pub fn schedules(&self) -> Result<Vec<ScheduleRow>, Failure> {
        self.read("read the schedules", |connection| {
            connection
                .prepare_cached("SELECT name, definition, accounted, paused_by, paused_at FROM schedule ORDER BY name")?
                .query_map([], schedule_from_row)?
                .collect()
        })
    }

    /// Those of these names.
    pub fn schedules_named(&self, names: &[String]) -> Result<Vec<ScheduleRow>, Failure> {
        self.read("read the schedules", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, definition, accounted, paused_by, paused_at FROM schedule WHERE name = ?1",
            )?;
            let found = names.iter().map(|name| statement.query_row([name], schedule_from_row).optional());
            found.filter_map(Result::transpose).collect()
        })
    }

    /// Those that are paused.
    pub fn paused_schedules(&self) -> Result<Vec<ScheduleRow>, Failure> {
        self.read("read the schedules", |connection| {
            connection
                .prepare_cached(
                    "SELECT name, definition, accounted, paused_by, paused_at FROM schedule WHERE paused_at IS NOT NULL",
                )?
                .query_map([], schedule_from_row)?
                .collect()
        })
    }

    /// Up to when every fire of each schedule has its row.
    pub fn accounted(&self) -> Result<Vec<(String, i64)>, Failure> {
        self.read("read the schedules", |connection| {
            connection
                .prepare_cached("SELECT name, accounted FROM schedule")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// The fires with something left to do, oldest first.
    pub fn open_fires(&self) -> Result<Vec<Fire>, Failure> {
        self.read("read the fires", |connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE fire.state IN ('due', 'starting', 'running') ORDER BY fire.due, fire.id"
                ))?
                .query_map([], fire_from_row)?
                .collect()
        })
    }

    /// Fires that pass the filter, newest first.
    pub fn fires(&self, filter: &FireFilter) -> Result<Vec<Fire>, Failure> {
        // Said apart, so that the fires of one schedule are found by its name, and not among all there are.
        let of_one = if filter.schedule.is_some() { "fire.schedule = ?1" } else { "?1 IS NULL" };
        self.read("read the fires", |connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE {of_one} AND fire.at >= ?2 ORDER BY fire.at DESC, fire.id DESC LIMIT ?3"
                ))?
                .query_map(
                    params![filter.schedule, filter.since.unwrap_or(i64::MIN), filter.limit.map_or(-1, count)],
                    fire_from_row,
                )?
                .collect()
        })
    }

    /// One fire.
    pub fn fire(&self, id: i64) -> Result<Option<Fire>, Failure> {
        self.read("read the fire", |connection| {
            let sql = format!("{SELECT} WHERE fire.id = ?1");
            connection.prepare_cached(&sql)?.query_row([id], fire_from_row).optional()
        })
    }

    /// The fire that a run was made for, whichever of its tries that was.
    pub fn fire_of(&self, run: i64) -> Result<Option<Fire>, Failure> {
        // Nearly always it is the newest; only a later try has a greater number.
        let newest = format!("{SELECT} WHERE fire.run = ?1");
        let earlier = format!(
            "{SELECT} WHERE fire.run > ?1 AND fire.attempt > 1
                AND EXISTS (SELECT 1 FROM json_each(fire.runs) WHERE value = ?1)"
        );
        self.read("read the fire", |connection| {
            let ask = |sql: &str| connection.prepare_cached(sql)?.query_row([run], fire_from_row).optional();
            Ok(ask(&newest)?.or(ask(&earlier)?))
        })
    }

    /// What the clocks showed when the ledger was last written.
    pub fn clock_seen(&self) -> Result<Option<ClockReading>, Failure> {
        self.read("read the clocks", |connection| {
            connection
                .prepare_cached("SELECT wall, up, boot FROM clock")?
                .query_row([], |row| Ok(ClockReading { wall: row.get(0)?, up: row.get(1)?, boot: row.get(2)? }))
                .optional()
        })
    }

    /// Makes all of these changes, or none.
    pub fn change_fires(&self, changes: &[FireChange]) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write("write the ledger of schedules", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            changes.iter().try_for_each(|change| apply(&transaction, change))?;
            transaction.commit()
        })
    }

    /// Pauses a schedule, or lets it go on; false when there is none of that name.
    pub fn pause(&self, name: &str, pause: Option<&Pause>) -> Result<bool, Failure> {
        self.write("pause the schedule", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            let (by, at) = pause.map(|pause| (&pause.by, pause.at)).unzip();
            let sql = "UPDATE schedule SET paused_by = ?2, paused_at = ?3 WHERE name = ?1";
            let found = transaction.prepare_cached(sql)?.execute(params![name, by, at])?;
            SCHEDULE.seal(&transaction, &name)?;
            transaction.commit()?;
            Ok(found == 1)
        })
    }

    /// Adds a fire that a person asks for, in the hands of a worker that shows this ticket; returns its number.
    pub fn add_fire(&self, schedule: &str, now: i64, ticket: &str) -> Result<i64, Failure> {
        self.write("add the fire", |writer| {
            writer.set_durable(false)?;
            let transaction = writer.transaction()?;
            let at: i64 = transaction.query_row(
                "SELECT max(?2, ifnull(max(at) + 1, 0)) FROM fire WHERE schedule = ?1 AND manual = 1",
                params![schedule, now],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO fire (schedule, at, manual, due, state, ticket) VALUES (?1, ?2, 1, ?3, ?4, ?5)",
                params![schedule, at, now, Word(FireState::Starting), ticket],
            )?;
            let id = transaction.last_insert_rowid();
            FIRE.seal(&transaction, &id)?;
            transaction.commit()?;
            Ok(id)
        })
    }
}

/// Gives the run to the fire whose worker begins it, if that worker still may.
pub(super) fn claim(connection: &Connection, ticket: &FireTicket, run: i64) -> rusqlite::Result<Result<(), Failure>> {
    let claimed = connection
        .prepare_cached(
            "UPDATE fire SET state = ?4, run = ?3, runs = json_insert(runs, '$[#]', ?3)
             WHERE id = ?1 AND ticket = ?2 AND state = ?5",
        )?
        .execute(params![ticket.fire, ticket.ticket, run, Word(FireState::Running), Word(FireState::Starting)])?;
    if claimed == 0 {
        let message =
            format!("fire {} is no longer this process's to run: another one was started for it", ticket.fire);
        return Ok(Err(Failure::new(FailureKind::Refused, message)));
    }
    FIRE.seal(connection, &ticket.fire)?;
    Ok(Ok(()))
}

fn apply(transaction: &Transaction<'_>, change: &FireChange) -> rusqlite::Result<()> {
    let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    match change {
        FireChange::Register { name, definition, accounted } => {
            execute(
                "INSERT INTO schedule (name, definition, accounted) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, accounted = excluded.accounted",
                &[name, definition, accounted],
            )?;
            SCHEDULE.seal(transaction, name)
        }
        FireChange::Remove { name } => execute("DELETE FROM schedule WHERE name = ?1", &[name]).map(drop),
        FireChange::Rewind { to } => rewind(transaction, *to),
        FireChange::Expect { schedule, at, due, late, skip } => {
            let state = if skip.is_some() { FireState::Skipped } else { FireState::Due };
            let added = execute(
                "INSERT INTO fire (schedule, at, due, late, state, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (schedule, at, manual) DO NOTHING",
                &[schedule, at, due, late, &Word(state), &skip.map(Word)],
            )?;
            if added == 1 {
                let fire = transaction.last_insert_rowid();
                FIRE.seal(transaction, &fire)?;
                if *late || skip.is_some_and(is_missed) {
                    tell(transaction, fire)?;
                }
            }
            execute("UPDATE schedule SET accounted = max(accounted, ?2) WHERE name = ?1", &[schedule, at])?;
            SCHEDULE.seal(transaction, schedule)
        }
        FireChange::Skip { fire, reason } => {
            let sql = "UPDATE fire SET state = ?2, reason = ?3 WHERE id = ?1";
            execute(sql, &[fire, &Word(FireState::Skipped), &Word(*reason)])?;
            if is_missed(*reason) {
                tell(transaction, *fire)?;
            }
            FIRE.seal(transaction, fire)
        }
        FireChange::Start { fire, ticket } => {
            execute(
                "UPDATE fire SET state = ?2, ticket = ?3 WHERE id = ?1",
                &[fire, &Word(FireState::Starting), ticket],
            )?;
            FIRE.seal(transaction, fire)
        }
        FireChange::Return { fire } => {
            let sql = "UPDATE fire SET state = ?2, ticket = '' WHERE id = ?1 AND state = ?3";
            execute(sql, &[fire, &Word(FireState::Due), &Word(FireState::Starting)])?;
            FIRE.seal(transaction, fire)
        }
        FireChange::Retry { fire, due } => {
            execute(
                "UPDATE fire SET state = ?2, ticket = '', due = ?3, attempt = attempt + 1 WHERE id = ?1",
                &[fire, &Word(FireState::Due), due],
            )?;
            FIRE.seal(transaction, fire)
        }
        FireChange::Resume { fire } => {
            execute("UPDATE fire SET resumes = resumes + 1 WHERE id = ?1", &[fire])?;
            FIRE.seal(transaction, fire)
        }
        FireChange::Close { fire, result, note } => {
            let sql = "UPDATE fire SET state = ?2, result = ?3, note = ?4, ticket = '' WHERE id = ?1";
            execute(sql, &[fire, &Word(FireState::Ran), &Word(*result), note])?;
            if matches!(result, FireResult::Failed | FireResult::Refused | FireResult::Killed) {
                tell(transaction, *fire)?;
            }
            FIRE.seal(transaction, fire)
        }
        FireChange::Seen(ClockReading { wall, up, boot }) => {
            execute("INSERT OR REPLACE INTO clock (id, wall, up, boot) VALUES (1, ?1, ?2, ?3)", &[wall, up, boot])?;
            CLOCK.seal(transaction, &1)
        }
    }
}

/// Somebody may have to be told of it.
fn tell(transaction: &Transaction<'_>, fire: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO untold (fire) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([fire])
        .map(drop)
}

fn is_missed(reason: SkipReason) -> bool {
    matches!(reason, SkipReason::Missed | SkipReason::Deadline | SkipReason::Clock)
}

/// Forgets what was left out behind that moment; what ran keeps its row, and so never runs again.
fn rewind(transaction: &Transaction<'_>, to: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM fire WHERE state = 'skipped' AND at > ?1", [to])?;
    let names: Vec<String> = transaction
        .prepare("UPDATE schedule SET accounted = ?1 WHERE accounted > ?1 RETURNING name")?
        .query_map([to], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    names.iter().try_for_each(|name| SCHEDULE.seal(transaction, name))
}

fn schedule_from_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let (by, at): (Option<String>, Option<i64>) = (row.get("paused_by")?, row.get("paused_at")?);
    Ok(ScheduleRow {
        name: row.get("name")?,
        definition: row.get("definition")?,
        accounted: row.get("accounted")?,
        paused: by.zip(at).map(|(by, at)| Pause { by, at }),
    })
}

pub(super) fn fire_from_row(row: &Row<'_>) -> rusqlite::Result<Fire> {
    let small = |number: i64| u32::try_from(number).unwrap_or_default();
    Ok(Fire {
        id: row.get("id")?,
        schedule: row.get("schedule")?,
        at: row.get("at")?,
        manual: row.get("manual")?,
        due: row.get("due")?,
        late: row.get("late")?,
        state: row.get::<_, Word<_>>("state")?.0,
        reason: row.get::<_, Option<Word<_>>>("reason")?.map(|word| word.0),
        result: row.get::<_, Option<Word<_>>>("result")?.map(|word| word.0),
        attempt: small(row.get("attempt")?),
        resumes: small(row.get("resumes")?),
        ticket: row.get("ticket")?,
        run: row.get("run")?,
        run_state: row.get::<_, Option<Word<RunState>>>("run_state")?.map(|word| word.0),
        run_since: row.get("run_since")?,
        note: row.get("note")?,
    })
}

/// Are all rows as they were sealed? Names those that are not.
pub(super) fn altered(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let schedules = SCHEDULE.broken(connection)?.into_iter().map(|name| format!("the schedule `{name}` was altered"));
    let fires = FIRE.broken(connection)?.into_iter().map(|id| format!("fire {id} was altered"));
    let clock = CLOCK.broken(connection)?.into_iter().map(|_| "the note on the clocks was altered".to_owned());
    Ok(schedules.chain(fires).chain(clock).collect())
}
