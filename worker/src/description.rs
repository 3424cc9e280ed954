//! The body of `GET /session`: a description of the session and its cookie, without the session key and the token.

use chrono::{DateTime, TimeDelta, Utc};

use edge_session::{ExpiryOptions, Session, iso, json};

use crate::refusal::Refusal;
use crate::routes::is_visible;

/// The longest lifetime of a cookie in browsers (RFC 6265bis, section 5.5).
const MAX_COOKIE_AGE: TimeDelta = TimeDelta::days(400);

/// `{"data","isNew","loadReason","expiry","stored","cookie","engine","saveEveryRequest","now"}`
pub(super) fn session(session: &mut Session, engine: &str) -> Result<String, Refusal> {
    let (data, is_new) = (session.to_json(is_visible)?, session.is_new()?);
    let expiry = expiry(session)?;
    let deadline = session.stored_deadline()?;
    let closes = session.get_expire_at_browser_close()?;
    let (absolute, issued) = (session.absolute_deadline(), session.cookie_issued());
    let (absolute, issued) = if deadline.is_some() { (absolute, issued) } else { (None, None) };
    let stored = match deadline {
        Some(_) => format!(r#"{{"deadline":{},"absoluteDeadline":{}}}"#, date(deadline), date(absolute)),
        None => "null".to_owned(),
    };
    // The cookie was sent with the save that set the deadline of the record. Browsers limit its lifetime.
    let longest = issued.and_then(|issued| issued.checked_add_signed(MAX_COOKIE_AGE));
    let expires = deadline.zip(longest).filter(|_| !closes).map(|(deadline, longest)| deadline.min(longest));
    let cookie = cookie(session, &date(issued), &date(expires));
    let (renews, now) = (session.settings().saves_every_request(), date(Some(session.now())));
    let reason = session.load_reason().as_str();
    Ok(format!(
        r#"{{"data":{data},"isNew":{is_new},"loadReason":"{reason}","expiry":{expiry},"stored":{stored},"cookie":{cookie},"engine":"{engine}","saveEveryRequest":{renews},"now":{now}}}"#
    ))
}

/// `{"age","date","atBrowserClose"}`: the expiry that a save would set now.
pub(super) fn expiry(session: &mut Session) -> Result<String, Refusal> {
    let age = session.get_expiry_age(ExpiryOptions::default())?;
    let date = iso::format(session.get_expiry_date(ExpiryOptions::default())?);
    let at_browser_close = session.get_expire_at_browser_close()?;
    Ok(format!(r#"{{"age":{age},"date":"{date}","atBrowserClose":{at_browser_close}}}"#))
}

/// Returns the attributes of the cookie, and when the one of this browser was issued and expires.
fn cookie(session: &Session, issued: &str, expires: &str) -> String {
    let settings = session.settings();
    let domain = settings.cookie_domain().map_or_else(|| "null".to_owned(), quoted);
    let (name, path) = (quoted(session.cookie_name()), quoted(settings.cookie_path()));
    let (secure, http_only, same_site) =
        (settings.cookie_secure(), settings.cookie_httponly(), settings.cookie_samesite().as_str());
    let (login, anonymous) = (quoted(settings.cookie_name()), quoted(settings.anonymous_cookie_name()));
    format!(
        r#"{{"name":{name},"anonymousName":{anonymous},"loginName":{login},"domain":{domain},"path":{path},"secure":{secure},"httpOnly":{http_only},"sameSite":"{same_site}","issued":{issued},"expires":{expires}}}"#
    )
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    json::quote(text, &mut json);
    json
}

/// Returns a date as JSON: a string, or `null`.
fn date(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "null".to_owned(), |moment| quoted(&iso::format(moment.fixed_offset())))
}
