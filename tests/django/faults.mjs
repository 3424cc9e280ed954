// Faults to plant, one at a time: each has to be seen by the comparison with Django. `from` stands in its file exactly once.

const session = "src/session/session.rs";
const data = "src/session/data.rs";
const dictionary = "src/session/dictionary.rs";
const lifecycle = "src/session/lifecycle.rs";
const expiry = "src/session/expiry.rs";
const respond = "src/protocol/respond.rs";
const load = "src/protocol/load.rs";
const save = "src/protocol/save.rs";
const revoke = "src/protocol/revoke.rs";
const freshness = "src/protocol/freshness.rs";
const set = "src/cookie/set.rs";
const open = "src/js/open-session.ts";

export const faults = [
  // The flags.
  { what: "a save resets modified", file: lifecycle, from: "self.unsent = true;", to: "self.unsent = true; self.modified = false;" },
  { what: "an update that sets nothing marks nothing", file: dictionary, from: "self.modified = true;\n        self.changed |= changed;", to: "self.modified |= changed;\n        self.changed |= changed;" },
  { what: "reading marks nothing", file: dictionary, from: "self.accessed = true;\n        self.load().map(|data| &*data)", to: "self.load().map(|data| &*data)" },
  { what: "set_expiry(None) always marks", file: session, from: "None => self.take(EXPIRY_KEY).map(|_| ()),", to: "None => { self.mark_changed(); self.take(EXPIRY_KEY).map(|_| ()) }" },
  { what: "pop marks though nothing was there", file: dictionary, from: "Ok(value.unwrap_or(default))", to: "self.modified = true; Ok(value.unwrap_or(default))" },
  { what: "setdefault marks though the key was there", file: dictionary, from: "Some(present) => Ok(present),", to: "Some(present) => { self.modified = true; Ok(present) }" },
  { what: "an expiry that is given still loads", file: session, from: "Some(expiry) => Lifetime::from_expiry(expiry, self.now)?,", to: "Some(expiry) => { self.read()?; Lifetime::from_expiry(expiry, self.now)? }" },
  { what: "modified = false forgets what was changed", file: session, from: "self.changed |= modified;", to: "self.changed = modified;" },

  // The dictionary.
  { what: "a key that is set again moves to the end", file: data, from: "if other {\n            self.put(", to: "if other {\n            self.take(&key, false);\n            self.put(" },
  { what: "clear keeps the session's own expiry", file: dictionary, from: "self.empty();\n        self.accessed = true;", to: "let kept = self.read().ok().and_then(|data| data.get(\"_session_expiry\").map(<[u8]>::to_vec));\n        self.empty();\n        if let Some(kept) = kept { let _ = self.write(\"_session_expiry\", kept); }\n        self.accessed = true;" },
  { what: "a test cookie of any value works", file: session, from: "Ok(self.read()?.get(TEST_COOKIE.0) == Some(TEST_COOKIE.1))", to: "Ok(self.read()?.get(TEST_COOKIE.0).is_some() || self.modified)" },
  { what: "deleting a test cookie that is not there is no error", file: session, from: "self.remove(TEST_COOKIE.0)", to: "self.take(TEST_COOKIE.0).map(|_| ())" },
  { what: "a session with a key is empty until it is loaded", file: dictionary, from: "self.identity.is_none() && no_data", to: "no_data" },

  // Expiry.
  { what: "ages are truncated instead of rounded down", file: expiry, from: "micros(date).saturating_sub(micros(modification)).div_euclid(1_000_000)", to: "micros(date).saturating_sub(micros(modification)) / 1_000_000" },
  { what: "milliseconds instead of microseconds", file: expiry, from: "    date.timestamp_micros()", to: "    date.timestamp_millis().saturating_mul(1_000)" },
  { what: "a date loses its offset", file: expiry, from: "Expiry::At(date) => Self::At(in_range(date)?),", to: "Expiry::At(date) => Self::At(in_range(date.to_utc().fixed_offset())?)," },
  { what: "a duration of zero is taken for browser-close", file: expiry, from: "Expiry::In(delta) => {", to: "Expiry::In(delta) if delta.is_zero() => Self::Seconds(0),\n            Expiry::In(delta) => {" },
  { what: "a duration slides with each save", file: expiry, from: "Expiry::In(delta) => {", to: "Expiry::In(delta) if delta.num_seconds() > 0 => Self::Seconds(delta.num_seconds()),\n            Expiry::In(delta) => {" },
  { what: "0 means that the record is over", file: expiry, from: "Self::Policy | Self::Seconds(0) => cookie_age,", to: "Self::Policy => cookie_age," },
  { what: "an age is never negative", file: expiry, from: "Self::Seconds(seconds) => seconds,", to: "Self::Seconds(seconds) => seconds.max(0)," },
  { what: "the setting for browser-close wins over the session's own expiry", file: session, from: "own => own == Lifetime::Seconds(0),", to: "own => own == Lifetime::Seconds(0) || self.settings.expire_at_browser_close," },
  { what: "a record lives a moment past its deadline", file: expiry, from: "self.0 <= micros(now)", to: "self.0 < micros(now)" },

  // The store.
  { what: "an unknown key is adopted", file: lifecycle, from: "self.identity = None;\n            self.base = None;\n            self.position = None;", to: "self.base = None;\n            self.position = None;" },
  { what: "a save brings back a session whose record is gone", file: save, from: "            Err(Error::interrupted())\n        }\n    }", to: "            self.write(session)\n        }\n    }" },
  { what: "a new record overwrites one that is there", file: save, from: "{ OnlyIf::Absent } else", to: "{ OnlyIf::Any } else" },
  { what: "cycle_key leaves the old record", file: lifecycle, from: "self.retired = Some(old);", to: "let _ = old;" },
  { what: "cycle_key loses the data", file: lifecycle, from: "self.load()?;\n        let key = self.random.session_key();", to: "self.empty();\n        let key = self.random.session_key();" },
  { what: "create takes the data of a session along that nobody looked at", file: lifecycle, from: "if matches!(self.contents, Contents::Unloaded(_)) {\n            self.empty();", to: "if matches!(self.contents, Contents::Unloaded(_)) {\n            let _ = self.load();" },
  { what: "flush leaves the record", file: lifecycle, from: "self.ending.push(identity);", to: "let _ = identity;" },
  { what: "flush keeps the key", file: lifecycle, from: "let own = self.identity.take()", to: "let own = self.identity.clone()" },
  { what: "clear_expired takes live records too", file: "src/protocol/sweep.rs", from: "over = page.entries.into_iter().filter(|(_, deadline)| deadline.is_some_and(is_over))", to: "over = page.entries.into_iter().filter(|(_, deadline)| deadline.is_some_and(|at| is_over(at) || at > 0))" },
  { what: "a renewal waits for half of the session's life", file: lifecycle, from: "(life / 10)", to: "(life / 2)" },

  // What has ended, what is not there yet, and who else saves.
  { what: "a save brings back a session that has ended", file: save, from: "if goes_on {", to: "if goes_on || !session.is_cycling() {" },
  { what: "a new key brings back a login that was left", file: save, from: "session.is_cycling() && anonymous && left;", to: "session.is_cycling() && left;" },
  { what: "a new key brings back a session that was logged out", file: save, from: "session.is_cycling() && anonymous && left;", to: "session.is_cycling() && anonymous;" },
  { what: "of two logins at once one is refused", file: save, from: "session.is_cycling() && anonymous && left;", to: "session.is_cycling() && anonymous && !left;" },
  { what: "cycle_key leaves no tombstone", file: save, from: "session.tell(EventKind::Cycled);\n                self.end(session, old)", to: "self.delete(session, &old)" },
  { what: "a logout ends its own key only", file: revoke, from: "if let Some(family) = identity.family {", to: "if let Some(family) = identity.family.filter(|_| now.timestamp() < 0) {" },
  { what: "delete leaves no tombstone", file: revoke, from: "vec![end_key(settings, identity, now), delete(settings, identity)]", to: "let _ = now;\n    vec![delete(settings, identity)]" },
  { what: "a load does not look at tombstones", file: load, from: "if tombstones.iter().any(Option::is_some) {\n                    REVOKED\n                } else if", to: "if tombstones.is_empty() {\n                    REVOKED\n                } else if" },
  { what: "the cookie of an ended session is deleted", file: lifecycle, from: "Fetched::Newer | Fetched::Revoked => {", to: "Fetched::Newer => {" },
  { what: "what is not visible yet is unknown", file: freshness, from: "session.position().is_some() && is_recent(session, NOT_YET_VISIBLE)", to: "session.position().is_some() && is_recent(session, -1)" },
  { what: "what is gone is not visible yet for ever", file: freshness, from: "session.position().is_some() && is_recent(session, NOT_YET_VISIBLE)", to: "session.position().is_some()" },
  { what: "what is not visible yet is written", file: save, from: "Err(Error::stale())\n        } else if session.is_cycling()", to: "self.write(session)\n        } else if session.is_cycling()" },
  { what: "the last whole record wins", file: save, from: "if !head.tags.first().is_some_and(|tag| session.has_seen(tag)) {", to: "if head.tags.is_empty() {" },
  { what: "a merge brings back what was removed", file: data, from: "None => _ = newer.take(key, false),", to: "None => {}" },
  { what: "a merge takes along what was saved before", file: data, from: "self.slots.iter_mut().for_each(|entry| entry.touched = false);\n", to: "" },
  { what: "a merge moves keys to the end", file: data, from: "Some(value) => newer.put(key, value.into(), true),", to: "Some(value) => { newer.take(key); newer.put(key, value.into(), true) }" },

  // The response.
  { what: "a late answer gives its cookie", file: respond, from: "if session.is_late() && session.is_as_named() {", to: "if session.is_late() && session.is_empty() {" },
  { what: "a late answer gives no new key", file: respond, from: "if session.is_late() && session.is_as_named() {", to: "if session.is_late() {" },
  { what: "a late answer deletes the cookie", file: respond, from: "(session.is_flushed() || !session.is_late())", to: "true" },
  { what: "a late logout leaves the cookie", file: respond, from: "(session.is_flushed() || !session.is_late())", to: "!session.is_late()" },
  { what: "an answer is late after fifteen seconds", file: lifecycle, from: "const LATE: i64 = 5_000;", to: "const LATE: i64 = 15_000;" },
  { what: "the cookie is kept on an emptied flush", file: respond, from: "session.presented() && session.is_empty() &&", to: "session.presented() && session.is_empty() && !session.modified() &&" },
  { what: "no cookie is deleted on 5xx", file: respond, from: "session.presented() && session.is_empty() &&", to: "session.presented() && session.is_empty() && self.status < 500 &&" },
  { what: "no cookie is deleted where nobody looked", file: respond, from: "session.presented() && session.is_empty() &&", to: "session.presented() && session.is_empty() && session.accessed() &&" },
  { what: "Vary is overwritten", file: respond, from: "names.push(\"Cookie\");", to: "names = vec![\"Cookie\"];" },
  { what: "Vary follows modified", file: respond, from: "let vary = session.accessed();", to: "let vary = session.modified();" },
  { what: "4xx is not saved", file: respond, from: "let failed = self.status >= 500;", to: "let failed = self.status >= 400;" },
  { what: "500 is saved", file: respond, from: "let failed = self.status >= 500;", to: "let failed = self.status > 500;" },
  { what: "empty sessions are created", file: respond, from: "if session.is_empty() || !wanted || lost {", to: "if !wanted || lost {" },
  { what: "a browser-close cookie has a Max-Age", file: respond, from: "            Keep::UntilBrowserCloses\n", to: "            Keep::Seconds(session.settings().cookie_age)\n" },
  { what: "Max-Age is always the setting", file: respond, from: "Keep::Seconds(session.get_expiry_age(ExpiryOptions::default())?)", to: "Keep::Seconds(session.settings().cookie_age)" },
  { what: "Expires is a second off", file: set, from: "Deadline::after(now, seconds).0", to: "Deadline::after(now, seconds.saturating_add(1)).0" },
  { what: "the cookie's path is fixed", file: set, from: "header.push_str(&settings.cookie_path);", to: "header.push('/');" },
  { what: "two tokens that verify: the last one counts", file: load, from: "if all.len() == 1 { all.pop() } else { None }", to: "all.pop()" },

  // The JavaScript door.
  { what: "pop takes null for no default", file: open, from: "fallback.length > 0 && !this.has(key)", to: "fallback[0] != null && !this.has(key)" },
  { what: "get takes null for a key that is not there", file: open, from: "return text === undefined ? fallback :", to: "return text === undefined || text === \"null\" ? fallback :" },
  { what: "-0 becomes 0", file: "src/js/value.ts", from: " && (value !== 0 || 1 / value > 0)", to: "" },
  { what: "NaN is taken", file: "src/js/value.ts", from: "return Number.isFinite(value) && (", to: "return true || (" },
  { what: "what was changed inside is never stored", file: open, from: "if (text !== kept.text) this.#put(key, text);", to: "if (kept.text === undefined) this.#put(key, text);" },
  { what: "an explicit save stores what is marked only", file: open, from: "this.keepChanges(true);", to: "this.keepChanges(false);" },
  { what: "get hands out what was removed", file: open, from: "this.#objects?.delete(key);\n    return there;", to: "return there;" },
  { what: "an update sorts keys that look like integers", file: open, from: "[...new Map(pairs)]", to: "Object.entries(Object.fromEntries(pairs))" },
  { what: "a date's microseconds are cut", file: open, from: "if (typeof date === \"string\") return date;", to: "if (typeof date === \"string\") return new Date(date).toISOString();" },
  { what: "the door overwrites Vary", file: "src/js/headers.ts", from: "vary(headers.get(\"Vary\") ?? \"\")", to: "vary(\"\")" },
  { what: "a duration counts from the load", file: open, from: "this.#timed.setExpiry(kind, amount)", to: "this.#idle.setExpiry(kind, amount)" },
];
