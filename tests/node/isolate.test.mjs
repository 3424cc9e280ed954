// Isolate memory in JavaScript: one for each store, shared by all its sessions, and lost with the core's instance.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, kv, withSessions } from "../../dist/node.js";
import { KvModel } from "../../dist/testing/node.js";
import { anonymous, cookiesAfter, countingKv, eventual, isolate, loggedIn, secrets, sessionsAt, visitor } from "./visitor.mjs";

/** A namespace whose reads never show what was stored. */
const blind = () => countingKv({ get: async () => null });

test("each namespace has one store of its own", () => {
  const [one, other] = [blind().kv, blind().kv];
  assert.equal(kv(one), kv(one));
  assert.notEqual(kv(one), kv(other));
});

test("all sessions of a namespace share the isolate memory, with any settings", async () => {
  const { kv: namespace } = blind();
  const { sessions, time } = sessionsAt({ store: kv(namespace) });
  const others = createSessions({ store: kv(namespace), secrets, clock: () => time.now, cookieAge: 60, saveEveryRequest: true });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const elsewhere = { ...visitor(others), cookie: alice.cookie };
  assert.deepEqual((await elsewhere.visit((session) => [session.loadReason, session.get("user")])).result, ["live", "alice"]);
  await elsewhere.visit((session) => session.set("page", 1));
  assert.equal((await alice.visit((session) => session.get("page"))).result, 1);
  const before = alice.cookie;
  await elsewhere.visit((session) => session.cycleKey());
  assert.equal((await sessions.load(before)).loadReason, "superseded");
  const login = elsewhere.cookie;
  await elsewhere.visit((session) => session.flush());
  for (const cookie of [before, login]) assert.equal((await sessions.load(cookie)).loadReason, "revoked");
});

test("a memory store or a custom store has one isolate memory, and a copy of it has another", async () => {
  const store = { ...eventual(), get: async () => null };
  const { sessions, time } = sessionsAt({ store });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const reason = async (of) => (await createSessions({ store: of, secrets, clock: () => time.now }).load(alice.cookie)).loadReason;
  assert.deepEqual([await reason(store), await reason({ ...store })], ["live", "not-yet-visible"]);
});

test("two namespaces are separate, even with sessions of the same key", async () => {
  const entropy = () => new Uint8Array(32).fill(7);
  const sites = await Promise.all(["alice", "bob"].map(async (user) => {
    const site = sessionsAt({ store: kv(blind().kv), entropy });
    const one = visitor(site.sessions);
    await one.visit((session) => session.set("user", user));
    return { ...site, one };
  }));
  const [first, second] = sites;
  const { sessionKey } = await first.sessions.load(first.one.cookie);
  assert.equal((await second.sessions.load(first.one.cookie)).sessionKey, sessionKey);
  assert.equal((await first.sessions.load(second.one.cookie)).get("user"), "alice");
  assert.equal((await second.sessions.load(first.one.cookie)).get("user"), "bob");
  await first.sessions.delete(sessionKey);
  assert.equal((await first.sessions.load(first.one.cookie)).loadReason, "revoked");
  assert.equal((await second.sessions.load(first.one.cookie)).get("user"), "bob");
});

for (const writeInterval of [0, 1000]) {
  for (const count of [2, 8, 20]) {
    test(`of ${count} parallel requests that write different keys, all are kept, with a write every ${writeInterval} ms`, async () => {
      for (let seed = 0; seed < 10; seed++) {
        const model = new KvModel({ seed, writeInterval });
        const sessions = createSessions({ store: kv(model.at("AMS")), secrets });
        const alice = visitor(sessions);
        await alice.visit((session) => session.set("user", "alice"));
        const { puts } = model.counts();
        const cookies = await Promise.all(Array.from({ length: count }, async (_, n) => {
          const tab = { ...visitor(sessions), cookie: alice.cookie };
          await tab.visit((session) => session.set(`key ${n}`, n));
          return tab.cookie;
        }));
        assert.ok(model.counts().puts - puts <= Math.min(count + 1, 6), `${model.counts().puts - puts} puts`);
        for (const cookie of [alice.cookie, ...cookies]) {
          const session = await sessions.load(cookie);
          assert.deepEqual(Array.from({ length: count }, (_, n) => session.get(`key ${n}`)), Array.from({ length: count }, (_, n) => n), `seed ${seed}`);
        }
        await model.sleep(model.stalenessBound);
        const elsewhere = await createSessions({ store: kv(model.at("SFO")), secrets }).load(cookies.at(-1));
        assert.deepEqual([elsewhere.get("user"), elsewhere.keys().length], ["alice", count + 1], `seed ${seed}`);
      }
    });
  }
}

test("of 20 parallel requests to a Worker that write one key, one wins, and none is refused", async () => {
  const model = new KvModel({ seed: 3 });
  const env = { SESSIONS: model.at("AMS") };
  const worker = withSessions((env) => ({ store: kv(env.SESSIONS), secrets }), {
    fetch: (request, _, __, session) => (session.set("last", Number(new URL(request.url).searchParams.get("n"))), new Response("ok")),
  });
  const get = (n, Cookie = "") => worker.fetch(new Request(`https://example.com/?n=${n}`, { headers: { Cookie } }), env);
  const cookie = cookiesAfter("", (await get(-1)).headers);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => get(n, cookie)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const seen = await Promise.all(answers.map(async ({ headers }) => (await createSessions({ store: kv(env.SESSIONS), secrets }).load(cookiesAfter(cookie, headers))).get("last")));
  assert.equal(new Set(seen).size, 1);
  assert.ok(seen[0] >= 0);
});

test("a login beside saves of the same browser includes them, no response to them replaces its cookie, and none polls the store", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const model = new KvModel({ seed });
    const sessions = createSessions({ store: kv(model.at("AMS")), secrets });
    const alice = visitor(sessions);
    await alice.visit((session) => session.set("cart", ["apple"]));
    const { cookie } = alice;
    const [answers, saved] = [[], []];
    const request = async (act, note = () => {}) => {
      const session = await sessions.load(cookie);
      act(session);
      try {
        answers.push(await sessions.commit(session, new Response("ok")));
        note();
      } catch (error) {
        assert.equal(error.code, "ES_SUPERSEDED");
      }
    };
    const draft = (n) => request((session) => session.set(`draft ${n}`, n), () => saved.push(`draft ${n}`));
    const login = () => request((session) => (session.cycleKey(), session.set("user", "alice")));
    await Promise.all([draft(0), draft(1), login(), draft(2), draft(3)]);
    const { gets } = model.counts();
    assert.ok(gets <= 40, `${gets} reads`);
    const jar = answers.reduce((jar, { headers }) => cookiesAfter(jar, headers), cookie);
    const session = await sessions.load(jar);
    assert.deepEqual([session.get("user"), session.get("cart")], ["alice", ["apple"]], `seed ${seed}`);
    for (const key of saved) assert.ok(session.has(key), `seed ${seed}: ${key}`);
  }
});

test("a login's headers are one pair for each cookie, as commit, commitHeaders and Response take them", async () => {
  const site = sessionsAt();
  const lines = (headers) => headers.getSetCookie().map((line) => [line.split("=")[0], / Max-Age=0;/.test(line)]);
  const login = async (act) => {
    const alice = visitor(site.sessions);
    await alice.visit((session) => session.set("theme", "dark"));
    const session = await site.sessions.load(alice.cookie);
    session.cycleKey();
    return act(session);
  };
  const pairs = await login((session) => site.sessions.commitHeaders(session, 200));
  assert.deepEqual(pairs.map(([name]) => name), ["Vary", "Cache-Control", "Set-Cookie", "Set-Cookie"]);
  assert.ok(pairs.every(([, value]) => typeof value === "string" && !value.includes("\n")));
  const both = [[loggedIn, false], [anonymous, true]];
  assert.deepEqual([lines(new Headers(pairs)), lines(new Response("ok", { headers: pairs }).headers)], [both, both]);
  const { headers } = await login((session) => site.sessions.commit(session, new Response("ok", { headers: [["Set-Cookie", "theme=dark"]] })));
  assert.deepEqual(lines(headers), [["theme", false], ...both]);
});

test("a logout deletes the cookies of both names, each if the request has it", async () => {
  const site = sessionsAt();
  const [stranger, alice] = [visitor(site.sessions), visitor(site.sessions)];
  await stranger.visit((session) => session.set("theme", "dark"));
  await alice.visit((session) => session.cycleKey());
  const logout = async (cookie) => {
    const one = { ...visitor(isolate(site)), cookie };
    const { answer } = await one.visit((session) => session.flush());
    assert.equal(one.cookie, "");
    return answer.headers.getSetCookie().map((line) => line.split("=")[0]);
  };
  assert.deepEqual(await logout(`${stranger.cookie}; ${alice.cookie}`), [loggedIn, anonymous]);
  for (const { cookie } of [stranger, alice]) assert.equal((await site.sessions.load(cookie)).loadReason, "revoked");
  const [third, fourth] = [visitor(site.sessions), visitor(site.sessions)];
  await third.visit((session) => session.set("theme", "dark"));
  await fourth.visit((session) => session.cycleKey());
  assert.deepEqual([await logout(third.cookie), await logout(fourth.cookie)], [[anonymous], [loggedIn]]);
});
