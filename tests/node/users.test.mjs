// The sessions of a user: who is listed, and what ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cookieStore, createSessions, kv, memory, migrate, UsageError, ValueError } from "../../dist/node.js";
import { KvModel } from "../../dist/testing/node.js";
import { eventual, kinds, secrets, sessionsAt, visitor } from "./visitor.mjs";

/** Runs a test on each kind of store. */
function each(name, body) {
  for (const [kind, store] of [["eventual", eventual], ["linearizable", memory]]) {
    test(`${kind}: ${name}`, () => body(sessionsAt({ store: store() })));
  }
}

/** A browser in which a user has logged in. */
async function login(sessions, user, label) {
  const someone = visitor(sessions);
  await someone.visit((session) => {
    session.set("user", user);
    session.bindUser(user, { label });
  });
  return someone;
}

const labels = async (sessions, user) => (await sessions.list(user)).map(({ label }) => label).sort();
const userOf = async (someone) => (await someone.visit((session) => session.get("user"))).result;

each("the list has each login of the user, and marks that of this request", async ({ sessions, time }) => {
  const phone = await login(sessions, "alice", "Phone");
  time.now += 5000;
  await login(sessions, "alice");
  await login(sessions, "bob", "Tablet");
  const { result } = await phone.visit((session) => sessions.list("alice", session));
  assert.deepEqual(result.map(({ current, label, createdAt, lastSeenAt }) => [current, label, +createdAt, +lastSeenAt]), [
    [false, undefined, time.now, time.now],
    [true, "Phone", time.now - 5000, time.now - 5000],
  ]);
  assert.ok(result.every(({ id }) => /^[\w-]{22}$/.test(id)));
  assert.deepEqual(await sessions.list("carol"), []);
});

each("revoke ends one session, revokeOthers all others, and revokeAll all", async ({ sessions }) => {
  const [one, two, three] = [await login(sessions, "alice", "1"), await login(sessions, "alice", "2"), await login(sessions, "alice", "3")];
  const bob = await login(sessions, "bob", "Bob");
  const { id } = (await sessions.list("alice")).find(({ label }) => label === "1");
  assert.equal(await sessions.revoke("bob", id), false);
  assert.equal(await sessions.revoke("alice", "unknown"), false);
  assert.equal(await sessions.revoke("alice", id), true);
  assert.equal(await userOf(one), undefined);
  assert.equal((await two.visit((session) => sessions.revokeOthers(session))).result, 1);
  assert.deepEqual([await userOf(two), await userOf(three)], ["alice", undefined]);
  assert.equal(await sessions.revokeAll("alice"), 1);
  assert.deepEqual([await userOf(two), await userOf(bob)], [undefined, "bob"]);
});

each("a logout takes the session out of the list, and cycleKey does not", async ({ sessions, store }) => {
  const phone = await login(sessions, "alice", "Phone");
  await phone.visit((session) => session.cycleKey());
  assert.deepEqual(await labels(sessions, "alice"), ["Phone"]);
  await phone.visit((session) => session.flush());
  assert.deepEqual(await labels(sessions, "alice"), []);
  assert.ok(!kinds(store).includes("user"));
});

each("concurrent logins of a user are all listed", async ({ sessions }) => {
  await Promise.all(Array.from({ length: 20 }, (_, number) => login(sessions, "alice", String(number))));
  assert.equal((await sessions.list("alice")).length, 20);
  const counts = await Promise.all([sessions.revokeAll("alice"), sessions.revokeAll("alice")]);
  assert.ok(Math.max(...counts) >= 1);
  assert.deepEqual(await sessions.list("alice"), []);
});

each("wrong arguments are typed errors", async ({ sessions }) => {
  const session = await sessions.open();
  for (const user of [undefined, 42, "", "x".repeat(257), "\ud800"]) assert.throws(() => session.bindUser(user), ValueError);
  for (const label of [42, "x".repeat(257), "\ud800"]) assert.throws(() => session.bindUser("alice", { label }), ValueError);
  for (const user of [undefined, 42, "\ud800"]) {
    await assert.rejects(sessions.list(user), ValueError);
    await assert.rejects(sessions.revoke(user, "id"), ValueError);
    await assert.rejects(sessions.revokeAll(user), ValueError);
  }
  await assert.rejects(sessions.revoke("alice", 42), ValueError);
  await assert.rejects(sessions.list("alice", {}), ValueError);
  await assert.rejects(sessions.revokeOthers({}), ValueError);
  await assert.rejects(sessions.revokeOthers(session), UsageError);
});

test("sessions in their cookies have no list", async () => {
  const sessions = createSessions({ store: cookieStore(), secrets });
  const session = await sessions.load(null);
  assert.throws(() => session.bindUser("alice"), UsageError);
  await assert.rejects(sessions.list("alice"), UsageError);
  await assert.rejects(sessions.revoke("alice", "id"), UsageError);
  await assert.rejects(sessions.revokeOthers(session), UsageError);
  await assert.rejects(sessions.revokeAll("alice"), UsageError);
});

test("during a migration, the list has the sessions of both stores, and each can be ended", async () => {
  const [from, to] = [eventual(), memory()];
  const { sessions: before } = sessionsAt({ store: from });
  const browsers = [await login(before, "alice", "Stays"), await login(before, "alice", "Moves")];
  const { sessions } = sessionsAt({ store: migrate({ from, to }) });
  const [stays, moves] = browsers.map(({ cookie }) => Object.assign(visitor(sessions), { cookie }));
  await moves.visit((session) => session.set("cart", "apple"));
  const begins = await login(sessions, "alice", "Begins");
  assert.deepEqual(await labels(sessions, "alice"), ["Begins", "Moves", "Stays"]);
  const { id } = (await sessions.list("alice")).find(({ label }) => label === "Moves");
  assert.equal(await sessions.revoke("alice", id), true);
  assert.deepEqual(await labels(sessions, "alice"), ["Begins", "Stays"]);
  assert.equal(await sessions.revokeAll("alice"), 2);
  assert.deepEqual(await sessions.list("alice"), []);
  for (const someone of [stays, moves, begins]) assert.equal(await userOf(someone), undefined);
  assert.ok(!kinds(from).includes("user") && !kinds(to).includes("user"));
});

test("on KV, a session at another location ends within the published bound", async () => {
  const model = new KvModel({ cacheTtl: 30_000, seed: 7 });
  const at = (location) => {
    const store = kv(model.at(location));
    return createSessions({ store, secrets, clock: () => store.now() });
  };
  const [amsterdam, tokyo] = [at("AMS"), at("NRT")];
  const phone = await login(amsterdam, "alice", "Phone");
  await model.sleep(130_000);
  const there = Object.assign(visitor(tokyo), { cookie: phone.cookie });
  assert.equal(await userOf(there), "alice");
  assert.equal(await amsterdam.revokeAll("alice"), 1);
  assert.equal(await userOf(phone), undefined, "at once where it was ended");
  await model.sleep(100_000);
  assert.equal(await userOf(there), undefined);
  assert.deepEqual(await tokyo.list("alice"), []);
});

test("an object that was changed inside, a closed session and a running operation behave as elsewhere", async () => {
  const { sessions } = sessionsAt({ store: memory() });
  const someone = await login(sessions, "alice", "Phone");
  const session = await sessions.load(someone.cookie);
  session.bindUser("alice", { label: "Renamed" });
  const saving = session.save();
  assert.throws(() => session.bindUser("alice"), { code: "ES_SESSION_BUSY" });
  await saving;
  assert.deepEqual(await labels(sessions, "alice"), ["Renamed"]);
  await sessions.commitHeaders(session, 200);
  assert.throws(() => session.bindUser("alice"), { code: "ES_SESSION_CLOSED" });
  await assert.rejects(sessions.list("alice", session), { code: "ES_SESSION_CLOSED" });
});
