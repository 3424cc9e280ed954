// Sessions in memory with a clock that stands still, a visitor whose browser keeps the cookie, and a KV that counts.

import { createSessions, memory } from "../../dist/node.js";

export const secrets = ["the node tests' secret, of more than 32 bytes"];

/** Sessions whose time the test moves: `time.now += 1000`. */
export function sessionsAt({ store = memory(), ...settings } = {}) {
  const time = { now: Date.UTC(2030, 0, 1) };
  return { time, store, sessions: createSessions({ store, secrets, clock: () => time.now, ...settings }) };
}

/** The kinds of what a store in memory holds: `session`, `ended` (a key's tombstone), `family`. */
export const kinds = ({ records }) => [...records.keys()].map((name) => name.split(":")[1]).sort();

/** A new session in memory. */
export const fresh = (settings) => sessionsAt(settings).sessions.open();

/** A visitor whose browser keeps the session cookie. */
export function visitor(sessions) {
  return {
    cookie: "",
    /** One request: what `handler` gives, and the response after the commit. */
    async visit(handler, response = new Response("ok")) {
      const session = await sessions.load(new Request("https://example.com/", { headers: { Cookie: this.cookie } }));
      const result = await handler(session);
      const answer = await sessions.commit(session, response);
      for (const line of answer.headers.getSetCookie()) this.cookie = /Max-Age=0(;|$)/.test(line) ? "" : line.split(";")[0];
      return { result, answer };
    },
  };
}

/** A KV namespace in memory that notes every call; `faults` answer in its place. */
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
