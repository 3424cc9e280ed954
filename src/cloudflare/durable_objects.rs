//! Durable Objects as a store.

use std::time::Duration;

use worker::Env;
use worker::js_sys::{Array, Object, Promise, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;

use super::binding::{Kind, buffer, bytes_of, failed, invoke, member, memory_of, message, settled};
use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::storage_key::StorageKey;
use crate::store::{Consistency, OnlyIf, Op, Page, Store, WriteOutcome};

/// The binding of a namespace of Durable Objects.
const KIND: Kind = Kind { name: "Durable Object", section: "[[durable_objects.bindings]]", method: "idFromName" };

/// Keeps each record in a Durable Object of its own, of the class `SessionObject`.
///
/// It is linearizable: a read returns the last write, and of concurrent writes with the same condition one is applied. An alarm
/// deletes the record after its deadline, so there is nothing to sweep. The entries of a user's sessions are together in one object.
/// [`list`](Store::list) returns those, and no other keys: a namespace cannot list its objects.
///
/// The class `SessionObject` is JavaScript. The Worker's entry module exports it, and wrangler.toml names it:
///
/// ```text
/// [[durable_objects.bindings]]
/// name = "SESSION_OBJECTS"
/// class_name = "SessionObject"
///
/// [[migrations]]
/// tag = "session-objects"
/// new_sqlite_classes = ["SessionObject"]
/// ```
///
/// ```no_run
/// use edge_session::{DurableObjects, Sessions, Settings};
///
/// # fn example(env: &worker::Env) -> edge_session::Result<()> {
/// let sessions = Sessions::new(DurableObjects::from_env(env, "SESSION_OBJECTS")?, Settings::from_env(env)?);
/// # Ok(()) }
/// ```
///
/// A call that fails with an error that the platform marks as retryable is repeated once, with a new stub, unless the object is
/// overloaded. Any other failure is [`ErrorKind::StoreUnavailable`](crate::ErrorKind::StoreUnavailable).
#[derive(Debug)]
pub struct DurableObjects {
    /// The binding itself, for the isolate memory.
    bound: JsValue,
    /// The namespace, or the part of it in a jurisdiction.
    namespace: JsValue,
    binding: String,
    location_hint: Option<String>,
}

impl DurableObjects {
    /// Returns a store in the namespace that wrangler.toml binds to `binding`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such binding, or one of another kind. A class other than
    /// `SessionObject` is reported with the same kind at the first call.
    pub fn from_env(env: &Env, binding: &str) -> Result<Self> {
        let bound = KIND.find(env, binding)?;
        Ok(Self { namespace: bound.clone(), bound, binding: binding.to_owned(), location_hint: None })
    }

    /// Returns the store whose objects run and are stored in a jurisdiction, such as `eu`. Objects of another jurisdiction are
    /// other objects.
    ///
    /// ```no_run
    /// # fn example(env: &worker::Env) -> edge_session::Result<()> {
    /// let store = edge_session::DurableObjects::from_env(env, "SESSION_OBJECTS")?.with_jurisdiction("eu")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the platform knows no such jurisdiction.
    pub fn with_jurisdiction(mut self, jurisdiction: &str) -> Result<Self> {
        let namespace = invoke(&self.bound, "jurisdiction", &Array::of1(&jurisdiction.into()));
        self.namespace = namespace.map_err(|error| {
            Error::config(format!(
                "the jurisdiction {jurisdiction} of {} is refused: {}",
                self.binding,
                message(&error)
            ))
        })?;
        Ok(self)
    }

    /// Returns the store whose objects are placed in a region at their first call, such as `weur`. By default an object is near
    /// the first request of its session.
    ///
    /// ```no_run
    /// # fn example(env: &worker::Env) -> edge_session::Result<()> {
    /// let store = edge_session::DurableObjects::from_env(env, "SESSION_OBJECTS")?.with_location_hint("weur");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_location_hint(mut self, location_hint: &str) -> Self {
        self.location_hint = Some(location_hint.to_owned());
        self
    }

    /// Calls a method of the object with this name, with a new stub, and returns its promise.
    fn start(&self, name: &str, method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
        let id = invoke(&self.namespace, KIND.method, &Array::of1(&name.into()))?;
        let placement = Array::of1(&id);
        if let Some(hint) = &self.location_hint {
            let options = Object::new();
            Reflect::set(&options, &"locationHint".into(), &hint.into())?;
            placement.push(&options);
        }
        let stub = invoke(&self.namespace, "get", &placement)?;
        invoke(&stub, method, arguments)
    }

    /// Repeats a call that failed with `error`, if the error allows it, and waits for it.
    async fn retry(&self, error: JsValue, name: &str, method: &str, arguments: &Array) -> Result<JsValue> {
        let is_marked = |mark: &str| Reflect::get(&error, &mark.into()).is_ok_and(|mark| mark.is_truthy());
        let outcome = if is_marked("retryable") && !is_marked("overloaded") {
            settled(self.start(name, method, arguments)).await
        } else {
            Err(error)
        };
        outcome.map_err(|error| self.failed(error))
    }

    async fn apply(&self, op: Op) -> Result<WriteOutcome> {
        let (name, entry) = place_of(op.key());
        let (method, arguments) = match &op {
            Op::Delete { .. } => ("remove", Array::of1(&entry)),
            Op::Put { value, deadline, generation, only_if, .. } => {
                let condition = match only_if {
                    OnlyIf::Any => JsValue::UNDEFINED,
                    OnlyIf::Absent => 0.into(),
                    OnlyIf::Generation(stored) => (*stored).into(),
                };
                let deadline = *deadline as f64;
                ("write", Array::of5(&buffer(value), &deadline.into(), &(*generation).into(), &condition, &entry))
            }
        };
        let (answer, is_repeated) = match settled(self.start(name, method, &arguments)).await {
            Ok(answer) => (answer, false),
            Err(error) => (self.retry(error, name, method, &arguments).await?, true),
        };
        let Op::Put { key, value, .. } = op else { return Ok(WriteOutcome::All) };
        match answer.as_bool() {
            Some(true) => Ok(WriteOutcome::All),
            // The first call may have stored the record although it failed.
            Some(false) if is_repeated && self.read(&[key]).await?.contains(&Some(value)) => Ok(WriteOutcome::All),
            Some(false) => Ok(WriteOutcome::Conflict),
            None => Err(Error::unavailable("the object did not return whether it stored the record")),
        }
    }

    /// Converts an exception. That of a class without the methods is an error of the configuration.
    fn failed(&self, error: JsValue) -> Error {
        let text = message(&error);
        if ["does not implement", "does not support RPC"].iter().any(|part| text.contains(part)) {
            let binding = &self.binding;
            return Error::config(format!(
                "the Durable Object binding {binding} has another class: set its class_name to SessionObject in wrangler.toml"
            ));
        }
        Error::unavailable(text)
    }
}

/// Returns the name of the object that contains a key, and the argument that names the entry in it: the entries of a user are together in
/// one object, so that it can list them.
fn place_of(key: &StorageKey) -> (&str, JsValue) {
    key.entry_parts().map_or((key.as_str(), JsValue::UNDEFINED), |(name, id)| (name, id.into()))
}

impl Store for DurableObjects {
    fn consistency(&self) -> Consistency {
        Consistency::Linearizable
    }

    fn memory(&self) -> IsolateMemory {
        memory_of(&self.bound)
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let calls = keys.iter().map(|key| {
            let (name, entry) = place_of(key);
            self.start(name, "read", &Array::of1(&entry))
        });
        let calls = Array::from_iter(calls.map(|call| call.unwrap_or_else(|error| Promise::reject(&error).into())));
        let outcomes = JsFuture::from(Promise::all_settled(&calls)).await.map_err(failed)?;
        let mut values = Vec::with_capacity(keys.len());
        for (key, outcome) in keys.iter().zip(Array::from(&outcomes)) {
            let error = member(&outcome, "reason")?;
            let value = if error.is_undefined() {
                member(&outcome, "value")?
            } else {
                let (name, entry) = place_of(key);
                self.retry(error, name, "read", &Array::of1(&entry)).await?
            };
            values.push(bytes_of(value)?);
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

    fn expires_records(&self) -> bool {
        true
    }

    async fn wait(&self, milliseconds: u64) {
        worker::Delay::from(Duration::from_millis(milliseconds)).await;
    }

    async fn list(&self, prefix: &str, _cursor: Option<&str>) -> Result<Page> {
        // Only the entries of a user are together in an object.
        let Some((name, _)) = StorageKey::split_entry(prefix) else { return Ok(Page::default()) };
        let none = Array::new();
        let listed = match settled(self.start(name, "list", &none)).await {
            Ok(listed) => listed,
            Err(error) => self.retry(error, name, "list", &none).await?,
        };
        let entry = |entry: JsValue| {
            let pair = Array::from(&entry);
            let id = pair.get(0).as_string().unwrap_or_default();
            let key = StorageKey::listed([name, ":", &id].concat());
            (key, pair.get(1).as_f64().map(|deadline| deadline as i64))
        };
        Ok(Page { entries: Array::from(&listed).iter().map(entry).collect(), cursor: None })
    }
}
