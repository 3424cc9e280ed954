//! The bindings of a Worker: their methods, called by name, and the values that they return.
//!
//! The wrappers of the crate `worker` double the code, and some do not distinguish a missing value from one of another type.

use std::cell::RefCell;

use worker::Env;
use worker::js_sys::{Array, ArrayBuffer, Function, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;

/// A kind of binding: its name in messages, its section in wrangler.toml, and a method by which it is recognized.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) method: &'static str,
}

impl Kind {
    /// Returns the binding of this kind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such binding, or one of another kind.
    pub(super) fn find(&self, env: &Env, binding: &str) -> Result<JsValue> {
        let value = Reflect::get(env, &binding.into()).unwrap_or(JsValue::UNDEFINED);
        if Reflect::get(&value, &self.method.into()).is_ok_and(|method| method.is_function()) {
            return Ok(value);
        }
        let Self { name, section, .. } = self;
        let problem = if value.is_undefined() || value.is_null() { "is missing" } else { "is of another kind" };
        Err(Error::config(format!("the {name} binding {binding} {problem}: add it under {section} in wrangler.toml")))
    }
}

/// Calls a method. An exception is returned, since an uncaught one would end the whole wasm instance.
pub(super) fn invoke(target: &JsValue, method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    Reflect::apply(Reflect::get(target, &method.into())?.unchecked_ref::<Function>(), target, arguments)
}

/// Waits for the promise that a method returned.
pub(super) async fn settled(started: Result<JsValue, JsValue>) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::resolve(&started?)).await
}

/// Creates a plain object.
pub(super) fn object<const N: usize>(members: [(&str, JsValue); N]) -> Result<JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &name.into(), &value).map_err(failed)?;
    }
    Ok(object.into())
}

/// Returns the member of an object.
pub(super) fn member(object: &JsValue, name: &str) -> Result<JsValue> {
    Reflect::get(object, &name.into()).map_err(failed)
}

/// Returns the text of an exception, which can be any value.
pub(super) fn message(error: &JsValue) -> String {
    let text = if error.is_object() { Reflect::get(error, &"message".into()).ok() } else { None };
    text.as_ref().unwrap_or(error).as_string().unwrap_or_else(|| "the binding failed".to_owned())
}

/// Converts an exception of a binding.
pub(super) fn failed(error: JsValue) -> Error {
    Error::unavailable(message(&error))
}

/// Copies the bytes of a record.
pub(super) fn buffer(value: &[u8]) -> JsValue {
    Uint8Array::from(value).buffer().into()
}

/// Returns the bytes of a record, `None` for null. Any other value is an error of the store, not a missing record.
pub(super) fn bytes_of(value: JsValue) -> Result<Option<Vec<u8>>> {
    if value.is_null() {
        return Ok(None);
    }
    match value.dyn_into::<ArrayBuffer>() {
        // A transferred buffer has no bytes any more.
        Ok(buffer) if buffer.byte_length() == 0 && member(&buffer, "detached")?.is_truthy() => {
            Err(Error::unavailable("the store returned a detached buffer"))
        }
        Ok(buffer) => Ok(Some(Uint8Array::new(&buffer).to_vec())),
        Err(_) => Err(Error::unavailable("the store returned neither bytes nor null")),
    }
}

/// The maximum number of bindings with a memory in one isolate.
const MAX_BINDINGS: usize = 16;

thread_local! {
    /// The memory of each binding in this isolate, so that a Worker may create its `Sessions` anew for each request.
    static MEMORIES: RefCell<Vec<(JsValue, IsolateMemory)>> = const { RefCell::new(Vec::new()) };
}

/// Returns the isolate memory of a binding.
pub(super) fn memory_of(binding: &JsValue) -> IsolateMemory {
    MEMORIES.with_borrow_mut(|memories| {
        if let Some((_, memory)) = memories.iter().find(|(known, _)| known == binding) {
            return memory.clone();
        }
        let memory = IsolateMemory::default();
        if memories.len() == MAX_BINDINGS {
            memories.remove(0);
        }
        memories.push((binding.clone(), memory.clone()));
        memory
    })
}
