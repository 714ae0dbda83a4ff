//! `alembic`: as many migrations as the image's version says, recorded in the database.

use std::process::ExitCode;

use rusqlite::{Connection, Result};

/// What each migration is called, does and undoes; its number is its place.
const MIGRATIONS: [(&str, &str, &str); 3] = [
    (
        "create entries",
        "CREATE TABLE entries (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))",
        "DROP TABLE entries",
    ),
    ("add a rank", "ALTER TABLE entries ADD COLUMN rank INTEGER", "ALTER TABLE entries DROP COLUMN rank"),
    ("index kinds", "CREATE INDEX entries_kind ON entries (kind)", "DROP INDEX entries_kind"),
];

/// Runs `upgrade head`, `downgrade -1` or `current`.
pub fn run(arguments: &[&str]) -> ExitCode {
    let outcome = super::database::open().and_then(|mut database| {
        database.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT NOT NULL)", [])?;
        match arguments {
            ["upgrade", "head"] if super::switched_on("DEMO_MIGRATION_FAILS") => Ok(fails()),
            ["upgrade", "head"] => upgrade(&mut database),
            ["downgrade", "-1"] => downgrade(&mut database),
            ["current"] => current(&database),
            _ => {
                eprintln!("usage: alembic upgrade head | downgrade -1 | current");
                Ok(ExitCode::from(2))
            }
        }
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("sqlite3.OperationalError: {error}");
        ExitCode::FAILURE
    })
}

fn upgrade(database: &mut Connection) -> Result<ExitCode> {
    let reached = revision(database)?;
    for (number, (name, up, _)) in MIGRATIONS.iter().enumerate().take(head()).skip(reached) {
        println!(
            "INFO  [alembic.runtime.migration] Running upgrade {} -> {}, {name}",
            label(number),
            label(number + 1)
        );
        apply(database, up, number + 1)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn downgrade(database: &mut Connection) -> Result<ExitCode> {
    let Some(number) = revision(database)?.checked_sub(1) else {
        eprintln!("FAILED: Relative revision -1 didn't produce 1 migrations");
        return Ok(ExitCode::FAILURE);
    };
    let (name, _, down) = MIGRATIONS[number];
    println!("INFO  [alembic.runtime.migration] Running downgrade {} -> {}, {name}", label(number + 1), label(number));
    apply(database, down, number)?;
    Ok(ExitCode::SUCCESS)
}

fn current(database: &Connection) -> Result<ExitCode> {
    let number = revision(database)?;
    println!("{}{}", label(number), if number == head() { " (head)" } else { "" });
    Ok(ExitCode::SUCCESS)
}

fn fails() -> ExitCode {
    eprintln!("Traceback (most recent call last):\n  File \"alembic\", line 8, in <module>");
    eprintln!("sqlite3.OperationalError: no such column: entries.owner");
    ExitCode::FAILURE
}

/// A migration and its record happen together or not at all.
fn apply(database: &mut Connection, statement: &str, reached: usize) -> Result<()> {
    let transaction = database.transaction()?;
    transaction.execute_batch(statement)?;
    transaction.execute("DELETE FROM alembic_version", [])?;
    if reached > 0 {
        transaction.execute("INSERT INTO alembic_version VALUES (?1)", [label(reached)])?;
    }
    transaction.commit()
}

/// How many migrations the database has; a database from a newer image has no more than are known here.
fn revision(database: &Connection) -> Result<usize> {
    let label: Option<String> =
        database.query_row("SELECT max(version_num) FROM alembic_version", [], |row| row.get(0))?;
    Ok(label.and_then(|label| label.parse().ok()).unwrap_or(0).min(MIGRATIONS.len()))
}

/// The newest migration of this image.
fn head() -> usize {
    let version = super::version();
    let digits = version.trim_start_matches('v').split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(1).clamp(1, MIGRATIONS.len())
}

fn label(number: usize) -> String {
    if number == 0 { String::new() } else { format!("{number:04}") }
}
