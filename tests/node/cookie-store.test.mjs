// Sessions that their cookies contain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cookieStore, createSessions } from "../../dist/node.js";
import { anonymous, loggedIn, secrets, sessionsAt, visitor } from "./visitor.mjs";

const site = (settings) => sessionsAt({ store: cookieStore(), ...settings });

test("a session is in its cookie, which shows nothing of it", async () => {
  const someone = visitor(site().sessions);
  await someone.visit((session) => session.set("user", "alice"));
  assert.ok(someone.cookie.startsWith(`${anonymous}=`));
  assert.ok(!Buffer.from(someone.cookie.split("=")[1], "base64url").includes("alice"));
  await someone.visit((session) => session.cycleKey());
  assert.ok(someone.cookie.startsWith(`${loggedIn}=`));
  assert.equal((await someone.visit((session) => session.get("user"))).result, "alice");
  const { answer } = await someone.visit((session) => session.get("user"));
  assert.equal(answer.headers.get("Set-Cookie"), null, "reading sends nothing");
  await someone.visit((session) => session.flush());
  assert.equal(someone.cookie, "");
});

test("the session's own expiry holds", async () => {
  const { sessions, time } = site();
  const someone = visitor(sessions);
  await someone.visit((session) => {
    session.set("user", "alice");
    session.setExpiry(60);
  });
  time.now += 59_000;
  assert.equal((await someone.visit((session) => session.get("user"))).result, "alice");
  time.now += 2_000;
  assert.equal((await someone.visit((session) => session.get("user"))).result, undefined);
});

test("a session over the limit of a cookie is refused with its length, and the browser keeps the last one", async () => {
  const someone = visitor(site().sessions);
  await someone.visit((session) => session.set("user", "alice"));
  await assert.rejects(someone.visit((session) => session.set("text", "x".repeat(4000))), {
    code: "ES_TOO_LARGE",
    message: /the session makes a cookie of \d{4} bytes; browsers keep 4096/,
  });
  assert.equal((await someone.visit((session) => session.get("user"))).result, "alice");
});

test("a changed cookie, and one of another secret, open nothing", async () => {
  const { sessions } = site();
  const someone = visitor(sessions);
  await someone.visit((session) => session.set("user", "alice"));
  const changed = someone.cookie.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  assert.equal((await sessions.load(changed)).get("user"), undefined);
  const other = createSessions({ store: cookieStore(), secrets: ["another secret, of more than thirty-two bytes"] });
  assert.equal((await other.load(someone.cookie)).get("user"), undefined);
  const rotated = createSessions({ store: cookieStore(), secrets: ["another secret, of more than thirty-two bytes", ...secrets] });
  assert.equal((await rotated.load(someone.cookie)).get("user"), "alice");
});

test("the calls by session key are refused", async () => {
  const { sessions } = site();
  const session = await sessions.load("");
  session.set("user", "alice");
  await sessions.commitHeaders(session, 200);
  await assert.rejects(sessions.exists(session.sessionKey), { code: "ES_USAGE" });
  await assert.rejects(sessions.delete(session.sessionKey), { code: "ES_USAGE" });
  const opened = await sessions.open(session.sessionKey);
  assert.throws(() => opened.get("user"), { code: "ES_USAGE" });
  assert.deepEqual(await sessions.clearExpired(), { removed: 0, complete: true });
});
