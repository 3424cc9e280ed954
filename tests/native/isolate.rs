//! One isolate: it reads its own writes at once, and combines concurrent saves of one session into one put.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use edge_session::{ErrorKind, LoadReason};
use edge_session_kv_model::{Fault, KvModel, KvModelOptions, OperationKind};

use crate::support::isolate::{Isolate, Outcome, millis, outcomes, settle, step_until, strong, usual, watch_puts};
use crate::support::{Browser, ROTATED, cookies, defaults};

const KEYS: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

#[test]
fn parallel_saves_in_one_isolate_are_all_kept_none_is_refused_and_one_put_carries_many() {
    for (options, longest) in [(usual(), millis(2_500)), (strong(), millis(100))] {
        for seed in 0..10 {
            let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..options.clone() });
            let puts = watch_puts(&model);
            let saves = isolate.parallel(&browser, &KEYS);
            model.run_for(Duration::from_secs(20));
            for Outcome { result, took, browser } in outcomes(&saves) {
                assert_eq!(cookies(&result.unwrap()), ["+__Host-sessionid-anonymous"]);
                assert!(took <= longest, "{took:?}");
                assert_eq!(isolate.numbers(&browser, &KEYS), [Some(1); 20], "whichever response arrives last");
            }
            let puts = puts.borrow().len();
            assert!(puts <= 4, "{puts} puts for 20 saves");
            settle(&model);
            let elsewhere = Isolate::at(&model, "SIN");
            assert_eq!(elsewhere.numbers(&browser, &KEYS), [Some(1); 20]);
            assert_eq!(elsewhere.get::<String>(&browser, "user").as_deref(), Some("alice"));
        }
    }
}

#[test]
fn saves_that_arrive_during_a_put_are_kept_as_well() {
    for seed in 0..10 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let mut saves = Vec::new();
        for keys in KEYS.chunks(2) {
            saves.extend(isolate.parallel(&browser, keys));
            model.run_for(millis(90));
        }
        model.run_for(Duration::from_secs(20));
        for outcome in outcomes(&saves) {
            outcome.result.unwrap();
            assert!(outcome.took <= millis(3_500), "{:?}", outcome.took);
        }
        assert_eq!(isolate.numbers(&browser, &KEYS), [Some(1); 20]);
    }
}

#[test]
fn of_parallel_writes_and_removals_of_one_key_the_result_is_one_of_them() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let sessions: Vec<_> = (0..10).map(|_| isolate.load(&browser)).collect();
    let saves = sessions.into_iter().enumerate().map(|(number, session)| {
        isolate.start(session, &browser, move |session| {
            session.set("last", number).unwrap();
            session.set(&format!("own {number}"), 1).unwrap();
            if number == 5 {
                session.remove("user").unwrap();
            }
        })
    });
    let saves: Vec<_> = saves.collect();
    model.run_for(Duration::from_secs(20));
    assert!(outcomes(&saves).iter().all(|outcome| outcome.result.is_ok()));
    let mut session = isolate.load(&browser);
    assert!(session.get::<usize>("last").unwrap().is_some_and(|number| number < 10));
    assert_eq!(session.get::<String>("user").unwrap(), None);
    assert_eq!(session.keys().unwrap().len(), 11);
}

#[test]
fn two_isolates_share_no_memory_and_clones_of_one_location_do() {
    let model = KvModel::new(KvModelOptions { locally_invisible: 1.0, ..usual() });
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let mut browser = Browser::default();
    isolate.request(&mut browser, |session| session.set("user", "alice").unwrap());
    // KV hides the write at its location; isolate memory shows it to the `Sessions` of every request.
    let session = isolate.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Live);
    assert_eq!(other.load(&browser).load_reason(), LoadReason::NotYetVisible);
}

#[test]
fn a_load_sees_what_its_isolate_saved_although_kv_answers_from_a_cache() {
    let model = KvModel::new(usual());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "SIN"));
    let mut browser = isolate.visitor();
    settle(&model);
    // The record is cached in Singapore, where the next save is not visible for up to 90 seconds.
    other.load(&browser);
    let before = browser.clone();
    isolate.request(&mut browser, |session| session.set("page", 1).unwrap());
    assert_eq!(other.load(&before).get::<u8>("page").unwrap(), None);
    // A save there is based on the older record. The isolate reads its own write at once, with any cookie.
    let mut there = before.clone();
    other.request(&mut there, |session| session.set("theirs", 2).unwrap());
    assert_eq!(other.load(&before).get::<u8>("theirs").unwrap(), Some(2));
    assert_eq!(isolate.load(&before).get::<u8>("page").unwrap(), Some(1));
}

#[test]
fn an_isolate_forgets_what_it_saved_after_130_seconds() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let record = model.entries().remove(0).0;
    model.block_on(isolate.location.delete(&record)).unwrap().unwrap();
    model.run_for(Duration::from_secs(105));
    assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Live, "the visitor was made 20 seconds before");
    model.run_for(Duration::from_secs(10));
    assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Unknown);
}

#[test]
fn a_logout_and_a_login_count_at_once_in_their_isolate() {
    let model = KvModel::new(usual());
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    for logs_out in [true, false] {
        let browser = isolate.visitor();
        // Both KV reads of a load are cached from now on: a record, and a missing tombstone.
        assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Live);
        let mut leaving = browser.clone();
        if logs_out {
            let sessions = isolate.sessions();
            let mut session = isolate.load(&browser);
            model.block_on(sessions.flush(&mut session)).unwrap().unwrap();
            assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Revoked);
        } else {
            isolate.request(&mut leaving, |session| session.cycle_key().unwrap());
            assert_eq!(isolate.load(&leaving).load_reason(), LoadReason::Live);
            assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Superseded);
        }
        settle(&model);
        let expected = if logs_out { LoadReason::Revoked } else { LoadReason::Superseded };
        assert!([expected, LoadReason::Revoked].contains(&other.load(&browser).load_reason()));
    }
}

#[test]
fn an_aborted_request_of_a_group_blocks_no_other_request() {
    let (mut aborted, mut kept) = (0, 0);
    for seed in 0..40 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let saves = isolate.parallel(&browser, &KEYS);
        // A quarter of the requests is aborted, each at another time.
        for (number, save) in saves.iter().enumerate().filter(|(number, _)| number % 4 == seed as usize % 4) {
            model.run_for(millis(7 * (number as u64 + 1)));
            aborted += usize::from(!save.task.is_done());
            save.task.cancel();
        }
        model.run_for(Duration::from_secs(30));
        for (number, save) in saves.iter().enumerate().filter(|(_, save)| save.task.is_done()) {
            let Outcome { result, took, browser } = save.outcome();
            result.unwrap();
            assert!(took <= millis(8_000), "seed {seed}: {took:?}");
            assert_eq!(isolate.get(&browser, KEYS[number]), Some(1), "seed {seed}");
            kept += 1;
        }
        // Later saves do not wait.
        let mut later = browser.clone();
        let outcome = isolate.request(&mut later, |session| session.set("later", 1).unwrap());
        outcome.result.unwrap();
        assert!(outcome.took < millis(400), "seed {seed}: {:?}", outcome.took);
    }
    assert!(aborted > 100 && kept > 400, "{aborted} {kept}");
}

#[test]
fn a_group_whose_requests_are_all_aborted_is_not_put_later() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(2)));
    let first = isolate.parallel(&browser, &["first"]);
    model.run_for(millis(200));
    let group = isolate.parallel(&browser, &["second", "third"]);
    model.run_for(millis(200));
    group.iter().for_each(|save| save.task.cancel());
    model.run_for(Duration::from_secs(3));
    first[0].outcome().result.unwrap();
    let mut later = browser.clone();
    isolate.request(&mut later, |session| session.set("later", 1).unwrap()).result.unwrap();
    assert_eq!(isolate.numbers(&later, &["first", "second", "third", "later"]), [Some(1), None, None, Some(1)]);
}

#[test]
fn a_failed_put_of_a_group_is_retried_and_all_its_members_are_kept() {
    for fault in [Fault::Status(500), Fault::Status(429), Fault::AppliedButFailed(500)] {
        // The first put has the first save alone, the second one the group behind it.
        for failing in [0, 1] {
            let (model, isolate, browser) = Isolate::with_visitor(usual());
            let puts = watch_puts(&model);
            let saves = isolate.parallel(&browser, &KEYS[..6]);
            if failing == 1 {
                step_until(&model, || !puts.borrow().is_empty());
            }
            model.fail_next(OperationKind::Put, fault.clone());
            model.run_for(Duration::from_secs(20));
            for outcome in outcomes(&saves) {
                outcome.result.unwrap();
                assert_eq!(isolate.numbers(&outcome.browser, &KEYS[..6]), [Some(1); 6], "{fault:?} {failing}");
            }
            assert!(isolate.events().contains(&"retried".to_owned()));
            settle(&model);
            assert_eq!(Isolate::at(&model, "SIN").numbers(&browser, &KEYS[..6]), [Some(1); 6]);
        }
    }
}

#[test]
fn a_store_that_is_down_fails_every_member_of_a_group_within_twelve_seconds() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    model.on_operation(|operation| (operation.kind == OperationKind::Put).then_some(Fault::Status(503)));
    let saves = isolate.parallel(&browser, &KEYS);
    model.run_for(Duration::from_secs(30));
    for outcome in outcomes(&saves) {
        assert_eq!(outcome.result.err(), Some(ErrorKind::StoreUnavailable));
        assert!(outcome.took <= millis(14_000), "{:?}", outcome.took);
    }
    // No failed save is put once the store works again, and the next save does not wait.
    model.on_operation(|_| None);
    let mut later = browser.clone();
    let outcome = isolate.request(&mut later, |session| session.set("later", 1).unwrap());
    outcome.result.unwrap();
    assert!(outcome.took < millis(400), "{:?}", outcome.took);
    assert_eq!(isolate.load(&later).keys().unwrap(), ["user", "later"]);
}

#[test]
fn puts_of_one_key_are_a_second_apart_once_the_store_refused_one_and_not_before() {
    for (options, is_limited) in [(usual(), true), (strong(), false)] {
        let (model, isolate, browser) = Isolate::with_visitor(options);
        let puts = watch_puts(&model);
        let mut saves = Vec::new();
        for key in KEYS {
            saves.extend(isolate.parallel(&browser, &[key]));
            model.run_for(millis(300));
        }
        model.run_for(Duration::from_secs(20));
        assert!(outcomes(&saves).iter().all(|outcome| outcome.result.is_ok()));
        let refused = isolate.events().iter().filter(|event| *event == "retried").count();
        let puts = puts.borrow();
        let pauses: Vec<_> = puts.windows(2).map(|puts| puts[1] - puts[0]).collect();
        if is_limited {
            assert_eq!(refused, 1, "one refusal reveals the limit");
            assert!(pauses[1..].iter().all(|pause| *pause >= millis(1_000)), "{pauses:?}");
            assert!(puts.len() <= 10, "{} puts of 20 saves in 6 seconds", puts.len());
        } else {
            assert_eq!((refused, puts.len()), (0, 20), "a store without a limit causes no waits");
        }
    }
}

#[test]
fn a_member_that_cannot_be_saved_fails_alone() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let (large, small) = (isolate.load(&browser), isolate.parallel(&browser, &KEYS[..4]));
    let large = isolate.start(large, &browser, |session| session.set("large", "x".repeat(70_000)).unwrap());
    let more = isolate.parallel(&browser, &KEYS[4..8]);
    model.run_for(Duration::from_secs(20));
    assert_eq!(large.outcome().result.err(), Some(ErrorKind::TooLarge));
    assert!(outcomes(&small).iter().chain(&outcomes(&more)).all(|outcome| outcome.result.is_ok()));
    assert_eq!(isolate.numbers(&browser, &KEYS[..8]), [Some(1); 8]);
    assert!(!isolate.load(&browser).contains_key("large").unwrap());
}

#[test]
fn members_that_make_a_group_too_large_are_refused_and_the_others_are_kept() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let sessions: Vec<_> = (0..4).map(|_| isolate.load(&browser)).collect();
    let saves = sessions.into_iter().enumerate().map(|(number, session)| {
        isolate.start(session, &browser, move |session| session.set(&format!("{number}"), "x".repeat(20_000)).unwrap())
    });
    let saves: Vec<_> = saves.collect();
    model.run_for(Duration::from_secs(20));
    let refused: Vec<_> = outcomes(&saves).into_iter().filter_map(|outcome| outcome.result.err()).collect();
    assert_eq!(refused, [ErrorKind::TooLarge]);
    assert_eq!(isolate.load(&browser).keys().unwrap().len(), 4);
}

#[test]
fn the_cookie_of_each_member_carries_the_whole_group_to_a_location_that_does_not_show_it_yet() {
    let model = KvModel::new(usual());
    let (isolate, elsewhere) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "SIN"));
    // A write within a second of another one reveals the store's limit to the isolate.
    let other = isolate.visitor();
    let early = [isolate.load(&other), isolate.load(&other)];
    for (session, key) in early.into_iter().zip(["a", "b"]) {
        isolate.start(session, &other, move |session| session.set(key, 1).unwrap());
        model.run_for(millis(400));
    }
    let browser = isolate.visitor();
    settle(&model);
    elsewhere.load(&browser);
    let before = isolate.parallel(&browser, &KEYS[..1]);
    model.run_for(millis(300));
    // The store accepts no write yet: four saves wait in one group, based on a record that their cookie knows.
    let browser = before[0].outcome().browser;
    let group = isolate.parallel(&browser, &KEYS[1..5]);
    let puts = watch_puts(&model);
    model.run_for(millis(2_500));
    assert_eq!(puts.borrow().len(), 1);
    for Outcome { browser, .. } in outcomes(&group) {
        let mut session = elsewhere.load(&browser);
        assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
        assert_eq!(KEYS[..5].iter().map(|key| session.get::<u8>(key).unwrap()).collect::<Vec<_>>(), [Some(1); 5]);
    }
}

// The journal of a cookie lacks the save that the group waited for.
#[test]
fn a_location_that_does_not_show_a_group_yet_reports_it_if_the_journal_cannot_repair_it() {
    let model = KvModel::new(usual());
    let (isolate, elsewhere) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "SIN"));
    let browser = isolate.visitor();
    settle(&model);
    elsewhere.load(&browser);
    let saves = isolate.parallel(&browser, &KEYS[..6]);
    model.run_for(millis(2_500));
    let mut stale = Vec::new();
    for (outcome, key) in outcomes(&saves).into_iter().zip(KEYS) {
        let mut session = elsewhere.load(&outcome.browser);
        if session.load_reason() == LoadReason::StaleRepaired {
            assert_eq!(session.get(key).unwrap(), Some(1), "its own save");
        } else {
            assert_eq!(session.load_reason(), LoadReason::Stale);
            stale.push(outcome.browser);
        }
    }
    assert!(stale.len() >= 4, "{}", stale.len());
    let refused = elsewhere.request(&mut stale[0], |session| session.set("more", 1).unwrap());
    assert_eq!(refused.result.err(), Some(ErrorKind::Stale), "a hidden value is not overwritten");
    settle(&model);
    assert_eq!(elsewhere.numbers(&browser, &KEYS[..6]), [Some(1); 6]);
}

#[test]
fn a_hundred_requests_at_once_renew_with_one_put() {
    let model = KvModel::new(usual());
    let isolate = Isolate::with(&model, "AMS", || defaults().save_every_request(true));
    let browser = isolate.visitor();
    model.run_for(Duration::from_secs(500_000));
    let puts = watch_puts(&model);
    let sessions: Vec<_> = (0..100).map(|_| isolate.load(&browser)).collect();
    let renewals: Vec<_> = sessions.into_iter().map(|session| isolate.start(session, &browser, |_| ())).collect();
    model.run_for(Duration::from_secs(20));
    assert!(outcomes(&renewals).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(puts.borrow().len(), 1);
}

#[test]
fn diverged_records_of_two_isolates_are_merged_by_a_load_and_repaired_by_its_commit() {
    let model = KvModel::new(KvModelOptions { write_interval: Duration::ZERO, ..usual() });
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    settle(&model);
    // Both load before either saves, and save at the same time: the later put overwrites the earlier one.
    let (one, two) = (isolate.load(&browser), other.load(&browser));
    model.run_for(Duration::from_millis(1)); // so that both read once more before they save
    let mine = isolate.start(one, &browser, |session| session.set("mine", 1).unwrap());
    let theirs = other.start(two, &browser, |session| session.set("theirs", 2).unwrap());
    model.run_for(Duration::from_secs(5));
    let (mine, theirs) = (mine.outcome(), theirs.outcome());
    mine.result.unwrap();
    theirs.result.unwrap();
    let overwritten = [&isolate, &other].into_iter().filter(|isolate| {
        isolate.events();
        isolate.load(&browser);
        isolate.events().contains(&"diverged".to_owned())
    });
    let overwritten: Vec<_> = overwritten.collect();
    assert_eq!(overwritten.len(), 1, "the isolate whose record KV no longer has");
    let keys = ["mine", "theirs"];
    assert_eq!(overwritten[0].numbers(&browser, &keys), [Some(1), Some(2)]);
    // A request there that changes nothing repairs the record.
    let mut reading = browser.clone();
    let outcome = overwritten[0].request(&mut reading, |session| _ = session.keys().unwrap());
    assert_eq!(cookies(&outcome.result.unwrap()), ["+__Host-sessionid-anonymous"]);
    settle(&model);
    let elsewhere = Isolate::at(&model, "SIN");
    assert_eq!(elsewhere.numbers(&browser, &keys), [Some(1), Some(2)]);
    for browser in [&reading, &mine.browser, &theirs.browser] {
        assert_eq!(elsewhere.load(browser).load_reason(), LoadReason::Live);
    }
}

#[test]
fn a_failed_repair_does_not_fail_the_response() {
    let model = KvModel::new(KvModelOptions { write_interval: Duration::ZERO, ..usual() });
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    settle(&model);
    let (one, two) = (isolate.load(&browser), other.load(&browser));
    model.run_for(Duration::from_millis(1)); // so that both read once more before they save
    let saves = [
        isolate.start(one, &browser, |session| session.set("mine", 1).unwrap()),
        other.start(two, &browser, |session| session.set("theirs", 2).unwrap()),
    ];
    model.run_for(Duration::from_secs(5));
    outcomes(&saves);
    model.on_operation(|operation| (operation.kind == OperationKind::Put).then_some(Fault::Status(503)));
    let mut events = Vec::new();
    for isolate in [&isolate, &other] {
        isolate.events();
        let outcome = isolate.request(&mut browser.clone(), |session| _ = session.keys().unwrap());
        assert!(outcome.result.unwrap().set_cookies().is_empty());
        events.extend(isolate.events());
    }
    assert_eq!(events.iter().filter(|event| *event == "diverged").count(), 1);
    assert!(events.ends_with(&["store-failed", "renewal-failed"].map(str::to_owned)), "{events:?}");
}

#[test]
fn a_login_waits_for_pending_saves_under_the_old_key_and_includes_them() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let login = isolate.load(&browser);
        let saves = isolate.parallel(&browser, &KEYS[..6]);
        model.run_for(millis(10 * seed));
        let login = isolate.start(login, &browser, |session| {
            session.cycle_key().unwrap();
            session.set("member", 1).unwrap();
        });
        model.run_for(Duration::from_secs(20));
        let Outcome { result, browser: user, .. } = login.outcome();
        assert_eq!(cookies(&result.unwrap()), ["+__Host-sessionid", "-__Host-sessionid-anonymous"]);
        let mut session = isolate.load(&user);
        assert_eq!(session.get("member").unwrap(), Some(1));
        for (save, key) in saves.iter().zip(KEYS) {
            match save.outcome().result {
                Ok(_) => assert_eq!(session.get(key).unwrap(), Some(1), "seed {seed}: {key} was acknowledged"),
                Err(error) => assert_eq!(error, ErrorKind::Superseded, "seed {seed}"),
            }
        }
    }
}

#[test]
fn a_login_waits_for_a_slow_save_under_the_old_key() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let login = isolate.load(&browser);
    model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(2)));
    let saves = isolate.parallel(&browser, &["slow"]);
    model.run_for(millis(300));
    let login = isolate.start(login, &browser, |session| session.cycle_key().unwrap());
    model.run_for(Duration::from_secs(20));
    saves[0].outcome().result.unwrap();
    login.outcome().result.unwrap();
    assert_eq!(isolate.get(&login.outcome().browser, "slow"), Some(1));
}

#[test]
fn a_save_under_the_old_key_that_arrives_during_a_login_waits_and_is_refused_as_superseded() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let (login, save) = (isolate.load(&browser), isolate.load(&browser));
    model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(2)));
    let login = isolate.start(login, &browser, |session| session.cycle_key().unwrap());
    model.run_for(millis(300));
    let puts = watch_puts(&model);
    let save = isolate.start(save, &browser, |session| session.set("draft", 1).unwrap());
    model.run_for(Duration::from_secs(20));
    login.outcome().result.unwrap();
    let Outcome { result, took, browser: after } = save.outcome();
    assert_eq!(result.err(), Some(ErrorKind::Superseded));
    assert!((millis(1_000)..millis(3_000)).contains(&took), "{took:?}");
    assert_eq!(after, browser, "no cookie changes");
    assert!(puts.borrow().is_empty(), "nothing is put under the old key");
    assert!(login.outcome().browser.cookie(ROTATED).is_some());
}

#[test]
fn an_aborted_login_delays_other_requests_by_at_most_five_seconds() {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    let (login, save) = (isolate.load(&browser), isolate.load(&browser));
    model.fail_next(OperationKind::Put, Fault::Hang);
    let login = isolate.start(login, &browser, |session| session.cycle_key().unwrap());
    model.run_for(millis(300));
    login.task.cancel();
    let save = isolate.start(save, &browser, |session| session.set("draft", 1).unwrap());
    model.run_for(Duration::from_secs(20));
    let Outcome { result, took, browser } = save.outcome();
    result.unwrap();
    assert!(took <= millis(5_500), "{took:?}");
    assert_eq!(isolate.get(&browser, "draft"), Some(1));
}

// A session was ended by its key while its holder rotated the key.
#[test]
fn a_delete_beside_a_rotation_fails_or_leaves_no_key_of_the_session_alive() {
    for place in ["the same isolate", "AMS", "SIN"] {
        let mut deleted = 0;
        for seed in 0..100 {
            let model = KvModel::new(KvModelOptions { seed, ..usual() });
            let isolate = Isolate::at(&model, "AMS");
            let admin = if place == "the same isolate" { isolate.clone() } else { Isolate::at(&model, place) };
            let mut browser = Browser::default();
            isolate.request(&mut browser, |session| {
                session.cycle_key().unwrap();
                session.set("user", "alice").unwrap();
            });
            settle(&model);
            let session = isolate.load(&browser);
            let key = session.session_key().unwrap().as_str().to_owned();
            let rotation = isolate.start(session, &browser, |session| session.cycle_key().unwrap());
            model.run_for(millis(3 * seed));
            let result = model.block_on(admin.sessions().delete(&key)).unwrap();
            model.run_for(Duration::from_secs(20));
            settle(&model);
            if result.is_ok() {
                let elsewhere = Isolate::at(&model, "IAD");
                for browser in [&browser, &rotation.outcome().browser] {
                    assert_eq!(elsewhere.get::<String>(browser, "user"), None, "{place}, seed {seed}");
                }
                deleted += 1;
            }
        }
        assert!(deleted >= 90, "{place}: {deleted}");
    }
}

#[test]
fn records_that_are_too_large_only_when_merged_are_read_completely_and_fail_no_response() {
    let model = KvModel::new(KvModelOptions { write_interval: Duration::ZERO, ..usual() });
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    settle(&model);
    let (one, two) = (isolate.load(&browser), other.load(&browser));
    model.run_for(Duration::from_millis(1)); // so that both read once more before they save
    let saves = [
        isolate.start(one, &browser, |session| session.set("mine", "x".repeat(40_000)).unwrap()),
        other.start(two, &browser, |session| session.set("theirs", "y".repeat(40_000)).unwrap()),
    ];
    model.run_for(Duration::from_secs(5));
    assert!(outcomes(&saves).iter().all(|outcome| outcome.result.is_ok()));
    let mut diverged = Vec::new();
    for isolate in [&isolate, &other] {
        isolate.events();
        let mut session = isolate.load(&browser);
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"), "{}", session.load_reason());
        diverged.extend(isolate.events().contains(&"diverged".to_owned()).then_some(isolate));
        let outcome = isolate.request(&mut browser.clone(), |session| _ = session.keys().unwrap());
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let [isolate] = diverged[..] else { panic!("one isolate remembers the overwritten save") };
    assert_eq!(isolate.load(&browser).keys().unwrap().len(), 3, "all data can be read");
    // A change that makes it smaller succeeds.
    let outcome = isolate.request(&mut browser.clone(), |session| session.remove("mine").unwrap());
    assert!(outcome.result.is_ok(), "{outcome:?}");
    assert_eq!(isolate.load(&browser).keys().unwrap(), ["user", "theirs"]);
}

// Puts that fail, are applied late or although they failed, reads that fail, operations that are slow or never end.
#[test]
fn one_isolate_keeps_what_it_acknowledged_despite_the_faults_of_kv() {
    let hostile = KvModelOptions { failing_puts: 0.1, late_puts: 0.05, hanging: 0.01, ..KvModelOptions::hostile() };
    let (mut acknowledged, mut refused) = (0, 0);
    for seed in 0..60 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let mut saves = Vec::new();
        for keys in KEYS.chunks(4) {
            model.change_options(|_| usual());
            saves.extend(isolate.parallel(&browser, keys));
            model.change_options(|_| hostile.clone());
            model.run_for(millis(100 * (seed % 7)));
        }
        model.run_for(Duration::from_secs(40));
        model.change_options(|_| usual());
        let mut session = isolate.load(&browser);
        for (save, key) in saves.iter().zip(KEYS).filter(|(save, _)| save.task.is_done()) {
            if save.outcome().result.is_ok() {
                assert_eq!(session.get(key).unwrap(), Some(1), "seed {seed}: {key}");
                acknowledged += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(acknowledged > 1_000 && refused < 100, "{acknowledged} {refused}");
}

#[test]
fn a_logout_that_is_finished_by_an_ending_token_counts_at_once_in_its_isolate() {
    let model = KvModel::new(KvModelOptions { locally_invisible: 1.0, ..usual() });
    let (isolate, other) = (Isolate::at(&model, "AMS"), Isolate::at(&model, "AMS"));
    let browser = isolate.visitor();
    settle(&model);
    model.on_operation(|operation| (operation.kind == OperationKind::Put).then_some(Fault::Status(503)));
    let (sessions, mut session) = (isolate.sessions(), isolate.load(&browser));
    let mut ending = browser.clone();
    model.block_on(async {
        sessions.flush(&mut session).await.unwrap_err();
        ending.take(&sessions.commit_headers(&mut session, 503).await.unwrap());
    });
    model.on_operation(|_| None);
    // The location caches from now on that record and tombstone are missing.
    settle(&model);
    assert_eq!(other.load(&browser).load_reason(), LoadReason::Unknown);
    let outcome = other.request(&mut ending, |_| ());
    assert_eq!(cookies(&outcome.result.unwrap()), ["-__Host-sessionid"]);
    assert_eq!(other.load(&browser).load_reason(), LoadReason::Revoked);
}

// The login's entry in isolate memory lasts 15 seconds if its tombstone was refused.
#[test]
fn a_logout_ends_the_anonymous_key_in_its_isolate_although_the_login_could_not() {
    let model = KvModel::new(usual());
    let isolate = Isolate::at(&model, "AMS");
    let mut browser = isolate.visitor();
    let anonymous = browser.clone();
    model.on_operation(|operation| {
        let ends = operation.kind == OperationKind::Delete || operation.key.contains(":ended:");
        (ends && operation.kind != OperationKind::Get).then_some(Fault::Status(503))
    });
    isolate.request(&mut browser, |session| session.cycle_key().unwrap()).result.unwrap();
    assert!(isolate.events().contains(&"old-key-remains".to_owned()));
    model.on_operation(|_| None);
    assert_eq!(isolate.load(&anonymous).load_reason(), LoadReason::Live, "it is unchanged");
    let (sessions, mut session) = (isolate.sessions(), isolate.load(&browser));
    model.block_on(async {
        sessions.flush(&mut session).await.unwrap();
        sessions.commit_headers(&mut session, 200).await.unwrap();
    });
    for _ in 0..2 {
        assert_eq!(isolate.load(&anonymous).load_reason(), LoadReason::Revoked);
        model.run_for(Duration::from_secs(60));
    }
}

// Each member carried the changes of all, and repeated them over later writes.
#[test]
fn a_member_of_a_failed_group_does_not_put_the_changes_of_an_aborted_member() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(2)));
        let first = isolate.parallel(&browser, &["first"]);
        model.run_for(millis(100));
        let group = isolate.parallel(&browser, &["second", "third"]);
        model.run_for(millis(300));
        let failed = Rc::new(Cell::new(false));
        let fails = Rc::clone(&failed);
        model.on_operation(move |operation| {
            let is_first = operation.kind == OperationKind::Put && !fails.replace(true);
            is_first.then_some(Fault::Status(500))
        });
        step_until(&model, || failed.get());
        group[0].task.cancel();
        model.run_for(Duration::from_secs(20));
        first[0].outcome().result.unwrap();
        group[1].outcome().result.unwrap();
        let keys = ["first", "second", "third"];
        assert_eq!(isolate.numbers(&browser, &keys), [Some(1), None, Some(1)], "seed {seed}");
    }
}

// A put of more than five seconds counts as abandoned. It overwrote later puts, or they overwrote it.
#[test]
fn a_put_acknowledged_after_later_saves_is_kept_together_with_them() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let (slow, quick) = (isolate.load(&browser), isolate.load(&browser));
        model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(8)));
        let slow = isolate.start(slow, &browser, |session| session.set("slow", 1).unwrap());
        model.run_for(millis(5_500));
        let quick = isolate.start(quick, &browser, |session| session.set("quick", 1).unwrap());
        model.run_for(Duration::from_secs(20));
        assert!(outcomes(&[slow, quick]).iter().all(|outcome| outcome.result.is_ok()));
        settle(&model);
        let elsewhere = Isolate::at(&model, "SIN");
        assert_eq!(elsewhere.numbers(&browser, &["slow", "quick"]), [Some(1), Some(1)], "seed {seed}");
    }
}

#[test]
fn saves_acknowledged_under_the_old_key_during_a_login_of_over_five_seconds_are_included() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let (login, save) = (isolate.load(&browser), isolate.load(&browser));
        model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(8)));
        let login = isolate.start(login, &browser, |session| session.cycle_key().unwrap());
        model.run_for(millis(5_500));
        let save = isolate.start(save, &browser, |session| session.set("draft", 1).unwrap());
        model.run_for(Duration::from_secs(20));
        save.outcome().result.unwrap();
        let Outcome { result, browser: user, .. } = login.outcome();
        result.unwrap();
        settle(&model);
        assert_eq!(Isolate::at(&model, "SIN").numbers(&user, &["draft"]), [Some(1)], "seed {seed}");
    }
}

// The login waits for four seconds at most.
#[test]
fn a_save_whose_put_is_acknowledged_after_a_login_has_replaced_the_key_is_refused() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let (login, save) = (isolate.load(&browser), isolate.load(&browser));
        model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(8)));
        let save = isolate.start(save, &browser, |session| session.set("draft", 1).unwrap());
        model.run_for(millis(200));
        let login = isolate.start(login, &browser, |session| session.cycle_key().unwrap());
        model.run_for(Duration::from_secs(20));
        login.outcome().result.unwrap();
        assert_eq!(save.outcome().result.err(), Some(ErrorKind::Superseded), "seed {seed}");
    }
}

// KV accepts one write a second: the second put of the tombstone failed, and the record that the other logins copy was deleted.
#[test]
fn parallel_logins_all_keep_the_cart_and_revoke_the_old_key() {
    for seed in 0..20 {
        let (model, isolate, browser) = Isolate::with_visitor(KvModelOptions { seed, ..usual() });
        let sessions: Vec<_> = (0..5).map(|_| isolate.load(&browser)).collect();
        let logins = sessions.into_iter().map(|session| {
            let login = isolate.start(session, &browser, |session| session.cycle_key().unwrap());
            model.run_for(millis(20 * seed));
            login
        });
        let logins: Vec<_> = logins.collect();
        model.run_for(Duration::from_secs(20));
        for Outcome { result, browser, .. } in outcomes(&logins) {
            assert!(!result.unwrap().saved().old_record_remains, "seed {seed}");
            assert_eq!(isolate.get::<String>(&browser, "user").as_deref(), Some("alice"));
        }
        assert_eq!(isolate.load(&browser).load_reason(), LoadReason::Superseded);
    }
}
