//! The cost of a request: its store operations, their time, and the result for the cookie.

use std::cell::Cell;

use edge_session::store::{Consistency, IsolateMemory, Op, Page, StorageKey, WriteOutcome};
use edge_session::{Result, Session, Store};

/// The cost of one request.
#[derive(Debug)]
pub(super) struct Cost {
    clock: fn() -> f64,
    milliseconds: Cell<f64>,
    reads: Cell<u32>,
    writes: Cell<u32>,
    deletes: Cell<u32>,
    lists: Cell<u32>,
    /// The verdict on the request's cookie.
    presented: Cell<&'static str>,
}

impl Cost {
    /// Creates a cost of zero; `clock` returns milliseconds. A Worker's clock advances only during I/O, so it measures the time
    /// of store operations and no other.
    pub(super) fn new(clock: fn() -> f64) -> Self {
        Self {
            clock,
            milliseconds: Cell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
            deletes: Cell::default(),
            lists: Cell::default(),
            presented: Cell::new("unread"),
        }
    }

    /// Records the verdict on the cookie of `session`. Call it before the first access to the session.
    pub(super) fn presented(&self, session: &Session) {
        self.presented.set(match (session.brought_cookie(), session.brought_token()) {
            (false, _) => "none",
            (true, true) => "verified",
            (true, false) => "refused",
        });
    }

    /// Returns the `Server-Timing` header: time and number of store operations, the verdict on the request's cookie, and whether the
    /// response sets it. (A page's scripts cannot read `Set-Cookie`.)
    pub(super) fn server_timing(&self, set_cookie: Option<&str>) -> String {
        format!(
            "store;dur={}, store-read;desc={}, store-write;desc={}, store-delete;desc={}, store-list;desc={}, request-cookie;desc={}, set-cookie;desc={}",
            self.milliseconds.get() as u32,
            self.reads.get(),
            self.writes.get(),
            self.deletes.get(),
            self.lists.get(),
            self.presented.get(),
            outcome(set_cookie)
        )
    }
}

/// Returns the effect of a `Set-Cookie` header on the browser's cookie. A `Max-Age` of 0 or less deletes it.
fn outcome(set_cookie: Option<&str>) -> &'static str {
    let Some(header) = set_cookie else { return "none" };
    match header.split_once("; Max-Age=") {
        Some((_, age)) if age.starts_with('-') || age.starts_with("0;") => "deleted",
        _ => "given",
    }
}

/// Store wrapper that counts and times the operations of a request.
#[derive(Debug)]
pub(super) struct Counted<'a, S> {
    pub(super) store: S,
    pub(super) cost: &'a Cost,
}

impl<S> Counted<'_, S> {
    async fn timed<T>(&self, operation: impl Future<Output = T>) -> T {
        let began = (self.cost.clock)();
        let result = operation.await;
        self.cost.milliseconds.update(|sum| sum + (self.cost.clock)() - began);
        result
    }
}

impl<S: Store> Store for Counted<'_, S> {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        add(&self.cost.reads, keys.len());
        self.timed(self.store.read(keys)).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let deletes = ops.iter().filter(|op| matches!(op, Op::Delete { .. })).count();
        add(&self.cost.deletes, deletes);
        add(&self.cost.writes, ops.len().saturating_sub(deletes));
        self.timed(self.store.write(ops)).await
    }

    fn consistency(&self) -> Consistency {
        self.store.consistency()
    }

    fn memory(&self) -> IsolateMemory {
        self.store.memory()
    }

    fn expires_records(&self) -> bool {
        self.store.expires_records()
    }

    async fn wait(&self, milliseconds: u64) {
        self.store.wait(milliseconds).await;
    }

    async fn delete_expired(&self, prefix: &str, before: i64, limit: usize) -> Result<Option<usize>> {
        add(&self.cost.deletes, 1);
        self.timed(self.store.delete_expired(prefix, before, limit)).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        add(&self.cost.lists, 1);
        self.timed(self.store.list(prefix, cursor)).await
    }
}

fn add(count: &Cell<u32>, more: usize) {
    count.update(|count| count.saturating_add(more as u32));
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_session::{MemoryStore, Sessions, Settings};
    use edge_session_kv_model::{KvModel, KvModelOptions};

    thread_local!(static NOW: Cell<f64> = const { Cell::new(0.0) });

    /// A clock that advances by 2 milliseconds with each call.
    fn clock() -> f64 {
        NOW.replace(NOW.get() + 2.0)
    }

    /// Makes one request. Returns the `Server-Timing` header and the browser's cookie after it.
    fn cost_of_request(
        store: &MemoryStore,
        cookie: &str,
        work: impl AsyncFnOnce(&Sessions<Counted<'_, MemoryStore>>, &mut Session),
    ) -> (String, String) {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        let cost = Cost::new(clock);
        let sessions = Sessions::new(Counted { store: store.clone(), cost: &cost }, settings);
        pollster::block_on(async {
            let mut session = sessions.load(cookie).await.unwrap();
            cost.presented(&session);
            work(&sessions, &mut session).await;
            let headers = sessions.commit_headers(&mut session, 200).await.unwrap();
            let given = headers.set_cookie().and_then(|header| header.split(';').next());
            (cost.server_timing(headers.set_cookie()), given.unwrap_or(cookie).to_owned())
        })
    }

    #[test]
    fn each_operation_is_counted_once_and_timed() {
        let store = MemoryStore::eventual();
        let (first, cookie) = cost_of_request(&store, "", async |_, session| session.set("a", 1).unwrap());
        assert_eq!(
            first,
            "store;dur=2, store-read;desc=0, store-write;desc=1, store-delete;desc=0, store-list;desc=0, request-cookie;desc=none, set-cookie;desc=given"
        );
        let (read, _) =
            cost_of_request(&store, &cookie, async |_, session| assert_eq!(session.get("a").unwrap(), Some(1)));
        assert_eq!(
            read,
            "store;dur=2, store-read;desc=2, store-write;desc=0, store-delete;desc=0, store-list;desc=0, request-cookie;desc=verified, set-cookie;desc=none"
        );
        let (login, cookie) = cost_of_request(&store, &cookie, async |_, session| session.cycle_key().unwrap());
        assert_eq!(
            login,
            "store;dur=8, store-read;desc=5, store-write;desc=2, store-delete;desc=0, store-list;desc=0, request-cookie;desc=verified, set-cookie;desc=given"
        );
        let (logout, _) =
            cost_of_request(&store, &cookie, async |sessions, session| sessions.flush(session).await.unwrap());
        assert_eq!(
            logout,
            "store;dur=8, store-read;desc=2, store-write;desc=2, store-delete;desc=1, store-list;desc=0, request-cookie;desc=verified, set-cookie;desc=deleted"
        );
        let (forged, _) =
            cost_of_request(&store, "__Host-sessionid=forged", async |_, session| assert!(session.is_new().unwrap()));
        assert_eq!(
            forged,
            "store;dur=0, store-read;desc=0, store-write;desc=0, store-delete;desc=0, store-list;desc=0, request-cookie;desc=refused, set-cookie;desc=deleted"
        );
    }

    #[test]
    fn a_load_from_a_linearizable_store_is_one_read() {
        let store = MemoryStore::default();
        let (_, cookie) = cost_of_request(&store, "", async |_, session| session.set("a", 1).unwrap());
        let (read, _) =
            cost_of_request(&store, &cookie, async |_, session| assert_eq!(session.get("a").unwrap(), Some(1)));
        assert!(read.contains("store-read;desc=1, store-write;desc=0"), "{read}");
    }

    #[test]
    fn a_list_is_counted() {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        let cost = Cost::new(clock);
        let sessions = Sessions::new(Counted { store: MemoryStore::default(), cost: &cost }, settings);
        assert!(pollster::block_on(sessions.clear_expired()).unwrap().complete);
        assert!(cost.server_timing(None).contains("store-list;desc=1, request-cookie;desc=unread"));
    }

    #[test]
    fn a_counted_store_expires_records_if_the_store_below_does() {
        let cost = Cost::new(clock);
        let kv = KvModel::new(KvModelOptions::default()).at("AMS");
        assert!(Counted { store: kv, cost: &cost }.expires_records());
        assert!(!Counted { store: MemoryStore::default(), cost: &cost }.expires_records());
    }

    #[test]
    fn a_set_cookie_header_without_a_positive_max_age_deletes_the_cookie() {
        for (header, expected) in [
            (None, "none"),
            (Some("s=v; Path=/"), "given"),
            (Some("s=v; Expires=x; Max-Age=60; Path=/"), "given"),
            (Some("s=v; Expires=x; Max-Age=0; Path=/"), "deleted"),
            (Some("s=v; Expires=x; Max-Age=-5; Path=/"), "deleted"),
        ] {
            assert_eq!(outcome(header), expected, "{header:?}");
        }
    }
}
