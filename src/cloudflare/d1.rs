//! D1 as a store.

use std::time::Duration;

use worker::Env;
use worker::js_sys::{Array, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};

use super::binding::{Kind, buffer, failed, invoke, member, memory_of, message, settled};
use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::storage_key::StorageKey;
use crate::store::{Consistency, OnlyIf, Op, Page, Store, WriteOutcome};

/// The binding of a D1 database.
const KIND: Kind = Kind { name: "D1", section: "[[d1_databases]]", method: "withSession" };

/// The maximum number of parameters of a statement.
/// <https://developers.cloudflare.com/d1/platform/limits/>
const MAX_PARAMETERS: usize = 100;

/// The number of keys on a page of a list.
const PAGE: usize = 1_000;

/// The statements of a put: always, only if there is no row, only if its generation is the fifth parameter.
const PUT: &str = "INSERT INTO edge_session (key, value, deadline, generation) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) \
                   DO UPDATE SET value = excluded.value, deadline = excluded.deadline, generation = excluded.generation";
const INSERT: &str = "INSERT INTO edge_session (key, value, deadline, generation) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) \
                      DO NOTHING";
const UPDATE: &str =
    "UPDATE edge_session SET value = ?2, deadline = ?3, generation = ?4 WHERE key = ?1 AND generation = ?5";

/// The character after all others: a prefix followed by it is greater than each key with the prefix.
const LAST: &str = "\u{10ffff}";

/// Keeps records in the table `edge_session` of a D1 database.
///
/// It is linearizable: each statement runs at the primary, and a conditional write is one statement, which changes a row or none.
/// [`clear_expired`](crate::Sessions::clear_expired) deletes expired rows by the index of the deadlines.
///
/// The migrations of this repository create the table: `wrangler d1 migrations apply SESSION_DB`. wrangler.toml names the
/// database:
///
/// ```text
/// [[d1_databases]]
/// binding = "SESSION_DB"
/// database_name = "edge-session"
/// migrations_dir = "migrations"
/// ```
///
/// ```no_run
/// use edge_session::{D1, Sessions, Settings};
///
/// # fn example(env: &worker::Env) -> edge_session::Result<()> {
/// let sessions = Sessions::new(D1::from_env(env, "SESSION_DB")?, Settings::from_env(env)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct D1 {
    database: JsValue,
    binding: String,
}

impl D1 {
    /// Returns a store in the database that wrangler.toml binds to `binding`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such binding, or one of another kind. A database without
    /// the table is reported with the same kind at the first statement.
    pub fn from_env(env: &Env, binding: &str) -> Result<Self> {
        Ok(Self { database: KIND.find(env, binding)?, binding: binding.to_owned() })
    }

    /// Runs a statement at the primary. Returns its rows and its meta data.
    async fn run(&self, sql: &str, parameters: &Array) -> Result<JsValue> {
        // Only the first statement of such a session is certain to run at the primary.
        let started = invoke(&self.database, KIND.method, &Array::of1(&"first-primary".into()))
            .and_then(|session| invoke(&session, "prepare", &Array::of1(&sql.into())))
            .and_then(|statement| invoke(&statement, "bind", parameters))
            .and_then(|statement| invoke(&statement, "run", &Array::new()));
        settled(started).await.map_err(|error| {
            let text = message(&error);
            if text.contains("no such table") {
                let binding = &self.binding;
                return Error::config(format!(
                    "the D1 database {binding} has no table edge_session: run `npx wrangler d1 migrations apply {binding}`, \
                     with --remote for the deployed one"
                ));
            }
            Error::unavailable(text)
        })
    }

    async fn apply(&self, op: Op) -> Result<WriteOutcome> {
        let parameters = Array::of1(&op.key().as_str().into());
        let (sql, is_conditional) = match op {
            Op::Delete { .. } => ("DELETE FROM edge_session WHERE key = ?1", false),
            Op::Put { value, deadline, generation, only_if, .. } => {
                parameters.push(&buffer(&value));
                parameters.push(&(deadline as f64).into());
                parameters.push(&generation.into());
                if let OnlyIf::Generation(stored) = only_if {
                    parameters.push(&stored.into());
                }
                match only_if {
                    OnlyIf::Any => (PUT, false),
                    OnlyIf::Absent => (INSERT, true),
                    OnlyIf::Generation(_) => (UPDATE, true),
                }
            }
        };
        let changes = changes(&self.run(sql, &parameters).await?)?;
        Ok(if is_conditional && changes == 0 { WriteOutcome::Conflict } else { WriteOutcome::All })
    }

    /// Reads at most as many keys as a statement has parameters, and stores their values at their places.
    async fn read_some(&self, keys: &[StorageKey], values: &mut [Option<Vec<u8>>]) -> Result<()> {
        let places = vec!["?"; keys.len()].join(", ");
        let sql = ["SELECT key, value FROM edge_session WHERE key IN (", &places, ")"].concat();
        let parameters = Array::from_iter(keys.iter().map(|key| JsValue::from(key.as_str())));
        for row in rows(&self.run(&sql, &parameters).await?)? {
            let key = member(&row, "key")?.as_string().unwrap_or_default();
            let bytes = member(&row, "value")?; // an array of numbers
            if !bytes.is_object() {
                return Err(Error::unavailable("D1 returned a value that is not bytes"));
            }
            for (_, value) in keys.iter().zip(values.iter_mut()).filter(|(wanted, _)| wanted.as_str() == key) {
                *value = Some(Uint8Array::new(&bytes).to_vec());
            }
        }
        Ok(())
    }
}

/// Returns the rows of a statement.
fn rows(result: &JsValue) -> Result<Array> {
    member(result, "results")?.dyn_into().map_err(|_| Error::unavailable("D1 returned no rows"))
}

/// Returns the number of rows that a statement changed.
fn changes(result: &JsValue) -> Result<usize> {
    let changes = member(&member(result, "meta")?, "changes")?.as_f64();
    changes.map(|changes| changes as usize).ok_or_else(|| Error::unavailable("D1 returned no number of changes"))
}

impl Store for D1 {
    fn consistency(&self) -> Consistency {
        Consistency::Linearizable
    }

    fn memory(&self) -> IsolateMemory {
        memory_of(&self.database)
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = vec![None; keys.len()];
        for (keys, values) in keys.chunks(MAX_PARAMETERS).zip(values.chunks_mut(MAX_PARAMETERS)) {
            self.read_some(keys, values).await?;
        }
        Ok(values)
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in ops {
            if self.apply(op).await? == WriteOutcome::Conflict {
                return Ok(WriteOutcome::Conflict);
            }
        }
        Ok(WriteOutcome::All)
    }

    async fn wait(&self, milliseconds: u64) {
        worker::Delay::from(Duration::from_millis(milliseconds)).await;
    }

    async fn delete_expired(&self, prefix: &str, before: i64, limit: usize) -> Result<Option<usize>> {
        // The plus signs keep the rows from being found by their key.
        let sql = "DELETE FROM edge_session WHERE key IN (SELECT key FROM edge_session \
                   WHERE deadline < ?1 AND +key >= ?2 AND +key < ?3 ORDER BY deadline LIMIT ?4)";
        let parameters = [(before as f64).into(), prefix.into(), [prefix, LAST].concat().into(), (limit as f64).into()];
        changes(&self.run(sql, &Array::from_iter::<[JsValue; 4]>(parameters)).await?).map(Some)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let sql = "SELECT key, deadline FROM edge_session WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
        let (start, end) = (cursor.unwrap_or(prefix), [prefix, LAST].concat());
        let limit = PAGE.saturating_add(1) as f64;
        let mut entries = Vec::new();
        for row in rows(&self.run(sql, &Array::of3(&start.into(), &end.into(), &limit.into())).await?)? {
            let key = member(&row, "key")?.as_string().ok_or_else(|| failed("a listed row has no key".into()))?;
            let deadline = member(&row, "deadline")?.as_f64().map(|micros| micros as i64);
            entries.push((StorageKey::listed(key), deadline));
        }
        let cursor = entries.get(PAGE).map(|(key, _)| key.as_str().to_owned());
        entries.truncate(PAGE);
        Ok(Page { entries, cursor })
    }
}
