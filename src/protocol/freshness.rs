//! Staleness: compares a record with the last save that the browser knows of.

use crate::cookie::journal_codec;
use crate::session::journal::Journal;
use crate::session::limits::{JOURNAL_WINDOW, MAX_TAGS};
use crate::session::record::Record;
use crate::session::saving::SKEW;
use crate::session::session::Session;

/// How long a session or a save can be invisible at some location after its token was issued, in milliseconds: 30 s of KV's
/// cache, 60 s of propagation, and the difference of clocks.
const NOT_YET_VISIBLE: i64 = 90_000 + SKEW;

/// The freshness of a record, compared with the last save that the browser knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It contains that save.
    Fresh,
    /// It lacked that save, and the journal has added the missing changes.
    Repaired,
    /// It lacks that save, which may still become visible.
    Stale,
    /// It lacks that save, which was overwritten.
    Lost,
}

/// Classifies a record of the session's key, and repairs it if necessary and possible.
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
    // After so many saves, a record no longer contains the tag.
    let forgotten = position.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default());
    // mutation: tag-is-forgotten
    if record.head.generation >= forgotten || !is_recent(session, NOT_YET_VISIBLE) {
        return Freshness::Lost;
    }
    Freshness::Stale
}

/// Returns whether a missing record may still become visible.
pub(super) fn may_not_be_visible_yet(session: &Session) -> bool {
    // mutation: not-yet-visible
    session.known.position.is_some() && is_recent(session, NOT_YET_VISIBLE)
}

/// Decodes the journal in the token, unless that was done before or the journal is too old.
pub(super) fn open_journal(session: &mut Session) {
    let Some(position) = session.known.position.filter(|_| session.known.journal.is_none()) else { return };
    let issued = position.issued / 1000;
    let token = session.known.token.and_then(|place| session.incoming.tokens.get(place));
    let token = token.filter(|_| is_recent(session, JOURNAL_WINDOW));
    let decoded = token.and_then(|token| journal_codec::decode(&token.journal, issued));
    let mut journal = decoded.unwrap_or_else(|| Journal::starting_at(position.tag, issued));
    journal.expire(session.now().timestamp_millis());
    session.known.journal = Some(journal);
}

/// Returns whether the token is at most this many milliseconds old, and not further in the future than clocks can differ.
fn is_recent(session: &Session, milliseconds: i64) -> bool {
    let issued = session.known.position.map_or(i64::MIN, |position| position.issued / 1000);
    (-SKEW..=milliseconds).contains(&session.now().timestamp_millis().saturating_sub(issued))
}
