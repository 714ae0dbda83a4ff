//! Who may ask the service, and what webhooks brought.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::Journal;
use super::columns::Json;
use super::table::TOKEN;
use crate::failure::Failure;

/// A token as it is kept: nobody can ask the service with what is known here.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRow {
    /// Its name.
    pub name: String,
    /// The SHA-256 of what is shown to the service, in hexadecimal digits.
    #[serde(skip)]
    pub hash: String,
    /// What may be done with it.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: i64,
    /// Who made it: `user@machine`.
    pub created_by: String,
    /// From when on it counts no more.
    pub expires: i64,
}

impl Journal {
    /// Keeps a token; false when there is one of that name.
    pub fn add_token(&self, token: &TokenRow) -> Result<bool, Failure> {
        self.write("keep the token", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            let added = transaction.execute(
                "INSERT INTO token (name, hash, scopes, created, created_by, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO NOTHING",
                params![token.name, token.hash, Json(&token.scopes), token.created, token.created_by, token.expires],
            )?;
            TOKEN.seal(&transaction, &token.name)?;
            transaction.commit()?;
            Ok(added == 1)
        })
    }

    /// Forgets a token; false when there is none of that name.
    pub fn remove_token(&self, name: &str) -> Result<bool, Failure> {
        self.write("forget the token", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            let removed = transaction.execute("DELETE FROM token WHERE name = ?1", [name])?;
            transaction.commit()?;
            Ok(removed == 1)
        })
    }

    /// The tokens, by name.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, Failure> {
        self.read("read the tokens", |connection| {
            connection.prepare_cached("SELECT * FROM token ORDER BY name")?.query_map([], token_from_row)?.collect()
        })
    }

    /// The token of that name.
    pub fn token(&self, name: &str) -> Result<Option<TokenRow>, Failure> {
        self.read("read the token", |connection| {
            connection
                .prepare_cached("SELECT * FROM token WHERE name = ?1")?
                .query_row([name], token_from_row)
                .optional()
        })
    }

    /// Takes note of something that a webhook brought; false when one of these marks is known.
    pub fn add_delivery(&self, webhook: &str, marks: &[String], at: i64) -> Result<bool, Failure> {
        self.write("note the delivery", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            for mark in marks {
                let sql = "INSERT INTO delivery (webhook, mark, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
                if transaction.prepare_cached(sql)?.execute(params![webhook, mark, at])? == 0 {
                    return Ok(false);
                }
            }
            transaction.commit()?;
            Ok(true)
        })
    }

    /// Takes that note back: nothing came of it.
    pub fn remove_delivery(&self, webhook: &str, marks: &[String]) -> Result<(), Failure> {
        self.write("forget the delivery", |writer| {
            let transaction = writer.transaction()?;
            for mark in marks {
                transaction.execute("DELETE FROM delivery WHERE webhook = ?1 AND mark = ?2", params![webhook, mark])?;
            }
            transaction.commit()
        })
    }
}

fn token_from_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        name: row.get("name")?,
        hash: row.get("hash")?,
        scopes: row.get::<_, Json<_>>("scopes")?.0,
        created: row.get("created")?,
        created_by: row.get("created_by")?,
        expires: row.get("expires")?,
    })
}

/// Are all rows as they were sealed? Names those that are not.
pub(super) fn altered(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    Ok(TOKEN.broken(connection)?.into_iter().map(|name| format!("the token `{name}` was altered")).collect())
}
