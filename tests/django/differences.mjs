// The allowed differences from Django: the rows of docs/concepts/differences-from-django.md. Any other difference is a
// mismatch.
//
// `expect` turns Django's answer to a step into the one expected here; `facts` is the judge's state at the step. `occurs`
// returns whether the difference is already part of Django's state. A row that no comparison can show names the test that shows
// it.

/** 400 days, in seconds: as long as browsers keep a cookie, and the longest life of a session by default. */
export const LONGEST = 34_560_000;

/** Seconds for which an expired record stays in the store. */
const MARGIN = 120;

const given = (answer) => Boolean(answer.cookie?.value);
const taken = (answer) => answer.cookie?.value === "";

export const differences = [
  {
    id: "key in the cookie",
    expect: (django, { step }) => (step.op === "load" && django.plain?.key === "unknown" ? asRead(django) : django),
  },
  {
    id: "Cookie header",
    expect: (django, { step }) => (step.op === "load" && django.plain ? asRead(django) : django),
  },
  {
    id: "`create`, `cycle_key` in a request",
    expect: (django) => (django.written === undefined || django.e ? django : { ...django, written: false }),
  },
  {
    id: "two requests, two keys",
    expect: (django) => (django.merged ? { ...django, stored: django.merged, merged: undefined } : django),
  },
  {
    id: "save after logout",
    expect(django, { step, ours, refusal, cycling, before }) {
      if (refusal !== "interrupted" || django.e) return django;
      if (step.call === "cycle_key" && step.settle) return { ...failed(django, "interrupted", ours), written: false };
      return cycling === "cycle_key" && step.op === "commit" && step.status < 500 ? failed(before, "interrupted", ours) : django;
    },
  },
  {
    id: "a login beside other requests",
    occurs: (django) => django.second,
    expect(django, facts) {
      if (facts.superseded && facts.step.call !== "cycle_key") return superseded(django, facts);
      const { step, ours, refusal, cycling, unsent, before } = facts;
      if (refusal !== "ES_SUPERSEDED") return django;
      if (step.call === "save" && django.e) return { ...django, e: refusal };
      if (step.call === "cycle_key" && step.settle) return { ...failed(django, refusal, ours), written: false };
      if (step.op !== "commit" || step.status >= 500) return django;
      if (cycling === "cycle_key") return failed(before, refusal, ours);
      // Saved data that need no write are only read.
      return django.e === "interrupted" && ours.e && !(unsent && ours.e === "interrupted") ? { ...django, e: refusal } : django;
    },
  },
  {
    id: "logout",
    expect: (django, { step }) => (django.others && isEnd(step) ? { ...django, others: 0 } : django),
  },
  {
    id: "`create` in a login",
    expect(django, { step, ours, refusal, cycling, before }) {
      if (refusal && step.call === "create" && step.settle) return { ...failed(django, refusal, ours), written: false };
      if (refusal && cycling === "create" && step.op === "commit" && step.status < 500) return failed(before, refusal, ours);
      return django.others && !isEnd(step) ? { ...django, others: 0 } : django;
    },
  },
  {
    id: "cookie of an ended session",
    expect(django, { step, ours, revoked, unknownLogin, unused, before, settings, flushed, presented }) {
      if (step.op !== "commit" || django.e) return django;
      // A logout deletes it, even if the page fails.
      if (flushed && !django.cookie && presented.length > 0) return { ...django, cookie: deleted("", settings), depends: true, vary: varied(step.headers.Vary) };
      // The key of a login that left no record may have been rotated a moment ago.
      if (unknownLogin) return taken(django) ? { ...django, cookie: null } : django;
      if (!revoked) return django;
      if (unused && settings.saveEveryRequest && !before.modified) return untouched(before, ours);
      return taken(django) ? { ...django, cookie: null } : django;
    },
  },
  {
    id: "not yet visible",
    expect(django, { step, ours, unseen, unused, before, settings }) {
      if (!unseen) return django;
      if (step.settle) return { ...failed(django, "ES_STALE", ours), written: false };
      if (step.call === "save") return failed(before, "ES_STALE", ours);
      const kept = { ...django, ...closed({ ...django, key: before.key, empty: false }, ours) };
      if (step.op === "call") return unused && django.key === null && step.call !== "flush" ? kept : django;
      if (step.op !== "commit") return django;
      if (unused && settings.saveEveryRequest && !before.modified) return untouched(before, ours);
      if (!before.modified) return django;
      return step.status < 500 ? failed({ ...before, accessed: true }, "ES_STALE", ours) : kept;
    },
  },
  {
    id: "values",
    expect(django, { step, before, ours }) {
      // Rust's integers hold some values that JavaScript's numbers do not.
      if (step.call !== "set_odd" || (step.kind === "big" && ours.e === undefined)) return django;
      const path = step.path.map((at) => (typeof at === "number" ? `[${at}]` : `.${at}`)).join("");
      const named = ours.message?.startsWith(`session.odd${path} `) || ours.message?.startsWith("session.odd is not JSON");
      return { ...before, e: named ? "value" : `value, named session.odd${path}`, message: ours.message };
    },
  },
  {
    id: "setting an equal value",
    expect: (django, facts) => (django.modified ? throttled(django, facts) : django),
  },
  {
    id: "`SESSION_SAVE_EVERY_REQUEST`",
    expect: (django, facts) => (django.modified ? django : throttled(django, facts)),
  },
  {
    id: "lifetime",
    expect(django, facts) {
      if (django.deadline != null && hasEnded(facts)) return { ...django, deadline: null };
      const { absolute } = facts.ours;
      if (django.deadline == null || absolute == null || django.deadline <= absolute) return django;
      return { ...django, deadline: absolute > facts.now * 1000 ? absolute : null };
    },
  },
  {
    id: "the cookie's `Max-Age`",
    expect(django, facts) {
      const { step, ours, now } = facts;
      // Django's dates end with the year 9999, and so does the request; here the cookie lives for as long as it can.
      if (step.op === "commit" && django.e === "value" && ours.e !== "value") return longLived(django, facts);
      const age = django.cookie?.["max-age"];
      if (given(django) && age != null && hasEnded(facts) && ours.cookie?.["max-age"] <= 0) return { ...django, ...ageOf(django, ours.cookie["max-age"], now) };
      return given(django) && age != null ? { ...django, ...ageOf({ ...django, absolute: ours.absolute }, age, now) } : django;
    },
  },
  {
    id: "cookie",
    expect(django, { settings }) {
      if (!django.cookie) return django;
      const name = nameOf("rotated", settings);
      const secure = given(django) ? (settings.cookieSecure ?? true) : django.cookie.secure;
      return { ...django, cookie: { ...django.cookie, name, secure, form: given(django) ? "token" : "" } };
    },
  },
  {
    id: "`SameSite`",
    expect(django, { settings }) {
      if (!django.cookie || settings.cookieSameSite !== false) return django;
      return { ...django, cookie: { ...django.cookie, samesite: "Lax" } };
    },
  },
  {
    id: "deleting the cookie",
    expect(django, { settings }) {
      if (!taken(django)) return django;
      const { cookieSecure: secure = true, cookieHttpOnly: httponly = true } = settings;
      return { ...django, cookie: { ...django.cookie, secure, httponly } };
    },
  },
  {
    id: "`clear_expired`",
    expect(django, { step, now, deadlines }) {
      if (step.op !== "clear_expired") return django;
      return { ...django, v: deadlines.filter((deadline) => deadline + MARGIN * 1e6 <= now * 1000).length };
    },
  },
  {
    id: "late answer",
    expect(django, { step, ours, late, before }) {
      if (step.op !== "commit" || !late || !taken(django)) return django;
      if (before.accessed) return { ...django, cookie: null };
      return { ...django, ...ours.untouched, cookie: null, depends: false };
    },
  },
  {
    id: "caching",
    expect(django) {
      if (!django.depends) return django;
      return { ...django, cache: django.cookie ? "private, no-store" : PRIVATE[django.cache] };
    },
  },
  {
    id: "name of the cookie",
    expect(django, { settings, presented, flushed, late, named, lines }) {
      if (!django.cookie) return django;
      const deletion = (slot) => deleted(nameOf(slot, settings), settings);
      if (taken(django)) {
        const [first, ...also] = presented.map(deletion);
        return { ...django, cookie: { ...django.cookie, name: first?.name }, also };
      }
      const own = lines[django.cookie.value]?.rotations ?? flushed ? "rotated" : "anonymous";
      const isLogin = own === "rotated" && !(late && django.key === named);
      const gone = presented.filter((slot) => slot !== own && (flushed || (isLogin && slot === "anonymous")));
      return { ...django, cookie: { ...django.cookie, name: nameOf(own, settings) }, also: gone.map(deletion) };
    },
  },
  {
    id: "`flush` after `create`",
    expect: (django) => (django.gone === false ? { ...django, gone: true } : django),
  },
  {
    id: "when a session is read",
    occurs: (django) => django.early,
    expect: (django) => django,
  },
  { id: "key in the store", test: ["tests/node/requests.test.mjs", "outside of a request: open, exists, delete, create"] },
  { id: "a new key", test: ["tests/node/requests.test.mjs", "KV: what each request costs, and the shape of every call"] },
  { id: "an older record", test: ["tests/node/protocol.test.mjs", "a browser reads its own writes where the store does not show them yet, and writes on top of them"] },
  { id: "store down", test: ["tests/node/requests.test.mjs", "a store that fails: an error at the first access with the store's error as its cause, and the cookie stays"] },
];

/** Returns whether a step ends a session with all keys made from it. */
const isEnd = ({ op, call }) => op === "delete" || call === "flush" || call === "delete_own";

/** The names of the cookie after the first `cycle_key`, and before it. */
function nameOf(slot, { cookieName, cookieSecure }) {
  const name = cookieName ?? (cookieSecure === false ? "sessionid" : "__Host-sessionid");
  return slot === "rotated" ? name : `${name}-anonymous`;
}

/** The line that deletes a cookie. */
function deleted(name, { cookieSecure = true, cookieHttpOnly = true, cookieDomain = null, cookiePath = "/", cookieSameSite }) {
  const expires = "Thu, 01 Jan 1970 00:00:00 GMT";
  const attributes = { secure: cookieSecure, httponly: cookieHttpOnly, domain: cookieDomain, path: cookiePath, samesite: cookieSameSite || "Lax" };
  return { name, value: "", form: "", "max-age": 0, expires, ...attributes };
}

/**
 * A session whose key another request changed a moment ago: Django knows no such key, and begins a new session. Here it reads as
 * empty and only `cycle_key` can save under it.
 */
function superseded(django, { step, ours, unused, before, changed, settings }) {
  const state = { ...before, key: null, empty: unused || before.empty };
  if (step.call === "clear" && unused) return { ...django, key: null, empty: true };
  if (step.call === "save") return failed(state, "ES_SUPERSEDED", ours);
  if (step.call === "create") {
    const made = { ...state, accessed: true, modified: true };
    return { ...(step.settle ? failed(made, "ES_SUPERSEDED", ours) : closed(made, ours)), written: false };
  }
  if (step.op !== "commit") return django;
  const isRead = before.modified || !unused;
  // An empty update marks the session, and a save has no change to refuse.
  const saves = (before.modified && changed) || (settings.saveEveryRequest && !state.empty);
  if (saves && step.status < 500) return failed({ ...state, accessed: true }, "ES_SUPERSEDED", ours);
  if (!isRead) return settings.saveEveryRequest ? untouched(before, ours) : django;
  return { ...django, ...closed({ ...state, accessed: django.accessed }, ours), cookie: null };
}

/** The answer of a committed session: in JavaScript it is closed, and does not show whether it is empty. */
function closed({ key, accessed, modified, empty }, ours) {
  return { key, accessed, modified, empty: ours.empty === null ? null : empty };
}

/** A page that did not access its session. */
function untouched(before, ours) {
  return { ...closed(before, ours), ...ours.untouched, cookie: null, also: [], deadline: ours.deadline, absolute: ours.absolute };
}

/** A step without an effect. */
function failed(state, e, ours) {
  return { ...closed(state, ours), e, message: ours.message };
}

/** Returns whether a session that was rotated after its absolute deadline was not stored. */
function hasEnded({ settings, ours, now, start }) {
  return ours.deadline === null && ours.absolute == null && now - start >= (settings.absoluteAge ?? LONGEST) * 1000;
}

/** The header as it is read here; Django continues with that as well. */
function asRead({ plain, ...django }) {
  return django;
}

/** The `Cache-Control` of a response that depends on its session. */
const PRIVATE = {
  null: "private",
  "public, max-age=60": "private, max-age=60",
  "no-store": "private, no-store",
  "s-maxage=9": "private",
  "no-cache": "private, no-cache",
};

/**
 * Returns whether a renewal is skipped: the data are unchanged, and the deadline would move by less than a tenth of the session's
 * life. Nothing is written, and the record is not read.
 */
function throttled(django, { step, ours, before, unsent, newest, now }) {
  if (step.op !== "commit" || ours.wrote || ours.e || !django.same || ours.before == null) return django;
  if (django.e === "interrupted") return unsent ? django : quiet(django, step, before, ours);
  if (!given(django)) return django;
  const end = Math.min(django.deadline ?? now * 1000, ours.absolute ?? Infinity);
  const left = Math.ceil((end - now * 1000) / 1e6) * 1e6;
  // Another request may have renewed the record since the load.
  const isDue = (stored) => stored == null || Math.abs(end - stored) >= Math.max(Math.trunc(left / 10), 1e6);
  if (isDue(ours.before) && isDue(newest)) return django;
  const deadline = newest ?? ours.before;
  if (unsent) return { ...django, deadline };
  // A save that was due by the loaded deadline read the store, which counts as use.
  const { vary, cache, depends } = before.accessed || isDue(ours.before) ? django : { ...ours.untouched, depends: false };
  return { ...django, cookie: null, deadline, vary, cache, depends };
}

/** The answer of a commit that did not read the store: the session only shows that it was used. */
function quiet({ accessed, absolute }, { headers }, before, ours) {
  const state = closed({ ...before, accessed }, ours);
  const said = before.accessed ? { vary: varied(headers.Vary), cache: PRIVATE[headers["Cache-Control"] ?? null] } : ours.untouched;
  return { ...state, ...said, absolute, cookie: null, also: [] };
}

/** The answer of a commit whose session ends beyond every date. */
function longLived(django, { step, settings, ours, before, now, refusal }) {
  if (step.status >= 500 || (django.same && !ours.cookie)) return quiet(django, step, before, ours);
  if (refusal) return { ...django, e: refusal };
  const key = before.key ?? ours.key;
  const cookie = { ...deleted("", settings), value: key, form: "token", "max-age": null };
  const state = closed({ key, accessed: true, modified: before.modified || before.key === null, empty: false }, ours);
  // Django made no key for a new session.
  const absolute = before.key === null ? now * 1000 + (settings.absoluteAge ?? LONGEST) * 1e6 : django.absolute;
  return { ...state, ...ageOf({ cookie, absolute }, LONGEST, now), absolute, vary: varied(step.headers.Vary), cache: "private, no-store", also: [] };
}

/** Django's `patch_vary_headers`. */
function varied(present = "") {
  const names = present.split(/\s*,\s*/).filter(Boolean);
  if (names.includes("*")) return "*";
  return names.some((name) => name.toLowerCase() === "cookie") ? names.join(", ") : [...names, "Cookie"].join(", ");
}

/** A cookie that lives for `age` seconds, but not past the absolute deadline of its session, nor longer than browsers keep it. */
function ageOf({ cookie, absolute }, age, now) {
  const left = absolute == null ? Infinity : Math.ceil((absolute - now * 1000) / 1e6);
  const capped = Math.max(-LONGEST, Math.min(age, left, LONGEST));
  return capped === cookie["max-age"] ? { cookie } : { cookie: { ...cookie, "max-age": capped, expires: new Date(now + capped * 1000).toUTCString() } };
}
