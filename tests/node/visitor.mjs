// Sessions in memory with a clock set by the test, a visitor whose browser keeps the cookies, and a KV that counts.

import { createSessions, memory } from "../../dist/node.js";

export const secrets = ["the node tests' secret, of more than 32 bytes"];

/** A store in memory that promises no more than KV: its sessions use the protocol of KV. */
export const eventual = () => ({ ...memory(), consistency: "eventual" });

/** Sessions whose time the test moves: `time.now += 1000`. */
export function sessionsAt({ store = eventual(), ...settings } = {}) {
  const time = { now: Date.UTC(2030, 0, 1) };
  return { time, store, sessions: createSessions({ store, secrets, clock: () => time.now, ...settings }) };
}

/** Sessions of another isolate or location: the same records and clock, without isolate memory. */
export const isolate = ({ store, time }, settings) => createSessions({ store: { ...store }, secrets, clock: () => time.now, ...settings });

/** Sessions of which every load happens in an isolate of its own. */
export const wandering = (site, settings) => ({
  load: (from) => isolate(site, settings).load(from),
  commit: (session, response) => site.sessions.commit(session, response),
});

/** The names of the cookie: of a session before its first `cycleKey`, and after it. */
export const anonymous = "__Host-sessionid-anonymous";
export const loggedIn = "__Host-sessionid";

/** The next `Cookie` header of a browser: the last one, changed by the response's `Set-Cookie` headers. */
export function cookiesAfter(cookie, headers) {
  const name = (pair) => pair.split("=")[0];
  const jar = new Map(cookie.split("; ").filter(Boolean).map((pair) => [name(pair), pair]));
  for (const line of headers.getSetCookie()) {
    const [pair] = line.split(";");
    if (/; Max-Age=(0|-\d+)(;|$)/.test(line)) jar.delete(name(pair));
    else jar.set(name(pair), pair);
  }
  return [...jar.values()].join("; ");
}

/** The kinds of entries of a memory store: `session`, `ended` (a tombstone). */
export const kinds = ({ records }) => [...records.keys()].map((name) => name.split(":")[1]).sort();

/** A new session in memory. */
export const fresh = (settings) => sessionsAt(settings).sessions.open();

/** A visitor whose browser keeps the session's cookies. */
export function visitor(sessions) {
  return {
    cookie: "",
    /** Runs one request. Returns the result of `handler`, the response after the commit, and the committed session. */
    async visit(handler, response = new Response("ok")) {
      const session = await sessions.load(new Request("https://example.com/", { headers: { Cookie: this.cookie } }));
      const result = await handler(session);
      const answer = await sessions.commit(session, response);
      this.cookie = cookiesAfter(this.cookie, answer.headers);
      return { result, answer, session };
    },
  };
}

/** A KV namespace in memory that records every call; `faults` replace its calls. */
export function countingKv(faults = {}) {
  const kept = new Map();
  const calls = [];
  const real = {
    get: async (key) => kept.get(key)?.value ?? null,
    put: async (key, value, options) => void kept.set(key, { value, ...options }),
    delete: async (key) => void kept.delete(key),
    list: async ({ prefix }) => {
      const keys = [...kept].filter(([name]) => name.startsWith(prefix)).map(([name, { metadata }]) => ({ name, metadata }));
      return { keys, list_complete: true, cursor: "" };
    },
  };
  const noted = (name) => (...args) => {
    calls.push({ name, args });
    return (faults[name] ?? real[name])(...args);
  };
  const kv = Object.fromEntries(Object.keys(real).map((name) => [name, noted(name)]));
  return { kv, kept, calls, names: () => calls.splice(0).map(({ name }) => name) };
}

/** Runs one request of a visitor, whose response has this status. Returns the committed session. */
export async function visited(visitor, handler, status = 200) {
  return (await visitor.visit(handler, new Response(null, { status }))).session;
}
