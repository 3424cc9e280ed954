// The deployed Worker, visitors with cookies of their own, and a SESSIONS that counts or fails.

import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { createSessions, kv } from "../../dist/workerd.js";
import App from "../../worker/build/index.js";

/** Lets the clock stand still during a test, as it does in a deployed Worker between two waits for I/O; here it ticks. */
export async function withoutTicks(run) {
  const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now());
  try {
    await run();
  } finally {
    clock.mockRestore();
  }
}

export const origin = "http://localhost:8787";
export const secret = "the workerd tests' secret, of more than 32 bytes";

/** Calls a Worker's `fetch` with bindings of the test's choice, and waits for what it left to `waitUntil`. */
export async function fetch(path, { init, bindings, Worker } = {}) {
  return call(bindings, (worker) => worker.fetch(new Request(new URL(path, origin), init)), Worker);
}

/** Calls the Worker's `scheduled`, as its cron does. */
export async function scheduled({ bindings } = {}) {
  return call(bindings, (worker) => worker.scheduled(createScheduledController()));
}

async function call(bindings = {}, work, Worker = App) {
  const context = createExecutionContext();
  const merged = { SESSIONS: env.SESSIONS, SESSION_SECRET: secret, ...bindings };
  const result = await work(new Worker(context, merged));
  await waitOnExecutionContext(context);
  return result;
}

/** A KV namespace in memory, for tests that make so many requests that the real one would take minutes. */
export function memoryKv() {
  const kept = new Map();
  return {
    get: async (key) => kept.get(key)?.slice(0) ?? null,
    put: async (key, value, { expirationTtl }) => {
      if (!(expirationTtl >= 60)) throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${expirationTtl}.`);
      kept.set(key, new Uint8Array(value).slice().buffer);
    },
    delete: async (key) => void kept.delete(key),
  };
}

/** A KV namespace that notes every call and lets `faults` answer in its place: `{ get: (key) => { throw … } }`. */
export function watched(faults = {}, namespace = env.SESSIONS) {
  const calls = [];
  const kv = new Proxy(namespace, {
    get(target, name) {
      const method = target[name];
      if (typeof method !== "function") return method;
      return (...args) => {
        calls.push({ name, args });
        return faults[name] ? faults[name](...args) : method.apply(target, args);
      };
    },
  });
  /** The names of the calls since the last look. */
  const names = () => calls.splice(0).map(({ name }) => name);
  return { kv, calls, names };
}

/** A fault: a `put` that refuses to end a key, and puts everything else. */
export async function refusingTombstones(key, ...rest) {
  if (key.includes(":ended:")) throw new Error("KV PUT failed: 500");
  return env.SESSIONS.put(key, ...rest);
}

/** The session's cookies after a response, by their names: of a session before its first `cycle_key`, and after it. */
export function cookiesAfter(cookie = "", headers) {
  const name = (pair) => pair.slice(0, pair.indexOf("="));
  const jar = new Map(cookie.split("; ").filter(Boolean).map((pair) => [name(pair), pair]));
  for (const line of headers.getSetCookie()) {
    const [pair] = line.split(";");
    if (!/sessionid(-anonymous)?$/.test(name(pair))) continue;
    if (/; Max-Age=(0|-\d+)(;|$)/.test(line)) jar.delete(name(pair));
    else jar.set(name(pair), pair);
  }
  return [...jar.values()].join("; ") || undefined;
}

/** A visitor whose browser keeps the session's cookies; `bindings` are those of the Worker that it visits, our own or another. */
export function visitor(bindings = {}, Worker = App) {
  return {
    bindings,
    cookie: undefined,
    /** One request; a text is sent as it is, anything else as JSON. Gives status, headers and the parsed body. */
    async request(method, path, body, headers = {}) {
      const init = { method, headers: { ...headers, ...(this.cookie && { Cookie: this.cookie }) } };
      if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
      const response = await fetch(path, { init, bindings: this.bindings, Worker });
      this.cookie = cookiesAfter(this.cookie, response.headers);
      const text = await response.text();
      const json = response.headers.get("Content-Type") === "application/json" ? JSON.parse(text) : undefined;
      return { status: response.status, headers: response.headers, text, json };
    },
    get(path) {
      return this.request("GET", path);
    },
    put(path, value) {
      return this.request("PUT", path, JSON.stringify(value));
    },
    post(path, value) {
      return this.request("POST", path, JSON.stringify(value));
    },
    /** What the session holds. */
    async data() {
      return (await this.get("/session")).json.data;
    },
  };
}

/** The session key inside a cookie's token: it must be found nowhere else. */
export async function sessionKey(cookie) {
  return (await createSessions({ store: kv(env.SESSIONS), secrets: [secret] }).load(cookie)).sessionKey;
}
