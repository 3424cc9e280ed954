// Untrusted Cookie headers with valid tokens: each opens the right session or an anonymous one, and is never an error.

import assert from "node:assert/strict";
import { test } from "node:test";
import { anonymous, eventual, loggedIn, sessionsAt, visitor } from "./visitor.mjs";

/** The cookie names, each with the action that gives the session this name. */
const kinds = { [anonymous]: () => {}, [loggedIn]: (session) => session.cycleKey() };

/** Two visitors' cookies of one name, and a function that returns the user of a Cookie header. */
async function site(name) {
  const { sessions, time } = sessionsAt();
  const cookie = async (user) => {
    const one = visitor(sessions);
    await one.visit((session) => kinds[name](session.set("user", user)));
    assert.equal(one.cookie.split("=")[0], name);
    return one.cookie;
  };
  return { sessions, time, alice: await cookie("alice"), bob: await cookie("bob"), whose: async (header) => (await sessions.load(header)).get("user") };
}

/** Runs a test with both names. */
function each(title, work) {
  for (const name of Object.keys(kinds)) test(`${title} (${name})`, async () => work({ name, ...(await site(name)) }));
}

const spaces = "\n\v\f\r\u001c\u001d\u001e\u001f\u0020\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

test("A9: a token in the URL, the body or another header is ignored, and costs no operation", async () => {
  const store = eventual();
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

each("B1: only spaces and tabs beside a cookie are none of its", async ({ alice, bob, name, whose }) => {
  const [, token] = bob.split("=");
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

each("B2, B3: another name is another cookie, in other letters, encoded or missing", async ({ bob, name, whose }) => {
  const [, token] = bob.split("=");
  const others = [
    name.toLowerCase(), name.toUpperCase(), name.replace("H", "%48"), `"${name}"`, `${name}\u0000`, name.replace("__Host-", ""), name.replace("__Host-", "__Secure-"), `$${name}`, `${name}[]`,
    `${name}-anonymous`, name === loggedIn ? anonymous : loggedIn,
  ];
  for (const other of others) assert.equal(await whose(`${other}=${token}`), undefined, other);
  for (const nameless of [`=${bob}`, `==${bob}`, name, token, `; =${bob}`]) assert.equal(await whose(nameless), undefined, nameless);
  assert.equal(await whose(bob), "bob");
});

each("B4, B5: only a semicolon ends a cookie, so two headers joined by a comma are ignored", async ({ alice, bob, whose }) => {
  for (const header of [`a=1, ${bob}`, `a="x, ${bob}"`, `a=1\\; ${bob.replace("=", "\\=")}`, `${alice}, ${bob}`, `${alice},a=1`, `a=1\u0000${bob}`]) {
    assert.equal(await whose(header), undefined, header);
  }
  assert.equal(await whose(`a="x; ${bob}; y"`), "bob");
  assert.equal(await whose(`a=1, b=2; ${bob}`), "bob");
});

each("B6: two live cookies of one name open no session, in any order; an invalid one changes nothing", async ({ alice, bob, name, whose }) => {
  const bad = `${name}=bad`;
  for (const [header, user] of [
    [[alice, bob], undefined], [[bob, alice], undefined], [[alice, bad, bob], undefined], [[alice, alice], "alice"], [[bad, alice], "alice"], [[alice, bad], "alice"], [[bad, bad], undefined],
  ]) {
    assert.equal(await whose(header.join("; ")), user, header.join("; "));
  }
});

each("B6: of two cookies of one name the one that lives counts, in any order", async ({ alice, bob, sessions, whose }) => {
  await sessions.delete((await sessions.load(alice)).sessionKey);
  for (const header of [[alice, bob], [bob, alice]]) assert.equal(await whose(header.join("; ")), "bob");
  await sessions.delete((await sessions.load(bob)).sessionKey);
  for (const header of [[alice, bob], [bob, alice]]) assert.equal(await whose(header.join("; ")), undefined);
});

each("B6: three valid cookies of one name open no session, and cost no operation", async ({ alice, bob, name, time }) => {
  const store = eventual();
  const asked = [];
  const { sessions } = sessionsAt({ store: { ...store, get: (key) => (asked.push(key), store.get(key)) }, clock: () => time.now });
  const third = visitor(sessions);
  await third.visit((session) => kinds[name](session.set("user", "carol")));
  asked.length = 0;
  const session = await sessions.load([alice, bob, third.cookie].join("; "));
  assert.deepEqual([session.loadReason, session.get("user"), asked], ["malformed", undefined, []]);
});

test("a token is valid under its own cookie name only, and that of a login takes precedence", async () => {
  const { sessions, whose, alice } = await site(loggedIn);
  const stranger = visitor(sessions);
  await stranger.visit((session) => session.set("user", "an anonymous visitor"));
  const swapped = (cookie, name) => cookie.replace(/^[^=]+/, name);
  for (const cookie of [swapped(alice, anonymous), swapped(stranger.cookie, loggedIn)]) assert.equal(await whose(cookie), undefined);
  for (const header of [[alice, stranger.cookie], [stranger.cookie, alice]]) assert.equal(await whose(header.join("; ")), "alice");
  assert.equal(await whose(`${loggedIn}=bad; ${stranger.cookie}`), "an anonymous visitor", "one that does not verify does not hide the other");
  await sessions.delete((await sessions.load(alice)).sessionKey);
  for (const header of [[alice, stranger.cookie], [stranger.cookie, alice]]) assert.equal(await whose(header.join("; ")), "an anonymous visitor", "nor does one that has ended");
});

each("B10: a token is never unquoted or decoded", async ({ alice, name, whose }) => {
  const [, token] = alice.split("=");
  const forms = [`"${token}"`, `'${token}'`, encodeURIComponent(token[0]).replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`) + token.slice(1), `${token}=`, `${token}==`, `${token} x`, `${token.slice(0, 9)} ${token.slice(9)}`];
  for (const form of [...forms, token.toUpperCase(), btoa(token), token.replace(/.$/, "\u00e9"), `${token}\u0000`]) assert.equal(await whose(`${name}=${form}`), undefined, form);
});

test("B11: a visitor who lost the cookie has no session", async () => {
  const { sessions } = sessionsAt();
  for (const lost of [null, undefined, "", "theme=dark"]) {
    const session = await sessions.load(lost);
    assert.deepEqual([session.get("user"), session.sessionKey, session.keys()], [undefined, undefined, []]);
    assert.equal(session.set("user", "anew").get("user"), "anew");
    assert.match(new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie"), new RegExp(`^${anonymous}=.`));
  }
});

test("B7: an invalid header argument is an error that names it, and costs no operation", async () => {
  const { sessions } = sessionsAt();
  for (const from of [5, true, Symbol("s"), {}, [], { headers: {} }, { headers: { get: () => 5 } }, () => {}]) {
    await assert.rejects(sessions.load(from), { code: "ES_VALUE", message: /takes a Request or the text of its Cookie header .*, not / });
  }
  for (const key of [5, true, {}, Symbol("s")]) {
    for (const call of ["open", "exists", "delete"]) await assert.rejects(sessions[call](key), { code: "ES_VALUE" });
  }
});

test("clearSiteData: the response to a logout, and no other, clears the browser's storage of the site", async () => {
  const header = '"cache", "storage"';
  for (const [clearSiteData, expected] of [[undefined, null], [false, null], [true, header]]) {
    const { sessions } = sessionsAt({ clearSiteData });
    const alice = visitor(sessions);
    const { answer } = await alice.visit((session) => session.set("user", "alice"));
    assert.equal(answer.headers.get("Clear-Site-Data"), null);
    const before = await sessions.load(alice.cookie);
    await before.flush();
    assert.equal(new Headers(await sessions.commitHeaders(before, 200)).get("Clear-Site-Data"), expected);
    const login = await alice.visit((session) => (session.cycleKey(), session.set("user", "alice")));
    assert.equal(login.answer.headers.get("Clear-Site-Data"), null);
    const logout = await alice.visit((session) => session.flush());
    assert.equal(logout.answer.headers.get("Clear-Site-Data"), expected);
  }
});

test("cookiePartitioned: every cookie of the session has the attribute", async () => {
  const { sessions } = sessionsAt({ cookiePartitioned: true, cookieSameSite: "None", cookieName: "__Host-Http-sessionid" });
  const alice = visitor(sessions);
  for (const act of [(session) => session.set("a", 1), (session) => session.cycleKey(), (session) => session.flush()]) {
    const { answer } = await alice.visit(act);
    const lines = answer.headers.getSetCookie();
    assert.ok(lines.length > 0);
    for (const line of lines) assert.match(line, /^__Host-Http-sessionid(-anonymous)?=.*; Path=\/; Secure; HttpOnly; SameSite=None; Partitioned$/);
  }
  const session = await sessions.load("");
  session.set("a", 1);
  assert.equal((await sessions.commitCookies(session, 200))[0].options.partitioned, true);
});
