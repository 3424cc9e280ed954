// The fault matrix: each operation, each of its calls on KV, each way in which that call can end, through both implementations.
// The response, the browser's cookie, and the data of its session once KV works again. The first fault at each
// call happens to the real KV.

import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import App from "../../worker/build/index.js";
import { faultyKv, reads, writes } from "./faulty-kv.mjs";
import PackageWorker from "./package-worker.mjs";
import { memoryKv, visitor } from "./worker.mjs";

const implementations = { "the Rust Worker": App, "the package": PackageWorker };

/** The data of Alice's session before each operation, and after a save. */
const before = { user: "alice", page: 1 };
const color = { color: "red" };
const saved = { ...before, ...color };
const nobodys = {};

const load = ["get record", "get tombstone"];
const again = ["get record 2", "get tombstone 2"];

/**
 * The requests, and the calls that each makes when nothing fails. A login also asks whether the login of another request has
 * ended; a session that was logged in leaves no record when its key changes.
 */
const operations = {
  load: { request: ["GET", "/session"], steps: load },
  "load after two logins": { request: ["GET", "/session"], steps: load, logins: 2 },
  create: { request: ["PUT", "/session/data/color", '"red"'], steps: ["put record"], anonymous: true },
  save: { request: ["PUT", "/session/data/color", '"red"'], steps: [...load, ...again, "put record"] },
  "save after two logins": { request: ["PUT", "/session/data/color", '"red"'], steps: [...load, ...again, "put record"], logins: 2 },
  renewal: {
    request: ["GET", "/session"],
    steps: [...load, ...again, "put record"],
    bindings: { SESSION_SAVE_EVERY_REQUEST: true, SESSION_COOKIE_AGE: 10_000 },
  },
  cycle: { request: ["POST", "/session/cycle-key"], steps: [...load, ...again, "get tombstone 3", "put record", "put tombstone"] },
  "cycle after two logins": {
    request: ["POST", "/session/cycle-key"],
    steps: [...load, ...again, "put record", "put tombstone", "delete record"],
    logins: 2,
  },
  flush: { request: ["POST", "/session/flush"], steps: [...load, "put tombstone", "put tombstone 2", "delete record"] },
  "flush after two logins": {
    request: ["POST", "/session/flush"],
    steps: [...load, "put tombstone", "put tombstone 2", "put tombstone 3", "delete record"],
    logins: 2,
  },
};

/**
 * An outcome: status and error code, what becomes of the cookie, what the browser's session holds afterwards, and what the cookie
 * from before opens then. `shows` is what the answer itself shows of the session, and `reason` its load outcome.
 */
const outcome = (answer, cookie, then, old = then) => ({ answer, cookie, then, old });
const shown = (reason, shows, cookie = "kept", then = before) => ({ ...outcome("200", cookie, then, before), shows, reason });
const unavailable = (then) => outcome("503 ES_STORE_UNAVAILABLE", "kept", then);
const unread = unavailable(before);
const interrupted = outcome("400 ES_SESSION_INTERRUPTED", "kept", before);
const superseded = outcome("409 ES_SUPERSEDED", "kept", before);

/**
 * A session that could not be opened is left where it is, and the write goes into a new one. That of a login has a cookie of its
 * own, which stays, and counts first once it opens the session again.
 */
const anew = (then) => outcome("204", "given", then, before);
const beside = outcome("204", "given", before);
const written = outcome("204", "given", saved);
const login = outcome("204", "given", before, nobodys);
const gone = outcome("204", "deleted", nobodys);
/** The application learns that the session may not have ended; the next request with the new cookie ends it. */
const perhapsNotGone = outcome("503 ES_STORE_UNAVAILABLE", "given", nobodys);

/** The load outcomes for a record, and for a tombstone. */
const records = {
  outage: unread,
  missing: shown("not-yet-visible", nobodys),
  over: shown("expired", nobodys, "deleted", nobodys),
  corrupt: shown("corrupt", nobodys, "deleted", nobodys),
  large: shown("other-settings", nobodys),
  newer: shown("newer-version", nobodys),
  stale: shown("stale-repaired", before),
};
const tombstones = {
  outage: unread,
  missing: shown("live", before),
  ended: shown("revoked", nobodys),
  cycled: shown("superseded", nobodys),
  "cycled long ago": shown("revoked", nobodys),
};

/** The outcomes of a save after a faulty load, and of one whose second read differs. */
const savedAfter = { outage: unread, missing: written, over: anew(color), corrupt: anew(color), large: anew(color), newer: anew(color), stale: written };
const savedOnto = { outage: unread, missing: interrupted, over: interrupted, corrupt: interrupted, large: interrupted, newer: interrupted, stale: written };
const endedBefore = { outage: unread, missing: written, ended: anew(color), cycled: superseded, "cycled long ago": anew(color) };
const endedMeanwhile = { outage: unread, missing: written, ended: interrupted, cycled: superseded, "cycled long ago": interrupted };
const put = (done, not) => ({ refused: done, "refused always": not, slow: done });

const cycledAfter = { outage: unread, missing: login, over: anew(nobodys), corrupt: anew(nobodys), large: anew(nobodys), newer: anew(nobodys), stale: login };
const cycledOnto = { outage: unread, missing: login, over: login, corrupt: login, large: login, newer: login, stale: login };
const every = (done) => ({ refused: done, "refused always": done, applied: done, "applied always": done, slow: done, late: done });
const whatever = { outage: gone, missing: gone, over: gone, corrupt: gone, large: gone, newer: gone, stale: gone };
const whicheverEnd = { outage: gone, missing: gone, ended: gone, cycled: gone, "cycled long ago": gone };
const ending = { ...every(gone), "refused always": perhapsNotGone, "applied always": perhapsNotGone };

const saving = {
  "get record": savedAfter,
  "get tombstone": endedBefore,
  "get record 2": savedOnto,
  "get tombstone 2": endedMeanwhile,
  "put record": { ...put(written, unread), applied: written, "applied always": written },
};
const savingOfALogin = {
  ...saving,
  "get record": { ...savedAfter, over: beside, corrupt: beside, large: beside, newer: beside },
  "get tombstone": { ...endedBefore, ended: beside, "cycled long ago": beside },
};

/** By operation, step and group of faults; with `always` the fault goes on. */
const table = {
  load: { "get record": records, "get tombstone": tombstones },
  "load after two logins": { "get record": records, "get tombstone": tombstones },
  create: {
    "put record": {
      ...put(outcome("204", "given", color, nobodys), unavailable(nobodys)),
      applied: outcome("204", "given", color, nobodys),
      "applied always": unavailable(nobodys),
    },
  },
  save: saving,
  "save after two logins": savingOfALogin,
  renewal: {
    "get record": {
      ...records,
      missing: { ...outcome("200", "given", before), reason: "not-yet-visible" },
      stale: shown("stale-repaired", before, "given"),
    },
    "get tombstone": { ...tombstones, missing: shown("live", before, "given") },
    "get record 2": {
      outage: shown("live", before),
      missing: interrupted,
      over: interrupted,
      corrupt: interrupted,
      large: interrupted,
      newer: interrupted,
      stale: shown("live", before, "given"),
    },
    "get tombstone 2": {
      outage: shown("live", before),
      missing: shown("live", before, "given"),
      ended: interrupted,
      cycled: shown("live", before),
      "cycled long ago": interrupted,
    },
    "put record": {
      ...put(shown("live", before), shown("live", before)),
      slow: shown("live", before, "given"),
      applied: shown("live", before),
    },
  },
  cycle: {
    "get record": cycledAfter,
    // A second login beside the first: it starts from the same anonymous session.
    "get tombstone": { outage: unread, missing: login, ended: anew(nobodys), cycled: login, "cycled long ago": anew(nobodys) },
    "get record 2": cycledOnto,
    "get tombstone 2": { outage: unread, missing: login, ended: interrupted, cycled: login, "cycled long ago": login },
    // The key of the login beside it was rotated as well: a key of its own would be no one's.
    "get tombstone 3": { outage: unread, missing: login, ended: interrupted, cycled: superseded, "cycled long ago": interrupted },
    "put record": { ...put(login, unread), applied: login, "applied always": unread },
    // The old record stays, and opens until its tombstone is there.
    "put tombstone": { ...every(login), late: outcome("204", "given", before, before) },
  },
  "cycle after two logins": {
    "get record": cycledAfter,
    "get tombstone": { outage: unread, missing: login, ended: anew(nobodys), cycled: outcome("204", "given", nobodys, nobodys), "cycled long ago": anew(nobodys) },
    "get record 2": cycledOnto,
    "get tombstone 2": { outage: unread, missing: login, ended: interrupted, cycled: superseded, "cycled long ago": interrupted },
    "put record": { ...put(login, unread), applied: login, "applied always": unread },
    "put tombstone": every(login),
    "delete record": every(login),
  },
  flush: {
    "get record": whatever,
    "get tombstone": whicheverEnd,
    "put tombstone": ending,
    "put tombstone 2": ending,
    "delete record": every(gone),
  },
  "flush after two logins": {
    "get record": whatever,
    "get tombstone": whicheverEnd,
    "put tombstone": ending,
    "put tombstone 2": ending,
    "put tombstone 3": ending,
    "delete record": every(gone),
  },
};

/** The outcomes in the isolate of the save if the store shows no record, or an older one. */
const remembered = {
  load: { "get record": { missing: shown("live", before), stale: shown("live", before) } },
  "load after two logins": { "get record": { missing: shown("live", before), stale: shown("live", before) } },
  save: { "get record": { missing: written, stale: written }, "get record 2": { missing: written, stale: written } },
  cycle: { "get record": { missing: login, stale: login }, "get record 2": { missing: login, stale: login } },
};

beforeAll(() => {
  for (const level of ["log", "error"]) vi.spyOn(console, level).mockImplementation(() => {});
  // Each handler is one that waits for I/O: its save reads again.
  const { now } = Date;
  let waited = 0;
  vi.spyOn(Date, "now").mockImplementation(() => now() + waited++);
});
afterAll(() => vi.restoreAllMocks());

/**
 * A visitor at a KV that can fail, who has a session of three saves, and of some logins. Each request meets another isolate,
 * which remembers nothing, or `oneIsolate` meets all of them.
 */
async function alice(Worker, { anonymous: fresh, logins = 0 } = {}, namespace, oneIsolate = false) {
  const faulty = faultyKv(namespace);
  const isolates = { get SESSIONS() { return { ...faulty.kv }; } };
  const one = visitor(oneIsolate ? { SESSIONS: faulty.kv } : isolates, Worker);
  if (!fresh) await one.put("/session/data/user", "alice");
  for (let n = 0; n < logins; n += 1) await one.post("/session/cycle-key");
  for (const page of fresh ? [] : [0, 1]) await one.put("/session/data/page", page);
  faulty.steps();
  return { one, faulty };
}

/** Sends the request of an operation. Returns the response in the notation of the table. */
async function ask(one, { request, bindings }) {
  const [was, own] = [one.cookie, one.bindings];
  one.bindings = { ...own, ...bindings };
  const { status, headers, json } = await one.request(...request);
  one.bindings = own;
  const given = headers.getSetCookie();
  expect(headers.get("Vary")).toBe("Cookie");
  expect(headers.get("Cache-Control")).toBe(given.length || json?.error ? "private, no-store" : "private");
  const cookie = given.length === 0 ? "kept" : one.cookie === undefined ? "deleted" : "given";
  if (cookie === "kept") expect(one.cookie).toBe(was);
  return { answer: [status, json?.error?.code].filter(Boolean).join(" "), cookie, shows: json?.data, reason: json?.reason ?? json?.loadReason };
}

/** The session that a cookie opens now. */
async function opens(one, cookie) {
  return { ...one, cookie }.data();
}

/** Opens a number of sessions at once. */
const MOST = 20;
let running = 0;
const waiting = [];
async function inTurn(work) {
  if (running === MOST) await new Promise((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await work();
  } finally {
    if (waiting.length) waiting.shift()();
    else running -= 1;
  }
}

/** A test of each group of faults at each step: what comes of the operation is what the table says. */
function matrix(Worker, name, steps, oneIsolate) {
  const operation = operations[name];
  for (const [step, groups] of Object.entries(steps)) {
    for (const [at, [group, expected]] of Object.entries(groups).entries()) {
      const always = group.endsWith(" always");
      const faults = (step.startsWith("get") ? reads : writes)[group.replace(" always", "")];
      test(`${name}, ${step}: ${group}`, async () => {
        await Promise.all(Object.entries(faults).map(([what, fault], n) => inTurn(async () => {
          const { one, faulty } = await alice(Worker, operation, at + n === 0 ? env.SESSIONS : memoryKv(), oneIsolate);
          const cookie = one.cookie;
          const planned = faulty.plan(step, fault, { always });
          const { shows, reason, ...response } = await ask(one, operation);
          expect(planned.hits, `${what} happened`).toBeGreaterThan(0);
          faulty.heal();
          const then = await opens(one, one.cookie);
          const old = await opens(one, cookie);
          const { shows: showing = shows, reason: because = reason, ...rest } = expected;
          expect({ ...response, then, old, shows, reason }, what).toEqual({ ...rest, shows: showing, reason: because });
        })));
      });
    }
  }
}

for (const [implementation, Worker] of Object.entries(implementations)) {
  describe.concurrent(implementation, () => {
    for (const [name, operation] of Object.entries(operations)) {
      test(`${name}: asks KV in the order of the table, each of whose calls is made to fail`, async () => {
        for (const oneIsolate of [false, true]) {
          const { one, faulty } = await alice(Worker, operation, env.SESSIONS, oneIsolate);
          const { answer } = await ask(one, operation);
          expect(Number(answer)).toBeLessThan(300);
          expect(faulty.steps()).toEqual(operation.steps);
        }
        expect(Object.keys(table[name])).toEqual(operation.steps);
      });
      matrix(Worker, name, table[name], false);
    }
  });

  // One after the other: an isolate has a memory for some namespaces only, and each test has namespaces of its own.
  describe(`${implementation}, in the isolate that saved the session`, () => {
    for (const [name, steps] of Object.entries(remembered)) matrix(Worker, name, steps, true);

    test("a session that was ended in this isolate stays ended, even on a stale store", async () => {
      for (const { logins, request } of [{ logins: 0, request: "/session/flush" }, { logins: 1, request: "/session/flush" }, { logins: 0, request: "/session/cycle-key" }]) {
        const { one, faulty } = await alice(Worker, { logins }, memoryKv(), true);
        const { cookie } = one;
        expect((await one.post(request)).status).toBe(204);
        const planned = faulty.plan("get tombstone", reads.missing.null, { always: true });
        faulty.puts.clear();
        expect(await opens(one, cookie)).toEqual(nobodys);
        expect(planned.hits).toBeGreaterThan(0);
      }
    });
  });
}

/** The allowed state after a request that was aborted at any of its calls, for the browser without a response. */
const leftBehind = {
  load: [before],
  create: [nobodys],
  save: [before, saved],
  renewal: [before],
  cycle: [before, nobodys],
  flush: [before, nobodys],
};

for (const [implementation, Worker] of Object.entries(implementations)) {
  describe.concurrent(`${implementation}: aborted requests`, () => {
    for (const [name, operation] of Object.entries(operations)) {
      const kinds = leftBehind[name.split(" ")[0]];
      for (const step of operation.steps) {
        // G15
        test(`${name}: a client that leaves at ${step} finds a working session afterwards, or logs in again`, async () => {
          for (const [oneIsolate, carriedOut] of [[false, false], [false, true], [true, false], [true, true]]) {
            if (carriedOut && step.startsWith("get")) continue;
            const { one, faulty } = await alice(Worker, operation, memoryKv(), oneIsolate);
            let left;
            const leaving = new Promise((resolve) => (left = resolve));
            faulty.plan(step, async ({ real }) => {
              if (carriedOut) await real();
              left();
              await new Promise(() => {});
            });
            void ask({ ...one }, operation);
            await leaving;
            faulty.heal();
            const found = await one.data();
            expect(kinds, JSON.stringify(found)).toContainEqual(found);
            const { status, json } = await one.put("/session/data/back", true);
            if (status === 409 && name.startsWith("cycle")) {
              // The login counts, though its answer was lost: for a while only another login leads on.
              expect([found, json.error.code]).toEqual([nobodys, "ES_SUPERSEDED"]);
              expect((await one.post("/session/cycle-key")).status).toBe(204);
              // Where the tombstone was not put, an isolate that forgot the rotation meanwhile finds the old record.
              expect(operation.logins && carriedOut ? [nobodys] : operation.logins ? [nobodys, before] : [before]).toContainEqual(await one.data());
            } else {
              expect(status).toBe(204);
              // What was being put when the client left may come along with the next save.
              const kept = operation.request[1] === "/session/data/color" && !operation.anonymous ? [found, saved] : [found];
              expect(kept.map((data) => ({ ...data, back: true }))).toContainEqual(await one.data());
            }
          }
        }, 30_000);
      }
    }
  });

  describe(`${implementation}: late operations`, () => {
    const late = writes.late["applied later"];

    test("a save that lands after a later one: the browser reads both of its writes, before and afterwards", async () => {
      const { one, faulty } = await alice(Worker);
      faulty.plan("put record", late);
      await one.put("/session/data/color", "red");
      faulty.heal();
      expect(await one.data()).toEqual(saved);
      await one.put("/session/data/page", 2);
      expect(await one.data()).toEqual({ ...saved, page: 2 });
      await faulty.land();
      expect(await one.data()).toEqual({ ...saved, page: 2 });
      await one.put("/session/data/last", true);
      expect(await one.data()).toEqual({ ...saved, page: 2, last: true });
    });

    // G12
    test("a new session that lands late is not visible yet: the cookie stays, and nothing is created in its place", async () => {
      const { one, faulty } = await alice(Worker, { anonymous: true });
      faulty.plan("put record", late);
      await one.put("/session/data/color", "red");
      faulty.heal();
      const { cookie } = one;
      expect([await one.data(), one.cookie]).toEqual([nobodys, cookie]);
      const { status, json } = await one.put("/session/data/page", 2);
      expect([status, json.error.code, one.cookie]).toEqual([409, "ES_STALE", cookie]);
      await faulty.land();
      expect(await one.data()).toEqual(color);
    });

    test("a save that is applied after the logout opens no session", async () => {
      const { one, faulty } = await alice(Worker);
      faulty.plan("put record", late);
      await one.put("/session/data/color", "red");
      const { cookie } = one;
      await one.post("/session/flush");
      await faulty.land();
      expect(await opens(one, cookie)).toEqual(nobodys);
    });

    test("a save that lands after a login changes neither the new session nor brings the old one back", async () => {
      const { one, faulty } = await alice(Worker);
      faulty.plan("put record", late);
      await one.put("/session/data/color", "red");
      const { cookie } = one;
      faulty.heal();
      await one.post("/session/cycle-key");
      await faulty.land();
      expect(await one.data()).toEqual(saved);
      expect(await opens(one, cookie)).toEqual(nobodys);
    });

    test("a deleted record that reappears after a logout opens no session", async () => {
      const { one, faulty } = await alice(Worker);
      const { cookie } = one;
      faulty.plan("delete record", late);
      await one.post("/session/flush");
      expect(await opens(one, cookie)).toEqual(nobodys);
      await faulty.land();
      const [key, values] = [...faulty.puts].find(([key]) => key.includes(":session:"));
      await env.SESSIONS.put(key, values.at(-1), { expirationTtl: 600 });
      expect(await opens(one, cookie)).toEqual(nobodys);
    });
  });
}
