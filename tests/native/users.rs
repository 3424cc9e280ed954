//! The sessions of a user: the list, and the ends from elsewhere.

use edge_session::store::{CookieStore, StorageKey};
use edge_session::{ErrorKind, LoadReason, MemoryStore, Session, Sessions, Settings, UserSession};

use crate::support::{Browser, OLD_SECRET, SECRET, Site, defaults, kind, linearizable, run, site_on, site_with};

/// A site on each kind of store, with plain and with sealed records, and another isolate of it.
fn each_pair(test: impl Fn(Site, Site)) {
    for settings in [defaults, || defaults().seal(true)] {
        for site in [site_with(settings()), linearizable(settings())] {
            let other = site_on(site.store.clone(), settings());
            test(site, other);
        }
    }
}

fn each(test: impl Fn(Site)) {
    each_pair(|site, _| test(site));
}

fn bind(session: &mut Session, user: &str, label: &str) {
    session.set("name", user).unwrap();
    session.bind_user(user, Some(label)).unwrap();
}

/// A browser with a login of this user.
fn login(site: &Site, user: &str, label: &str) -> Browser {
    let mut browser = Browser::default();
    site.request(&mut browser, |session| bind(session, user, label));
    browser
}

fn list(site: &Site, user: &str) -> Vec<UserSession> {
    run(site.sessions.list(user, None)).unwrap()
}

fn labels(site: &Site, user: &str) -> Vec<String> {
    let mut labels: Vec<_> = list(site, user).into_iter().filter_map(|session| session.label).collect();
    labels.sort();
    labels
}

fn name(site: &Site, browser: &Browser) -> Option<String> {
    site.load(browser).get("name").unwrap()
}

fn entries(site: &Site) -> usize {
    site.store.memory.entries().iter().filter(|(key, _)| kind(key) == "user").count()
}

#[test]
fn the_list_has_each_login_of_the_user_and_marks_the_current_one() {
    each(|site| {
        let (phone, _laptop) = (login(&site, "alice", "Phone"), login(&site, "alice", "Laptop"));
        login(&site, "bob", "Tablet");
        assert_eq!(labels(&site, "alice"), ["Laptop", "Phone"]);
        assert_eq!(labels(&site, "bob"), ["Tablet"]);
        assert!(list(&site, "carol").is_empty());

        let session = site.load(&phone);
        let devices = run(site.sessions.list("alice", Some(&session))).unwrap();
        let current: Vec<_> = devices.iter().filter(|device| device.current).collect();
        assert_eq!(current.iter().map(|device| device.label.as_deref()).collect::<Vec<_>>(), [Some("Phone")]);
        assert_eq!(current[0].created_at.timestamp_millis(), site.now.get().timestamp_millis());
        assert!(run(site.sessions.list("bob", Some(&session))).unwrap().iter().all(|device| !device.current));
        assert!(list(&site, "alice").iter().all(|device| !device.current));
    });
}

#[test]
fn revoke_ends_one_session_and_a_foreign_id_none() {
    each_pair(|site, other| {
        let (phone, laptop) = (login(&site, "alice", "Phone"), login(&site, "alice", "Laptop"));
        let id = list(&site, "alice").into_iter().find(|device| device.label.as_deref() == Some("Phone")).unwrap().id;
        assert!(!run(site.sessions.revoke("bob", &id)).unwrap(), "the id belongs to another user");
        for unknown in ["", "x", "0123456789012345678901", "../../../../../../../..", "é"] {
            assert!(!run(site.sessions.revoke("alice", unknown)).unwrap());
        }
        assert_eq!(name(&site, &phone).as_deref(), Some("alice"));
        assert!(run(site.sessions.revoke("alice", &id)).unwrap());
        assert_eq!(name(&site, &phone), None);
        assert_eq!(name(&other, &phone), None);
        assert_eq!(name(&site, &laptop).as_deref(), Some("alice"));
        assert_eq!(labels(&site, "alice"), ["Laptop"]);
        assert_eq!(entries(&site), 1);
        assert!(!run(site.sessions.revoke("alice", &id)).unwrap(), "it has ended");
    });
}

#[test]
fn revoke_others_keeps_the_own_session_and_revoke_all_keeps_none() {
    each(|site| {
        let browsers = ["One", "Two", "Three"].map(|label| login(&site, "alice", label));
        let bob = login(&site, "bob", "Bob");
        let mut session = site.load(&browsers[1]);
        assert_eq!(run(site.sessions.revoke_others(&mut session)).unwrap(), 2);
        let names = browsers.each_ref().map(|browser| name(&site, browser).is_some());
        assert_eq!(names, [false, true, false]);
        assert_eq!(labels(&site, "alice"), ["Two"]);
        assert_eq!(run(site.sessions.revoke_all("alice")).unwrap(), 1);
        assert_eq!(name(&site, &browsers[1]), None);
        assert_eq!(run(site.sessions.revoke_all("alice")).unwrap(), 0);
        assert_eq!(name(&site, &bob).as_deref(), Some("bob"));
    });
}

#[test]
fn a_request_that_was_under_way_does_not_save_a_revoked_session() {
    each(|site| {
        let phone = login(&site, "alice", "Phone");
        let mut slow = site.load(&phone);
        slow.set("a", 1).unwrap();
        run(site.sessions.revoke_all("alice")).unwrap();
        let error = site.failed_commit(&mut slow);
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
        let mut slow = site.load(&phone);
        assert_eq!(slow.get::<i32>("a").unwrap(), None);
        assert!(list(&site, "alice").is_empty());
    });
}

#[test]
fn cycle_key_keeps_the_entry_and_a_logout_removes_it() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        let id = list(&site, "alice")[0].id.clone();
        for _ in 0..12 {
            site.advance(1);
            site.login(&mut phone);
        }
        assert_eq!(list(&site, "alice")[0].id, id);
        assert!(run(site.sessions.revoke("alice", &id)).unwrap(), "the entry knows the newest key");
        assert_eq!(name(&site, &phone), None);

        let mut laptop = login(&site, "alice", "Laptop");
        site.logout(&mut laptop, 200);
        assert!(list(&site, "alice").is_empty());
        assert_eq!(entries(&site), 0);
    });
}

#[test]
fn the_entry_of_a_logout_that_could_not_delete_it_is_not_shown() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        site.refuse(["delete entry"]);
        site.logout(&mut phone, 200);
        assert_eq!(entries(&site), 1);
        assert!(list(&site, "alice").is_empty());
    });
}

#[test]
fn a_session_leaves_the_list_when_it_expires_or_is_deleted_by_key() {
    each(|site| {
        let phone = login(&site, "alice", "Phone");
        let laptop = login(&site, "alice", "Laptop");
        run(site.sessions.delete(&site.session_key(&laptop))).unwrap();
        assert_eq!(labels(&site, "alice"), ["Phone"]);
        assert_eq!(entries(&site), 1);
        site.advance(1_209_600 - 1);
        assert_eq!(labels(&site, "alice"), ["Phone"]);
        site.advance(1);
        assert!(list(&site, "alice").is_empty());
        assert_eq!(name(&site, &phone), None);
        site.advance(3_600 + 200);
        run(site.sessions.clear_expired()).unwrap();
        assert_eq!(entries(&site), 0, "the sweep deletes the entry");
    });
}

#[test]
fn a_visit_moves_the_last_visit_once_an_hour() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        let began = site.now.get();
        let visit = |phone: &mut Browser| {
            site.request(phone, |session| assert_eq!(session.get::<String>("name").unwrap().as_deref(), Some("alice")));
            site.operations().into_iter().filter(|operation| operation != "read").collect::<Vec<_>>()
        };
        site.operations();
        site.advance(3_600);
        assert!(visit(&mut phone).is_empty());
        site.advance(1);
        assert_eq!(visit(&mut phone), ["put entry"]);
        assert!(visit(&mut phone).is_empty());
        let device = list(&site, "alice").remove(0);
        let after = |date: chrono::DateTime<chrono::Utc>| date.timestamp_millis() - began.timestamp_millis();
        assert_eq!((after(device.created_at), after(device.last_seen_at)), (0, 3_601_000));
    });
}

#[test]
fn another_isolate_reads_the_entry_before_it_puts_it() {
    each_pair(|site, other| {
        let mut phone = login(&site, "alice", "Phone");
        site.operations();
        let visit = |phone: &mut Browser| {
            other.request(phone, |session| assert!(session.get::<String>("name").unwrap().is_some()));
            other.operations()
        };
        assert_eq!(visit(&mut phone), ["read", "read"]);
        assert_eq!(visit(&mut phone), ["read"], "it remembers the entry");
        other.advance(3_601);
        assert_eq!(visit(&mut phone), ["read", "read", "put entry"]);
    });
}

#[test]
fn a_page_that_does_not_use_its_session_costs_nothing() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        site.advance(3_601);
        site.operations();
        site.request(&mut phone, |_| {});
        assert_eq!(site.operations(), ["read"]);
    });
}

#[test]
fn a_visit_whose_entry_fails_succeeds_and_a_login_does_not() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        site.advance(3_601);
        site.refuse(["put entry"]);
        site.request(&mut phone, |session| assert!(session.get::<String>("name").unwrap().is_some()));
        site.request(&mut phone, |session| assert!(session.get::<String>("name").unwrap().is_some()));
        assert_eq!(
            (list(&site, "alice")[0].last_seen_at - site.now.get()).num_seconds(),
            0,
            "the next visit has put it"
        );

        let mut session = site.load(&Browser::default());
        bind(&mut session, "alice", "Laptop");
        site.refuse(["put entry", "put entry", "put entry"]);
        assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
        assert_eq!(labels(&site, "alice"), ["Phone"]);
        // The same request may try again.
        assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_some());
        assert_eq!(labels(&site, "alice"), ["Laptop", "Phone"]);
    });
}

#[test]
fn a_login_survives_an_entry_that_was_put_although_its_put_failed() {
    each(|site| {
        site.apply_but_fail("put entry");
        login(&site, "alice", "Phone");
        assert_eq!(labels(&site, "alice"), ["Phone"]);
        assert_eq!(entries(&site), 1);
    });
}

#[test]
fn an_expiry_that_is_set_later_moves_the_entry() {
    each(|site| {
        let mut phone = login(&site, "alice", "Phone");
        site.request(&mut phone, |session| session.set_expiry(edge_session::Expiry::Seconds(86_400 * 60)).unwrap());
        site.advance(86_400 * 59);
        run(site.sessions.clear_expired()).unwrap();
        assert_eq!(labels(&site, "alice"), ["Phone"]);
        site.advance(86_400);
        assert!(list(&site, "alice").is_empty());
    });
}

#[test]
fn another_user_in_the_same_session_takes_it_out_of_the_first_list() {
    each(|site| {
        let mut browser = login(&site, "alice", "Phone");
        let key = site.session_key(&browser);
        site.request(&mut browser, |session| bind(session, "bob", "Phone of Bob"));
        assert!(list(&site, "alice").is_empty());
        assert_eq!(labels(&site, "bob"), ["Phone of Bob"]);
        assert_ne!(site.session_key(&browser), key, "the first user's key does not open it");
        let id = list(&site, "bob")[0].id.clone();
        // A second call changes the label.
        let key = site.session_key(&browser);
        site.request(&mut browser, |session| bind(session, "bob", "Renamed"));
        assert_eq!(site.session_key(&browser), key);
        // Another login is one that changes the key.
        let created = |site: &Site| list(site, "bob")[0].created_at.timestamp();
        let before = created(&site);
        site.advance(60);
        site.request(&mut browser, |session| bind(session, "bob", "Renamed"));
        assert_eq!(created(&site) - before, 0);
        site.request(&mut browser, |session| {
            session.cycle_key().unwrap();
            bind(session, "bob", "Renamed");
        });
        assert_eq!((created(&site) - before, list(&site, "bob").len()), (60, 1));
        assert_eq!(labels(&site, "bob"), ["Renamed"]);
        assert_eq!(list(&site, "bob")[0].id, id);
        site.request(&mut browser, |session| session.clear());
        assert!(list(&site, "bob").is_empty());
        assert_eq!(entries(&site), 0);
    });
}

#[test]
fn an_anonymous_session_gets_a_new_key_and_the_planted_one_opens_nothing() {
    each(|site| {
        let mut browser = site.visitor();
        let planted = site.session_key(&browser);
        site.request(&mut browser, |session| bind(session, "alice", "Phone"));
        assert_ne!(site.session_key(&browser), planted);
        assert!(!run(site.sessions.exists(&planted)).unwrap());
        assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the data stay");
    });
}

#[test]
fn the_copy_of_a_session_has_an_entry_of_its_own() {
    each(|site| {
        let phone = login(&site, "alice", "Phone");
        let mut browser = phone.clone();
        site.request(&mut browser, |session| {
            session.get::<String>("name").unwrap();
            session.create();
        });
        let devices = list(&site, "alice");
        assert_eq!(devices.len(), 2);
        assert_ne!(devices[0].id, devices[1].id);
    });
}

#[test]
fn nothing_of_a_failed_page_is_listed() {
    each(|site| {
        let mut browser = Browser::default();
        site.request_answered(500, &mut browser, |session| bind(session, "alice", "Phone"));
        assert!(list(&site, "alice").is_empty());
        assert_eq!(entries(&site), 0);
    });
}

#[test]
fn the_store_shows_neither_the_user_nor_the_label_nor_a_key() {
    for site in [site_with(defaults()), linearizable(defaults())] {
        let mut browser = Browser::default();
        site.request(&mut browser, |session| session.bind_user("alice@example.org", Some("Phone of Alice")).unwrap());
        let key = site.session_key(&browser);
        let id = list(&site, "alice@example.org")[0].id.clone();
        assert!(!key.contains(&id) && id.len() == 22);
        for (storage_key, value) in site.store.memory.entries() {
            let text = format!("{} {}", storage_key.as_str(), String::from_utf8(value).unwrap());
            for hidden in ["alice", "Alice", key.as_str()] {
                assert!(!text.contains(hidden), "{text}");
            }
        }
    }
}

#[test]
fn a_new_secret_leaves_the_lists_and_the_old_one_can_be_removed_after_the_next_save() {
    for site in [site_with(defaults()), linearizable(defaults())] {
        let (both, new) = (Settings::builder([SECRET, OLD_SECRET]), || Settings::builder([SECRET]));
        let old = site_on(site.store.clone(), Settings::builder([OLD_SECRET]));
        let mut phone = login(&old, "alice", "Phone");
        let laptop = login(&old, "alice", "Laptop");
        let both = site_on(site.store.clone(), both);
        assert_eq!(labels(&both, "alice"), ["Laptop", "Phone"]);
        let session = both.load(&phone);
        assert_eq!(
            run(both.sessions.list("alice", Some(&session))).unwrap().iter().filter(|device| device.current).count(),
            1
        );
        both.request(&mut phone, |session| session.set("a", 1).unwrap());
        assert_eq!(labels(&both, "alice"), ["Laptop", "Phone"]);
        let new = site_on(site.store.clone(), new());
        assert_eq!(labels(&new, "alice"), ["Phone"], "the other cookie opens nothing there either");
        assert_eq!(name(&new, &laptop), None);
        assert_eq!(run(both.sessions.revoke_all("alice")).unwrap(), 2);
        assert_eq!(name(&new, &phone), None);
    }
}

#[test]
fn a_damaged_entry_or_one_of_another_list_is_skipped() {
    each(|site| {
        login(&site, "alice", "Phone");
        login(&site, "bob", "Tablet");
        let entries = site.store.memory.entries();
        let of = |id: &str| {
            entries.iter().filter(|(key, _)| kind(key) == "user").find(|(key, _)| key.as_str().ends_with(id)).unwrap()
        };
        let (alice, bob) = (list(&site, "alice")[0].id.clone(), list(&site, "bob")[0].id.clone());
        site.store.memory.put(of(&alice).0.clone(), of(&bob).1.clone());
        assert!(list(&site, "alice").is_empty());
        let list_of_bob = of(&bob).0.as_str().strip_suffix(&bob).unwrap();
        for (id, value) in [("0123456789012345678901", "x"), ("é", "y"), ("", "z")] {
            site.store.memory.put(StorageKey::listed(format!("{list_of_bob}{id}")), value.into());
        }
        assert_eq!(labels(&site, "bob"), ["Tablet"]);
        assert_eq!(run(site.sessions.revoke_all("bob")).unwrap(), 1);
    });
}

#[test]
fn many_sessions_are_listed_and_ended() {
    each(|site| {
        for number in 0..130 {
            login(&site, "alice", &number.to_string());
        }
        assert_eq!(list(&site, "alice").len(), 130);
        assert_eq!(run(site.sessions.revoke_all("alice")).unwrap(), 130);
        assert!(list(&site, "alice").is_empty());
        assert_eq!(entries(&site), 0);
    });
}

#[test]
fn a_store_that_fails_is_an_error_and_a_second_call_ends_the_rest() {
    each(|site| {
        let browsers = ["One", "Two", "Three"].map(|label| login(&site, "alice", label));
        for operation in ["list", "read", "read"] {
            site.refuse([operation]);
            let error = run(site.sessions.list("alice", None)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        }
        site.store.failing.set(crate::support::Failing::Deletes);
        site.store.failing.set(crate::support::Failing::Nothing);
        site.refuse(["delete entry"]);
        assert_eq!(run(site.sessions.revoke_all("alice")).unwrap(), 3, "each has ended");
        assert!(browsers.iter().all(|browser| name(&site, browser).is_none()));
    });
}

#[test]
fn wrong_calls_are_errors() {
    each(|site| {
        let mut session = site.load(&Browser::default());
        for (user, label) in [("", ""), ("a", "x".repeat(257).as_str()), ("x".repeat(257).as_str(), "")] {
            assert_eq!(session.bind_user(user, Some(label)).unwrap_err().kind(), ErrorKind::Value);
        }
        assert!(!session.modified());
        let error = run(site.sessions.revoke_others(&mut session)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    });
    let sessions = Sessions::new(CookieStore, defaults().build().unwrap());
    let mut session = run(sessions.load("")).unwrap();
    assert_eq!(session.bind_user("alice", None).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(run(sessions.list("alice", None)).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(run(sessions.revoke_all("alice")).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(run(sessions.revoke_others(&mut session)).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_session_that_is_saved_outside_of_a_request_is_listed() {
    let sessions = Sessions::new(MemoryStore::default(), defaults().build().unwrap());
    let mut session = sessions.new_session().unwrap();
    session.bind_user("alice", None).unwrap();
    run(sessions.save(&mut session)).unwrap();
    assert_eq!(run(sessions.list("alice", Some(&session))).unwrap().len(), 1);
    assert_eq!(session.load_reason(), LoadReason::New);
}
