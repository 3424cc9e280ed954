//! Acknowledged writes stay and are read: exactly in one isolate, elsewhere as far as KV shows them or an outcome says so.
//!
//! Several requests of an isolate can share one put. A record is compared with what each of them read, not only with what the
//! request read that put it.

use std::time::Duration;

use edge_session::{EventKind, LoadReason};

use super::{Case, Invariant, REMEMBERED, VISIBLE};
use crate::analysis::{self, Fate, fate, is_alone};
use crate::history::{History, Id, Marks, Request, SaveMark};
use crate::plan::{Action, CLOCKS, Topology, Traffic};

/// For how long a record notes when its keys were written.
const NOTED: Duration = Duration::from_secs(150);

/// The number of saves that a record remembers.
const TAGS: usize = 8;

/// How long an operation that failed or was slow can delay the saves of its isolate.
const AFTERMATH: Duration = Duration::from_secs(15);

pub fn check(case: &mut Case<'_>, id: Id, request: &Request) {
    let plan = &case.simulation.plan;
    let is_lasting = plan.is_usual() && !plan.is_short_lived();
    let is_strong = plan.profile.is_consistent() && plan.topology == Topology::OneIsolate;
    lost(case, id, request);
    stale(case, id, request);
    if !plan.is_partitioned() {
        saves(case, id, request);
    }
    if plan.traffic == Traffic::Sequence && !plan.merge_stale {
        own_writes(case, id, request);
    }
    if is_lasting && plan.profile.is_linearizable() {
        linearizable_keeps(case, id, request);
    }
    if is_lasting {
        isolate_keeps(case, id, request);
        isolate_reads(case, id, request);
        isolate_accepts(case, id, request);
        if is_strong && plan.traffic != Traffic::Deployments {
            strong(case, id, request);
        }
    }
}

/// The isolate is the only one that wrote to the session within the bound, and KV applied its writes in order.
fn isolate_keeps(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    if !request.is_acknowledged_write() || !case.has_published_propagation() || !is_alone(history, id, case.bound) {
        return;
    }
    for data_key in analysis::writes(request) {
        let fate = fate(history, id, data_key);
        case.test(Invariant::IsolateKeepsWrites, id, matches!(fate, Fate::Kept | Fate::Unknown), || {
            let how = if fate == Fate::Lost { "lost" } else { "lost at a login" };
            format!("its write of key {data_key} was {how}")
        });
    }
}

/// Wherever the request ran, unless its session was ended.
fn linearizable_keeps(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let is_related = |other: &Request| {
        let keys = [other.key, other.key_after].into_iter().flatten();
        request.key_after.is_some_and(|key| keys.into_iter().any(|other| history.are_related(other, key)))
    };
    let is_ended = history.each().any(|(_, other)| other.flush.is_some() && is_related(other));
    if !request.is_acknowledged_write() || is_ended {
        return;
    }
    for data_key in analysis::writes(request) {
        let fate = fate(history, id, data_key);
        case.test(Invariant::LinearizableKeepsWrites, id, matches!(fate, Fate::Kept | Fate::Unknown), || {
            let how = if fate == Fate::Lost { "lost" } else { "lost at a login" };
            format!("its write of key {data_key} was {how}")
        });
    }
}

/// What the isolate acknowledged within the last two minutes.
fn isolate_reads(case: &mut Case<'_>, id: Id, request: &Request) {
    let (history, Some(seen), Some(key)) = (case.history, request.seen, request.key) else { return };
    if history.is_touched(id, key, request.loaded_at) {
        return;
    }
    let is_before = |(_, write): &(Id, &Request)| {
        let in_time = write.ended() < request.began && request.began <= write.ended().saturating_add(REMEMBERED);
        in_time && write.isolate == request.isolate && write.is_acknowledged_write() && write.key_after == Some(key)
    };
    // By the clocks, a removal elsewhere that ended a moment before may be the later one.
    let is_raced = |write: &Request, data_key: usize| {
        history.each().any(|(_, other)| {
            let is_related = other.key.is_some_and(|other| history.are_related(other, key));
            let removes = other.write_began.is_some() && other.removed.contains(&data_key);
            is_related && removes && other.isolate != write.isolate && other.ended() + CLOCKS >= write.ended()
        })
    };
    let (mut tested, mut lacking) = (false, None);
    for (by, write) in history.each().filter(is_before) {
        tested = true;
        let lacks =
            |data_key: &usize| analysis::lacks(history, seen[*data_key], by, *data_key) && !is_raced(write, *data_key);
        lacking = lacking.or(analysis::writes(write).find(lacks).map(|data_key| (by, data_key)));
    }
    if tested {
        case.test(Invariant::IsolateReadsWrites, id, lacking.is_none(), || {
            let (by, data_key) = lacking.unwrap_or_default();
            format!("what request {by} wrote under key {data_key} is missing; the session is {}", request.reason())
        });
    }
}

fn isolate_accepts(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let (Some(commit), Some(key)) = (&request.commit, request.key) else { return };
    let is_write = !request.touched.is_empty() && request.reason() == "live" && !request.is_login();
    if !is_write || request.is_logout() || history.is_touched(id, key, commit.ended) {
        return;
    }
    if !case.has_published_propagation() || !is_alone(history, id, case.bound) {
        return;
    }
    let is_disturbing = |(_, other): (Id, &Request)| {
        let is_near = |at: &Duration| *at + AFTERMATH >= request.began && *at <= commit.ended;
        other.disturbances.iter().any(is_near) && other.isolate == request.isolate
    };
    if history.each().any(is_disturbing) {
        return;
    }
    let is_refused = matches!(request.error(), Some("ES_STALE" | "ES_STORE_UNAVAILABLE"));
    case.test(Invariant::IsolateAcceptsWrites, id, !is_refused, || "KV had no fault".to_owned());
}

/// Without exception: no write is excused by requests that were aborted or by logins.
fn strong(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    // A cookie older than a record remembers is lost, although nothing of it is.
    let is_forgotten = request.reason() == "lost" && saves_since(history, request) >= TAGS;
    if request.commit.is_some() && !is_forgotten {
        let is_off = matches!(request.reason(), "stale" | "not-yet-visible" | "lost" | "unavailable");
        let is_refused = matches!(request.error(), Some("ES_STALE" | "ES_STORE_UNAVAILABLE"));
        case.test(Invariant::StrongKvIsExact, id, !is_off && !is_refused, || {
            format!("the session is {}, the error {}", request.reason(), request.error().unwrap_or("none"))
        });
    }
    if request.is_acknowledged_write() {
        for data_key in analysis::writes(request) {
            let fate = fate(history, id, data_key);
            case.test(Invariant::StrongKvIsExact, id, matches!(fate, Fate::Kept | Fate::Unknown), || {
                let how = if fate == Fate::Lost { "lost" } else { "lost at a login" };
                format!("its write of key {data_key} was {how}")
            });
        }
    }
}

/// A record with the writes of a request: what it held, and whether KV acknowledged it.
struct Saved {
    marks: Marks,
    /// The newest record that the request had read before.
    base: Option<Marks>,
    acknowledged: bool,
}

/// The records that a request put, or the one that another request of its isolate put for it.
fn saved(history: &History, id: Id, request: &Request) -> Vec<Saved> {
    let own = request.puts.iter().map(|put| Saved { marks: put.marks, base: put.base, acknowledged: put.acknowledged });
    let own: Vec<_> = own.collect();
    if !own.is_empty() || !request.is_acknowledged_write() {
        return own;
    }
    let shares = |marks: &Marks| marks.iter().any(|mark| mark.by == id && mark.present);
    let shared = history.records.values().filter(|record| shares(&record.marks));
    let put = |record: &crate::history::Written| &history.of(record.by).puts[record.put];
    let in_time = |record: &&crate::history::Written| put(record).acknowledged && put(record).at <= request.ended();
    let first = shared.filter(in_time).max_by_key(|record| put(record).at);
    let shared =
        |record: &crate::history::Written| Saved { marks: record.marks, base: request.read, acknowledged: true };
    first.map(shared).into_iter().collect()
}

/// What a request did not touch is never older in what it saves than in what it read, or than its cookie knows of. Of two
/// writes within the difference of the clocks either may count as the newer one.
fn saves(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let ended = request.commit.as_ref().map_or(Duration::MAX, |commit| commit.ended);
    let order = |mark: SaveMark| if mark.by == 0 { Duration::ZERO } else { history.of(mark.by).committed() };
    let latest = |mark: SaveMark| if mark.by == 0 { Duration::ZERO } else { history.of(mark.by).ended() };
    // A session that is cleared loses the keys that its request had loaded. Others can come back with a record that the request
    // did not see.
    let is_cleared = |mark: SaveMark| !mark.present && matches!(history.of(mark.by).action, Action::Clear(_));
    let is_absent = |mark: SaveMark| !mark.present;
    let is_kept = |old: SaveMark, new: SaveMark| {
        old == new
            || is_absent(old) && is_absent(new)
            || is_cleared(old)
            || latest(new).saturating_add(CLOCKS) >= order(old)
    };
    // Where the session was ended elsewhere meanwhile, a save goes on with what its isolate has: a login under its new key,
    // another one under a key that opens nothing any more.
    let is_ended = request.key.is_some_and(|key| {
        let ends = |(other, end): (Id, &Request)| {
            let is_related = end.key.is_some_and(|end| history.are_related(end, key));
            let is_flushed = is_related && end.flush.is_some();
            let is_rotated = request.key_after == Some(key) && end.cycled.is_some_and(|(old, _)| old == Some(key));
            other != id && end.began <= ended && (is_flushed || is_rotated && end.isolate != request.isolate)
        };
        history.each().any(ends)
    });
    // A second rotation of a key that was logged in begins without data: they stay with the key that the first one made.
    if request.created.is_some() || history.rotates_again(request) {
        return;
    }
    for saved in saved(history, id, request) {
        let Some(base) = saved.base.filter(|_| !is_ended) else { continue };
        let is_own = |data_key: &usize| saved.marks[*data_key].by == id || request.removed.contains(data_key);
        for data_key in (0..base.len()).filter(|data_key| !is_own(data_key)) {
            let new = saved.marks[data_key];
            // `SESSION_MERGE_STALE` puts what a browser knows on a record that lacks it, as a change that is made now.
            let is_forced = case.simulation.plan.merge_stale || case.simulation.plan.runs_older_code();
            // Of two records that were written apart, the newer one has what neither of them notes any more.
            let is_forgotten =
                request.events.contains(&EventKind::Diverged) && latest(base[data_key]).saturating_add(NOTED) < ended;
            if base[data_key].by > 0 && !is_forced && !is_forgotten {
                case.test(Invariant::NothingNewerIsReverted, id, is_kept(base[data_key], new), || {
                    let old = base[data_key].by;
                    format!("what request {old} wrote under key {data_key} gave way to what request {} had", new.by)
                });
            }
            // Two cookies of one key have different paths or domains. The one that was issued last counts, by the clocks.
            let named = request.token.map(|token| (history.tokens[token].key, &history.tokens[token].name));
            let tokens = request.presented.iter().map(|token| &history.tokens[*token]);
            let tokens = tokens.filter(|token| Some((token.key, &token.name)) == named && !token.is_ending);
            let known: Vec<_> = tokens.map(|token| token.known[data_key]).collect();
            let is_lost = request.events.contains(&EventKind::Load(LoadReason::Lost));
            let is_known = known.iter().any(|mark| mark.by > 0);
            if is_known && saved.acknowledged && !is_lost && !is_forced {
                let holds = known.iter().any(|known| known.by == 0 || is_kept(*known, new));
                let known = known.iter().find(|mark| mark.by > 0).copied().unwrap_or_default();
                case.test(Invariant::KnownWritesAreKept, id, holds, || {
                    format!(
                        "what request {} wrote under key {data_key} gave way to what request {} had",
                        known.by, new.by
                    )
                });
            }
        }
    }
}

/// How many records were put under the key of a request's cookie since that was given.
fn saves_since(history: &History, request: &Request) -> usize {
    let Some(token) = request.token.map(|token| &history.tokens[token]) else { return 0 };
    let since = history.of(token.by).committed();
    let saves = history.each().filter(|(_, other)| other.key_after == Some(token.key) && other.ended() >= since);
    saves.map(|(_, other)| other.puts.len()).sum()
}

/// A save is lost once no location can show it any more, or once so many came after it that a record has forgotten it.
fn lost(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let (Some(token), Some(LoadReason::Lost)) = (request.token, request.reason) else { return };
    if !case.has_published_propagation() {
        return;
    }
    let since = history.of(history.tokens[token].by).committed();
    let saves = saves_since(history, request);
    let age = request.began.saturating_sub(since);
    let holds = saves >= TAGS || age + CLOCKS >= VISIBLE;
    case.test(Invariant::LostIsTrue, id, holds, || {
        format!("its cookie is {age:?} old, and {saves} saves came after it")
    });
}

/// A record that has forgotten what the cookie knows of will not show it again, however young the cookie is.
fn stale(case: &mut Case<'_>, id: Id, request: &Request) {
    let (Some(token), Some(LoadReason::Stale), Some(loaded)) = (request.token, request.reason, request.loaded) else {
        return;
    };
    let Some(known) = case.history.tokens[token].saves else { return };
    case.test(Invariant::StalePasses, id, loaded.least < known.most + TAGS, || {
        format!("the record has {} saves or more behind it, its cookie {} or less", loaded.least, known.most)
    });
}

fn own_writes(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let (Some(seen), Some(token)) = (request.seen, request.token) else { return };
    let token = &history.tokens[token];
    let is_over = case.simulation.plan.is_short_lived() && seen.iter().all(|mark| !mark.present);
    if request.is_degraded() || is_over || history.is_touched(id, token.key, request.began) {
        return;
    }
    let is_older = |key: &usize| {
        let (seen, known) = (seen[*key], token.known[*key]);
        known.by > newest(*key, seen, known, history) && !has_rival(*key, seen, known.by, history)
    };
    let missing = (0..seen.len()).find(is_older);
    case.test(Invariant::OwnWritesAreRead, id, missing.is_none(), || {
        let key = missing.unwrap_or_default();
        format!("what request {} wrote is not there; the session is {}", token.known[key].by, request.reason())
    });
}

/// How new what was seen under a data key is at least: one that is absent may have been removed by any request that tried.
fn newest(key: usize, seen: SaveMark, known: SaveMark, history: &History) -> Id {
    if seen.present {
        return seen.by;
    }
    let removed = |other: &Request| other.removed.contains(&key);
    history.each().filter(|(id, other)| *id >= known.by && removed(other)).map(|(id, _)| id).max().unwrap_or_default()
}

/// Returns whether what is seen was written by a request whose answer never arrived, beside the write that the cookie knows:
/// neither builds on the other. Within the difference of the clocks either may count as the newer one.
fn has_rival(key: usize, seen: SaveMark, known: Id, history: &History) -> bool {
    let is_it = |id, other: &Request| match seen.present {
        true => id == seen.by,
        false => matches!(other.action, Action::Remove(_)) && other.touched.contains(&key),
    };
    let known = history.of(known);
    history.each().filter(|(id, other)| is_it(*id, other)).any(|(_, other)| {
        let is_known = other.given().is_some() && other.received.is_some();
        !is_known && other.apart(known) <= CLOCKS
    })
}
