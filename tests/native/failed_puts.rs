//! Puts that fail and are applied at once or late, and groups of saves on repaired or merged records.

use std::cell::RefCell;
use std::time::Duration;

use edge_session::{ErrorKind, LoadReason};
use edge_session_kv_model::{Fault, KvModel, KvModelOptions, OperationKind};

use crate::support::Browser;
use crate::support::isolate::{Isolate, Running, millis, settle, step_until, usual, watch_puts};

/// KV without a write limit.
fn unlimited() -> KvModelOptions {
    KvModelOptions { write_interval: Duration::ZERO, ..usual() }
}

/// Plans the faults of the next operations on records, in order. An operation of another kind than the next one in the list has
/// none.
fn plan(model: &KvModel, faults: impl IntoIterator<Item = (OperationKind, Option<Fault>)>) {
    let left = RefCell::new(faults.into_iter().collect::<Vec<_>>());
    left.borrow_mut().reverse();
    model.on_operation(move |operation| {
        let is_next = |next: &mut (OperationKind, Option<Fault>)| next.0 == operation.kind;
        if !operation.key.contains(":session:") {
            return None;
        }
        left.borrow_mut().pop_if(is_next)?.1
    });
}

#[test]
fn a_failed_but_applied_put_is_repeated_if_a_pending_put_may_overwrite_it() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let other = isolate.load(&browser);
    let first = isolate.set(&browser, "first");
    plan(
        &model,
        [
            (OperationKind::Put, Some(Fault::AppliedButFailed(500))),
            // The other request reads the older record, and its put takes longer than the pause before the retry.
            (OperationKind::Get, Some(Fault::Stale(1))),
            (OperationKind::Put, Some(Fault::Slow(Duration::from_secs(3)))),
        ],
    );
    model.run_for(millis(700));
    let second = isolate.start(other, &browser, |session| session.set("second", 1).unwrap());
    model.run_for(Duration::from_secs(20));
    first.saved();
    second.saved();
    assert_eq!(isolate.numbers(&browser, &["first", "second"]), [Some(1); 2]);
}

#[test]
fn a_failed_but_applied_put_is_kept_in_isolate_memory() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let running = isolate.set(&browser, "a");
    plan(&model, [(OperationKind::Put, Some(Fault::AppliedButFailed(500)))]);
    model.run_for(Duration::from_secs(10));
    running.saved();
    plan(&model, [(OperationKind::Get, Some(Fault::Stale(1)))]);
    assert_eq!(
        isolate.get(&browser, "a"),
        Some(1),
        "KV does not show it, and this cookie's journal does not contain it"
    );
}

#[test]
fn a_retry_stores_the_same_save_so_that_a_late_first_attempt_changes_nothing() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let running = isolate.set(&browser, "a");
    plan(&model, [(OperationKind::Put, Some(Fault::Late(Duration::from_secs(5))))]);
    model.run_for(Duration::from_secs(300));
    let mut session = Isolate::at(&model, "SIN").load(&running.saved());
    assert_eq!(session.load_reason(), LoadReason::Live);
    assert_eq!(session.get("a").unwrap(), Some(1));
}

#[test]
fn a_retry_on_another_record_is_another_save_so_that_a_late_first_attempt_is_not_mistaken_for_it() {
    let model = KvModel::new(unlimited());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    let running = isolate.set(&browser, "a");
    plan(&model, [(OperationKind::Put, Some(Fault::Late(Duration::from_secs(5))))]);
    model.run_for(millis(500));
    let between = other.set(&browser, "between");
    model.run_for(Duration::from_secs(300));
    between.saved();
    let mut session = Isolate::at(&model, "SIN").load(&running.saved());
    assert_eq!(session.get::<u8>("between").unwrap(), None, "KV has lost it");
    assert_eq!(session.load_reason(), LoadReason::Lost, "the load outcome reports it");
}

#[test]
fn a_save_on_a_repaired_record_claims_the_repaired_saves_only() {
    let model = KvModel::new(unlimited());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    let first = isolate.set(&browser, "first");
    finish(&model, &first);
    // A diverged save, with a cookie whose journal lacks the first one.
    plan(&model, reads(2, &Fault::Stale(1)));
    let apart = Isolate::at(&model, "SIN").set(&browser, "apart");
    finish(&model, &apart);
    // The load reads the first save, and the commit reads the diverged one.
    plan(&model, reads(1, &Fault::Stale(1)).chain(reads(1, &Fault::Stale(0))));
    let session = other.load(&first.saved());
    let second = other.start(session, &first.saved(), |session| session.set("second", 1).unwrap());
    finish(&model, &second);
    plan(&model, reads(1, &Fault::Stale(1)));
    let elsewhere = Isolate::at(&model, "EWR");
    assert!(reads_or_reports_stale(&elsewhere, &second.saved(), &["first", "second"]));
}

#[test]
fn a_second_login_includes_the_data_that_kv_shows_at_its_save() {
    let model = KvModel::new(unlimited());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let old = isolate.visitor();
    let cart = isolate.set(&old, "cart");
    finish(&model, &cart);
    isolate.request(&mut cart.saved(), |session| session.cycle_key().unwrap()).result.unwrap();
    // Its load does not return the cart, and its cookie's journal lacks it.
    plan(&model, reads(1, &Fault::Stale(1)));
    let session = other.load(&old);
    assert_eq!(session.load_reason(), LoadReason::Superseded);
    let second = other.start(session, &old, |session| session.cycle_key().unwrap());
    finish(&model, &second);
    assert_eq!(other.get(&second.saved(), "cart"), Some(1));
}

#[test]
fn a_group_is_not_put_once_its_session_has_ended() {
    let model = KvModel::new(usual());
    let isolate = Isolate::at(&model, "AMS");
    let anonymous = isolate.visitor();
    let mut browser = anonymous.clone();
    isolate.request(&mut browser, |session| session.cycle_key().unwrap()).result.unwrap();
    let first = isolate.set(&browser, "first");
    plan(&model, [(OperationKind::Put, Some(Fault::Slow(Duration::from_secs(3))))]);
    model.run_for(millis(200));
    let group = isolate.parallel(&browser, &["second", "third"]);
    model.run_for(millis(500));
    let puts = watch_puts(&model);
    // The family tombstone revokes it: the logout does not know this key.
    let (sessions, mut session) = (isolate.sessions(), isolate.load(&anonymous));
    model.block_on(async { sessions.flush(&mut session).await }).unwrap();
    model.run_for(Duration::from_secs(20));
    for running in group.iter().chain([&first]) {
        assert_eq!(running.outcome().result.err(), Some(ErrorKind::SessionInterrupted));
    }
    assert!(puts.borrow().is_empty(), "no record stays in KV for the rest of the session's life");
}

/// A group of two saves at SIN, the second of which has a cookie with an empty journal. Returns the new cookie of that save;
/// `before` prepares the records that KV shows.
fn group_at_sin(model: &KvModel, before: impl FnOnce(&Isolate, &Isolate, &Browser) -> Browser) -> (Isolate, Browser) {
    let (here, sin) = (Isolate::at(model, "AMS"), Isolate::at(model, "SIN"));
    let old = here.visitor();
    settle(model);
    // KV refuses the second of two puts within a second, so that SIN spaces its puts from now on.
    let browser = before(&here, &sin, &old);
    let first = sin.set(&browser, "first");
    let second = sin.set(&old, "second");
    model.run_for(Duration::from_secs(10));
    first.saved();
    (sin, second.saved())
}

fn finish(model: &KvModel, running: &Running) {
    step_until(model, || running.task.is_done());
}

/// Two successive saves of a cookie at SIN. KV refuses the second one once.
fn two_puts(model: &KvModel, sin: &Isolate, old: &Browser) {
    let (one, two) = (sin.load(old), sin.load(old));
    for (session, key) in [(one, "one"), (two, "two")] {
        let running = sin.start(session, old, move |session| session.set(key, 1).unwrap());
        finish(model, &running);
        running.saved();
    }
    assert!(sin.events().contains(&"retried".to_owned()), "SIN spaces its puts");
}

/// Returns whether a browser reads all these values, or its load outcome is stale.
fn reads_or_reports_stale(isolate: &Isolate, browser: &Browser, keys: &[&str]) -> bool {
    let mut session = isolate.load(browser);
    let all = keys.iter().all(|key| session.get::<u8>(key).unwrap() == Some(1));
    all || session.load_reason() == LoadReason::Stale
}

/// `count` successive reads of a record.
fn reads(count: usize, fault: &Fault) -> impl Iterator<Item = (OperationKind, Option<Fault>)> {
    std::iter::repeat_n((OperationKind::Get, Some(fault.clone())), count)
}

#[test]
fn a_group_on_a_repaired_record_claims_the_repaired_saves_only() {
    let model = KvModel::new(usual());
    let (_, cookie) = group_at_sin(&model, |here, sin, old| {
        let mine = here.set(old, "mine");
        model.run_for(millis(1_200));
        // SIN does not show it: the journal of the group's first member repairs it.
        plan(&model, reads(3, &Fault::Stale(1)));
        two_puts(&model, sin, old);
        mine.saved()
    });
    let elsewhere = Isolate::at(&model, "EWR");
    for behind in 0..3 {
        plan(&model, reads(1, &Fault::Stale(behind)));
        assert!(reads_or_reports_stale(&elsewhere, &cookie, &["mine", "first", "second"]), "{behind}");
    }
}

#[test]
fn a_group_on_a_merged_record_claims_both_branches_together() {
    let model = KvModel::new(KvModelOptions { write_interval: millis(200), ..usual() });
    let (_, cookie) = group_at_sin(&model, |here, sin, old| {
        two_puts(&model, sin, old);
        // A diverged save that SIN shows from then on.
        plan(&model, reads(2, &Fault::Stale(2)).chain(reads(9, &Fault::Stale(0))));
        model.run_for(millis(200));
        let apart = here.set(old, "apart");
        finish(&model, &apart);
        apart.saved();
        old.clone()
    });
    let elsewhere = Isolate::at(&model, "EWR");
    for behind in 0..3 {
        plan(&model, reads(1, &Fault::Stale(behind)));
        assert!(reads_or_reports_stale(&elsewhere, &cookie, &["apart", "two", "first", "second"]), "{behind}");
    }
}
