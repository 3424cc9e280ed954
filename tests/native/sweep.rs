//! `clear_expired`: deletes expired entries, page by page, and no others.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edge_session::store::{OnlyIf, Op, Page, StorageKey, WriteOutcome};
use edge_session::{ClearExpired, Error, ErrorKind, Expiry, MemoryStore, Result, Sessions, Store, SweepOutcome};
use edge_session_kv_model::{KvModel, KvModelOptions};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, defaults, run, site, site_with, start};

#[test]
fn records_two_minutes_past_their_deadline_are_deleted() {
    let site = site();
    let live = site.visitor();
    let mut short = Browser::default();
    site.request(&mut short, |session| {
        session.set("user", "bob").unwrap();
        session.set_expiry(Expiry::Seconds(10)).unwrap();
    });
    for (seconds, removed) in [(10, 0), (119, 0), (1, 1), (1, 0)] {
        site.advance(seconds);
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
        site.advance(90);
        site.request(&mut browser, |session| session.set("page", page).unwrap());
        assert_eq!(run(site.sessions.clear_expired()).unwrap().removed, 0);
    }
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_tombstone_stays_until_no_record_can_be_written_any_more() {
    let site = site_with(defaults().cookie_age(500).absolute_age(1_000));
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.logout(&mut browser, 200);
    // The anonymous record, its tombstone, that of the login and that of a possible successor.
    assert_eq!(site.stored(), (1, 3));
    for (seconds, removed) in [(1_000, 1), (300 + 119, 0), (1, 3)] {
        site.advance(seconds);
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
        generation: 0,
        only_if: OnlyIf::Any,
    };
    let over = |number| put(format!("edge-session:session:{number:05}"), 1_893_456_000_000_000);
    run(site.store.memory.write((0..2_500).map(over).collect())).unwrap();
    let others = vec![put("edge-session-2:session:0".to_owned(), 0), put("app:settings".to_owned(), 0)];
    run(site.store.memory.write(others)).unwrap();
    site.advance(3_600);
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
    assert_eq!(site.store.memory.len(), 3, "one session and foreign entries");
    assert_eq!(site.user(&keep).as_deref(), Some("alice"));
}

#[test]
fn live_sessions_are_walked_past_to_the_end_of_the_list() {
    let site = site();
    for _ in 0..2_100 {
        site.visitor();
    }
    site.request(&mut Browser::default(), |session| session.set_expiry(Expiry::Seconds(1)).unwrap());
    site.advance(200);
    site.operations();
    let swept = run(site.sessions.clear_expired()).unwrap();
    assert_eq!((swept.removed, swept.complete), (1, true));
    assert_eq!(site.operations().iter().filter(|operation| *operation == "list").count(), 3);
}

/// A memory store with one key in each page, which records its operations and has planned failures.
#[derive(Clone, Default)]
struct OneByOne {
    memory: MemoryStore,
    /// `list` and the cursor, or `delete` and the key's last part.
    operations: Rc<RefCell<Vec<String>>>,
    failing: Rc<RefCell<Vec<String>>>,
    expires: Rc<Cell<bool>>,
}

impl OneByOne {
    fn note(&self, operation: String) -> Result<()> {
        let fails = self.failing.borrow().contains(&operation);
        self.operations.borrow_mut().push(operation);
        if fails { Err(Error::unavailable("as the test wants it")) } else { Ok(()) }
    }

    fn put(&self, name: &str, deadline: i64) {
        let key = StorageKey::listed(format!("edge-session:{name}"));
        run(self.memory.write(vec![Op::Put {
            key,
            value: b"{}".to_vec(),
            ttl: 60,
            deadline,
            generation: 0,
            only_if: OnlyIf::Any,
        }]));
    }

    fn names(&self) -> Vec<String> {
        self.memory.entries().iter().map(|(key, _)| key.as_str().replacen("edge-session:", "", 1)).collect()
    }

    fn sessions(&self) -> Sessions<Self> {
        Sessions::new(self.clone(), defaults().build().unwrap()).with_clock(start)
    }

    /// The operations since the last call.
    fn asked(&self) -> Vec<String> {
        self.operations.take()
    }
}

impl Store for OneByOne {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.memory.read(keys).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in &ops {
            let Op::Delete { key } = op else { panic!("a sweep only deletes") };
            self.note(format!("delete {}", key.as_str().replacen("edge-session:", "", 1)))?;
        }
        self.memory.write(ops).await
    }

    fn expires_records(&self) -> bool {
        self.expires.get()
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.note(format!("list {}", cursor.unwrap_or_default().replacen("edge-session:", "", 1)).trim().to_owned())?;
        let page = self.memory.list(prefix, cursor).await?;
        let mut names = page.entries.into_iter();
        let (entries, next) = (names.next().into_iter().collect(), names.next());
        Ok(Page { entries, cursor: next.map(|(key, _)| key.as_str().to_owned()) })
    }
}

const OVER: i64 = 1_000_000_000_000_000;
const LIVE: i64 = 4_000_000_000_000_000;

#[test]
fn runs_continue_where_the_last_one_ended_until_all_of_the_list_was_seen() {
    let store = OneByOne::default();
    // Tombstones live for 400 days, and come first in the list.
    (0..1_500).for_each(|number| store.put(&format!("ended:{number:04}"), LIVE));
    (0..50).for_each(|number| store.put(&format!("session:{number:02}"), OVER));
    let sessions = store.sessions();
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 0, complete: false });
    assert_eq!(store.asked().len(), 1_000);
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 50, complete: true });
    assert_eq!(store.asked()[0], "list ended:1000");
    assert_eq!(store.names().len(), 1_500);
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 0, complete: false });
    assert_eq!(store.asked()[0], "list", "after the end of the list it starts over");
}

#[test]
fn a_page_that_was_not_finished_is_listed_again_by_the_next_run() {
    let store = OneByOne::default();
    ["session:a", "session:b", "session:c"].iter().for_each(|name| store.put(name, OVER));
    let sessions = store.sessions();
    store.failing.replace(vec!["delete session:b".to_owned()]);
    assert_eq!(run(sessions.clear_expired()).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(store.asked(), ["list", "delete session:a", "list session:b", "delete session:b"]);
    store.failing.take();
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 2, complete: true });
    assert_eq!(store.asked(), ["list session:b", "delete session:b", "list session:c", "delete session:c"]);
    assert!(store.names().is_empty());
}

#[test]
fn a_cursor_that_the_store_refuses_starts_over() {
    let store = OneByOne::default();
    ["session:a", "session:b"].iter().for_each(|name| store.put(name, LIVE));
    let sessions = store.sessions();
    store.failing.replace(vec!["list session:b".to_owned()]);
    assert!(run(sessions.clear_expired()).is_err(), "a failing cursor of this run is a failure of the store");
    store.asked();
    store.put("session:a", OVER);
    assert!(run(sessions.clear_expired()).is_err());
    assert_eq!(store.asked(), ["list session:b", "list", "delete session:a", "list session:b"]);
    store.failing.take();
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 0, complete: true });
    assert_eq!(store.asked(), ["list session:b"]);
    store.failing.replace(vec!["list".to_owned()]);
    assert_eq!(run(sessions.clear_expired()).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(store.asked(), ["list"], "without a cursor there is no retry");
}

#[test]
fn a_store_that_expires_records_itself_is_listed_for_a_full_pass_only() {
    let store = OneByOne::default();
    store.put("session:a", OVER);
    store.expires.set(true);
    let sessions = store.sessions();
    for options in [ClearExpired::default(), ClearExpired { full_pass: false }] {
        assert_eq!(run(sessions.clear_expired_with(options)).unwrap(), SweepOutcome { removed: 0, complete: true });
    }
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 0, complete: true });
    assert!(store.asked().is_empty());
    let swept = run(sessions.clear_expired_with(ClearExpired { full_pass: true })).unwrap();
    assert_eq!(
        (swept, store.asked()),
        (SweepOutcome { removed: 1, complete: true }, ["list", "delete session:a"].map(str::to_owned).to_vec())
    );
}

#[test]
fn on_kv_a_run_costs_nothing_and_leaves_nothing_behind() {
    let model = KvModel::new(KvModelOptions { seed: 1, ..KvModelOptions::default() });
    let clock = model.clone();
    let settings = defaults().cookie_age(3_600).build().unwrap();
    let sessions = Sessions::new(model.at("AMS"), settings).with_clock(move || clock.date());
    let story = async {
        for number in 0..20 {
            let mut session = sessions.load("").await.unwrap();
            session.set("n", number).unwrap();
            let _ = sessions.commit_headers(&mut session, 200).await.unwrap();
        }
        let before = model.counts();
        model.sleep(Duration::from_secs(3_000)).await;
        assert_eq!(sessions.clear_expired().await.unwrap(), SweepOutcome { removed: 0, complete: true });
        assert_eq!(model.counts(), before);
        // A full pass lists the entries, and finds expired ones only until KV removes them.
        let full = ClearExpired { full_pass: true };
        assert_eq!(sessions.clear_expired_with(full).await.unwrap(), SweepOutcome { removed: 0, complete: true });
        model.sleep(Duration::from_secs(3_000)).await;
        assert_eq!(sessions.clear_expired_with(full).await.unwrap(), SweepOutcome { removed: 0, complete: true });
        assert!(model.entries().is_empty());
    };
    model.block_on(story).unwrap();
}

/// A store with an index of the deadlines: it deletes as many records as a test plans for each run.
struct Indexed {
    planned: RefCell<Vec<Result<usize>>>,
    calls: Rc<RefCell<Vec<(String, i64, usize)>>>,
}

impl Store for Indexed {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(vec![None; keys.len()])
    }
    async fn write(&self, _ops: Vec<Op>) -> Result<WriteOutcome> {
        panic!("a sweep by the index writes nothing else")
    }
    async fn list(&self, _prefix: &str, _cursor: Option<&str>) -> Result<Page> {
        panic!("a sweep by the index lists nothing")
    }
    async fn delete_expired(&self, prefix: &str, before: i64, limit: usize) -> Result<Option<usize>> {
        self.calls.borrow_mut().push((prefix.to_owned(), before, limit));
        self.planned.borrow_mut().remove(0).map(Some)
    }
}

#[test]
fn a_store_with_an_index_deletes_a_thousand_records_in_each_run_two_minutes_past_their_deadline() {
    let planned = RefCell::new(vec![Ok(1_000), Ok(999), Err(Error::unavailable("planned by the test")), Ok(0)]);
    let calls = Rc::new(RefCell::new(Vec::new()));
    let store = Indexed { planned, calls: Rc::clone(&calls) };
    let now = start();
    let settings = defaults().key_prefix("shop").build().unwrap();
    let sessions = Sessions::new(store, settings).with_clock(move || now);
    let clear = || run(sessions.clear_expired_with(ClearExpired { full_pass: true }));
    assert_eq!(run(sessions.clear_expired()).unwrap(), SweepOutcome { removed: 1_000, complete: false });
    assert_eq!(clear().unwrap(), SweepOutcome { removed: 999, complete: true });
    assert_eq!(clear().unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(clear().unwrap(), SweepOutcome { removed: 0, complete: true });
    let before = now.timestamp_micros() - 120_000_000;
    assert_eq!(*calls.borrow(), vec![("shop:".to_owned(), before, 1_000); 4]);
}
