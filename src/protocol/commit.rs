//! Commit: Django's response algorithm. It saves a changed session and returns the headers of the response.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Saving`, `Verifying` or `Done` | |
//! | `Saving` | as [`Save`] | `Done`, or `Verifying` if the tombstone was read over a second ago | the record is stored |
//! | `Verifying` | `Values` | `Done`: no cookie, or an error, if the session has ended | no late response sends the cookie of a key that is seen to be revoked |
//! | `Verifying` | `Unavailable` | `Done`: no cookie | |
//! | instead of `Done(Ok)` | | as [`enlist`] | the session is in the list of its user |

use alloc::string::String;
use alloc::vec::Vec;

use super::enlist::{self, Following};
use super::headers::SessionHeaders;
use super::linearizable;
use super::revoke;
use super::save::{Save, SaveOutcome};
use super::sealing;
use super::{Reply, Step};
use crate::cookie::set_cookie::{self, CookieLifetime};
use crate::cookie::token;
use crate::error::{Error, ErrorKind, Result};
use crate::isolate::IsolateMemory;
use crate::session::event::EventKind;
use crate::session::expiry::ExpiryOptions;
use crate::session::identity::Identity;
use crate::session::key_state::KeyState;
use crate::session::record;
use crate::session::session::{FlushState, Session};
use crate::settings::{Consistency, CookieSlot};

/// After this time, in milliseconds, a request deletes no cookie that may have been replaced meanwhile. If tombstones are not
/// read, it sends none either.
const LATE: i64 = 5_000; // mutation: late

/// A tombstone that was read longer ago than this, in milliseconds, is read again before a cookie is sent.
const RECENTLY_READ: i64 = 1_000;

/// Saves when Django's middleware saves, and returns the headers.
#[derive(Debug)]
pub struct Commit {
    status: u16,
    state: State,
    /// The headers, while the list of the user's sessions is changed.
    following: Following<SessionHeaders>,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Saving(Save, CookieLifetime),
    Verifying {
        lifetime: CookieLifetime,
        saved: SaveOutcome,
        purpose: Purpose,
    },
    #[default]
    Failed,
}

/// The reason to read the tombstone before the cookie is sent.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// The request was slow: a cookie that may have been replaced is not sent.
    LateResponse,
    /// The session was saved before the commit: Django's middleware detects here that it was deleted meanwhile.
    SavedBefore,
}

type NextStep = Step<Result<SessionHeaders>>;

impl Commit {
    /// Creates the commit of a response with this status. With a status of 500 or more it saves nothing.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, state: State::Start, following: None }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> NextStep {
        if let Some(ended) = self.following.take() {
            return enlist::advance(&mut self.following, ended, session, memory, reply);
        }
        let reply = sealing::open(session, reply);
        let step = self.advance(session, memory, reply);
        let step = sealing::seal(session, step);
        enlist::follow(&mut self.following, session, memory, step)
    }

    fn advance(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> NextStep {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session, memory).unwrap_or_else(|error| Step::Done(Err(error))),
            (State::Saving(save, lifetime), reply) => self.save(session, memory, save, lifetime, reply),
            (State::Verifying { lifetime, saved, purpose }, Reply::Values(values)) => {
                let value = values.first().and_then(Option::as_deref);
                Step::Done(verified(session, memory, value, lifetime, saved, purpose))
            }
            (State::Verifying { saved, .. }, Reply::Unavailable(_)) => {
                Step::Done(Ok(headers(session, None, true, saved)))
            }
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Result<NextStep> {
        // mutation: commit-of-opened
        if session.incoming.opened.is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "a session that was opened by key belongs to another visitor; store it with `save`, and commit the session \
                 that `load` returned",
            ));
        }
        if matches!(session.flush, FlushState::Pending(_)) {
            // No session is created before the flush has completed.
            let is_refused = !session.is_empty() && self.status < 500; // mutation: end-before-creation
            return if is_refused { Err(Error::out_of_reach()) } else { Ok(Step::Done(without_save(session))) };
        }
        // mutation: read-repair
        let is_wanted = session.modified() || session.settings.save_every_request || session.is_merged();
        // A failed automatic renewal must not fail the response. A failed change does.
        let is_out_of_reach = session.is_out_of_reach() && !session.modified();
        // The handler emptied a superseded session instead of the current one: the save reports that as an error.
        // mutation: emptied-superseded
        let is_superseded = matches!(session.key, KeyState::Superseded { .. }) && session.modified();
        // mutation: commit-of-empty
        if (session.is_empty() && !is_superseded) || !is_wanted || is_out_of_reach {
            return Ok(Step::Done(without_save(session))); // mutation: commit-without-save
        }
        let depends_on_cookie = session.accessed();
        // This may be the first access, which discards the key of an ended session.
        let lifetime = if session.get_expire_at_browser_close()? {
            // mutation: until-browser-closes
            CookieLifetime::UntilBrowserCloses
        } else {
            // mutation: age-of-cookie
            CookieLifetime::Seconds(session.get_expiry_age(ExpiryOptions::default())?)
        };
        let failed = self.status >= 500; // mutation: failed-page
        if !failed && session.needs_write()? {
            session.renew_link()?;
            let save = if session.differs_from_stored() { Save::default() } else { Save::renewal() };
            return Ok(self.save(session, memory, save, lifetime, Reply::Start));
        }
        if !failed && session.token_is_outdated() {
            let saved = SaveOutcome::default();
            // mutation: saved-before-commit
            return match self.verify(session, lifetime, saved, Purpose::SavedBefore) {
                Some(step) => Ok(step),
                None => with_cookie(session, lifetime, saved).map(|headers| Step::Done(Ok(headers))),
            };
        }
        if failed {
            // As in Django: the renewal of a failed page changes no cookie, regardless of the load outcome.
            session.incoming.leave_alone();
        }
        Ok(Step::Done(Ok(headers(session, None, depends_on_cookie, SaveOutcome::default()))))
    }

    fn save(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut save: Save,
        lifetime: CookieLifetime,
        reply: Reply,
    ) -> NextStep {
        match save.advance(session, memory, reply) {
            Step::Done(Ok(saved)) => self.saved(session, lifetime, saved),
            // A failed automatic renewal must not fail the response.
            Step::Done(Err(error)) if !session.differs_from_stored() && fails_renewals(&error) => {
                session.report(EventKind::RenewalFailed);
                Step::Done(Ok(headers(session, None, session.accessed(), SaveOutcome::default())))
            }
            Step::Done(Err(error)) => Step::Done(Err(error)),
            step => {
                self.state = State::Saving(save, lifetime);
                step.map(|_| Err(Error::unexpected_reply()))
            }
        }
    }

    fn saved(&mut self, session: &mut Session, lifetime: CookieLifetime, saved: SaveOutcome) -> NextStep {
        // Another request has renewed the session, and its response sends the cookie.
        if !session.token_is_outdated() {
            return Step::Done(Ok(headers(session, None, session.accessed(), saved)));
        }
        if session.settings.consistency != Consistency::Eventual {
            // The condition of the put has just been checked.
            return Step::Done(with_cookie(session, lifetime, saved));
        }
        let is_unchanged = has_unchanged_key(session);
        // mutation: late-without-tombstones
        if is_unchanged && !session.settings.check_ended && session.clock.elapsed_millis() > LATE {
            return Step::Done(Ok(headers(session, None, true, saved)));
        }
        let is_recent = session.clock.since_revocation_check() <= RECENTLY_READ;
        if is_unchanged
            // mutation: late-answer-verified
            && !is_recent
            && let Some(step) = self.verify(session, lifetime, saved, Purpose::LateResponse)
        {
            return step;
        }
        Step::Done(with_cookie(session, lifetime, saved))
    }

    /// Reads the tombstone of the session's key, if tombstones are read at all; on a linearizable store, the record.
    fn verify(
        &mut self,
        session: &Session,
        lifetime: CookieLifetime,
        saved: SaveOutcome,
        purpose: Purpose,
    ) -> Option<NextStep> {
        let identity = session.key.identity()?;
        let key = if session.settings.is_linearizable() {
            session.record_key(identity)
        } else if session.settings.reads_tombstones() {
            session.tombstone_key(identity)
        } else {
            return None;
        };
        self.state = State::Verifying { lifetime, saved, purpose };
        Some(Step::Read(vec![key]))
    }
}

/// Returns the headers after the tombstone was read; on a linearizable store, the record.
fn verified(
    session: &mut Session,
    memory: &IsolateMemory,
    value: Option<&[u8]>,
    lifetime: CookieLifetime,
    saved: SaveOutcome,
    purpose: Purpose,
) -> Result<SessionHeaders> {
    let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
    let now = session.clock.latest_millis();
    let is_over = if session.settings.is_linearizable() {
        let head = value.and_then(record::head);
        !head.is_some_and(|head| linearizable::opens(&head, identity) && !head.end().has_passed(session.now()))
    } else {
        let key = session.tombstone_key(identity);
        let is_revoked = revoke::revocation(memory, &key, value, now).is_some();
        // Another request of this isolate may have set an expiry in the past, which leaves no tombstone.
        let newest = memory.newest(&session.record_key(identity), None, now).bytes;
        let head = newest.as_deref().and_then(record::head);
        is_revoked || head.is_some_and(|head| head.end().has_passed(session.now()))
    };
    match purpose {
        _ if !is_over => with_cookie(session, lifetime, saved),
        Purpose::LateResponse => Ok(headers(session, None, true, saved)),
        Purpose::SavedBefore => {
            session.report(EventKind::Interrupted);
            Err(Error::interrupted())
        }
    }
}

/// Returns the headers of a response without a save.
fn without_save(session: &mut Session) -> Result<SessionHeaders> {
    let pending = match &session.flush {
        FlushState::Pending(identities) => identities.first().cloned(), // mutation: ending-token-given
        FlushState::NotRequested | FlushState::Done => None,
    };
    let ending = pending.map(|identity| ending(session, &identity)).transpose()?;
    // mutation: vary-of-read
    Ok(headers(session, ending, session.accessed(), SaveOutcome::default()))
}

/// Returns the headers with a cookie, if one is given, and with the deletions of cookies whose sessions have ended.
fn headers(
    session: &Session,
    given: Option<(CookieSlot, String)>,
    depends_on_cookie: bool,
    saved: SaveOutcome,
) -> SessionHeaders {
    let is_late = session.clock.elapsed_millis() > LATE;
    let is_flushed = !matches!(session.flush, FlushState::NotRequested);
    let is_over = session.is_empty() && !session.incoming.is_left_alone() && !is_late; // mutation: late-deletion
    let slot = given.as_ref().map(|(slot, _)| *slot);
    // A login deletes the anonymous cookie. A slow response does so only if it is the one of the login.
    let is_login = slot == Some(CookieSlot::Rotated) && !(is_late && has_unchanged_rotations(session));
    let mut set_cookies = Vec::from_iter(given.map(|(_, cookie)| cookie));
    for other in CookieSlot::ALL {
        let has_ended = session.incoming.has_ended && other == CookieSlot::Rotated; // mutation: finished-logout
        // mutation: login-takes-anonymous
        let is_deleted = is_flushed || is_over || has_ended || (is_login && other == CookieSlot::Anonymous);
        if is_deleted && slot != Some(other) && session.incoming.has(other) {
            set_cookies.push(set_cookie::clear_cookie(&session.settings, other));
        }
    }
    let depends_on_cookie = depends_on_cookie || !set_cookies.is_empty();
    SessionHeaders::new(set_cookies, depends_on_cookie, saved)
        .clearing_site_data(is_flushed && session.settings.clear_site_data)
}

/// Returns the cookie with the ending token of a session whose flush failed: with it, later requests retry.
fn ending(session: &mut Session, identity: &Identity) -> Result<(CookieSlot, String)> {
    let (now, nonce) = (session.now(), session.random.nonce());
    let token = token::seal_ending(&session.settings, nonce, identity, now.timestamp_micros()).ok_or_else(no_secret)?;
    let lifetime = CookieLifetime::Seconds(identity.absolute.seconds_from(now));
    let slot = CookieSlot::Rotated;
    Ok((slot, set_cookie::set_cookie(&session.settings, slot, &token, lifetime, now)))
}

/// Returns the headers with the session's cookie.
fn with_cookie(session: &mut Session, lifetime: CookieLifetime, saved: SaveOutcome) -> Result<SessionHeaders> {
    let (now, nonce) = (session.now(), session.random.nonce());
    let Session { settings, key, known, .. } = session;
    let (identity, position) = key.identity().zip(known.position).ok_or_else(Error::unexpected_reply)?;
    let lifetime = match lifetime {
        CookieLifetime::Seconds(seconds) => CookieLifetime::Seconds(seconds.min(identity.absolute.seconds_from(now))),
        CookieLifetime::UntilBrowserCloses => lifetime,
    };
    let carried = known.journal.as_ref().map_or(0, |journal| journal.entries.len());
    let token = match &known.record {
        Some(record) => token::seal_record(settings, nonce, identity, position, record).ok().flatten(),
        None => token::seal(settings, nonce, identity, position, known.journal.as_mut()),
    };
    let token = token.ok_or_else(no_secret)?;
    let slot = CookieSlot::of(identity);
    let cookie = set_cookie::set_cookie(settings, slot, &token, lifetime, now);
    session.report_cut(carried);
    Ok(headers(session, Some((slot, cookie)), true, saved))
}

fn no_secret() -> Error {
    Error::config("SESSION_SECRET is missing")
}

/// Returns whether the session still has the key of one of the request's tokens.
fn has_unchanged_key(session: &Session) -> bool {
    session.session_key().is_some_and(|key| session.incoming.identities().any(|identity| identity.key == *key))
}

/// Returns whether one of the request's tokens has the same family and at least as many rotations: then the request is not a
/// login.
fn has_unchanged_rotations(session: &Session) -> bool {
    // On a linearizable store, a copy has another family.
    let is_linearizable = session.settings.is_linearizable();
    let is_as_old = |own: &Identity, other: &Identity| {
        (is_linearizable || own.key.family() == other.key.family()) && own.rotations <= other.rotations
    };
    session.key.identity().is_some_and(|own| session.incoming.identities().any(|other| is_as_old(own, other)))
}

/// Returns whether a failure of an automatic renewal with this error is ignored: the store's errors are, and a record over the
/// size limit stays as it is.
fn fails_renewals(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Stale | ErrorKind::TooLarge | ErrorKind::Superseded)
}
