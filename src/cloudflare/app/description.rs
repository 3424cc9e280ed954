//! What `GET /session` tells of a session and its cookie. Never the key, nor the token.

use chrono::{DateTime, Utc};

use super::refusal::Refusal;
use super::routes::is_visible;
use crate::session::expiry::{Deadline, ExpiryOptions, format_iso};
use crate::session::incoming::CookieSlot;
use crate::session::json;
use crate::session::session::Session;
use crate::settings::{MAX_COOKIE_AGE, Settings};

/// `{"data","isNew","loadReason","expiry","stored","cookie","saveEveryRequest","now"}`
pub(super) fn session(session: &mut Session) -> Result<String, Refusal> {
    let (data, is_new) = (session.to_json(is_visible)?, session.is_new()?);
    let expiry = expiry(session)?;
    let deadline = session.stored_deadline()?;
    let closes = session.get_expire_at_browser_close()?;
    let known = session.key.identity().zip(session.known.position).filter(|_| deadline.is_some());
    let (absolute, issued) = match known {
        Some((identity, position)) => (identity.absolute.date(), DateTime::from_timestamp_micros(position.issued)),
        None => (None, None),
    };
    let stored = match deadline {
        Some(_) => format!(r#"{{"deadline":{},"absoluteDeadline":{}}}"#, date(deadline), date(absolute)),
        None => "null".to_owned(),
    };
    // The cookie was given with the save that gave the record its deadline. No browser keeps it for longer than it may.
    let longest = issued.and_then(|issued| Deadline::after(issued, MAX_COOKIE_AGE).date());
    let expires = deadline.zip(longest).filter(|_| !closes).map(|(deadline, longest)| deadline.min(longest));
    let slot = session.key.identity().map_or(CookieSlot::Anonymous, CookieSlot::of);
    let cookie = cookie(&session.settings, slot, &date(issued), &date(expires));
    let (renews, now) = (session.settings.save_every_request, date(Some(session.now())));
    let reason = session.load_reason().as_str();
    Ok(format!(
        r#"{{"data":{data},"isNew":{is_new},"loadReason":"{reason}","expiry":{expiry},"stored":{stored},"cookie":{cookie},"saveEveryRequest":{renews},"now":{now}}}"#
    ))
}

/// `{"age","date","atBrowserClose"}`: the life that a save now gives.
pub(super) fn expiry(session: &mut Session) -> Result<String, Refusal> {
    let age = session.get_expiry_age(ExpiryOptions::default())?;
    let date = format_iso(session.get_expiry_date(ExpiryOptions::default())?);
    let at_browser_close = session.get_expire_at_browser_close()?;
    Ok(format!(r#"{{"age":{age},"date":"{date}","atBrowserClose":{at_browser_close}}}"#))
}

/// The attributes with which the cookie is sent; when this browser's was given, and when the browser drops it.
fn cookie(settings: &Settings, slot: CookieSlot, issued: &str, expires: &str) -> String {
    let domain = settings.cookie_domain.as_deref().map_or_else(|| "null".to_owned(), quoted);
    let (name, path) = (quoted(settings.name_of(slot)), quoted(&settings.cookie_path));
    let (secure, http_only, same_site) =
        (settings.cookie_secure, settings.cookie_httponly, settings.cookie_samesite.as_str());
    let [login, anonymous] = CookieSlot::ALL.map(|slot| quoted(settings.name_of(slot)));
    format!(
        r#"{{"name":{name},"anonymousName":{anonymous},"loginName":{login},"domain":{domain},"path":{path},"secure":{secure},"httpOnly":{http_only},"sameSite":"{same_site}","issued":{issued},"expires":{expires}}}"#
    )
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    json::quote(text, &mut json);
    json
}

/// A moment in quotes, or `null`.
fn date(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "null".to_owned(), |moment| quoted(&format_iso(moment.fixed_offset())))
}
