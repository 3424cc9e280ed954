// Responses that cannot be sent are detected before the save. Responses of another library can be sent.

import assert from "node:assert/strict";
import { test } from "node:test";
import { kv, withSessions } from "../../dist/node.js";
import { countingKv, secrets, sessionsAt, visitor } from "./visitor.mjs";

const text = () => new Response("text");
const read = async (response) => (await response.text(), response);
const locked = (response) => (response.body.getReader(), response);
const cancelled = async (response) => (await response.body.cancel(), response);

/** A response of another library or realm. */
const foreign = (members) => Object.defineProperties(
  { status: 200, statusText: "", headers: new Headers(), body: null, bodyUsed: false },
  Object.getOwnPropertyDescriptors(members),
);

const boom = new Error("boom");
const unsendable = {
  "a body that was read": [() => read(text()), /its body was read or is locked/],
  "a body that is locked": [() => locked(text()), /its body was read or is locked/],
  "a body that was cancelled": [() => cancelled(text()), /its body was read or is locked/],
  "Response.error()": [() => Response.error(), /its status is 0/],
  "nothing": [() => undefined, /^commit takes a Response, not undefined; return one from every branch of the handler$/],
  "null": [() => null, /^commit takes a Response, not null/],
  "a text": [() => "text", /^commit takes a Response, not a string/],
  "a plain object": [() => ({ status: 200 }), /^commit takes a Response, not an Object/],
  "a Request": [() => new Request("https://example.com/"), /^commit takes a Response, not a Request/],
  "an object that only says that it is one": [() => ({ [Symbol.toStringTag]: "Response", status: 200 }), /^commit takes a Response, not an Object/],
  "an object that throws": [() => ({ get status() { throw boom; } }), /^commit takes a Response, not an Object/],
  "a proxy that throws": [() => new Proxy({}, { get(_, name) { if (name !== "then") throw boom; } }), /^commit takes a Response, not an object that cannot be read/],
  "a status that no response has": [() => foreign({ status: 1000 }), /since the response cannot be sent: \w+/],
  "a body that throws": [() => foreign({ get body() { throw boom; } }), /since the response cannot be sent: boom$/],
  "headers that cannot be read": [() => foreign({ headers: { get: () => null, get [Symbol.iterator]() { throw boom; } } }), /since the response cannot be sent: boom$/],
};

for (const [what, [make, message]] of Object.entries(unsendable)) {
  test(`${what} cannot be sent: a login with it saves nothing, and the visitor's session is unchanged`, async () => {
    const { kv: namespace, names } = countingKv();
    const { sessions } = sessionsAt({ store: kv(namespace) });
    const alice = visitor(sessions);
    await alice.visit((session) => session.set("user", "alice"));
    names();
    const session = await sessions.load(alice.cookie);
    session.cycleKey();
    session.set("level", 2);
    await assert.rejects(sessions.commit(session, await make()), { name: "ValueError", code: "ES_VALUE", message });
    session[Symbol.dispose]();
    assert.deepEqual(names(), ["get", "get"], "the load, and nothing else");
    assert.deepEqual((await alice.visit((session) => session.items())).result, [["user", "alice"]]);
  });

  test(`${what} is an error of the handler's in withSessions`, async () => {
    const { kv: namespace, names } = countingKv();
    const worker = withSessions({ store: kv(namespace), secrets }, {
      fetch(request, env, context, session) {
        session.set("user", "alice");
        return make();
      },
    });
    await assert.rejects(worker.fetch(new Request("https://example.com/"), {}, {}), { code: "ES_VALUE", message });
    assert.deepEqual(names(), []);
  });
}

test("after a response that cannot be sent, the session is open and takes another one", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.load("");
  session.set("user", "alice");
  await assert.rejects(sessions.commit(session, Response.error()), { code: "ES_VALUE" });
  assert.deepEqual([session.get("user"), store.records.size], ["alice", 0]);
  const response = text();
  const answer = await sessions.commit(session, response);
  assert.deepEqual([await answer.text(), answer.headers.getSetCookie().length, store.records.size], ["text", 1, 1]);
});

test("a commit that fails leaves the response to its owner, body and all", async () => {
  const failing = countingKv({ put: async () => { throw new Error("KV PUT failed: 429 Too Many Requests"); } });
  const { sessions } = sessionsAt({ store: kv(failing.kv) });
  const session = await sessions.load("");
  session.set("user", "alice");
  const response = text();
  await assert.rejects(sessions.commit(session, response), { code: "ES_STORE_UNAVAILABLE" });
  assert.equal(await response.text(), "text");
  session[Symbol.dispose]();
});

test("a response of another library or realm is one", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const { body } = new Response("text");
  const { answer } = await alice.visit((session) => session.set("user", "alice"), foreign({ status: 201, headers: new Headers({ "X-Own": "1" }), body }));
  assert.deepEqual([answer.status, answer.headers.get("X-Own"), answer.headers.getSetCookie().length, await answer.text()], [201, "1", 1, "text"]);
});
