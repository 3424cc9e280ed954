//! The migration from an eventually consistent store to a linearizable one.

use edge_session::store::{Migrate, Op, Store};
use edge_session::{ErrorKind, LoadReason, MemoryStore, Session, SessionHeaders, Sessions};

use crate::support::{Browser, defaults, run};

struct Stores {
    old: MemoryStore,
    new: MemoryStore,
}

type Before = Sessions<MemoryStore>;
type After = Sessions<Migrate<MemoryStore, MemoryStore>>;

impl Stores {
    fn new() -> Self {
        Self { old: MemoryStore::eventual(), new: MemoryStore::default() }
    }

    fn before(&self) -> Before {
        Sessions::new(self.old.clone(), defaults().build().unwrap())
    }

    fn after(&self) -> After {
        Sessions::new(Migrate::new(self.old.clone(), self.new.clone()), defaults().build().unwrap())
    }
}

fn load<S: Store>(sessions: &Sessions<S>, browser: &Browser) -> Session {
    run(sessions.load(browser.header())).unwrap()
}

fn commit<S: Store>(sessions: &Sessions<S>, browser: &mut Browser, session: &mut Session) -> Result<(), ErrorKind> {
    let headers: Result<SessionHeaders, _> = run(sessions.commit_headers(session, 200));
    headers.map(|headers| browser.take(&headers)).map_err(|error| error.kind())
}

fn request<S: Store>(sessions: &Sessions<S>, browser: &mut Browser, handler: impl FnOnce(&mut Session)) {
    let mut session = load(sessions, browser);
    handler(&mut session);
    assert_eq!(commit(sessions, browser, &mut session), Ok(()));
}

fn get<S: Store>(sessions: &Sessions<S>, browser: &Browser, key: &str) -> Option<String> {
    load(sessions, browser).get(key).unwrap()
}

/// A browser that has logged in this many times before the migration.
fn browser(stores: &Stores, logins: usize) -> Browser {
    let mut browser = Browser::default();
    request(&stores.before(), &mut browser, |session| session.set("user", "alice").unwrap());
    for _ in 0..logins {
        request(&stores.before(), &mut browser, |session| session.cycle_key().unwrap());
    }
    browser
}

#[test]
fn a_session_is_read_from_the_old_store_and_saved_to_the_new_one() {
    for logins in 0..3 {
        let (stores, mut browser) = {
            let stores = Stores::new();
            let browser = browser(&stores, logins);
            (stores, browser)
        };
        let after = stores.after();
        assert_eq!(
            (load(&after, &browser).load_reason(), get(&after, &browser, "user").as_deref()),
            (LoadReason::Live, Some("alice"))
        );
        let old = stores.old.entries();
        assert!(stores.new.is_empty(), "reading moves nothing");
        request(&after, &mut browser, |session| session.set("cart", "apple").unwrap());
        request(&after, &mut browser, |session| session.set("cart", "pear").unwrap());
        assert_eq!((stores.new.len(), stores.old.entries()), (1, old));
        assert_eq!(get(&after, &browser, "user").as_deref(), Some("alice"));
        assert_eq!(get(&after, &browser, "cart").as_deref(), Some("pear"));
        // Without the old store.
        let sessions = Sessions::new(stores.new.clone(), defaults().build().unwrap());
        assert_eq!(get(&sessions, &browser, "cart").as_deref(), Some("pear"));
    }
}

#[test]
fn parallel_first_saves_are_all_kept() {
    let stores = Stores::new();
    let mut browser = browser(&stores, 1);
    let after = stores.after();
    let mut sessions: Vec<_> = (0..4).map(|_| load(&after, &browser)).collect();
    for (number, session) in sessions.iter_mut().enumerate() {
        session.set(&number.to_string(), number).unwrap();
    }
    for session in &mut sessions {
        assert_eq!(commit(&after, &mut browser, session), Ok(()));
    }
    assert_eq!(load(&after, &browser).keys().unwrap().len(), 5);
}

#[test]
fn a_logout_is_final_for_sessions_that_were_moved_and_for_those_that_were_not() {
    for is_moved in [false, true] {
        for logins in 0..2 {
            let stores = Stores::new();
            let mut browser = browser(&stores, logins);
            let after = stores.after();
            if is_moved {
                request(&after, &mut browser, |session| session.set("cart", "apple").unwrap());
            }
            let kept = browser.clone();
            let mut slow = load(&after, &browser);
            slow.set("late", 1).unwrap();
            let stored = stores.old.entries();
            let mut session = load(&after, &browser);
            run(after.flush(&mut session)).unwrap();
            assert_eq!(commit(&after, &mut browser, &mut session), Ok(()));
            assert_eq!(commit(&after, &mut kept.clone(), &mut slow), Err(ErrorKind::SessionInterrupted));
            // KV may return the deleted record for a while.
            stored.into_iter().for_each(|(key, value)| stores.old.put(key, value));
            assert_eq!(get(&after, &kept, "user"), None);
            assert_eq!(load(&after, &kept).load_reason(), LoadReason::Revoked);
        }
    }
}

#[test]
fn a_login_moves_the_session_and_supersedes_the_old_key() {
    for logins in 0..2 {
        let stores = Stores::new();
        let mut browser = browser(&stores, logins);
        let old = browser.clone();
        let after = stores.after();
        request(&after, &mut browser, |session| session.cycle_key().unwrap());
        assert_eq!(get(&after, &browser, "user").as_deref(), Some("alice"));
        let mut late = load(&after, &old);
        assert_eq!(late.load_reason(), LoadReason::Superseded, "{logins}");
        late.set("late", 1).unwrap();
        assert_eq!(commit(&after, &mut old.clone(), &mut late), Err(ErrorKind::Superseded));
    }
}

#[test]
fn a_session_that_ended_before_stays_ended() {
    let stores = Stores::new();
    let mut browser = browser(&stores, 1);
    let kept = browser.clone();
    let before = stores.before();
    let record = stores.old.entries();
    let mut session = load(&before, &browser);
    run(before.flush(&mut session)).unwrap();
    assert_eq!(commit(&before, &mut browser, &mut session), Ok(()));
    // The record appears again, as after a slow put.
    for (key, value) in record.into_iter().filter(|(key, _)| key.as_str().contains(":session:")) {
        stores.old.put(key, value);
    }
    assert_eq!(load(&stores.after(), &kept).load_reason(), LoadReason::Revoked);
}

#[test]
fn a_session_is_opened_and_deleted_by_its_key() {
    for logins in 0..3 {
        let stores = Stores::new();
        let browser = browser(&stores, logins);
        let after = stores.after();
        let key = load(&after, &browser).session_key().unwrap().as_str().to_owned();
        let mut session = run(after.open(&key)).unwrap();
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"));
        session.set("notice", "sent").unwrap();
        run(after.save(&mut session)).unwrap();
        assert_eq!(get(&after, &browser, "notice").as_deref(), Some("sent"));
        run(after.delete(&key)).unwrap();
        assert_eq!(get(&after, &browser, "user"), None);
        assert!(!run(after.exists(&key)).unwrap());
    }
}

#[test]
fn a_migration_between_other_stores_is_refused() {
    let stores = [(MemoryStore::default(), MemoryStore::default()), (MemoryStore::eventual(), MemoryStore::eventual())];
    for (from, to) in stores {
        let sessions = Sessions::new(Migrate::new(from, to), defaults().build().unwrap());
        let mut browser = Browser::default();
        let mut session = load(&sessions, &browser);
        session.set("a", 1).unwrap();
        assert_eq!(commit(&sessions, &mut browser, &mut session), Err(ErrorKind::Config));
    }
    let migrate = Migrate::new(MemoryStore::default(), MemoryStore::default());
    assert!(run(migrate.write(Vec::<Op>::new())).is_err());
}

#[test]
fn the_record_that_hides_a_session_of_the_same_request_is_sealed() {
    let stores = Stores::new();
    let settings = defaults().seal(true).build().unwrap();
    let after = Sessions::new(Migrate::new(stores.old.clone(), stores.new.clone()), settings);
    let mut session = load(&after, &Browser::default());
    session.set("user", "alice").unwrap();
    run(after.save(&mut session)).unwrap();
    run(after.flush(&mut session)).unwrap();
    let stored = stores.new.entries();
    assert!(!stored.is_empty());
    for (_, bytes) in stored {
        assert!(String::from_utf8(bytes).unwrap().contains(r#""sealed":"#));
    }
}

#[test]
fn the_sessions_of_a_user_are_listed_and_ended_in_both_stores() {
    let stores = Stores::new();
    let bind = |label: &'static str| move |session: &mut Session| session.bind_user("alice", Some(label)).unwrap();
    let [mut stays, mut moves, mut begins] = [(); 3].map(|()| Browser::default());
    request(&stores.before(), &mut stays, bind("stays"));
    request(&stores.before(), &mut moves, bind("moves"));
    let sessions = stores.after();
    request(&sessions, &mut moves, |session| session.set("cart", "apple").unwrap());
    request(&sessions, &mut begins, bind("begins"));
    let labels = || {
        let listed = run(sessions.list("alice", None)).unwrap();
        let mut labels: Vec<_> = listed.into_iter().map(|session| session.label.unwrap()).collect();
        labels.sort();
        labels
    };
    assert_eq!(labels(), ["begins", "moves", "stays"]);
    let listed = run(sessions.list("alice", None)).unwrap();
    let id = |label: &str| listed.iter().find(|session| session.label.as_deref() == Some(label)).unwrap().id.clone();
    assert!(run(sessions.revoke("alice", &id("moves"))).unwrap());
    assert!(run(sessions.revoke("alice", &id("stays"))).unwrap());
    assert_eq!(labels(), ["begins"]);
    assert_eq!(run(sessions.revoke_all("alice")).unwrap(), 1);
    for browser in [&stays, &moves, &begins] {
        assert!(!run(sessions.load(browser.header())).unwrap().contains_key("_session_user").unwrap());
    }
    let entries = |store: &MemoryStore| store.entries().iter().filter(|(key, _)| key.entry_parts().is_some()).count();
    assert_eq!((entries(&stores.old), entries(&stores.new)), (0, 0));
}
