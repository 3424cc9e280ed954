//! Clocks that jump, are at either limit of their range or run backwards, with expiries of any size.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use edge_session::store::{Op, Page, StorageKey, WriteOutcome};
use edge_session::{Expiry, ExpiryOptions, MemoryStore, Result, Session, Sessions, Store};
use proptest::prelude::*;

use crate::support::{defaults, run, start};

const MAX_AGE: i64 = 34_560_000;

/// A memory store that records the TTL and deadline of each put.
#[derive(Clone, Default)]
struct Noting {
    memory: MemoryStore,
    puts: Rc<RefCell<Vec<(u64, i64)>>>,
}

impl Store for Noting {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.memory.read(keys).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in &ops {
            if let Op::Put { ttl, deadline, .. } = op {
                self.puts.borrow_mut().push((*ttl, *deadline));
            }
        }
        self.memory.write(ops).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.memory.list(prefix, cursor).await
    }
}

struct TimedSite {
    store: Noting,
    sessions: Sessions<Noting>,
    now: Rc<Cell<DateTime<Utc>>>,
}

impl TimedSite {
    fn at(now: DateTime<Utc>, absolute_age: i64) -> Self {
        let (store, now) = (Noting::default(), Rc::new(Cell::new(now)));
        let clock = Rc::clone(&now);
        let settings = defaults().absolute_age(absolute_age).build().unwrap();
        let sessions = Sessions::new(store.clone(), settings).with_clock(move || clock.get());
        Self { store, sessions, now }
    }

    /// Runs one request at this time. Returns the result of the commit and the cookie.
    fn request(&self, now: DateTime<Utc>, cookie: &str, handler: impl FnOnce(&mut Session)) -> Option<String> {
        self.now.set(now);
        let mut session = run(self.sessions.load(cookie)).unwrap();
        handler(&mut session);
        let headers = run(self.sessions.commit_headers(&mut session, 200)).unwrap();
        headers.set_cookie().map(str::to_owned)
    }

    fn user(&self, now: DateTime<Utc>, cookie: &str) -> Option<String> {
        self.now.set(now);
        run(self.sessions.load(cookie)).unwrap().get("user").unwrap()
    }

    fn puts(&self) -> Vec<(u64, i64)> {
        self.store.puts.take()
    }
}

/// The cookie that a browser keeps; none if it has expired.
fn cookie_of(header: &str) -> String {
    let over = header.contains("; Max-Age=-") || header.contains("; Max-Age=0;");
    if over { String::new() } else { header.split(';').next().unwrap().to_owned() }
}

/// Any time that the clock type can represent, and its edge cases.
fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC.timestamp(), DateTime::<Utc>::MAX_UTC.timestamp());
    let year = 31_556_952_i64;
    let edges = [
        first,
        last,
        0,
        -1,
        1 << 31,
        1 << 32,
        253_402_300_799,
        253_402_300_800,
        -62_135_596_800,
        1141 * year,
        -1141 * year,
        292_277 * year,
        -292_277 * year,
    ];
    let edges = prop::sample::select(edges.to_vec());
    let seconds = prop_oneof![
        first..=last,
        0..=253_402_300_799_i64,
        (edges, -300..=300_i64).prop_map(|(edge, skew)| edge + skew)
    ];
    (seconds, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap_or(start()))
}

fn any_expiry() -> impl Strategy<Value = Expiry> {
    let seconds = prop_oneof![
        any::<i64>(),
        -600..600_i64,
        prop::sample::select(vec![0, 1, 59, 60, 61, -1, i64::MAX, i64::MIN, MAX_AGE, MAX_AGE + 1])
    ];
    prop_oneof![
        seconds.prop_map(Expiry::Seconds),
        any_time().prop_map(|time| Expiry::At(time.fixed_offset())),
        any::<i64>().prop_map(|micros| Expiry::In(TimeDelta::microseconds(micros))),
        Just(Expiry::Policy),
    ]
}

/// Mostly times around now, as of real servers with a skew of some minutes.
fn usual_time() -> impl Strategy<Value = DateTime<Utc>> {
    (-1_000..40_000_000_i64, 0..1_000_000_i64)
        .prop_map(|(seconds, micros)| start() + TimeDelta::seconds(seconds) + TimeDelta::microseconds(micros))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    // E6, E4: no clock and no expiry break a request. Each put has a TTL above 0 that covers its deadline.
    #[test]
    fn no_time_breaks_a_request_and_every_put_outlives_its_deadline(times in prop::collection::vec(any_time(), 1..5), expiry in any_expiry(), cycles: bool) {
        let site = TimedSite::at(times[0], 3_155_760_000);
        let mut cookie = String::new();
        for (page, now) in times.into_iter().enumerate() {
            let set_cookie = site.request(now, &cookie, |session| {
                session.set("page", page).unwrap();
                let _ = session.set_expiry(expiry); // refused beyond the years of a date
                if cycles {
                    session.cycle_key().unwrap();
                }
                let age = session.get_expiry_age(ExpiryOptions::default()).unwrap();
                let date = session.get_expiry_date(ExpiryOptions::default());
                assert!(date.is_err() || age.unsigned_abs() < 1 << 44);
            });
            for (ttl, deadline) in site.puts() {
                let left = i128::from(deadline) - i128::from(now.timestamp_micros());
                // Saturated at either limit of the range of microseconds.
                let left = left.min(i128::from(i64::MAX));
                prop_assert!(ttl >= 1 && i128::from(ttl) * 1_000_000 >= left, "{} {}", ttl, left);
                prop_assert!(left > 0, "an expired record is not put");
            }
            if let Some(header) = set_cookie {
                cookie = cookie_of(&header);
            }
        }
    }

    // E6: a clock that jumps to and fro, by minutes or by days, never brings a session beyond its absolute deadline.
    #[test]
    fn no_jump_of_the_clock_extends_the_absolute_life(times in prop::collection::vec(usual_time(), 1..8), skew in -300..=300_i64, ages in prop::collection::vec(1..100_000_000_i64, 8)) {
        let site = TimedSite::at(start(), 1_000_000);
        // The login happened on a machine whose clock is wrong by some minutes.
        let login = start() + TimeDelta::seconds(skew);
        let header = site.request(login, "", |session| {
            session.cycle_key().unwrap();
            session.set("user", "alice").unwrap();
        }).unwrap();
        site.puts();
        let mut cookie = cookie_of(&header);
        let end = login + TimeDelta::seconds(1_000_000);
        for (now, age) in times.into_iter().zip(ages) {
            let header = site.request(now, &cookie, |session| {
                session.set_expiry(Expiry::Seconds(age)).unwrap();
                session.set("page", age).unwrap();
            });
            for (ttl, deadline) in site.puts() {
                if now < end && site.user(now, &cookie).is_some() {
                    prop_assert!(deadline <= end.timestamp_micros());
                    prop_assert!(ttl as i64 <= (end - now).num_seconds() + 1);
                }
            }
            if let Some(header) = header {
                // A new session after the end of the first one has a lifetime of its own.
                let same = site.user(now, &cookie).is_some();
                cookie = if same { cookie_of(&header) } else { cookie };
            }
            prop_assert_eq!(site.user(end, &cookie), None);
            prop_assert_eq!(site.user(end + TimeDelta::days(1), &cookie), None);
        }
    }

    // E6, iron-session #573 (60 hidden seconds of tolerance): a session that was issued by a clock ahead of ours lasts until its
    // own deadline.
    #[test]
    fn iron_session_573_a_session_from_a_clock_ahead_lives_to_its_own_deadline(ahead in 0..=300_i64, age in 1..1_000_i64) {
        let site = TimedSite::at(start(), MAX_AGE);
        let issued = start() + TimeDelta::seconds(ahead);
        let header = site.request(issued, "", |session| {
            session.set("user", "alice").unwrap();
            session.set_expiry(Expiry::Seconds(age)).unwrap();
        }).unwrap();
        let cookie = cookie_of(&header);
        prop_assert_eq!(site.user(start(), &cookie), Some("alice".to_owned()));
        let end = issued + TimeDelta::seconds(age);
        prop_assert_eq!(site.user(end - TimeDelta::microseconds(1), &cookie), Some("alice".to_owned()));
        prop_assert_eq!(site.user(end, &cookie), None);
    }
}

// E4: whole seconds, rounded up, so that no store removes a record before its deadline.
#[test]
fn a_put_is_kept_for_the_remaining_seconds_rounded_up_and_nothing_is_put_when_none_is_left() {
    for (expiry, ttl) in [
        (Expiry::Seconds(1), Some(1)),
        (Expiry::Seconds(59), Some(59)),
        (Expiry::Seconds(60), Some(60)),
        (Expiry::Seconds(61), Some(61)),
        (Expiry::In(TimeDelta::milliseconds(60_500)), Some(61)),
        (Expiry::In(TimeDelta::microseconds(1)), Some(1)),
        (Expiry::In(TimeDelta::zero()), None),
        (Expiry::In(TimeDelta::microseconds(-1)), None),
        (Expiry::Seconds(-1), None),
        (Expiry::Seconds(i64::MIN), None),
        (Expiry::Seconds(0), Some(1_209_600)),
        (Expiry::Seconds(i64::MAX), Some(MAX_AGE as u64)),
    ] {
        let site = TimedSite::at(start(), MAX_AGE);
        site.request(start(), "", |session| {
            session.set("user", "alice").unwrap();
            session.set_expiry(expiry).unwrap();
        });
        let puts: Vec<_> = site.puts().into_iter().map(|(ttl, _)| ttl).collect();
        assert_eq!(puts, ttl.into_iter().collect::<Vec<_>>(), "{expiry:?}");
    }
}
