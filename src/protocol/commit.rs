//! Commit: Django's response algorithm. It saves what changed and finds the headers of the response.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Saving`, `Verifying` or `Done` | |
//! | `Saving` | as [`Save`] | `Done`, or `Verifying` where the tombstone was read over a second ago | the record is stored |
//! | `Verifying` | `Values` | `Done`: no cookie, or an error, if the session has ended | no late answer gives the cookie of a key that was seen to end |
//! | `Verifying` | `Unavailable` | `Done`: no cookie | |

use alloc::string::String;
use alloc::vec::Vec;

use super::headers::SessionHeaders;
use super::isolate::IsolateMemory;
use super::revoke;
use super::save::{Save, Saved};
use super::{Reply, Step};
use crate::cookie::set_cookie::{self, CookieLifetime};
use crate::cookie::token;
use crate::error::{Error, ErrorKind, Result};
use crate::session::event::EventKind;
use crate::session::expiry::ExpiryOptions;
use crate::session::identity::Identity;
use crate::session::key_state::KeyState;
use crate::session::record;
use crate::session::session::{FlushState, Session};
use crate::settings::CookieSlot;

/// A request that ran for longer, in milliseconds, deletes no cookie that may have been replaced meanwhile. Where tombstones are
/// not read, it gives none either.
const LATE: i64 = 5_000; // mutation: late

/// A tombstone that was read so many milliseconds ago is read again before a cookie is given.
const RECENTLY_READ: i64 = 1_000;

/// Saves where Django's middleware saves, and finds the headers.
#[derive(Debug)]
pub struct Commit {
    status: u16,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Saving(Save, CookieLifetime),
    Verifying {
        lifetime: CookieLifetime,
        saved: Saved,
        purpose: Purpose,
    },
    #[default]
    Failed,
}

/// Why the tombstone is read before the cookie is given.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// The request was slow: a cookie that may have been replaced is not given.
    LateAnswer,
    /// The session was saved before the commit: Django's middleware finds out here that it was deleted meanwhile.
    SavedBefore,
}

type Next = Step<Result<SessionHeaders>>;

impl Commit {
    /// The commit of a response with this status: of 500 or more it saves nothing.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, state: State::Start }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Next {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session, memory).unwrap_or_else(|error| Step::Done(Err(error))),
            (State::Saving(save, lifetime), reply) => self.save(session, memory, save, lifetime, reply),
            (State::Verifying { lifetime, saved, purpose }, Reply::Values(values)) => {
                let tombstone = values.first().and_then(Option::as_deref);
                Step::Done(verified(session, memory, tombstone, lifetime, saved, purpose))
            }
            (State::Verifying { saved, .. }, Reply::Unavailable(_)) => {
                Step::Done(Ok(headers(session, None, true, saved)))
            }
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn start(&mut self, session: &mut Session, memory: &IsolateMemory) -> Result<Next> {
        // mutation: commit-of-opened
        if session.incoming.opened.is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "a session that was opened by its key is another visitor's: store it with `save`, and commit the session that \
                 `load` gave for the request",
            ));
        }
        if matches!(session.flush, FlushState::Pending(_)) {
            // Until the session has ended, nothing is created in its place.
            let is_refused = !session.is_empty() && self.status < 500; // mutation: end-before-creation
            return if is_refused { Err(Error::out_of_reach()) } else { Ok(Step::Done(without_save(session))) };
        }
        // mutation: read-repair
        let is_wanted = session.modified() || session.settings.save_every_request || session.is_merged();
        // A failed automatic renewal must not fail the response; a change that was made does.
        let is_out_of_reach = session.is_out_of_reach() && !session.modified();
        // An emptied session that was superseded is not the one that its handler meant to empty: the save says so.
        // mutation: emptied-superseded
        let is_superseded = matches!(session.key, KeyState::Superseded { .. }) && session.modified();
        // mutation: commit-of-empty
        if (session.is_empty() && !is_superseded) || !is_wanted || is_out_of_reach {
            return Ok(Step::Done(without_save(session))); // mutation: commit-without-save
        }
        let depends_on_cookie = session.accessed();
        // This may be the first access, which drops the key of a session that has ended.
        let lifetime = if session.get_expire_at_browser_close()? {
            // mutation: until-browser-closes
            CookieLifetime::UntilBrowserCloses
        } else {
            // mutation: age-of-cookie
            CookieLifetime::Seconds(session.get_expiry_age(ExpiryOptions::default())?)
        };
        let failed = self.status >= 500; // mutation: failed-page
        if !failed && session.needs_write()? {
            let save = if session.differs_from_stored() { Save::default() } else { Save::renewal() };
            return Ok(self.save(session, memory, save, lifetime, Reply::Start));
        }
        if !failed && session.token_is_outdated() {
            let saved = Saved::default();
            // mutation: saved-before-commit
            return match self.verify(session, lifetime, saved, Purpose::SavedBefore) {
                Some(step) => Ok(step),
                None => give(session, lifetime, saved).map(|headers| Step::Done(Ok(headers))),
            };
        }
        if failed {
            // As Django's: the renewal of a page that failed changes no cookie, whatever its look at the session found out.
            session.incoming.leave_alone();
        }
        Ok(Step::Done(Ok(headers(session, None, depends_on_cookie, Saved::default()))))
    }

    fn save(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        mut save: Save,
        lifetime: CookieLifetime,
        reply: Reply,
    ) -> Next {
        match save.step(session, memory, reply) {
            Step::Done(Ok(saved)) => self.saved(session, lifetime, saved),
            // A failed automatic renewal must not fail the response.
            Step::Done(Err(error)) if !session.differs_from_stored() && fails_renewals(&error) => {
                session.report(EventKind::RenewalFailed);
                Step::Done(Ok(headers(session, None, session.accessed(), Saved::default())))
            }
            Step::Done(Err(error)) => Step::Done(Err(error)),
            step => {
                self.state = State::Saving(save, lifetime);
                step.map(|_| Err(Error::unexpected_reply()))
            }
        }
    }

    fn saved(&mut self, session: &mut Session, lifetime: CookieLifetime, saved: Saved) -> Next {
        // Another request renewed it, and its answer brings the cookie.
        if !session.token_is_outdated() {
            return Step::Done(Ok(headers(session, None, session.accessed(), saved)));
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
            && let Some(step) = self.verify(session, lifetime, saved, Purpose::LateAnswer)
        {
            return step;
        }
        Step::Done(give(session, lifetime, saved))
    }

    /// Reads the tombstone of the session's key, where tombstones are read.
    fn verify(&mut self, session: &Session, lifetime: CookieLifetime, saved: Saved, purpose: Purpose) -> Option<Next> {
        let identity = session.key.identity().filter(|_| session.settings.check_ended)?;
        self.state = State::Verifying { lifetime, saved, purpose };
        Some(Step::Read(vec![revoke::tombstone_key(&session.settings, identity)]))
    }
}

fn verified(
    session: &mut Session,
    memory: &IsolateMemory,
    tombstone: Option<&[u8]>,
    lifetime: CookieLifetime,
    saved: Saved,
    purpose: Purpose,
) -> Result<SessionHeaders> {
    let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
    let now = session.clock.latest_millis();
    let key = revoke::tombstone_key(&session.settings, identity);
    let is_revoked = revoke::revocation(memory, &key, tombstone, now).is_some();
    // Another request of this isolate may have given it an end in the past, which leaves no tombstone.
    let newest = memory.newest(&revoke::record_key(&session.settings, identity), None, now).bytes;
    let head = newest.as_deref().and_then(record::head);
    let is_over = is_revoked || head.is_some_and(|head| head.end().has_passed(session.now()));
    match purpose {
        _ if !is_over => give(session, lifetime, saved),
        Purpose::LateAnswer => Ok(headers(session, None, true, saved)),
        Purpose::SavedBefore => {
            session.report(EventKind::Interrupted);
            Err(Error::interrupted())
        }
    }
}

/// The headers of a response without a save.
fn without_save(session: &Session) -> Result<SessionHeaders> {
    let ending = match &session.flush {
        // mutation: ending-token-given
        FlushState::Pending(identities) => identities.first().map(|identity| ending(session, identity)).transpose()?,
        FlushState::NotRequested | FlushState::Done => None,
    };
    // mutation: vary-of-read
    Ok(headers(session, ending, session.accessed(), Saved::default()))
}

/// The headers with a session's cookie, if one is given, and the deletions of those that went with their sessions.
fn headers(
    session: &Session,
    given: Option<(CookieSlot, String)>,
    depends_on_cookie: bool,
    saved: Saved,
) -> SessionHeaders {
    let is_late = session.clock.elapsed_millis() > LATE;
    let is_flushed = !matches!(session.flush, FlushState::NotRequested);
    let is_over = session.is_empty() && !session.incoming.is_left_alone() && !is_late; // mutation: late-deletion
    let slot = given.as_ref().map(|(slot, _)| *slot);
    // A login takes the anonymous cookie away; a slow answer only where it is that login's.
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
}

/// The cookie of a session that a logout could not end: with it, later requests try again.
fn ending(session: &Session, identity: &Identity) -> Result<(CookieSlot, String)> {
    let now = session.now();
    let token = token::sign_ending(&session.settings, identity, now.timestamp_micros()).ok_or_else(no_secret)?;
    let lifetime = CookieLifetime::Seconds(identity.absolute.seconds_from(now));
    let slot = CookieSlot::Rotated;
    Ok((slot, set_cookie::set_cookie(&session.settings, slot, &token, lifetime, now)))
}

/// The headers that give the browser the session's cookie.
fn give(session: &mut Session, lifetime: CookieLifetime, saved: Saved) -> Result<SessionHeaders> {
    let (now, nonce) = (session.now(), session.random.nonce());
    let Session { settings, key, known, .. } = session;
    let (identity, position) = key.identity().zip(known.position).ok_or_else(Error::unexpected_reply)?;
    let lifetime = match lifetime {
        CookieLifetime::Seconds(seconds) => CookieLifetime::Seconds(seconds.min(identity.absolute.seconds_from(now))),
        CookieLifetime::UntilBrowserCloses => lifetime,
    };
    let carried = known.journal.as_ref().map_or(0, |journal| journal.entries.len());
    let journal = known.journal.as_mut().map(|journal| (journal, nonce));
    let token = token::sign(settings, identity, position, journal).ok_or_else(no_secret)?;
    let slot = CookieSlot::of(identity);
    let cookie = set_cookie::set_cookie(settings, slot, &token, lifetime, now);
    session.report_cut(carried);
    Ok(headers(session, Some((slot, cookie)), true, saved))
}

fn no_secret() -> Error {
    Error::config("SESSION_SECRET is missing")
}

/// Whether the session still has a key that a cookie of the request proved.
fn has_unchanged_key(session: &Session) -> bool {
    session.session_key().is_some_and(|key| session.incoming.identities().any(|identity| identity.key == *key))
}

/// Whether a cookie of the request proved a key of the same session that was rotated as often: this request is no login.
fn has_unchanged_rotations(session: &Session) -> bool {
    let is_as_old =
        |own: &Identity, other: &Identity| own.key.family() == other.key.family() && own.rotations <= other.rotations;
    session.key.identity().is_some_and(|own| session.incoming.identities().any(|other| is_as_old(own, other)))
}

/// Whether an automatic renewal that fails with this error leaves the response alone: the store's errors pass, and a record over
/// the size limit lives on as it is.
fn fails_renewals(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Stale | ErrorKind::TooLarge | ErrorKind::Superseded)
}
