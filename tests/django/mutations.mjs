// The mutations that the comparison with Django has to detect: a mismatch in some call, or an implementation that crashes. Those
// in a file of TypeScript concern the npm package, the others the crate. tests/mutations/mutation.mjs describes how a mutation
// finds its place.

export const mutations = [
  // The flags.
  { what: "a save resets modified", marker: "flags-of-save", from: "= true;", to: "= true; self.flags.modified = false;" },
  { what: "an update that sets nothing marks nothing", marker: "update-marks", from: "= true;", to: "|= changed;" },
  { what: "reading marks nothing", marker: "read-marks", from: "self.flags.accessed = true;", to: "" },
  { what: "set_expiry(None) always marks", marker: "expiry-removed", from: "self.discard(EXPIRY_KEY).map(|_| ())", to: "{ self.mark_changed(); self.discard(EXPIRY_KEY).map(|_| ()) }" },
  { what: "pop marks although the key is missing", marker: "popped-default", from: "Ok(", to: "self.flags.modified = true; Ok(" },
  { what: "setdefault marks although the key exists", marker: "default-present", from: "Ok(present)", to: "{ self.flags.modified = true; Ok(present) }" },
  { what: "an expiry that is given still loads", marker: "given-expiry", from: /=> (.*),/, to: "=> { self.read()?; Lifetime::from_expiry(expiry, self.now())? }," },
  { what: "modified = false drops the list of changes", marker: "modified-set", from: "|=", to: "=" },

  // The dictionary.
  { what: "a key that is set again moves to the end", marker: "set-in-place", from: "self.put(", to: "self.take(&key, false); self.put(" },
  { what: "clear keeps the session's own expiry", marker: "cleared", from: "self.empty();", to: "let kept = self.read().ok().and_then(|data| data.get(\"_session_expiry\").map(<[u8]>::to_vec)); self.empty(); if let Some(kept) = kept { let _ = self.set_text(\"_session_expiry\", kept); }" },
  { what: "a test cookie of any value works", marker: "test-cookie-read", from: "== Some(TEST_COOKIE.1)", to: ".is_some() || self.flags.modified" },
  { what: "deleting a missing test cookie is not an error", marker: "test-cookie-removed", from: "self.remove(TEST_COOKIE.0)", to: "self.discard(TEST_COOKIE.0).map(|_| ())" },
  { what: "a session with a key is empty until it is loaded", marker: "empty-session", from: "self.key.identity().is_none() && no_data", to: "no_data" },

  // Expiry.
  { what: "ages are truncated instead of rounded down", marker: "age-of-date", from: ".div_euclid(1_000_000)", to: " / 1_000_000" },
  { what: "milliseconds instead of microseconds", marker: "microseconds", from: "date.timestamp_micros()", to: "date.timestamp_millis().saturating_mul(1_000)" },
  { what: "a date loses its offset", marker: "given-date", from: "in_range(date)", to: "in_range(date.to_utc().fixed_offset())" },
  { what: "a duration of zero means browser-close", marker: "given-duration", from: "Expiry::In(delta) =>", to: "Expiry::In(delta) if delta.is_zero() => Self::Seconds(0), Expiry::In(delta) =>" },
  { what: "a duration slides with each save", marker: "given-duration", from: "Expiry::In(delta) =>", to: "Expiry::In(delta) if delta.num_seconds() > 0 => Self::Seconds(delta.num_seconds()), Expiry::In(delta) =>" },
  { what: "0 means that the record has expired", marker: "age-of-policy", from: "Self::Policy | Self::Seconds(0)", to: "Self::Policy" },
  { what: "an age is never negative", marker: "age-of-seconds", from: "=> seconds", to: "=> seconds.max(0)" },
  { what: "the setting for browser-close overrides the session's own expiry", marker: "browser-close", from: "own == Lifetime::Seconds(0)", to: "own == Lifetime::Seconds(0) || self.settings.expire_at_browser_close" },
  { what: "a record lives a moment past its deadline", marker: "deadline-passed", from: "<=", to: "<" },

  // The store.
  { what: "an unknown key is adopted", marker: "unknown-key", from: "self.key = KeyState::None;", to: "" },
  { what: "a save revives a session whose record is missing", marker: "record-is-gone", from: "Err(Error::interrupted())", to: "self.write(session, memory, attempt)" },
  { what: "a new record overwrites an existing one", marker: "new-record", from: "OnlyIf::Absent", to: "OnlyIf::Any" },
  { what: "cycle_key leaves the old record", marker: "replaced-key", from: "(Some(identity.clone()), Some(identity))", to: "(Some(identity), None)" },
  { what: "cycle_key loses the data", marker: "data-of-rotation", from: "self.data()?;", to: "self.empty();" },
  { what: "create copies the data of a session that was not accessed", marker: "data-of-copy", from: "self.empty();", to: "let _ = self.data();" },
  { what: "flush leaves the record", marker: "record-of-logout", from: "deletions.push(deletion);", to: "let _ = &mut deletions;", test: ["revocation", "a_logout_step_by_step_with_each_one_failing"] },
  { what: "flush keeps the key", marker: "key-of-flush", from: "FlushState::Pending(pending.clone());", to: "FlushState::Pending(pending.clone()); if let Some(own) = pending.first() { self.key = KeyState::Stored(own.clone()); }" },
  { what: "clear_expired deletes live records too", marker: "over-records", from: "is_some_and(is_over)", to: "is_some_and(|at| is_over(at) || at > 0)" },
  { what: "a renewal waits for half of the session's life", marker: "renewal-due", from: "life / 10", to: "life / 2" },

  // What has ended, what is not visible yet, and who else saves.
  { what: "a save revives a session that has ended", marker: "save-after-end", from: "Err(Error::interrupted())", to: "if session.key.is_new() { Err(Error::interrupted()) } else { Ok(()) }", test: ["revocation", "cve_2025_46336_a_logout_cannot_be_undone_by_a_slow_request"] },
  { what: "a rotation revives a session that was logged out", marker: "save-after-end", from: "Err(Error::interrupted())", to: "if session.key.is_new() { Ok(()) } else { Err(Error::interrupted()) }", test: ["revocation", "a_login_that_conflicts_with_a_logout_is_interrupted"] },
  { what: "a second rotation of a logged-in key keeps its data", marker: "second-login-saved", from: "if starts_login", to: "if session.key.is_new()" },
  { what: "of two logins at once one is refused", marker: "second-login-saved", from: "if starts_login", to: "if starts_login && now < 0" },
  {
    what: "cycle_key leaves no tombstone",
    edits: [
      { marker: "mark-of-rotation", from: /memory\.mark\(.*\);/, to: "let _ = (&tombstone, now);" },
      { marker: "tombstone-of-rotation", from: "self.revoke(session, memory, old, false)", to: "self.delete(session, memory, &old, false)" },
    ],
  },
  {
    what: "a logout ends its own key only",
    edits: [
      { marker: "mark-of-anonymous", from: /memory\.mark\(.*\);/, to: "let _ = anonymous;" },
      { marker: "earlier-rotations", from: "own.saturating_sub(PREDECESSORS)", to: "own" },
      { marker: "reach-of-logout", from: "own.saturating_add(reach.ahead)", to: "own.max(reach.ahead.min(own))" },
    ],
  },
  {
    what: "a logout leaves no tombstone",
    edits: [
      { marker: "mark-of-anonymous", from: /memory\.mark\(.*\);/, to: "let _ = anonymous;" },
      { marker: "mark-of-logout", from: /memory\.mark\(.*\);/, to: "" },
      { marker: "tombstone-of-logout", from: "left.push(op);", to: "let _ = op;" },
    ],
  },
  { what: "a load reads no tombstone", marker: "tombstone-loaded", from: "tombstone, now)", to: "tombstone, now).filter(|_| now < 0)" },
  { what: "the cookie of an ended session is deleted", marker: "ended-cookies-stay", from: "OtherSettings | Revoked", to: "OtherSettings" },
  { what: "a session that is not visible yet is unknown", marker: "not-yet-visible", from: "NOT_YET_VISIBLE", to: "-1" },
  { what: "a missing record is not visible yet forever", marker: "not-yet-visible", from: " && is_recent(session, NOT_YET_VISIBLE)", to: "" },
  { what: "a session that is not visible yet is written", marker: "not-visible-is-refused", from: "Err(Error::stale())", to: "self.write(session, memory, Box::default())", test: ["staleness", "a_session_that_is_not_visible_yet_keeps_its_cookie_and_creates_nothing"] },
  { what: "the last complete record wins", marker: "base-of-save", from: "self.has_seen(tag)", to: "self.has_seen(tag) || self.stored.is_some()" },
  { what: "a merge restores removed keys", marker: "removal-merged", from: "_ = newer.take(key, false)", to: "_ = newer.len" },
  { what: "a merge repeats changes that were saved before", marker: "settled", from: "entry.touched = false", to: "entry.touched &= true", test: ["staleness", "a_second_save_includes_only_the_changes_since_the_first_one"] },
  { what: "a merge moves keys to the end", marker: "set-merged", from: /=> (newer.put\(.*\)),/, to: "=> { newer.take(key, false); newer.put(key, value.into(), true) }," },

  // The response.
  { what: "a slow response deletes the cookie", marker: "late-deletion", from: "!is_late", to: "(!is_late || is_late)" },
  { what: "a slow logout leaves the cookie", marker: "login-takes-anonymous", from: "is_flushed ||", to: "(is_flushed && !is_late) ||" },
  { what: "a response is slow after fifteen seconds", marker: "late", from: "5_000", to: "15_000" },
  { what: "the cookie stays after a flush", edits: [{ marker: "late-deletion", from: "session.is_empty()", to: "session.is_empty() && !session.modified()" }, { marker: "login-takes-anonymous", from: "is_flushed ||", to: "(is_flushed && !session.modified()) ||" }] },
  { what: "no cookie is deleted on 5xx", marker: "commit-without-save", from: "without_save(session)", to: "{ if self.status >= 500 { session.incoming.leave_alone(); } without_save(session) }" },
  { what: "no cookie is deleted where the session was not accessed", marker: "late-deletion", from: "session.is_empty()", to: "session.is_empty() && session.accessed()" },
  { what: "Vary is overwritten", marker: "vary-names", from: "names.push(\"Cookie\");", to: "names = vec![\"Cookie\"];" },
  { what: "Vary follows modified", marker: "vary-of-read", from: "session.accessed()", to: "session.modified()" },
  { what: "4xx is not saved", marker: "failed-page", from: "500", to: "400" },
  { what: "500 is saved", marker: "failed-page", from: ">=", to: ">" },
  { what: "empty sessions are created", marker: "commit-of-empty", from: "(session.is_empty() && !is_superseded) ||", to: "(session.is_empty() && is_superseded) ||" },
  { what: "a commit does not check whether a saved session has ended", marker: "saved-before-commit", from: "self.verify(session, lifetime, saved, Purpose::SavedBefore)", to: "self.verify(session, lifetime, saved, Purpose::SavedBefore).filter(|_| self.status == 0)" },
  { what: "a browser-close cookie has a Max-Age", marker: "until-browser-closes", from: "CookieLifetime::UntilBrowserCloses", to: "CookieLifetime::Seconds(session.settings.cookie_age)" },
  { what: "Max-Age is always the setting", marker: "age-of-cookie", from: "session.get_expiry_age(ExpiryOptions::default())?", to: "{ session.get_expiry_age(ExpiryOptions::default())?; session.settings.cookie_age }" },
  { what: "Expires is a second off", marker: "expires", from: "seconds)", to: "seconds.saturating_add(1))" },
  { what: "the cookie's path is fixed", marker: "cookie-path", from: "header.push_str(&settings.cookie_path);", to: "header.push('/');" },
  { what: "one of two valid tokens is used", marker: "two-live-tokens", from: "is_live(other) && is_live(&fetched)", to: "false && is_live(other)", test: ["cookies", "two_live_sessions_under_one_name_open_neither"] },

  // The npm package.
  { what: "pop treats null as a missing default", marker: "js-pop-default", from: "fallback.length > 0", to: "fallback[0] != null" },
  { what: "get treats null as a missing key", marker: "js-get-default", from: "this.#parse(key, ", to: "(this.#context.area.text() === 'null') ? fallback : this.#parse(key, " },
  { what: "-0 becomes 0", marker: "js-number", from: " && (value !== 0 || 1 / value > 0)", to: "" },
  { what: "NaN is accepted", marker: "js-number", from: "Number.isFinite(value)", to: "true" },
  { what: "changes inside of values are never stored", marker: "js-changed-inside", from: "text !== cached.text", to: "cached.text === undefined" },
  { what: "an explicit save stores marked changes only", marker: "js-explicit-save", from: "true", to: "false", test: ["tests/node/dictionary.test.mjs", "a save stores changes inside of values whether or not the flag is set"] },
  { what: "get returns removed values", marker: "js-removed", from: "this.#objects?.delete(key);", to: "" },
  { what: "an update sorts keys that look like integers", marker: "js-order-of-update", from: "[...new Map(pairs)]", to: "Object.entries(Object.fromEntries(pairs))" },
  { what: "a date's microseconds are dropped", marker: "js-date-text", from: "return date;", to: "return new Date(date).toISOString();" },
  { what: "the JavaScript binding overwrites Vary", marker: "js-vary", from: "vary(headers.get(\"Vary\") ?? \"\")", to: "vary(\"\")" },
  { what: "a duration counts from the load", marker: "js-duration", from: "this.#withClock", to: "this.#idle" },
];
