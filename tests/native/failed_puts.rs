//! Puts that fail and are stored all the same, at once or late, and groups of saves that rest on repaired or merged records.

use std::cell::RefCell;
use std::time::Duration;

use edge_session::{ErrorKind, LoadReason};
use edge_session_kv_model::{Fault, KvModel, KvModelOptions, OperationKind};

use crate::support::Browser;
use crate::support::isolate::{Isolate, Running, millis, settle, step_until, usual, watch_puts};

/// KV without a limit of its writes.
fn unlimited() -> KvModelOptions {
    KvModelOptions { write_interval: Duration::ZERO, ..usual() }
}

/// The faults of the next operations on records, in order. An operation of another kind than the next one in the list has none.
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
fn a_put_that_was_stored_although_it_failed_is_put_again_where_another_one_is_on_its_way_over_it() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let other = isolate.load(&browser);
    let first = isolate.set(&browser, "first");
    plan(
        &model,
        [
            (OperationKind::Put, Some(Fault::AppliedButFailed(500))),
            // The other request does not see it, and its put takes longer than the pause of the first one.
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
fn a_put_that_was_stored_although_it_failed_is_remembered() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let running = isolate.set(&browser, "a");
    plan(&model, [(OperationKind::Put, Some(Fault::AppliedButFailed(500)))]);
    model.run_for(Duration::from_secs(10));
    running.saved();
    plan(&model, [(OperationKind::Get, Some(Fault::Stale(1)))]);
    assert_eq!(isolate.get(&browser, "a"), Some(1), "KV does not show it, and this cookie knows nothing of it");
}

#[test]
fn a_second_attempt_stores_the_same_save_so_that_a_first_one_that_is_stored_late_changes_nothing() {
    let (model, isolate, browser) = Isolate::with_visitor(unlimited());
    let running = isolate.set(&browser, "a");
    plan(&model, [(OperationKind::Put, Some(Fault::Late(Duration::from_secs(5))))]);
    model.run_for(Duration::from_secs(300));
    let mut session = Isolate::at(&model, "SIN").load(&running.saved());
    assert_eq!(session.load_reason(), LoadReason::Live);
    assert_eq!(session.get("a").unwrap(), Some(1));
}

#[test]
fn a_second_attempt_on_another_record_is_another_save_so_that_a_first_one_that_is_stored_late_does_not_pass_for_it() {
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
    assert_eq!(session.get::<u8>("between").unwrap(), None, "it is gone from KV");
    assert_eq!(session.load_reason(), LoadReason::Lost, "and that is said");
}

#[test]
fn a_save_on_a_repaired_record_vouches_for_the_repair_alone() {
    let model = KvModel::new(unlimited());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    let first = isolate.set(&browser, "first");
    finish(&model, &first);
    // Written apart, by a cookie that knows nothing of it.
    plan(&model, reads(2, &Fault::Stale(1)));
    let apart = Isolate::at(&model, "SIN").set(&browser, "apart");
    finish(&model, &apart);
    // The load sees the first save, and the save sees the other one.
    plan(&model, reads(1, &Fault::Stale(1)).chain(reads(1, &Fault::Stale(0))));
    let session = other.load(&first.saved());
    let second = other.start(session, &first.saved(), |session| session.set("second", 1).unwrap());
    finish(&model, &second);
    plan(&model, reads(1, &Fault::Stale(1)));
    let elsewhere = Isolate::at(&model, "EWR");
    assert!(tells(&elsewhere, &second.saved(), &["first", "second"]));
}

#[test]
fn a_second_login_takes_along_what_kv_shows_at_its_save() {
    let model = KvModel::new(unlimited());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let old = isolate.visitor();
    let cart = isolate.set(&old, "cart");
    finish(&model, &cart);
    isolate.request(&mut cart.saved(), |session| session.cycle_key().unwrap()).result.unwrap();
    // Its load does not see the cart, and its cookie knows nothing of it.
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
    // It ends by its family: the logout does not know this key.
    let (sessions, mut session) = (isolate.sessions(), isolate.load(&anonymous));
    model.block_on(async { sessions.flush(&mut session).await }).unwrap();
    model.run_for(Duration::from_secs(20));
    for running in group.iter().chain([&first]) {
        assert_eq!(running.outcome().result.err(), Some(ErrorKind::SessionInterrupted));
    }
    assert!(puts.borrow().is_empty(), "nothing is left in KV for the rest of the session's life");
}

/// A group of two saves at SIN, the second of which comes with a cookie that knows of nothing: what its new cookie says of records
/// that KV showed before the group.
fn group_at_sin(model: &KvModel, before: impl FnOnce(&Isolate, &Isolate, &Browser) -> Browser) -> (Isolate, Browser) {
    let (here, sin) = (Isolate::at(model, "AMS"), Isolate::at(model, "SIN"));
    let old = here.visitor();
    settle(&model);
    // The second of two puts within a second is refused, so that SIN spaces its puts from now on.
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

/// Two saves of a cookie at SIN in a row. The second one is refused at first.
fn two_puts(model: &KvModel, sin: &Isolate, old: &Browser) {
    let (one, two) = (sin.load(old), sin.load(old));
    for (session, key) in [(one, "one"), (two, "two")] {
        let running = sin.start(session, old, move |session| session.set(key, 1).unwrap());
        finish(model, &running);
        running.saved();
    }
    assert!(sin.events().contains(&"retried".to_owned()), "SIN spaces its puts");
}

/// Whether a browser finds all these values, or is told that the record is behind.
fn tells(isolate: &Isolate, browser: &Browser, keys: &[&str]) -> bool {
    let mut session = isolate.load(browser);
    let all = keys.iter().all(|key| session.get::<u8>(key).unwrap() == Some(1));
    all || session.load_reason() == LoadReason::Stale
}

/// `count` reads of a record in a row.
fn reads(count: usize, fault: &Fault) -> impl Iterator<Item = (OperationKind, Option<Fault>)> {
    std::iter::repeat_n((OperationKind::Get, Some(fault.clone())), count)
}

#[test]
fn a_group_on_a_repaired_record_vouches_for_the_repair_alone() {
    let model = KvModel::new(usual());
    let (_, cookie) = group_at_sin(&model, |here, sin, old| {
        let mine = here.set(old, "mine");
        model.run_for(millis(1_200));
        // SIN does not see it: it is put back from the cookie of the group's first member.
        plan(&model, reads(3, &Fault::Stale(1)));
        two_puts(&model, sin, old);
        mine.saved()
    });
    let elsewhere = Isolate::at(&model, "EWR");
    for behind in 0..3 {
        plan(&model, reads(1, &Fault::Stale(behind)));
        assert!(tells(&elsewhere, &cookie, &["mine", "first", "second"]), "{behind}");
    }
}

#[test]
fn a_group_on_a_merged_record_vouches_for_both_branches_together() {
    let model = KvModel::new(KvModelOptions { write_interval: millis(200), ..usual() });
    let (_, cookie) = group_at_sin(&model, |here, sin, old| {
        two_puts(&model, sin, old);
        // Written apart, and seen at SIN from then on.
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
        assert!(tells(&elsewhere, &cookie, &["apart", "two", "first", "second"]), "{behind}");
    }
}
