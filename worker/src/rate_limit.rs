//! The optional rate limit of new sessions: the binding `SESSION_RATE_LIMIT`.

use edge_session::{LoadReason, Session};
use worker::js_sys::{Function, Object, Promise, Reflect};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Env, console_error};

use crate::refusal::Refusal;

/// The binding.
pub(super) struct RateLimit(JsValue);

impl RateLimit {
    /// Returns the binding, if the Worker has one.
    pub(super) fn from_env(env: &Env) -> Option<Self> {
        let binding = Reflect::get(env, &"SESSION_RATE_LIMIT".into()).ok()?;
        (!binding.is_undefined() && !binding.is_null()).then_some(Self(binding))
    }

    /// Refuses a call that would create a session if the visitor, identified by an address, has created too many. If the rate limit itself
    /// fails, the call is allowed and the log has the error.
    pub(super) async fn check(&self, session: &Session, address: &str) -> Result<(), Refusal> {
        let creates = matches!(
            session.load_reason(),
            LoadReason::New | LoadReason::Unknown | LoadReason::Expired | LoadReason::Revoked | LoadReason::Malformed
        );
        if !creates || self.allows(address).await.unwrap_or_else(|error| allow(&error)) {
            return Ok(());
        }
        Err(Refusal::new(429, "too_many_sessions", "too many new sessions from this address; try again in a minute"))
    }

    async fn allows(&self, address: &str) -> Result<bool, JsValue> {
        let options = Object::new();
        Reflect::set(&options, &"key".into(), &address.into())?;
        let limit = Reflect::get(&self.0, &"limit".into())?.dyn_into::<Function>()?;
        let outcome = JsFuture::from(Promise::resolve(&limit.call1(&self.0, &options)?)).await?;
        Ok(Reflect::get(&outcome, &"success".into())?.is_truthy())
    }
}

fn allow(error: &JsValue) -> bool {
    console_error!("edge-session: the rate limit failed: {:?}", error);
    true
}
