// Overlapping requests of one browser to the served Worker: parallel writes of one page, a login or a logout while another tab
// saves, a login that is sent twice. TEST_ENGINE chooses another engine than KV.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { serve } from "./serve.mjs";
import { cookieNames, data, openTab, send, sendAll } from "./tab.mjs";

const LOGIN = "__Host-sessionid";
const ANONYMOUS = "__Host-sessionid-anonymous";

const engine = process.env.TEST_ENGINE;

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([serve({ engine }), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A test in a browser of its own, with one tab for each parameter of the callback after the context. */
function inBrowser(name, work) {
  test(name, () => withTabs(work.length - 1, work));
}

/** Calls `work` with a new browser context and its tabs. */
async function withTabs(count, work) {
  const context = await browser.newContext();
  try {
    const tabs = [];
    while (tabs.length < count) tabs.push(await openTab(context, `${server.url}/no/such/page`)); // which sends no requests of its own
    await work(context, ...tabs);
  } finally {
    await context.close();
  }
}

const putCart = (tab) => acknowledged(tab, "PUT", "/session/data/cart", { body: ["apple"] });
const login = (tab, options) => send(tab, "POST", "/session/cycle-key", { body: { user: "alice" }, ...options });
const logout = (tab, options) => send(tab, "POST", "/session/flush", options);
const saveDraft = (tab, options) => send(tab, "PUT", "/session/data/draft", { body: "text", ...options });

/** Sends a request that must succeed. */
async function acknowledged(tab, method, path, options) {
  const { status, json } = await send(tab, method, path, options);
  assert.equal(status, 204, JSON.stringify(json));
}

/** How many milliseconds the save is sent before or after the other request: 20 values around zero. */
const offsets = Array.from({ length: 20 }, (_, n) => 2 * (n - 10));

/** Delays with which the first of two requests is sent `offset` milliseconds before the second, or after it if negative. */
const delays = (offset) => [{ delay: 40 }, { delay: 40 - offset }];

// Writes

/**
 * Sends `count` writes of different keys at once from each tab, ten times. Returns how many were acknowledged, how many of these
 * the first tab does not read afterwards, and the errors of those that were refused.
 */
async function writeInParallel(tabs, count) {
  const expected = {};
  const refused = [];
  for (let round = 0; round < 10; round += 1) {
    const burst = tabs.map((tab, index) => {
      const keys = Array.from({ length: count }, (_, n) => `round ${round}, tab ${index}, key ${n}`);
      const writes = keys.map((key, body) => ({ method: "PUT", path: `/session/data/${encodeURIComponent(key)}`, body }));
      return sendAll(tab, writes).then((answers) => answers.map((answer, n) => [keys[n], n, answer]));
    });
    for (const [key, value, { status, json }] of (await Promise.all(burst)).flat()) {
      if (status === 204) expected[key] = value;
      else refused.push(`${status} ${json?.error?.code}`);
    }
  }
  const present = await data(tabs[0]);
  const lost = Object.entries(expected).filter(([key, value]) => present[key] !== value).length;
  return { acknowledged: Object.keys(expected).length, lost, refused };
}

for (const count of [2, 8, 20]) {
  inBrowser(`${count} parallel writes of an anonymous page, ten times: none is lost, none is refused`, async (context, tab) => {
    await putCart(tab);
    assert.deepEqual(await writeInParallel([tab], count), { acknowledged: 10 * count, lost: 0, refused: [] });
    assert.deepEqual((await data(tab)).cart, ["apple"]);
  });

  inBrowser(`${count} parallel writes of a page that is logged in, ten times: none is lost, none is refused`, async (context, tab) => {
    await login(tab);
    assert.deepEqual(await writeInParallel([tab], count), { acknowledged: 10 * count, lost: 0, refused: [] });
    assert.equal((await data(tab)).user, "alice");
  });
}

inBrowser("parallel writes of two tabs, ten times: none is lost, none is refused", async (context, one, other) => {
  await putCart(one);
  assert.deepEqual(await writeInParallel([one, other], 4), { acknowledged: 80, lost: 0, refused: [] });
});

inBrowser("parallel writes and deletions of one page: what is left is what was acknowledged last", async (context, tab) => {
  const keys = Array.from({ length: 8 }, (_, n) => `key ${n}`);
  const path = (key) => `/session/data/${encodeURIComponent(key)}`;
  await acknowledged(tab, "PATCH", "/session/data", { body: Object.fromEntries(keys.map((key) => [key, "old"])) });
  for (let round = 0; round < 10; round += 1) {
    const even = (n) => n % 2 === round % 2;
    const requests = keys.map((key, n) => (even(n) ? { method: "PUT", path: path(key), body: round } : { method: "DELETE", path: path(key) }));
    const answers = await sendAll(tab, requests);
    // A key that the previous round deleted is not deleted again: from the second round on, each round deletes the keys of the
    // previous one.
    assert.deepEqual(answers.map(({ status }) => status), keys.map(() => 204), `round ${round}`);
    assert.deepEqual(await data(tab), Object.fromEntries(keys.filter((_, n) => even(n)).map((key) => [key, round])), `round ${round}`);
  }
});

// Login and logout

test("a login while another tab saves a draft, twenty times: no login is lost, and the cart stays", async (t) => {
  const figures = { loginsLost: 0, cartsLost: 0, acknowledgedDraftsLost: 0, draftsRefusedTwice: 0 };
  const drafts = {};
  for (const offset of offsets) {
    await withTabs(2, async (context, one, other) => {
      await putCart(one);
      const [first, second] = delays(offset);
      const [loggedIn, draft] = await Promise.all([login(one, second), saveDraft(other, first)]);
      assert.equal(loggedIn.status, 204, JSON.stringify(loggedIn.json));
      drafts[draft.status] = (drafts[draft.status] ?? 0) + 1;
      const seen = [await data(one), await data(other)];
      if (seen.some(({ user }) => user !== "alice")) figures.loginsLost += 1;
      if (seen.some(({ cart }) => cart?.[0] !== "apple")) figures.cartsLost += 1;
      if (draft.status === 204 && seen.some((each) => each.draft !== "text")) figures.acknowledgedDraftsLost += 1;
      if (draft.status === 204) return;
      // A save that was refused because of the login succeeds on the retry with the login's cookie.
      assert.ok([400, 409].includes(draft.status), JSON.stringify(draft));
      const again = await saveDraft(other);
      if (again.status !== 204 || (await data(one)).draft !== "text") figures.draftsRefusedTwice += 1;
    });
  }
  t.diagnostic(`answers to the drafts: ${JSON.stringify(drafts)}`);
  assert.deepEqual(figures, { loginsLost: 0, cartsLost: 0, acknowledgedDraftsLost: 0, draftsRefusedTwice: 0 });
});

test("a logout while another tab saves, twenty times: neither tab is logged in, and neither is a later page", async () => {
  for (const offset of offsets) {
    await withTabs(2, async (context, one, other) => {
      await putCart(one);
      await login(one);
      const cookie = (await context.cookies()).find(({ name }) => name === LOGIN);
      const [first, second] = delays(offset);
      const [loggedOut] = await Promise.all([logout(one, second), saveDraft(other, first)]);
      assert.equal(loggedOut.status, 204, JSON.stringify(loggedOut.json));
      for (const tab of [one, other]) {
        const { user, cart } = await data(tab);
        assert.deepEqual([user, cart], [undefined, undefined], `offset ${offset}`);
      }
      const later = await openTab(context, server.url);
      await later.locator("#user", { hasText: "No user is logged in." }).waitFor();
      const stolen = await fetch(`${server.url}/session`, { headers: { Cookie: `${LOGIN}=${cookie.value}` } });
      assert.deepEqual((await stolen.json()).data, {}, `offset ${offset}`);
      // The late response to the draft must not prevent the next login.
      assert.equal((await login(later)).status, 204);
      assert.equal((await data(one)).user, "alice", `offset ${offset}`);
    });
  }
});

const afterLogout = engine ? "no other cookie is left" : "a logout ends both answers' cookies";

test(`a login that is sent twice at once, ten times: one session with the cart, and ${afterLogout}`, async () => {
  const figures = { loginsLost: 0, cartsLost: 0, otherCookiesLeft: 0, sessionsAliveAfterLogout: 0 };
  for (let round = 0; round < 10; round += 1) {
    await withTabs(1, async (context, tab) => {
      await putCart(tab);
      const answers = [];
      tab.on("response", (response) => answers.push(response));
      const request = { method: "POST", path: "/session/cycle-key", body: { user: "alice" } };
      const statuses = (await sendAll(tab, [request, request])).map(({ status }) => status);
      assert.deepEqual(statuses, [204, 204]);
      const given = (await Promise.all(answers.map(cookiesIn))).flat().filter((pair) => pair.startsWith(`${LOGIN}=`));
      assert.equal(given.length, 2);
      const { user, cart } = await data(tab);
      if (user !== "alice") figures.loginsLost += 1;
      if (cart?.[0] !== "apple") figures.cartsLost += 1;
      if ((await cookieNames(context)).join() !== LOGIN) figures.otherCookiesLeft += 1;
      const kept = (await context.cookies()).find(({ name }) => name === LOGIN);
      await logout(tab);
      assert.deepEqual(await cookieNames(context), []);
      // On a linearizable store each of the two logins is a session of its own.
      const ended = engine ? given.filter((pair) => pair === `${LOGIN}=${kept.value}`) : given;
      assert.ok(ended.length > 0);
      for (const pair of ended) {
        const response = await fetch(`${server.url}/session`, { headers: { Cookie: pair } });
        if ((await response.json()).data.user !== undefined) figures.sessionsAliveAfterLogout += 1;
      }
    });
  }
  assert.deepEqual(figures, { loginsLost: 0, cartsLost: 0, otherCookiesLeft: 0, sessionsAliveAfterLogout: 0 });
});

/** The name and value of each cookie that a response sets to a value. */
async function cookiesIn(response) {
  const headers = await response.headersArray();
  const lines = headers.filter(({ name }) => name.toLowerCase() === "set-cookie").flatMap(({ value }) => value.split("\n"));
  return lines.map((line) => line.split(";")[0]).filter((pair) => !pair.endsWith("="));
}

// The cookies

inBrowser("before a login the browser has the anonymous cookie alone, after it the login's alone, after a logout none", async (context, tab) => {
  assert.deepEqual(await cookieNames(context), []);
  await putCart(tab);
  assert.deepEqual(await cookieNames(context), [ANONYMOUS]);
  await login(tab);
  assert.deepEqual(await cookieNames(context), [LOGIN]);
  assert.deepEqual(await data(tab), { cart: ["apple"], user: "alice" });
  await saveDraft(tab);
  assert.deepEqual(await cookieNames(context), [LOGIN]);
  await logout(tab);
  assert.deepEqual(await cookieNames(context), []);
  assert.deepEqual(await data(tab), {});
});

inBrowser("the anonymous cookie has the attributes of the login's", async (context, tab) => {
  await putCart(tab);
  const attributes = async () => {
    const { name, value, expires, ...rest } = (await context.cookies())[0];
    return { ...rest, days: Math.round((expires - Date.now() / 1000) / 86_400) };
  };
  const anonymous = await attributes();
  assert.deepEqual(anonymous, { domain: "localhost", path: "/", httpOnly: true, secure: true, sameSite: "Lax", days: 14 });
  await login(tab);
  assert.deepEqual(await attributes(), anonymous);
  assert.equal(await tab.evaluate(() => document.cookie), "");
});

inBrowser("a logout deletes an anonymous cookie that a late answer brought beside the login's", async (context, tab) => {
  await putCart(tab);
  const [anonymous] = await context.cookies();
  await login(tab);
  await context.addCookies([anonymous]);
  assert.deepEqual(await cookieNames(context), [LOGIN, ANONYMOUS]);
  assert.deepEqual(await data(tab), { cart: ["apple"], user: "alice" }, "the login's cookie counts first");
  await logout(tab);
  assert.deepEqual(await cookieNames(context), []);
  assert.deepEqual(await data(tab), {});
});
