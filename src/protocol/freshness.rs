//! Whether a record shows what the browser knows of, and what to do where it does not.

use crate::cookie::sealed;
use crate::session::journal::{Journal, WINDOW};
use crate::session::lifecycle::SKEW;
use crate::session::record::{MAX_TAGS, Record};
use crate::session::session::Session;

/// For how long after its token was issued a session, or a save, may be missing at some location, in milliseconds: KV's cache
/// of 30 s, its propagation of 60 s, and what clocks differ.
const NOT_YET_VISIBLE: i64 = 90_000 + SKEW;

/// How a record stands to what the browser knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has all of it.
    Fresh,
    /// It has all of it now: what was missing was put back.
    Repaired,
    /// It lacks some of it, and will have it in a while.
    Stale,
    /// It lacks some of it, and will not have it any more.
    Lost,
}

/// Judges a record of the session's key, and repairs it where that is needed and can be done.
pub(super) fn judge(session: &mut Session, record: &mut Record) -> Standing {
    let Some(position) = session.position() else { return Standing::Fresh };
    if record.head.tags.contains(&position.tag) {
        return Standing::Fresh;
    }
    open_journal(session);
    if let Some(journal) = session.carried().1
        && journal.repair(record)
    {
        return Standing::Repaired;
    }
    // So many saves later, a record has forgotten the tag: waiting would not bring it back.
    let forgotten = position.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default());
    if record.head.generation >= forgotten || !is_recent(session, NOT_YET_VISIBLE) {
        return Standing::Lost;
    }
    Standing::Stale
}

/// Whether nothing under the session's key means no more than that it cannot be seen yet.
pub(super) fn may_be_coming(session: &Session) -> bool {
    session.position().is_some() && is_recent(session, NOT_YET_VISIBLE)
}

/// Opens what the cookie carries, unless that was done, or is too old to matter.
pub(super) fn open_journal(session: &mut Session) {
    let Some(position) = session.position() else { return };
    let recent = is_recent(session, WINDOW);
    let settings = session.settings().clone();
    let now = session.now().timestamp_millis();
    let (carried, journal) = session.carried();
    if journal.is_some() {
        return;
    }
    let opened =
        if recent && !carried.is_empty() { sealed::unseal(&settings.secrets, carried, position) } else { None };
    let mut opened = opened.unwrap_or_else(|| Journal::at(position.tag, position.issued / 1000));
    opened.age(now);
    *journal = Some(opened);
}

/// Whether the session's token is younger than so many milliseconds, and not from further in the future than clocks differ.
fn is_recent(session: &Session, milliseconds: i64) -> bool {
    let issued = session.position().map_or(i64::MIN, |position| position.issued / 1000);
    (-SKEW..=milliseconds).contains(&session.now().timestamp_millis().saturating_sub(issued))
}
