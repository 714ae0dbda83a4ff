//! Runs from before there were chains: their rows as they are become the first entry of one.

use jiff::Timestamp;
use rusqlite::types::Value as Column;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};

use super::chain;
use super::entry::{Entry, Fact};
use super::table::{OF_A_RUN, Table};

/// Begins the chain of every run that has none.
pub(super) fn adopt_all(connection: &Connection) -> rusqlite::Result<()> {
    let runs: Vec<i64> = connection
        .prepare("SELECT id FROM run WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.run = run.id) ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for run in runs {
        let mut rows = Map::new();
        for table in OF_A_RUN {
            rows.insert(table.name.into(), to_json(&Table::of(connection, table, run)?));
        }
        let fact = Fact::RunAdopted { rows: Value::Object(rows), at: Timestamp::now() };
        chain::append(connection, run, &Entry::from(&fact).body()?)?;
    }
    Ok(())
}

/// Makes the rows again.
pub(super) fn insert(connection: &Connection, rows: &Value) -> rusqlite::Result<()> {
    for table in OF_A_RUN {
        for row in rows[table.name].as_array().into_iter().flatten().filter_map(Value::as_object) {
            let columns: Vec<String> = row.keys().map(|name| format!("\"{name}\"")).collect();
            let places = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, columns.join(", "));
            connection.execute(&sql, params_from_iter(row.values().map(to_column)))?;
        }
    }
    Ok(())
}

fn to_json(table: &Table) -> Value {
    let value = |column: &Column| match column {
        Column::Integer(number) => json!(number),
        Column::Text(text) => json!(text),
        // The tables are strict and have no columns of other types.
        Column::Null | Column::Real(_) | Column::Blob(_) => Value::Null,
    };
    let row = |row: &Vec<Column>| -> Value {
        table.columns.iter().zip(row).map(|(name, column)| (name.clone(), value(column))).collect::<Map<_, _>>().into()
    };
    table.rows.iter().map(row).collect()
}

fn to_column(value: &Value) -> Column {
    match value {
        Value::Number(number) => Column::Integer(number.as_i64().unwrap_or_default()),
        Value::String(text) => Column::Text(text.clone()),
        _ => Column::Null,
    }
}
