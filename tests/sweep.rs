//! `clear_expired`: what is over goes, page after page, and nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]

mod support;

use edge_session::{Expiry, OnlyIf, Op, StorageKey, Store};
use support::{Browser, defaults, run, site, site_with};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn what_is_past_its_deadline_by_two_minutes_goes() {
    let site = site();
    let live = site.visitor();
    let mut short = Browser::default();
    site.request(&mut short, |session| {
        session.set("user", "bob").unwrap();
        session.set_expiry(Expiry::Seconds(10)).unwrap();
    });
    for (seconds, removed) in [(10, 0), (119, 0), (1, 1), (1, 0)] {
        site.pass(seconds);
        let swept = run(site.sessions.clear_expired()).unwrap();
        assert_eq!((swept.removed, swept.complete), (removed, true), "after {seconds} more seconds");
    }
    assert_eq!(site.user(&live).as_deref(), Some("alice"));
    assert_eq!(site.store.memory.len(), 1);
}

#[test]
fn a_session_renewed_meanwhile_stays() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::Seconds(100)).unwrap();
    });
    for page in 0..5 {
        site.pass(90);
        site.request(&mut browser, |session| session.set("page", page).unwrap());
        assert_eq!(run(site.sessions.clear_expired()).unwrap().removed, 0);
    }
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_tombstone_stays_until_nothing_can_come_back_any_more() {
    let site = site_with(defaults().cookie_age(500).absolute_age(1_000));
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.logout(&mut browser, 200);
    // The anonymous record, its tombstone, that of the login and that of a key that could follow it.
    assert_eq!(site.stored(), (1, 3));
    for (seconds, removed) in [(1_000, 1), (300 + 119, 0), (1, 3)] {
        site.pass(seconds);
        let swept = run(site.sessions.clear_expired()).unwrap();
        assert_eq!((swept.removed, swept.complete), (removed, true), "after {seconds} more seconds");
    }
}

#[test]
fn twenty_five_hundred_take_several_runs_of_a_thousand_operations() {
    let site = site();
    let keep = site.visitor();
    let put = |key: String, deadline| Op::Put {
        key: StorageKey::listed(key),
        value: b"{}".to_vec(),
        ttl: 60,
        deadline,
        only_if: OnlyIf::Any,
    };
    let over = |number| put(format!("edge-session:session:{number:05}"), 1_893_456_000_000_000);
    run(site.store.memory.write((0..2_500).map(over).collect())).unwrap();
    let others = vec![put("edge-session-2:session:0".to_owned(), 0), put("app:settings".to_owned(), 0)];
    run(site.store.memory.write(others)).unwrap();
    site.pass(3_600);
    site.operations();
    let mut runs = Vec::new();
    loop {
        let swept = run(site.sessions.clear_expired()).unwrap();
        assert!(site.operations().len() <= 1_000);
        runs.push(swept.removed);
        if swept.complete {
            break;
        }
    }
    assert_eq!((runs.len(), runs.iter().sum::<usize>()), (3, 2_500));
    assert_eq!(site.store.memory.len(), 3, "one session and what is none of ours");
    assert_eq!(site.user(&keep).as_deref(), Some("alice"));
}

#[test]
fn live_sessions_are_walked_past_to_the_end_of_the_list() {
    let site = site();
    for _ in 0..2_100 {
        site.visitor();
    }
    site.request(&mut Browser::default(), |session| session.set_expiry(Expiry::Seconds(1)).unwrap());
    site.pass(200);
    site.operations();
    let swept = run(site.sessions.clear_expired()).unwrap();
    assert_eq!((swept.removed, swept.complete), (1, true));
    assert_eq!(site.operations().iter().filter(|operation| *operation == "list").count(), 3);
}
