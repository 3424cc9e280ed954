// Application code that runs inside of a call and calls the session again: getters, toJSON, Date and Response subclasses, the
// store and the clock. Each such call succeeds or fails with an error of this package, never with one of WebAssembly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgeSessionError, SessionBusyError, SessionClosedError } from "../../dist/node.js";
import { cookiesAfter, eventual, sessionsAt } from "./visitor.mjs";

/** Actions of application code on the session from inside of a call. */
const acts = {
  set: (session) => session.set("other", [1]),
  clear: (session) => session.clear(),
  dispose: (session) => session[Symbol.dispose](),
  save: (session) => session.save(),
  flush: (session) => session.flush(),
  commit: (session, sessions) => sessions.commit(session, new Response()),
};

/** Calls that run application code, given as `back`, before or while they reach the core. */
const calls = {
  "set, by a getter": (session, back) => session.set("k", { get x() { return back(1); } }),
  "set, by an item": (session, back) => session.set("k", Object.defineProperty([0], 0, { get: () => back(1), enumerable: true })),
  "set, by a proxy": (session, back) => session.set("k", new Proxy({}, { ownKeys: () => back([]) })),
  "set, by toJSON's getter": (session, back) => session.set("k", { get toJSON() { return back(1); } }),
  "setDefault, by a getter": (session, back) => session.setDefault("k", { get x() { return back(1); } }),
  "update, by a getter inside": (session, back) => session.update({ k: { get x() { return back(1); } } }),
  "update, by a getter": (session, back) => session.update({ get k() { return back(1); } }),
  "setExpiry, by a getter": (session, back) => session.setExpiry({ get seconds() { return back(60); } }),
  "setExpiry, by a number's valueOf": (session, back) => {
    const seconds = [60, { valueOf: () => back(60) }];
    session.setExpiry({ get seconds() { return seconds.shift(); } });
  },
  "setExpiry, by a date's": (session, back) => {
    session.setExpiry(new (class extends Date { getTime() { return { valueOf: () => back(Date.UTC(2031, 0, 1)) }; } })());
  },
  "getExpiryAge, by a getter": (session, back) => session.getExpiryAge({ get expiry() { return back(60); } }),
  "getExpiryDate, by a getter": (session, back) => session.getExpiryDate({ get modification() { return back(new Date()); } }),
  "save, by a getter that was stored": (session, back) => changed(session, back).save(),
  "commit, by a getter that was stored": (session, back, sessions) => sessions.commit(changed(session, back), new Response()),
  "commit, by the response": (session, back, sessions) => {
    const body = (response, name) => back(Reflect.get(response, name, response));
    return sessions.commit(session.set("k", 1), new Proxy(new Response("page"), { get: body }));
  },
  "commitHeaders, by the status": (session, back, sessions) => sessions.commitHeaders(session.set("k", 1), { valueOf: () => back(200) }),
};

/** The session, with a value whose getter runs `back` from now on. */
function changed(session, back) {
  let stored = false;
  session.set("k", { get x() { return stored ? back(1) : 1; } });
  stored = true;
  return session;
}

/** Runs a call in which application code acts once. Returns the outcomes of the call and of the action. */
async function reenter(call, act) {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  session.set("before", { a: 1 });
  const ends = [];
  const noted = (work) => {
    const end = new Promise((resolve) => resolve(work())).then(() => undefined, (error) => error);
    ends.push(end);
    return end;
  };
  let acted = false;
  const back = (value) => {
    if (!acted) {
      acted = true;
      noted(() => act(session, sessions));
    }
    return value;
  };
  const outer = noted(() => call(session, back, sessions));
  const [ended, errors] = [await outer, await Promise.all(ends)];
  return { ended, errors, session, sessions };
}

for (const [name, act] of Object.entries(acts)) {
  test(`H6: ${name} from inside of any call succeeds, or fails with an error of this package`, async () => {
    for (const [of, call] of Object.entries(calls)) {
      const { errors, session, sessions } = await reenter(call, act);
      for (const error of errors) assert.ok(error === undefined || error instanceof EdgeSessionError, `${of}: ${error?.stack}`);
      assert.doesNotThrow(() => session.accessed && session.modified && session.sessionKey);
      session[Symbol.dispose]();
      const next = await sessions.open();
      assert.equal(next.set("works", true).get("works"), true, of);
    }
  });
}

test("H6: a call whose session is closed or being saved by its own code fails with an error", async () => {
  const writes = Object.entries(calls).filter(([of]) => /^(set|update).*getter/.test(of));
  assert.equal(writes.length, 6);
  for (const [of, call] of writes) {
    assert.ok((await reenter(call, acts.dispose)).ended instanceof SessionClosedError, of);
    for (const act of [acts.save, acts.commit]) assert.ok((await reenter(call, act)).ended instanceof SessionBusyError, of);
  }
});

test("H6: a clock, or a store, that disposes of the session while an operation runs", async () => {
  let session;
  let disposes = false;
  const inner = eventual();
  const dispose = () => {
    if (!disposes) return;
    session[Symbol.dispose]();
    session[Symbol.dispose]();
  };
  const store = Object.fromEntries(["get", "put", "delete", "list"].map((name) => [name, (...args) => (dispose(), inner[name](...args))]));
  for (const settings of [{ store }, { clock: () => (dispose(), Date.UTC(2030, 0, 1)) }]) {
    const { sessions } = sessionsAt(settings);
    for (const operation of [(s) => s.save(), (s) => s.flush(), (s) => sessions.commitHeaders(s, 200)]) {
      disposes = false;
      session = await sessions.load("");
      const headers = new Headers(await sessions.commitHeaders(session.set("a", 1), 200));
      session = await sessions.load(cookiesAfter("", headers));
      session.set("a", 2);
      disposes = true;
      await operation(session); // goes on to its end
      assert.throws(() => session.get("a"), SessionClosedError);
      await assert.rejects(operation(session), SessionClosedError);
      assert.equal(session.modified, true);
    }
  }
});
