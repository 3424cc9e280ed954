// The example of docs/guides/migrating/from-django.md, word for word, on a text of Django.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { test } from "node:test";
import { createSessions, memory } from "../../dist/node.js";
import { sessionsAt, visitor } from "./visitor.mjs";

const guide = readFileSync(new URL("../../docs/guides/migrating/from-django.md", import.meta.url), "utf8");
const [code] = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).filter((code) => code.includes("takeOver"));
const { takeOver } = await import(`data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(code))}`);

/**
 * `SessionStore().encode(…)` of Django 5.2 under this key, of `{ visits: 41, _auth_user_id: "7" }` and the keys `_auth_user_backend` and
 * `_auth_user_hash`.
 */
const secretKey = "django-insecure-a-key-of-the-tests-that-is-long-enough";
const text =
  ".eJyrVirLLM4sKVayMjHUUYpPLC3JiC8tTi2Kz0xRslIyV0IRS0pMzk7NA0mkZCXmpefrJefnlRRlJumBlOhBZYv1fPNTUnOcoGpRDMhILM4A6jZIU6oFABeMKpo:1xXCxQ:ZWeOl2xWCh1Ecs82jp86sS0moTzqVMJDsL8uOkBRjt0";
const sessionKey = "0123456789abcdefghijklmnopqrstuv";
const findSession = async (key) => (key === sessionKey ? text : undefined);
const djangoWith = (secret) => createSessions({ store: memory(), secrets: [secret] });

test("a session of Django is taken over", async () => {
  const { sessions, store } = sessionsAt();
  const alice = visitor(sessions);
  const cookies = `csrftoken=abc; sessionid=${sessionKey}; theme=dark`;
  await alice.visit((session) => takeOver(cookies, session, djangoWith(secretKey), findSession));
  const { result } = await alice.visit((session) => session.items());
  assert.deepEqual(result, [["user", "7"], ["visits", 41]]);
  assert.equal(store.records.size, 1);
});

test("no session is taken over without its cookie, its row or its signature, nor over a session that exists", async () => {
  for (const [cookies, secret, before] of [
    [null, secretKey],
    [`sessionid=${sessionKey.toUpperCase()}`, secretKey],
    [`xsessionid=${sessionKey}`, secretKey],
    [`sessionid=${sessionKey.replace("0", "z")}`, secretKey],
    [`sessionid=${sessionKey}`, "another key, of more than thirty-two bytes"],
    [`sessionid=${sessionKey}`, secretKey, "bob"],
  ]) {
    const one = visitor(sessionsAt().sessions);
    if (before) await one.visit((session) => session.set("user", before));
    await one.visit((session) => takeOver(cookies, session, djangoWith(secret), findSession));
    assert.equal((await one.visit((session) => session.get("user"))).result, before, cookies);
  }
});
