//! The replay of one sequence: a store, a clock, sessions by name, browsers that keep cookies.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use edge_session::store::Consistency;
use edge_session::{Error, ErrorKind, Result, SameSite, Session, Sessions, Settings, Store};
use pollster::block_on;
use serde_json::{Map, Value, json};

use crate::calls::call;
use crate::store::{Noting, Put};
use crate::values::{list, text};

const SECRET: &str = "the differential test's secret, of more than 32 bytes";

/// A key that no session has.
const UNKNOWN_KEY: &str = "0123456789abcdefghijklmnopqrstuv";

type Answer = Map<String, Value>;

/// The name and the value of a cookie.
type Cookie = (String, String);

pub struct Replay {
    settings: Value,
    sessions: Sessions<Noting>,
    store: Noting,
    now: Rc<Cell<i64>>,
    named: BTreeMap<String, Session>,
    arrived: BTreeMap<String, String>,
    /// By session object: the deadline of the record that it knows.
    known: BTreeMap<String, Option<i64>>,
    keys: Vec<String>,
    collisions: u8,
    browsers: BTreeMap<String, Vec<Cookie>>,
    issued: BTreeMap<String, Cookie>,
    records: BTreeMap<String, Put>,
    /// By storage key: the owner of the record.
    owners: BTreeMap<String, String>,
}

impl Replay {
    pub fn new(sequence: &Value) -> Self {
        let settings = sequence["settings"].clone();
        let store = Noting::new(sequence["consistency"].as_str().unwrap_or_default());
        let now = Rc::new(Cell::new(sequence["start"].as_i64().unwrap()));
        let sessions = Sessions::new(store.clone(), chosen(&settings)).with_clock(clock(&now));
        Self {
            settings,
            sessions,
            store,
            now,
            named: BTreeMap::new(),
            arrived: BTreeMap::new(),
            known: BTreeMap::new(),
            keys: Vec::new(),
            collisions: 0,
            browsers: BTreeMap::new(),
            issued: BTreeMap::new(),
            records: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    pub fn answer(&mut self, step: &Value) -> Value {
        let mut answer = Answer::new();
        self.store.puts.take();
        match self.step(step, &mut answer) {
            None => return json!({ "skip": true }),
            Some(Ok(Value::Null)) => {}
            Some(Ok(value)) => _ = answer.insert("v".into(), value),
            Some(Err(error)) => {
                answer.insert("e".into(), kind(&error).into());
                answer.insert("message".into(), error.to_string().into());
            }
        }
        let name = step["on"].as_str().or_else(|| step["as"].as_str()).unwrap_or_default();
        if let Some(session) = self.named.get(name) {
            answer.insert("accessed".into(), session.accessed().into());
            answer.insert("modified".into(), session.modified().into());
            answer.insert("empty".into(), session.is_empty().into());
            let key = session.session_key().map(|key| key.as_str().to_owned());
            answer.insert("key".into(), key.map_or(Value::Null, |key| self.label(&key).into()));
        }
        Value::Object(answer)
    }

    fn step(&mut self, step: &Value, answer: &mut Answer) -> Option<Result<Value>> {
        match text(&step["op"]) {
            "clock" => self.now.set(step["at"].as_i64().unwrap()),
            "open" => {
                let session = match self.key(&step["key"]) {
                    Some(key) => block_on(self.sessions.open(&key)).unwrap(),
                    None => self.sessions.new_session().unwrap(),
                };
                answer.insert("reason".into(), session.load_reason().as_str().into());
                self.named.insert(text(&step["as"]).to_owned(), session);
                self.learn(text(&step["as"]));
            }
            "load" => self.load(step, answer),
            "call" => return self.call(step, answer),
            "exists" => {
                let key = self.key(&step["key"]).unwrap_or_default();
                return Some(block_on(self.sessions.exists(&key)).map(Value::from));
            }
            "delete" => {
                let key = self.key(&step["key"]).unwrap_or_default();
                let deleted = block_on(self.sessions.delete(&key));
                answer.insert("alive".into(), self.alive());
                return Some(deleted.map(|()| Value::Null));
            }
            "fetch" => {
                let key = self.key(&step["key"]).unwrap_or_default();
                return Some(block_on(self.sessions.open(&key)).unwrap().items::<Value>().map(|items| json!(items)));
            }
            // With equal random bytes, the second save counts as a repetition of the first.
            "collide" if self.store.consistency() == Consistency::Linearizable => return None,
            "collide" => return Some(Ok(self.collide())),
            "clear_expired" => return Some(block_on(self.sessions.clear_expired()).map(|swept| json!(swept.removed))),
            "commit" => return Some(self.commit(step, answer)),
            other => panic!("there is no step {other}"),
        }
        Some(Ok(Value::Null))
    }

    fn label(&mut self, key: &str) -> String {
        if key == UNKNOWN_KEY {
            return "unknown".to_owned();
        }
        let at = self.keys.iter().position(|known| known == key).unwrap_or_else(|| {
            self.keys.push(key.to_owned());
            self.keys.len() - 1
        });
        format!("K{}", at + 1)
    }

    /// The key behind a label, or the text itself.
    fn key(&self, given: &Value) -> Option<String> {
        if let Some(label) = given["label"].as_str() {
            let at: usize = label[1..].parse().unwrap();
            return Some(self.keys.get(at - 1).map_or(UNKNOWN_KEY, String::as_str).to_owned());
        }
        given["text"].as_str().map(str::to_owned)
    }

    fn load(&mut self, step: &Value, answer: &mut Answer) {
        let cookies = list(&step["cookies"]).iter().flat_map(|given| self.cookies(given));
        let header = cookies.collect::<Vec<_>>().join("; ");
        let session = block_on(self.sessions.load(header)).unwrap();
        answer.insert("reason".into(), session.load_reason().as_str().into());
        let name = text(&step["as"]).to_owned();
        match session.session_key() {
            Some(key) => self.arrived.insert(name.clone(), key.as_str().to_owned()),
            None => self.arrived.remove(&name),
        };
        self.named.insert(name, session);
        self.learn(text(&step["as"]));
    }

    fn learn(&mut self, name: &str) {
        let key = self.named[name].session_key().map(|key| key.as_str().to_owned());
        let label = key.map(|key| self.label(&key)).unwrap_or_default();
        self.known.insert(name.to_owned(), self.records.get(&label).and_then(|record| record.deadline));
    }

    fn cookies(&self, given: &Value) -> Vec<String> {
        let usual = || self.sessions.settings().cookie_name().to_owned();
        let cookies = match (given["browser"].as_str(), given["issued"].as_str()) {
            (Some(browser), _) => self.browsers.get(browser).cloned().unwrap_or_default(),
            (_, Some(label)) => self.issued.get(label).cloned().into_iter().collect(),
            _ => vec![(given["name"].as_str().map_or_else(usual, str::to_owned), text(&given["text"]).to_owned())],
        };
        let form = given["form"].as_str().unwrap_or("{name}={value}");
        cookies.iter().map(|(name, value)| form.replace("{name}", name).replace("{value}", value)).collect()
    }

    /// The keys with a session.
    fn alive(&mut self) -> Value {
        let exists = |key: &&String| block_on(self.sessions.exists(key)).unwrap();
        let alive: Vec<_> = self.keys.iter().filter(exists).cloned().collect();
        alive.iter().map(|key| self.label(key)).collect()
    }

    fn call(&mut self, step: &Value, answer: &mut Answer) -> Option<Result<Value>> {
        let name = text(&step["on"]);
        let session = self.named.get_mut(name).unwrap();
        match text(&step["call"]) {
            "save" => {
                let saved = block_on(self.sessions.save(session));
                return Some(saved.map(|_| self.tell_record(name, answer)).map(|()| Value::Null));
            }
            "flush" => {
                let flushed = block_on(self.sessions.flush(session));
                let arrived = self.arrived.get(name).map_or("", String::as_str);
                answer.insert("gone".into(), (!block_on(self.sessions.exists(arrived)).unwrap()).into());
                answer.insert("alive".into(), self.alive());
                return Some(flushed.map(|()| Value::Null));
            }
            "delete_own" => {
                let key = session.session_key().map(|key| key.as_str().to_owned()).unwrap_or_default();
                let deleted = block_on(self.sessions.delete(&key));
                answer.insert("alive".into(), self.alive());
                return Some(deleted.map(|()| Value::Null));
            }
            _ => {}
        }
        // As in JavaScript: the other calls do not look at the clock.
        if ["set_expiry", "get_expiry_age", "get_expiry_date", "create", "cycle_key"].contains(&text(&step["call"])) {
            session.set_now(clock(&self.now)());
        }
        let result = call(session, step)?;
        if result.is_ok() && (step["call"] == "create" || step["call"] == "cycle_key") {
            let key = session.session_key().map_or("", |key| key.as_str()).to_owned();
            answer.insert("written".into(), block_on(self.sessions.exists(&key)).unwrap().into());
            if step["settle"] == true {
                if let Err(error) = block_on(self.sessions.save(self.named.get_mut(name).unwrap())) {
                    return Some(Err(error));
                }
                self.tell_record(name, answer);
            }
        }
        Some(result)
    }

    /// The deadline of the session's record in microseconds, its absolute deadline, and its data; null without a record.
    fn tell_record(&mut self, name: &str, answer: &mut Answer) {
        let Some(key) = self.named[name].session_key().map(|key| key.as_str().to_owned()) else { return };
        let label = self.label(&key);
        // A rotation puts the new record, unless it has expired, then deletes the old one.
        // On a linearizable store the keys of a login share a record, and a login then puts the anonymous record.
        let is_own = |put: &&Put| {
            put.place.ends_with(".login") || self.owners.get(&put.place).is_none_or(|owner| *owner == label)
        };
        let put = self.store.puts.borrow().iter().find(is_own).cloned();
        if let Some(put) = &put {
            self.owners.insert(put.place.clone(), label.clone());
            self.records.insert(label.clone(), put.clone());
        }
        if !self.store.puts.borrow().is_empty() {
            self.known.insert(name.to_owned(), self.records.get(&label).and_then(|record| record.deadline));
        }
        let record = self.records.get(&label);
        let deadline = record.and_then(|record| record.deadline).filter(|end| *end > self.now.get() * 1000);
        answer.insert("deadline".into(), json!(deadline));
        answer.insert("absolute".into(), json!(record.and_then(|record| record.absolute)));
        answer.insert("kept".into(), record.is_some_and(|record| record.deadline.is_some()).into());
        answer.insert("removed".into(), put.as_ref().is_some_and(|put| put.deadline.is_none()).into());
        let stored = block_on(self.sessions.open(&key)).unwrap().items::<Value>().unwrap();
        answer.insert("stored".into(), json!(stored));
    }

    /// Tries to create two records under one key, with a random source that repeats itself.
    fn collide(&mut self) -> Value {
        // The bytes of a key that has not ended yet.
        let bytes = [self.collisions; 32];
        self.collisions += 1;
        let sessions = Sessions::new(self.store.clone(), chosen(&self.settings))
            .with_clock(clock(&self.now))
            .with_entropy(move || Ok(bytes));
        let mut ends = Vec::new();
        for _ in 0..2 {
            let mut session = sessions.new_session().unwrap();
            session.create();
            ends.push(block_on(sessions.save(&mut session)).map_or_else(|error| kind(&error), |_| "ok"));
            if ends.len() == 2 {
                block_on(sessions.delete(session.session_key().unwrap().as_str())).unwrap();
            }
        }
        json!(ends)
    }

    fn commit(&mut self, step: &Value, answer: &mut Answer) -> Result<Value> {
        let name = text(&step["on"]);
        answer.insert("before".into(), json!(self.known.get(name)));
        let mut headers: Vec<(String, String)> = Vec::new();
        for (header, value) in step["headers"].as_object().unwrap() {
            headers.push((header.clone(), text(value).to_owned()));
        }
        let first = |headers: &[(String, String)], name: &str| {
            json!(headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
        };
        let shown = |headers: &[(String, String)]| (first(headers, "Vary"), first(headers, "Cache-Control"));
        let (vary, cache) = shown(&headers);
        answer.insert("untouched".into(), json!({ "vary": vary, "cache": cache }));
        let session = self.named.get_mut(name).unwrap();
        let status = u16::try_from(step["status"].as_u64().unwrap()).unwrap();
        let due = block_on(self.sessions.commit_headers(session, status))?;
        due.apply(&mut headers).unwrap();
        answer.insert("wrote".into(), (!self.store.puts.borrow().is_empty()).into());
        let (vary, cache) = shown(&headers);
        answer.extend([("vary".to_owned(), vary), ("cache".to_owned(), cache)]);
        let lines: Vec<_> =
            headers.iter().filter(|(key, _)| key == "Set-Cookie").map(|(_, line)| line.clone()).collect();
        let mut received: Vec<_> = lines.iter().map(|line| self.received(text(&step["browser"]), line)).collect();
        let also = received.split_off(received.len().min(1));
        answer.insert("cookie".into(), received.pop().unwrap_or(Value::Null));
        answer.insert("also".into(), json!(also));
        self.tell_record(name, answer);
        Ok(Value::Null)
    }

    fn received(&mut self, browser: &str, line: &str) -> Value {
        let (pair, attributes) = line.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        let cookie = (name.to_owned(), value.to_owned());
        let mut label = String::new();
        let jar = self.browsers.entry(browser.to_owned()).or_default();
        jar.retain(|(other, _)| other != name);
        if !value.is_empty() {
            jar.push(cookie.clone());
            let read = block_on(self.sessions.load(pair)).unwrap();
            label = self.label(read.session_key().map_or("", |key| key.as_str()));
            self.issued.insert(label.clone(), cookie);
        }
        let attributes: BTreeMap<String, &str> = attributes
            .split("; ")
            .map(|text| text.split_once('=').unwrap_or((text, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let is_token = value.len() >= 116 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        json!({
            "name": name,
            "value": label,
            "form": if is_token { "token" } else { value },
            "max-age": attributes.get("max-age").map(|age| age.parse::<i64>().unwrap()),
            "secure": attributes.contains_key("secure"),
            "httponly": attributes.contains_key("httponly"),
            "expires": attributes.get("expires"),
            "domain": attributes.get("domain"),
            "path": attributes.get("path"),
            "samesite": attributes.get("samesite"),
        })
    }
}

fn clock(now: &Rc<Cell<i64>>) -> impl Fn() -> DateTime<Utc> + 'static {
    let now = Rc::clone(now);
    move || DateTime::from_timestamp_millis(now.get()).unwrap()
}

/// The settings that a sequence chose. Django can leave SameSite out; here it is always sent.
fn chosen(settings: &Value) -> Settings {
    let mut builder = Settings::builder([SECRET]);
    for (name, value) in settings.as_object().unwrap() {
        builder = match (name.as_str(), value) {
            ("cookieAge", _) => builder.cookie_age(value.as_i64().unwrap()),
            ("cookieName", _) => builder.cookie_name(text(value)),
            ("cookieDomain", _) => builder.cookie_domain(text(value)),
            ("cookiePath", _) => builder.cookie_path(text(value)),
            ("cookieSecure", _) => builder.cookie_secure(*value == true),
            ("cookieHttpOnly", _) => builder.cookie_httponly(*value == true),
            ("cookieSameSite", Value::String(samesite)) => builder.cookie_samesite(match samesite.as_str() {
                "Strict" => SameSite::Strict,
                "None" => SameSite::None,
                _ => SameSite::Lax,
            }),
            ("cookieSameSite", _) => builder,
            ("expireAtBrowserClose", _) => builder.expire_at_browser_close(*value == true),
            ("saveEveryRequest", _) => builder.save_every_request(*value == true),
            ("absoluteAge", _) => builder.absolute_age(value.as_i64().unwrap()),
            (other, _) => panic!("there is no setting {other}"),
        };
    }
    builder.build().unwrap()
}

/// The common name of an error in all drivers.
fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::MissingKey => "key",
        ErrorKind::Value => "value",
        ErrorKind::SessionInterrupted => "interrupted",
        ErrorKind::KeyTaken => "taken",
        _ => error.code(),
    }
}
