// The fault matrix: each operation, each of its calls on KV, each way in which that call can end, through both doors. What the
// browser is told, what becomes of its cookie, and what its session holds once KV is well again.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import App from "../../build/index.js";
import { faultyKv, reads, writes } from "./faulty-kv.mjs";
import PackageWorker from "./package-worker.mjs";
import { visitor } from "./worker.mjs";

const doors = { "the Rust Worker": App, "the package": PackageWorker };

/** What Alice's session holds before each operation, and what a save makes of it. */
const before = { user: "alice", page: 1 };
const saved = { ...before, color: "red" };
const nobodys = {};

/** The requests, and the calls that each makes when nothing fails. */
const operations = {
  load: { request: ["GET", "/session"], steps: ["get record"] },
  create: { request: ["PUT", "/session/data/color", '"red"'], steps: ["put record"], anonymous: true },
  save: { request: ["PUT", "/session/data/color", '"red"'], steps: ["get record", "get record 2", "put record"] },
  renewal: {
    request: ["GET", "/session"],
    steps: ["get record", "get record 2", "put record"],
    bindings: { SESSION_SAVE_EVERY_REQUEST: true, SESSION_COOKIE_AGE: 10_000 },
  },
  cycle: { request: ["POST", "/session/cycle-key"], steps: ["get record", "put record", "delete record"] },
  flush: { request: ["POST", "/session/flush"], steps: ["get record", "delete record"] },
};

/**
 * An outcome: status and error code, what becomes of the cookie, what the browser's session holds afterwards, and what the cookie
 * from before opens then.
 */
const outcome = (answer, cookie, then, old = then) => ({ answer, cookie, then, old });
const unavailable = (then, cookie = "kept") => outcome("503 ES_STORE_UNAVAILABLE", cookie, then);
const interrupted = outcome("400 ES_SESSION_INTERRUPTED", "kept", before);
const anonymous = outcome("200", "deleted", nobodys, before);

/** A session that could not be opened is left where it is, and the write goes into a new one. */
const anew = (then) => outcome("204", "given", then, before);

const gone = outcome("204", "deleted", nobodys);

const unread = { outage: unavailable(before) };

/** By operation, step and group of faults; with `always` the fault goes on. */
const table = {
  load: {
    "get record": {
      outage: unavailable(before),
      missing: anonymous,
      over: anonymous,
      corrupt: anonymous,
      newer: outcome("200", "kept", before),
    },
  },
  create: {
    "put record": {
      refused: unavailable(nobodys),
      applied: unavailable(nobodys),
      slow: outcome("204", "given", { color: "red" }, nobodys),
    },
  },
  save: {
    "get record": {
      ...unread,
      missing: anew({ color: "red" }),
      over: anew({ color: "red" }),
      corrupt: anew({ color: "red" }),
      newer: anew({ color: "red" }),
    },
    "get record 2": { outage: unavailable(before), missing: interrupted, over: interrupted, corrupt: interrupted, newer: interrupted },
    "put record": { refused: unavailable(before), applied: unavailable(saved), slow: outcome("204", "given", saved) },
  },
  renewal: {
    "get record": { ...unread, missing: anonymous, over: anonymous, corrupt: anonymous, newer: outcome("200", "kept", before) },
    "get record 2": { outage: unavailable(before), missing: interrupted, over: interrupted, corrupt: interrupted, newer: interrupted },
    "put record": { refused: unavailable(before), applied: unavailable(before), slow: outcome("200", "given", before) },
  },
  cycle: {
    "get record": { ...unread, missing: anew(nobodys), over: anew(nobodys), corrupt: anew(nobodys), newer: anew(nobodys) },
    "put record": { refused: unavailable(before), applied: unavailable(before), slow: outcome("204", "given", before, nobodys) },
    "delete record": {
      refused: outcome("204", "given", before, nobodys),
      "refused always": outcome("204", "given", before, before),
      applied: outcome("204", "given", before, nobodys),
      slow: outcome("204", "given", before, nobodys),
      late: outcome("204", "given", before, before),
    },
  },
  flush: {
    "get record": { outage: gone, missing: gone, over: gone, corrupt: gone, stale: gone },
    "delete record": {
      refused: outcome("503 ES_STORE_UNAVAILABLE", "deleted", nobodys, before),
      applied: outcome("503 ES_STORE_UNAVAILABLE", "deleted", nobodys),
      slow: outcome("204", "deleted", nobodys),
      late: outcome("204", "deleted", nobodys, before),
    },
  },
};

let log;
beforeAll(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterAll(() => log.mockRestore());

/** A visitor at a KV that can fail, who has a session of three saves. */
async function alice(Worker, { anonymous: fresh } = {}) {
  const faulty = faultyKv();
  const one = visitor({ SESSIONS: faulty.kv }, Worker);
  for (const [key, value] of fresh ? [] : [["user", "alice"], ["page", 0], ["page", 1]]) await one.put(`/session/data/${key}`, value);
  faulty.steps();
  return { one, faulty };
}

/** Makes the operation's request. Gives the answer as the table writes it. */
async function ask(one, { request, bindings }) {
  const [was, own] = [one.cookie, one.bindings];
  one.bindings = { ...own, ...bindings };
  const { status, headers, json } = await one.request(...request);
  one.bindings = own;
  const given = headers.getSetCookie();
  expect(given.length).toBeLessThan(2);
  expect(headers.get("Vary")).toBe("Cookie");
  expect(headers.get("Cache-Control")).toBe(given.length ? "private, no-store" : "private");
  const cookie = given.length === 0 ? "kept" : one.cookie === undefined ? "deleted" : "given";
  if (cookie === "kept") expect(one.cookie).toBe(was);
  return { answer: [status, json?.error?.code].filter(Boolean).join(" "), cookie };
}

/** What a cookie opens now. */
async function opens(one, cookie) {
  return { ...one, cookie }.data();
}

for (const [door, Worker] of Object.entries(doors)) {
  describe.concurrent(door, () => {
    for (const [name, operation] of Object.entries(operations)) {
      test(`${name}: asks KV in the order of the table, each of whose calls is made to fail`, async () => {
        const { one, faulty } = await alice(Worker, operation);
        const { answer } = await ask(one, operation);
        expect(Number(answer)).toBeLessThan(300);
        expect(faulty.steps()).toEqual(operation.steps);
        expect(Object.keys(table[name])).toEqual(operation.steps);
      });

      for (const [step, groups] of Object.entries(table[name])) {
        for (const [group, expected] of Object.entries(groups)) {
          const [kind, always] = group.split(" ");
          const faults = (step.startsWith("get") ? reads : writes)[kind];
          test(`${name}, ${step}: ${group}`, async () => {
            await Promise.all(Object.entries(faults).map(async ([what, fault]) => {
              const { one, faulty } = await alice(Worker, operation);
              const cookie = one.cookie;
              const planned = faulty.plan(step, fault, { always: Boolean(always) });
              const told = await ask(one, operation);
              expect(planned.hits, `${what} happened`).toBeGreaterThan(0);
              faulty.heal();
              const then = await opens(one, one.cookie);
              const old = await opens(one, cookie);
              expect({ ...told, then, old }, what).toEqual(expected);
            }));
          });
        }
      }
    }
  });
}
