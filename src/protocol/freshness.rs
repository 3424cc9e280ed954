//! Whether a record contains what the browser knows of, and what to do where it does not.

use crate::cookie::sealed_journal;
use crate::session::journal::Journal;
use crate::session::limits::{JOURNAL_WINDOW, MAX_TAGS};
use crate::session::record::Record;
use crate::session::saving::SKEW;
use crate::session::session::Session;

/// For how long after its token was issued a session, or a save, may be invisible at some location, in milliseconds: KV's cache
/// of 30 s, its propagation of 60 s, and the difference of clocks.
const NOT_YET_VISIBLE: i64 = 90_000 + SKEW;

/// How a record compares with what the browser knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It contains all of it.
    Fresh,
    /// It contains all of it now: the journal put back what was missing.
    Repaired,
    /// It lacks some of it, which will become visible.
    Stale,
    /// It lacks some of it, which was overwritten.
    Lost,
}

/// Classifies a record of the session's key, and repairs it where that is needed and possible.
pub(super) fn classify(session: &mut Session, record: &mut Record) -> Freshness {
    let Some(position) = session.known.position else { return Freshness::Fresh };
    // mutation: tag-is-known
    if record.head.tags.contains(&position.tag) {
        return Freshness::Fresh;
    }
    open_journal(session);
    if let Some(journal) = &session.known.journal
        // mutation: journal-repair
        && journal.repair(record)
    {
        return Freshness::Repaired;
    }
    // After so many saves a record has forgotten the tag: waiting would not bring it back.
    let forgotten = position.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default());
    // mutation: tag-is-forgotten
    if record.head.generation >= forgotten || !is_recent(session, NOT_YET_VISIBLE) {
        return Freshness::Lost;
    }
    Freshness::Stale
}

/// Whether a missing record may only be invisible yet.
pub(super) fn may_not_be_visible_yet(session: &Session) -> bool {
    // mutation: not-yet-visible
    session.known.position.is_some() && is_recent(session, NOT_YET_VISIBLE)
}

/// Opens the journal in the token, unless that was done or it is too old to matter.
pub(super) fn open_journal(session: &mut Session) {
    let Some(position) = session.known.position.filter(|_| session.known.journal.is_none()) else { return };
    let sealed = &session.known.sealed;
    let is_carried = is_recent(session, JOURNAL_WINDOW) && !sealed.is_empty();
    let opened = if is_carried { sealed_journal::unseal(&session.settings.secrets, sealed, position) } else { None };
    let mut journal = opened.unwrap_or_else(|| Journal::starting_at(position.tag, position.issued / 1000));
    journal.expire(session.now().timestamp_millis());
    session.known.journal = Some(journal);
}

/// Whether the session's token is younger than so many milliseconds, and not from further in the future than clocks differ.
fn is_recent(session: &Session, milliseconds: i64) -> bool {
    let issued = session.known.position.map_or(i64::MIN, |position| position.issued / 1000);
    (-SKEW..=milliseconds).contains(&session.now().timestamp_millis().saturating_sub(issued))
}
