//! The fuzz targets: properties of each parser that hold for any input. `fuzz` runs them with inputs of a fuzzer, the tests with
//! inputs of proptest and the kept corpus. They exist in tests and with `--cfg fuzzing`, which cargo-fuzz sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::arithmetic_side_effects, clippy::missing_panics_doc, reason = "a target reports a failure by a panic")]

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::LazyLock;

use alloc::string::String;
use alloc::vec::Vec;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use crate::cookie::header::find_cookies;
use crate::cookie::journal_codec;
use crate::cookie::token::{self, Token};
use crate::secret::NONCE_BYTES;
use crate::session::deadline::Deadline;
use crate::session::expiry::Expiry;
use crate::session::identity::Position;
use crate::session::incoming::SessionToken;
use crate::session::lifetime::Lifetime;
use crate::session::record::{self, Record};
use crate::session::record_header::RecordHeader;
use crate::session::signing;
use crate::store::{MemoryStore, StorageKey};
use crate::{ErrorKind, ExpiryOptions, Session, Sessions, Settings};
use crate::{iso, json};

/// A fuzz target with its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets of one parser each.
pub const TARGETS: [Target; 7] = [
    ("cookie_header", cookie_header),
    ("token", token),
    ("journal", journal),
    ("record", record),
    ("json", json),
    ("expiry", expiry),
    ("django_text", django_text),
];

/// The name of the anonymous cookie.
const NAME: &str = "__Host-sessionid-anonymous";

const NONCE: [u8; NONCE_BYTES] = [7; NONCE_BYTES];

static SETTINGS: LazyLock<Settings> = LazyLock::new(settings);

fn settings() -> Settings {
    Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap()
}

/// 1 January 2030.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_893_456_000, 0).unwrap()
}

/// Runs a future of the store in memory, which is always ready.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the store in memory answers at once"),
    }
}

/// Returns sessions with fixed random numbers, so that failures are reproducible.
fn sessions_on(store: MemoryStore) -> Sessions<MemoryStore> {
    Sessions::new(store, settings()).with_clock(now).with_entropy(|| Ok([7; 32]))
}

/// A visitor's `Cookie` header, the storage key of its record, and the record.
static VISITOR: LazyLock<(String, String, Vec<u8>)> = LazyLock::new(|| {
    let store = MemoryStore::eventual();
    let sessions = sessions_on(store.clone());
    let mut session = sessions.new_session().unwrap();
    session.set("user", "alice").unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let cookie = headers.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    let (key, record) = store.entries().pop().unwrap();
    (cookie, key.as_str().to_owned(), record)
});

/// Returns that visitor's session, with `bytes` as the record.
fn visitor_with(bytes: &[u8]) -> (MemoryStore, Sessions<MemoryStore>, Session) {
    let (cookie, key, _) = &*VISITOR;
    let store = MemoryStore::eventual();
    store.put(StorageKey::listed(key.as_str()), bytes.to_vec());
    // Other entropy than the visitor's, so that a new session has another key.
    let sessions = sessions_on(store.clone()).with_entropy(|| Ok([8; 32]));
    let session = run(sessions.load(cookie)).unwrap();
    (store, sessions, session)
}

/// Parses and loads a `Cookie` header.
pub fn cookie_header(header: &[u8]) {
    let [found] = find_cookies(header, [NAME]);
    for value in &found.values {
        assert!(!value.contains(&b';') && !value.starts_with(b" ") && !value.ends_with(b"\t"));
    }
    assert!(found.presented || found.values.is_empty());
    // B6: the order of cookies has no effect.
    let mut pairs: Vec<_> = header.split(|byte| *byte == b';').collect();
    pairs.reverse();
    let reversed = pairs.join(&b';');
    let [reversed_found] = find_cookies(&reversed, [NAME]);
    assert_eq!(reversed_found.presented, found.presented);
    assert_eq!(reversed_found.values.len(), found.values.len());
    assert!(found.values.iter().all(|value| reversed_found.values.contains(value)));
    // A visitor's cookie is effective unless the header contains another valid one or too many. An unknown session's is not
    // valid.
    let (cookie, ..) = &*VISITOR;
    let own = cookie.split_once('=').unwrap().1.as_bytes();
    let whole = [header, b";", cookie.as_bytes()].concat();
    let [together] = find_cookies(&whole, [NAME]);
    let others = together.values.iter().filter(|value| **value != own);
    let alone = together.values.contains(&own) && others.into_iter().all(|value| token_parts(value).is_none());
    let session = run(sessions_on(MemoryStore::eventual()).load(&whole)).unwrap();
    assert_eq!(session.session_key().is_some(), alone);
}

/// Returns the fields of a token for comparison; `None` if it is not valid.
fn token_parts(text: &[u8]) -> Option<(String, u16, i64, Option<Position>)> {
    let (identity, position) = match token::unseal(&SETTINGS, text)? {
        Token::Session(token) => (token.identity, Some(token.position)),
        Token::Ending(identity) => (identity, None),
    };
    Some((identity.key.as_str().to_owned(), identity.rotations, identity.absolute.0, position))
}

/// Returns a new token with the fields of `text`.
fn token_again(text: &[u8]) -> Option<String> {
    match token::unseal(&SETTINGS, text)? {
        Token::Session(token) => token::seal(&SETTINGS, NONCE, &token.identity, token.position, None),
        Token::Ending(identity) => token::seal_ending(&SETTINGS, NONCE, &identity, 0),
    }
}

/// Returns a token whose sealed text is `text`.
fn sealed(text: &[u8]) -> String {
    token::seal_bytes(&SETTINGS, [&[token::VERSION], NONCE.as_slice(), text].concat()).unwrap()
}

/// Unseals a cookie's value: the bytes themselves, and the bytes as the sealed text of a token.
pub fn token(bytes: &[u8]) {
    for text in [bytes, sealed(bytes).as_bytes()] {
        let Some(parts) = token_parts(text) else { continue };
        assert_eq!(token_parts(token_again(text).unwrap().as_bytes()), Some(parts));
        // A6, D11: a token has one encoding.
        for other in [&text[1..], &text[..text.len() - 1], &[text, b"A"].concat(), &[text, b"="].concat()] {
            assert!(token_parts(other).is_none());
        }
    }
}

/// Decodes a journal: encodes it again, repairs a record with it, and handles a request that contains it.
pub fn journal(bytes: &[u8]) {
    let (cookie, key, record) = &*VISITOR;
    let token = cookie.split_once('=').unwrap().1.as_bytes();
    let Some(Token::Session(SessionToken { identity, position, .. })) = token::unseal(&SETTINGS, token) else {
        panic!("it is valid")
    };
    let issued = position.issued / 1000;
    let journal = journal_codec::decode(bytes, issued);
    let before = opened(record).unwrap();
    if let Some(journal) = &journal {
        let (mut kept, mut text) = (journal.clone(), Vec::new());
        journal_codec::encode(&mut kept, issued, 4_000, &mut text);
        assert!(text.len() <= 4_000);
        assert!(text.is_empty() || journal_codec::decode(&text, issued) == Some(kept));
        for entry in journal.entries.iter().take(20) {
            let mut one = before.clone();
            one.head.tags = vec![entry.tag];
            if !journal.repair(&mut one) {
                assert_eq!((one.head.tags.as_slice(), members(&one)), ([entry.tag].as_slice(), members(&before)));
            }
            assert_eq!(one.head.tags[0], entry.tag, "a record's own tag stays the first");
            journal.force(&mut one);
        }
        let mut aged = journal.clone();
        aged.expire(i64::MAX);
        while aged.drop_oldest() {}
        assert!(!aged.entries.is_empty() && aged.entries.len() <= journal.entries.len());
    }
    // A record that contains the first of these saves, and a request with the journal in its cookie.
    let tags = journal.iter().flat_map(|journal| journal.entries.first()).map(|entry| entry.tag).collect();
    let store = MemoryStore::eventual();
    let stale = record::encode(&RecordHeader { tags, ..before.head }, &before.data);
    store.put(StorageKey::listed(key.as_str()), stale);
    let sessions = sessions_on(store).with_entropy(|| Ok([8; 32]));
    let carrying = [&*token::unsealed(&SETTINGS, NONCE, 0, &identity, position, 0), bytes].concat();
    let value = token::seal_bytes(&SETTINGS, carrying).unwrap();
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

/// Decodes stored bytes, and loads a session from them.
pub fn record(bytes: &[u8]) {
    if let Some(first) = opened(bytes) {
        let text = record::encode(&first.head, &first.data);
        let second = opened(&text).expect("an encoded record is valid");
        assert_eq!((&second.head, members(&second)), (&first.head, members(&first)));
        assert_eq!(record::encode(&second.head, &second.data), text);
        assert_eq!(record::head(&text).as_ref(), Some(&first.head));
        // The slow scan and the fast split agree unless a value is invalid: only the scan validates values.
        let edited = String::from_utf8(text).ok().map(|text| text.replacen(',', " ,", 1).into_bytes());
        let sound =
            first.data.members().all(|(_, value)| str::from_utf8(value).is_ok_and(|text| json::check(text).is_ok()));
        let scanned = edited.and_then(|edited| opened(&edited));
        assert_eq!(scanned.is_some(), sound);
        if let Some(scanned) = scanned {
            // The scan drops the writes.
            let head = RecordHeader { writes: Vec::new(), ..first.head.clone() };
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
        // H1: a value is readable if and only if its text is.
        let limit = value.as_ref().is_ok_and(|value| value.as_ref().is_some_and(touches_the_limit));
        assert!(value.is_ok() == text.is_ok() || limit, "{key}");
    }
    // F10: bytes that are not a record open no session, and are left unchanged.
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
    let is_unchanged = store.entries().into_iter().any(|(other, value)| other.as_str() == key && value == bytes);
    assert!(!anonymous || is_unchanged);
}

/// Returns the nesting depth of a value.
fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns whether a number in it rounds to the largest double. Of the numbers above it, some round up and are rejected.
fn touches_the_limit(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(items) => items.iter().any(touches_the_limit),
        serde_json::Value::Object(members) => members.values().any(touches_the_limit),
        other => other.as_f64().is_some_and(|number| number.abs() == f64::MAX),
    }
}

/// Scans a text and compares the result with `serde_json`, then stores and loads the value.
pub fn json(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    if json::check(text).is_ok() {
        let theirs = theirs.as_ref().expect("valid JSON is readable");
        assert!(depth(theirs) <= json::MAX_DEPTH);
        if let Some(string) = theirs.as_str() {
            assert_eq!(json::unquote(text), string);
        }
    } else if let Ok(theirs) = &theirs {
        // H1: the grammars are equal except for surrounding whitespace, the depth and the largest numbers.
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
        // The object is one more level around values of the maximum depth.
        (Ok(members), _) => assert!(members.iter().all(|(_, value)| json::check(value).is_ok())),
        (Err(_), _) => {}
    }
    stored_json(text);
}

/// Checks that JSON texts, set individually or by an update, are unchanged after a save and a load.
fn stored_json(text: &str) {
    let store = MemoryStore::eventual();
    let sessions = sessions_on(store.clone());
    let mut session = sessions.new_session().unwrap();
    let set = session.set_json("k\"é", text).is_ok();
    let updated = session.update_json(text).is_ok();
    if !set && !updated {
        assert!(session.keys().unwrap().is_empty());
        return;
    }
    // H7: any value under the expiry's key is either a valid expiry or an error.
    let expiry = session.get_expiry_age(ExpiryOptions::default());
    assert!(expiry.as_ref().map_or_else(|error| error.kind() == ErrorKind::Value, |_| true));
    let before = session.to_json(|_| true).unwrap();
    match run(sessions.commit_headers(&mut session, 200)) {
        Ok(_) => {}
        Err(error) => return assert!(matches!(error.kind(), ErrorKind::Value | ErrorKind::TooLarge)),
    }
    let Some(key) = session.session_key().map(|key| key.as_str().to_owned()) else { return };
    if store.is_empty() {
        return assert!(expiry.unwrap() <= 0, "it has expired already");
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

/// Parses an expiry and evaluates it. The first 16 bytes are a time and a cookie's age.
pub fn expiry(bytes: &[u8]) {
    let (numbers, text) = bytes.split_at_checked(16).unwrap_or((&[0; 16], bytes));
    let number = |at: usize| i64::from_le_bytes(numbers[at..at + 8].try_into().unwrap());
    let from = DateTime::from_timestamp_micros(number(0)).unwrap_or_default();
    evaluate(Lifetime::Seconds(number(8)), from, 1);
    evaluate(Lifetime::Policy, from, number(8));
    if let Ok(lifetime) = Lifetime::from_json(Some(text)) {
        let json = lifetime.to_json().map(String::into_bytes);
        assert_eq!(Lifetime::from_json(json.as_deref()).unwrap(), lifetime);
        evaluate(lifetime, from, number(8));
    }
    let Some(text) = str::from_utf8(text).ok() else { return };
    if let Some(date) = iso::parse(text) {
        let written = iso::format(date);
        let again = iso::parse(&written).expect("a formatted date is valid");
        assert_eq!((again, again.offset()), (date, date.offset()));
        evaluate(Lifetime::At(date), from, number(8));
        assert!(Expiry::parse_iso(text).is_some());
    }
    if let Ok(theirs) = DateTime::parse_from_rfc3339(text) {
        same_as_theirs(text, theirs);
    }
}

/// Checks that a date which chrono parses as RFC 3339 is parsed to the same microsecond, except leap seconds and the year 0.
fn same_as_theirs(text: &str, theirs: DateTime<FixedOffset>) {
    let leap = theirs.timestamp_subsec_nanos() >= 1_000_000_000;
    if !leap && !text.starts_with("0000") {
        assert_eq!(iso::parse(text).map(|ours| ours.timestamp_micros()), Some(theirs.timestamp_micros()), "{text}");
    }
}

/// E6: no time or age panics the arithmetic, and a deadline has passed exactly if no second is left.
fn evaluate(lifetime: Lifetime, from: DateTime<Utc>, cookie_age: i64) {
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

/// Verifies and decodes Django's format: the bytes themselves, and the bytes with a valid signature.
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
#[path = "../../fuzz/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests;
