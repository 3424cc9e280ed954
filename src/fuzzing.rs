//! What has to hold of every parser, whatever bytes come in. `fuzz` calls this with a fuzzer's, the tests below with
//! proptest's and with the kept corpus. Only a build with `--cfg fuzzing`, as cargo-fuzz makes it, has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::arithmetic_side_effects, clippy::missing_panics_doc, reason = "a panic is what it finds with")]

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::LazyLock;

use alloc::string::String;
use alloc::vec::Vec;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use edge_session_crypto::{from_base64, to_base64};

use crate::cookie::find::find;
use crate::cookie::sealed;
use crate::cookie::token::{self, Token};
use crate::secret::{MAC_BYTES, NONCE_BYTES};
use crate::session::expiry::{Deadline, Expiry, Lifetime};
use crate::session::identity::Position;
use crate::session::incoming::SessionToken;
use crate::session::record::{self, Head, Record};
use crate::session::signing;
use crate::{ErrorKind, ExpiryOptions, MemoryStore, Session, Sessions, Settings, StorageKey};
use crate::{iso, json};

/// A parser's name, which is that of its fuzz target, and what has to hold of it.
pub type Target = (&'static str, fn(&[u8]));

/// All targets that look at one parser each.
pub const TARGETS: [Target; 7] = [
    ("cookie_header", cookie_header),
    ("token", token),
    ("journal", journal),
    ("record", record),
    ("json", json),
    ("expiry", expiry),
    ("django_text", django_text),
];

/// The cookie of a session before its first rotation.
const NAME: &str = "__Host-sessionid-anonymous";

static SETTINGS: LazyLock<Settings> = LazyLock::new(settings);

fn settings() -> Settings {
    Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap()
}

/// 1 January 2030.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_893_456_000, 0).unwrap()
}

/// Runs a future that never waits, since its store is in memory.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the store in memory answers at once"),
    }
}

/// Sessions whose random numbers are always the same, so that an input that fails fails again.
fn sessions_on(store: MemoryStore) -> Sessions<MemoryStore> {
    Sessions::new(store, settings()).with_clock(now).with_entropy(|| Ok([7; 32]))
}

/// A visitor's `Cookie` header, the key of the record behind it, and the record.
static VISITOR: LazyLock<(String, String, Vec<u8>)> = LazyLock::new(|| {
    let store = MemoryStore::default();
    let sessions = sessions_on(store.clone());
    let mut session = sessions.new_session().unwrap();
    session.set("user", "alice").unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let cookie = headers.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    let (key, record) = store.entries().pop().unwrap();
    (cookie, key.as_str().to_owned(), record)
});

/// That visitor's session, with `bytes` in the place of the record.
fn visitor_with(bytes: &[u8]) -> (MemoryStore, Sessions<MemoryStore>, Session) {
    let (cookie, key, _) = &*VISITOR;
    let store = MemoryStore::default();
    store.put(StorageKey::listed(key.as_str()), bytes.to_vec());
    // Not the visitor's own: a new session is to have another key.
    let sessions = sessions_on(store.clone()).with_entropy(|| Ok([8; 32]));
    let session = run(sessions.load(cookie)).unwrap();
    (store, sessions, session)
}

/// What `find` and `load` make of a `Cookie` header.
pub fn cookie_header(header: &[u8]) {
    let [found] = find(header, [NAME]);
    for value in &found.values {
        assert!(!value.contains(&b';') && !value.starts_with(b" ") && !value.ends_with(b"\t"));
    }
    assert!(found.presented || found.values.is_empty());
    // B6: the order of cookies does not matter.
    let mut pairs: Vec<_> = header.split(|byte| *byte == b';').collect();
    pairs.reverse();
    let reversed = pairs.join(&b';');
    let [turned] = find(&reversed, [NAME]);
    assert_eq!(turned.presented, found.presented);
    assert_eq!(turned.values.len(), found.values.len());
    assert!(found.values.iter().all(|value| turned.values.contains(value)));
    // A visitor's own cookie counts unless the header holds another one that is as good, or too many. An unknown one is not.
    let (cookie, ..) = &*VISITOR;
    let own = cookie.split_once('=').unwrap().1.as_bytes();
    let whole = [header, b";", cookie.as_bytes()].concat();
    let [together] = find(&whole, [NAME]);
    let others = together.values.iter().filter(|value| **value != own);
    let alone = together.values.contains(&own) && others.into_iter().all(|value| token_parts(value).is_none());
    let session = run(sessions_on(MemoryStore::default()).load(&whole)).unwrap();
    assert_eq!(session.session_key().is_some(), alone);
}

/// What a token says, in a form that can be compared; none where it does not verify.
fn token_parts(text: &[u8]) -> Option<(String, u16, i64, Option<Position>)> {
    let (identity, position) = match token::verify(&SETTINGS, text)? {
        Token::Session(token) => (token.identity, Some(token.position)),
        Token::Ending(identity) => (identity, None),
    };
    Some((identity.key.as_str().to_owned(), identity.rotations, identity.absolute.0, position))
}

/// The token that says what `text` says.
fn token_again(text: &[u8]) -> Option<String> {
    match token::verify(&SETTINGS, text)? {
        Token::Session(token) => token::sign(&SETTINGS, &token.identity, token.position, None),
        Token::Ending(identity) => token::sign_ending(&SETTINGS, &identity, 0),
    }
}

/// What `verify` makes of a cookie's value: the bytes as they are, and as what a signature stands behind.
pub fn token(bytes: &[u8]) {
    let mac = SETTINGS.secrets.sign(bytes).unwrap();
    let signed = to_base64(&[bytes, &mac].concat());
    for text in [bytes, signed.as_bytes()] {
        let Some(parts) = token_parts(text) else { continue };
        assert_eq!(token_parts(token_again(text).unwrap().as_bytes()), Some(parts.clone()));
        // A6, D11: what is signed has one text. Behind it a journal may stand, which is looked at on its own.
        let carries = text.len() > 120;
        for other in [&text[1..], &text[..text.len() - 1], &[text, b"A"].concat(), &[text, b"="].concat()] {
            let read = token_parts(other);
            assert!(read.is_none() || (carries && read.as_ref() == Some(&parts)));
        }
    }
}

/// What a journal is read as that a secret sealed: what it says again, what it does to a record, and a request that brings it.
pub fn journal(bytes: &[u8]) {
    let (secrets, nonce) = (&SETTINGS.secrets, [7; NONCE_BYTES]);
    let (cookie, key, record) = &*VISITOR;
    let token = cookie.split_once('=').unwrap().1.as_bytes();
    let Some(Token::Session(SessionToken { position, .. })) = token::verify(&SETTINGS, token) else {
        panic!("it is signed")
    };
    let signed = from_base64(cookie.split_once('=').unwrap().1.as_bytes()).unwrap();
    let mac = signed.last_chunk::<MAC_BYTES>().unwrap();
    let sealed = [&nonce, &*secrets.seal(nonce, mac, bytes.to_vec()).unwrap()].concat();
    let journal = sealed::unseal(secrets, &[mac, &*sealed].concat(), position);
    let before = opened(record).unwrap();
    if let Some(journal) = &journal {
        let mut kept = journal.clone();
        if let Some(text) = sealed::seal(secrets, nonce, mac, &mut kept, position.issued, 4_000) {
            assert!(text.len() <= 4_000);
            assert_eq!(sealed::unseal(secrets, &[mac, &*text].concat(), position), Some(kept));
        }
        for state in journal.states.iter().take(20) {
            let mut one = before.clone();
            one.head.tags = vec![state.tag];
            if !journal.repair(&mut one) {
                assert_eq!((one.head.tags.as_slice(), members(&one)), ([state.tag].as_slice(), members(&before)));
            }
            assert_eq!(one.head.tags[0], state.tag, "a record's own mark stays the first");
            journal.force(&mut one);
        }
        let mut aged = journal.clone();
        aged.age(i64::MAX);
        while aged.cut() {}
        assert!(!aged.states.is_empty() && aged.states.len() <= journal.states.len());
    }
    // A record that knows the first of these saves, and a request whose cookie carries them.
    let tags = journal.iter().flat_map(|journal| journal.states.first()).map(|state| state.tag).collect();
    let store = MemoryStore::default();
    let stale = record::encode(&Head { tags, ..before.head }, &before.data);
    store.put(StorageKey::listed(key.as_str()), stale);
    let sessions = sessions_on(store).with_entropy(|| Ok([8; 32]));
    let value = to_base64(&[signed, sealed].concat());
    let mut session = run(sessions.load([NAME, "=", &value].concat())).unwrap();
    let refused = [ErrorKind::Value, ErrorKind::TooLarge, ErrorKind::Stale];
    assert!(session.keys().is_ok());
    session.set("k", 1).unwrap();
    match run(sessions.commit_headers(&mut session, 200)) {
        Ok(headers) => {
            let pair = headers.set_cookie().unwrap().split(';').next().unwrap();
            assert!(pair.len() <= 4_097 && token_parts(pair.split_once('=').unwrap().1.as_bytes()).is_some());
        }
        Err(error) => assert!(refused.contains(&error.kind()), "{error}"),
    }
}

fn opened(bytes: &[u8]) -> Option<Record> {
    record::decode(bytes.to_vec()).record()
}

fn members(record: &Record) -> Vec<(Vec<u8>, Vec<u8>)> {
    record.data.members().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// What `decode` makes of stored bytes, and a session on top of them.
pub fn record(bytes: &[u8]) {
    if let Some(first) = opened(bytes) {
        let text = record::encode(&first.head, &first.data);
        let second = opened(&text).expect("what was written is read");
        assert_eq!((&second.head, members(&second)), (&first.head, members(&first)));
        assert_eq!(record::encode(&second.head, &second.data), text);
        assert_eq!(record::head(&text).as_ref(), Some(&first.head));
        // The slow scan says the same as the quick split, unless a value is none: only the scan looks into values.
        let edited = String::from_utf8(text).ok().map(|text| text.replacen(',', " ,", 1).into_bytes());
        let sound =
            first.data.members().all(|(_, value)| str::from_utf8(value).is_ok_and(|text| json::check(text).is_ok()));
        let scanned = edited.and_then(|edited| opened(&edited));
        assert_eq!(scanned.is_some(), sound);
        if let Some(scanned) = scanned {
            // Who wrote what and when is forgotten by it.
            let head = Head { writes: Vec::new(), ..first.head.clone() };
            assert_eq!((&scanned.head, members(&scanned)), (&head, members(&first)));
        }
    }
    let (store, sessions, mut session) = visitor_with(bytes);
    let keys = session.keys().unwrap();
    for key in &keys {
        assert!(session.contains_key(key).unwrap());
        let text = session.get_json(key).map(|text| text.is_some());
        let value = session.get::<serde_json::Value>(key);
        assert!(text.as_ref().map_or_else(|error| error.kind() == ErrorKind::Value, |there| *there));
        // H1: what can be read as a value can be read as a text, and the other way round.
        let limit = value.as_ref().is_ok_and(|value| value.as_ref().is_some_and(touches_the_limit));
        assert!(value.is_ok() == text.is_ok() || limit, "{key}");
    }
    // F10: what is no record is nobody's, and stays as it is.
    let anonymous = session.session_key().is_none();
    assert!(!anonymous || keys.is_empty());
    session.set("k", 1).unwrap();
    let committed = run(sessions.commit_headers(&mut session, 200));
    assert!(
        committed.is_ok()
            || committed.is_err_and(|error| {
                matches!(error.kind(), ErrorKind::Value | ErrorKind::TooLarge | ErrorKind::Stale)
            })
    );
    let (_, key, _) = &*VISITOR;
    let stands = store.entries().into_iter().any(|(other, value)| other.as_str() == key && value == bytes);
    assert!(!anonymous || stands);
}

/// How deep a value nests.
fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether a number in it has rounded to the largest double: above that, one bit decides whether it is refused.
fn touches_the_limit(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(items) => items.iter().any(touches_the_limit),
        serde_json::Value::Object(members) => members.values().any(touches_the_limit),
        other => other.as_f64().is_some_and(|number| number.abs() == f64::MAX),
    }
}

/// What the scanner makes of a text, beside `serde_json`; then the value's way into a record and back.
pub fn json(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    if json::check(text).is_ok() {
        let theirs = theirs.as_ref().expect("what is kept can be read");
        assert!(depth(theirs) <= json::MAX_DEPTH);
        if let Some(string) = theirs.as_str() {
            assert_eq!(json::unquote(text), string);
        }
    } else if let Ok(theirs) = &theirs {
        // H1: the same grammar, but for space around it, the depth and the largest numbers.
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        let deep = depth(theirs) > json::MAX_DEPTH || trimmed.matches(['[', '{']).count() > json::MAX_DEPTH;
        assert!(trimmed != text || deep || touches_the_limit(theirs), "{text}");
    }
    match (json::members(text), &theirs) {
        (Ok(members), Ok(serde_json::Value::Object(map))) => {
            assert!(members.iter().all(|(key, _)| map.contains_key(key)));
            for (key, value) in map {
                let (_, last) = members.iter().rfind(|(other, _)| other == key).unwrap();
                assert_eq!(&serde_json::from_str::<serde_json::Value>(last).unwrap(), value);
            }
        }
        // The members' values may nest as deep as a value: the object around them is a level of its own.
        (Ok(members), _) => assert!(members.iter().all(|(_, value)| json::check(value).is_ok())),
        (Err(_), _) => {}
    }
    stored_json(text);
}

/// What is set as JSON comes back from the store as it was, and a bulk update is as good as one by one.
fn stored_json(text: &str) {
    let store = MemoryStore::default();
    let sessions = sessions_on(store.clone());
    let mut session = sessions.new_session().unwrap();
    let set = session.set_json("k\"é", text).is_ok();
    let updated = session.update_json(text).is_ok();
    if !set && !updated {
        assert!(session.keys().unwrap().is_empty());
        return;
    }
    // H7: whatever an update put under the expiry's own key, it is read as one or refused.
    let expiry = session.get_expiry_age(ExpiryOptions::default());
    assert!(expiry.as_ref().map_or_else(|error| error.kind() == ErrorKind::Value, |_| true));
    let before = session.to_json(|_| true).unwrap();
    match run(sessions.commit_headers(&mut session, 200)) {
        Ok(_) => {}
        Err(error) => return assert!(matches!(error.kind(), ErrorKind::Value | ErrorKind::TooLarge)),
    }
    let Some(key) = session.session_key().map(|key| key.as_str().to_owned()) else { return };
    if store.is_empty() {
        return assert!(expiry.unwrap() <= 0, "it has ended already");
    }
    let mut again = run(sessions.open(&key)).unwrap();
    assert_eq!(again.to_json(|_| true).unwrap(), before);
    for key in again.keys().unwrap() {
        assert!(again.get::<serde_json::Value>(&key).unwrap().is_some());
    }
    if set && !updated {
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        assert_eq!(again.get_json("k\"é").unwrap(), Some(trimmed));
    }
}

/// What an expiry's text means, and the arithmetic on it: the first 16 bytes are a time and a cookie's age.
pub fn expiry(bytes: &[u8]) {
    let (numbers, text) = bytes.split_at_checked(16).unwrap_or((&[0; 16], bytes));
    let number = |at: usize| i64::from_le_bytes(numbers[at..at + 8].try_into().unwrap());
    let from = DateTime::from_timestamp_micros(number(0)).unwrap_or_default();
    reckon(Lifetime::Seconds(number(8)), from, 1);
    reckon(Lifetime::Policy, from, number(8));
    if let Ok(lifetime) = Lifetime::from_json(Some(text)) {
        let json = lifetime.to_json().map(String::into_bytes);
        assert_eq!(Lifetime::from_json(json.as_deref()).unwrap(), lifetime);
        reckon(lifetime, from, number(8));
    }
    let Some(text) = str::from_utf8(text).ok() else { return };
    if let Some(date) = iso::parse(text) {
        let written = iso::format(date);
        let again = iso::parse(&written).expect("what was written is read");
        assert_eq!((again, again.offset()), (date, date.offset()));
        reckon(Lifetime::At(date), from, number(8));
        assert!(Expiry::parse_iso(text).is_some());
    }
    if let Ok(theirs) = DateTime::parse_from_rfc3339(text) {
        same_as_theirs(text, theirs);
    }
}

/// Where chrono reads an RFC 3339 date, so do we, to the microsecond: but for its leap seconds, and the year 0.
fn same_as_theirs(text: &str, theirs: DateTime<FixedOffset>) {
    let leap = theirs.timestamp_subsec_nanos() >= 1_000_000_000;
    if !leap && !text.starts_with("0000") {
        assert_eq!(iso::parse(text).map(|ours| ours.timestamp_micros()), Some(theirs.timestamp_micros()), "{text}");
    }
}

/// E6: no time and no age break the reckoning, and a deadline has passed when no second is left.
fn reckon(lifetime: Lifetime, from: DateTime<Utc>, cookie_age: i64) {
    let deadline = lifetime.deadline(from, cookie_age);
    let age = lifetime.age(from, cookie_age);
    let left = deadline.seconds_from(from);
    assert_eq!(left > 0, !deadline.has_passed(from));
    let skew = TimeDelta::minutes(5);
    for moment in [from.checked_add_signed(skew), from.checked_sub_signed(skew)].into_iter().flatten() {
        assert_eq!(deadline.seconds_from(moment) > 0, !deadline.has_passed(moment));
        assert!((deadline.seconds_from(moment) - left).abs() <= 300);
    }
    if let Ok(date) = lifetime.date(from, cookie_age) {
        assert_eq!(Deadline(date.timestamp_micros()), deadline);
        assert!(age <= left && left <= age.saturating_add(1));
    }
}

/// What Django's stored form is read as: the bytes as they are, and as what a signature stands behind.
pub fn django_text(bytes: &[u8]) {
    let secrets = &SETTINGS.secrets;
    if let Ok(text) = str::from_utf8(bytes) {
        let signed = signing::encode(secrets, text, 1_893_456_000);
        let read = signing::decode(secrets, &signed).unwrap();
        assert!(read.is_ascii());
        if let Ok(object) = serde_json::from_str::<serde_json::Value>(text) {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&read).unwrap(), object);
        }
        let _ = signing::decode(secrets, text);
    }
    for packed in [false, true] {
        let signed = signing::sign(secrets, bytes, packed, 1_893_456_000);
        assert_eq!(signing::verify(secrets, &signed).as_deref(), Some(bytes));
        if let Some(text) = signing::decode(secrets, &signed) {
            assert!(packed || text.as_bytes() == bytes);
        }
    }
}

#[cfg(test)]
#[path = "../fuzz/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // H10: the kept corpus, on every run.
    #[test]
    fn the_kept_corpus_holds() {
        for (name, target) in TARGETS {
            let inputs = corpus::inputs(name);
            assert!(inputs.len() >= 10, "{name} has {}", inputs.len());
            inputs.iter().for_each(|input| target(input));
        }
    }

    /// A kept input, with some of its bytes changed, put in or taken out.
    fn damaged(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<prop::sample::Index>(), 0..3, any::<u8>());
        (prop::sample::select(inputs), prop::collection::vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
            for (at, kind, byte) in changes {
                let at = at.index(bytes.len() + 1);
                match kind {
                    0 => bytes.insert(at, byte),
                    1 if at < bytes.len() => bytes[at] = byte,
                    _ if at < bytes.len() => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            bytes
        })
    }

    fn holds(name: &str, inputs: impl Strategy<Value = Vec<u8>>) {
        let (_, target) = TARGETS.into_iter().find(|(other, _)| *other == name).unwrap();
        let all = prop_oneof![damaged(corpus::inputs(name)), prop::collection::vec(any::<u8>(), 0..200), inputs];
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) };
        proptest!(config, |(bytes in all)| target(&bytes));
    }

    #[test]
    fn b7_no_cookie_header_breaks_the_reader() {
        holds("cookie_header", "([a-z=; ]|__Host-sessionid=[a-z]{0,3}){0,40}".prop_map(String::into_bytes));
    }

    #[test]
    fn a6_no_token_breaks_the_reader() {
        holds("token", prop::collection::vec(any::<u8>(), 50..120));
    }

    #[test]
    fn no_journal_breaks_the_reader() {
        let state = (0..3_u8, 0x1f_ff00..0x22_0000_u32, any::<u8>());
        let change = (0..6_u8, prop::bool::weighted(0.2), "[a-c]{0,2}", "[0-9]{1,3}");
        let all = (prop::collection::vec(state, 0..6), prop::collection::vec(change, 0..6));
        holds(
            "journal",
            all.prop_map(|(states, changes)| {
                let mut bytes = vec![u8::try_from(states.len()).unwrap()];
                for (kind, age, tag) in states {
                    bytes.extend(&(age | u32::from(kind) << 22).to_be_bytes()[1..]);
                    bytes.extend([tag, 0, 0, 1]);
                }
                for (place, removed, key, value) in changes {
                    bytes.push(place | if removed { 0x80 } else { 0 });
                    let key = format!("\"{key}\"");
                    for text in [&key, &value].into_iter().take(if removed { 1 } else { 2 }) {
                        bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
                        bytes.extend(text.as_bytes());
                    }
                }
                bytes
            }),
        );
    }

    #[test]
    fn f10_no_record_breaks_the_reader() {
        let member = ("[a-c\"]{0,2}", "(null|-?[0-9]{1,3}|\"[a-z]{0,3}\"|\\[\\])");
        let members = prop::collection::vec(member, 0..6);
        let head = (any::<i64>(), any::<i64>(), any::<u32>());
        holds(
            "record",
            (head, members).prop_map(|((deadline, absolute, generation), members)| {
                let data: Vec<_> = members.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                let sizes: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{},{}", format!("{key:?}").len(), value.len()))
                    .collect();
                let (_, _, record) = &*VISITOR;
                let (sample, _) = str::from_utf8(record).unwrap().split_once(",\"sizes\"").unwrap();
                let sample = sample.replace("1894665600000000", &deadline.to_string());
                let sample = sample.replace("1928016000000000", &absolute.to_string());
                let sample = sample.replace("\"generation\":1", &format!("\"generation\":{generation}"));
                format!("{sample},\"sizes\":[{}],\"data\":{{{}}}}}", sizes.join(","), data.join(",")).into_bytes()
            }),
        );
    }

    #[test]
    fn h1_h4_h8_the_scanner_reads_what_serde_json_reads() {
        let scalar = "(null|true|-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?|\"(\\PC|\\\\u[0-9a-fd]{4}|\\\\[nrt/\"]){0,4}\")";
        let value = scalar.prop_recursive(4, 30, 5, |inner| {
            let array = prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", ")));
            let object = prop::collection::vec(("[a-c]{0,1}", inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            });
            prop_oneof![array, object]
        });
        holds("json", value.prop_map(String::into_bytes));
    }

    #[test]
    fn e6_no_expiry_and_no_time_break_the_reckoning() {
        let text = "-?[0-9]{1,20}(\\.0)?|\"?[0-9]{4}-?[01][0-9]-?[0-3][0-9][T ][0-2][0-9]:?[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-][0-2][0-9]:[0-5][0-9])?\"?";
        let edges = [
            i64::MIN,
            i64::MIN + 1,
            -1,
            0,
            1,
            i64::MAX - 1,
            i64::MAX,
            253_402_300_799_999_999,
            -62_135_596_800_000_000,
        ];
        let time = prop_oneof![any::<i64>(), prop::sample::select(edges.to_vec()), 0..4_000_000_000_000_000_i64];
        let age = prop_oneof![any::<i64>(), prop::sample::select(edges.to_vec())];
        holds(
            "expiry",
            (time, age, text).prop_map(|(time, age, text)| {
                [time.to_le_bytes().as_slice(), &age.to_le_bytes(), text.as_bytes()].concat()
            }),
        );
    }

    #[test]
    fn no_text_of_djangos_breaks_the_reader() {
        holds(
            "django_text",
            "\\.?[A-Za-z0-9_-]{0,30}:[A-Za-z0-9]{0,6}:[A-Za-z0-9_-]{0,43}".prop_map(String::into_bytes),
        );
    }
}
