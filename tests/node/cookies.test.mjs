// Cookie headers that strangers make, with real tokens in them: the right session or nobody's, and never an error.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memory } from "../../dist/node.js";
import { sessionsAt } from "./visitor.mjs";

/** Two visitors' cookies, and who a header is taken for. */
async function site() {
  const { sessions } = sessionsAt();
  const cookie = async (user) => {
    const [, , [, line]] = await sessions.commitHeaders((await sessions.load("")).set("user", user), 200);
    return line.split(";")[0];
  };
  return { alice: await cookie("alice"), bob: await cookie("bob"), whose: async (header) => (await sessions.load(header)).get("user") };
}

const spaces = "\n\v\f\r\u001c\u001d\u001e\u001f\u0020\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

test("A9: a token in the address, the body or another header is nobody's, and nothing is asked of the store", async () => {
  const store = memory();
  const asked = [];
  const { sessions } = sessionsAt({ store: { ...store, get: (key) => (asked.push(key), store.get(key)) } });
  const [, , [, line]] = await sessions.commitHeaders((await sessions.load("")).set("user", "alice"), 200);
  const cookie = line.split(";")[0];
  const [name, token] = cookie.split("=");
  const elsewhere = [
    new Request(`https://example.com/?${cookie}&sessionid=${token}&token=${token}#${cookie}`),
    new Request("https://example.com/", { method: "POST", body: new URLSearchParams({ [name]: token, sessionid: token }) }),
    ...["Authorization", "X-Session", "Set-Cookie", "Cookie2", "X-Cookie", name].map((header) => new Request("https://example.com/", { headers: { [header]: cookie } })),
    new Request("https://example.com/", { headers: { Authorization: `Bearer ${token}` } }),
  ];
  for (const request of elsewhere) {
    const session = await sessions.load(request);
    assert.deepEqual([session.loadReason, session.get("user")], ["new", undefined]);
  }
  assert.deepEqual(asked, []);
  assert.equal((await sessions.load(new Request("https://example.com/", { headers: { Cookie: cookie } }))).get("user"), "alice");
});

test("B1: only spaces and tabs beside a cookie are none of its", async () => {
  const { alice, bob, whose } = await site();
  const [name, token] = bob.split("=");
  for (const space of spaces) {
    if (space === " ") continue;
    for (const other of [`${space}${name}=${token}`, `${name}${space}=${token}`]) {
      assert.equal(await whose(`${alice}; ${other}`), "alice", JSON.stringify(space));
      assert.equal(await whose(other), undefined, JSON.stringify(space));
    }
    assert.equal(await whose(`${name}=${space}${token}`), undefined);
  }
  assert.equal(await whose(` \t ${name} \t= \t${token}\t ; a=1`), "bob");
});

test("B2, B3: another name is another cookie, in other letters, encoded or missing", async () => {
  const { bob, whose } = await site();
  const [, token] = bob.split("=");
  for (const name of ["__host-sessionid", "__HOST-SESSIONID", "__%48ost-sessionid", "\"__Host-sessionid\"", "__Host-sessionid\u0000", "sessionid", "$__Host-sessionid", "__Host-sessionid[]"]) {
    assert.equal(await whose(`${name}=${token}`), undefined, name);
  }
  for (const nameless of [`=${bob}`, `==${bob}`, "__Host-sessionid", token, `; =${bob}`]) assert.equal(await whose(nameless), undefined, nameless);
});

test("B4, B5: only a semicolon ends a cookie, so two headers that were joined by a comma are nobody's", async () => {
  const { alice, bob, whose } = await site();
  for (const header of [`a=1, ${bob}`, `a="x, ${bob}"`, `a=1\\; ${bob.replace("=", "\\=")}`, `${alice}, ${bob}`, `${alice},a=1`, `a=1\u0000${bob}`]) {
    assert.equal(await whose(header), undefined, header);
  }
  assert.equal(await whose(`a="x; ${bob}; y"`), "bob");
  assert.equal(await whose(`a=1, b=2; ${bob}`), "bob");
});

test("B6: two cookies that both hold are nobody's, in any order; one that does not hold changes nothing", async () => {
  const { alice, bob, whose } = await site();
  const bad = "__Host-sessionid=bad";
  for (const [header, user] of [
    [[alice, bob], undefined], [[bob, alice], undefined], [[alice, bad, bob], undefined], [[alice, alice], "alice"], [[bad, alice], "alice"], [[alice, bad], "alice"], [[bad, bad], undefined],
  ]) {
    assert.equal(await whose(header.join("; ")), user, header.join("; "));
  }
});

test("B10: a token is taken as it stands, and never unquoted or decoded", async () => {
  const { alice, whose } = await site();
  const [name, token] = alice.split("=");
  const forms = [`"${token}"`, `'${token}'`, encodeURIComponent(token[0]).replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`) + token.slice(1), `${token}=`, `${token}==`, `${token} x`, `${token.slice(0, 9)} ${token.slice(9)}`];
  for (const form of [...forms, token.toUpperCase(), btoa(token), token.replace(/.$/, "\u00e9"), `${token}\u0000`]) assert.equal(await whose(`${name}=${form}`), undefined, form);
});

test("B11: a cookie that is gone is a visitor without a session, whatever came before", async () => {
  const { sessions } = sessionsAt();
  for (const lost of [null, undefined, "", "theme=dark"]) {
    const session = await sessions.load(lost);
    assert.deepEqual([session.get("user"), session.sessionKey, session.keys()], [undefined, undefined, []]);
    assert.equal(session.set("user", "anew").get("user"), "anew");
    assert.match(new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie"), /^__Host-sessionid=./);
  }
});

test("B7: what is no header is a mistake that is named, and costs nothing", async () => {
  const { sessions } = sessionsAt();
  for (const from of [5, true, Symbol("s"), {}, [], { headers: {} }, { headers: { get: () => 5 } }, () => {}]) {
    await assert.rejects(sessions.load(from), { code: "ES_VALUE", message: /a request, a text or nothing was expected, not / });
  }
  for (const key of [5, true, {}, Symbol("s")]) {
    for (const call of ["open", "exists", "delete"]) await assert.rejects(sessions[call](key), { code: "ES_VALUE" });
  }
});
