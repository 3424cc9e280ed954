// The load outcome in the inspector: each outcome with its meaning and advice, and the cookie's two names.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { describeLoad, LOAD_REASONS } from "../../www/load-reason.js";
import { faint, picture } from "./appearance.mjs";
import { click, opened, showsStatus, sessionCookie, set, site, table, visit } from "./visit.mjs";

/** The page's description of the load: the badge, its style, the sentence beside it, and the advice. */
const shown = (page) => page.evaluate(() => {
  const text = (selector) => document.querySelector(selector).textContent;
  const next = document.querySelector("#state-next");
  return {
    reason: text("#load-reason"),
    label: text("#state"),
    badge: document.querySelector("#state").className,
    meaning: text("#state-meaning"),
    next: next.hidden ? undefined : next.textContent,
  };
});

const plain = (text) => text.replaceAll("`", "");

/** The expected description of a load outcome. */
function expected(reason) {
  const { label, badge, meaning, next } = describeLoad(reason);
  return { reason, label, badge: `badge ${badge}`, meaning: plain(meaning), next: next && `What to do: ${plain(next)}` };
}

/** Reads the session again, and checks that the page shows this load outcome. */
async function readsAs(page, reason) {
  await Promise.all([page.waitForResponse("**/session"), click(page, "Read again")]);
  await page.locator("#load-reason", { hasText: new RegExp(`^${reason}$`) }).waitFor();
  assert.deepEqual(await shown(page), expected(reason));
}

/** Replaces the browser's cookies. */
async function useCookies(context, ...cookies) {
  await context.clearCookies();
  await context.addCookies(cookies);
}

const nothing = (page) => page.locator("#nothing").textContent();
const cookieState = (page) => page.locator("#cookie-state").textContent();
const logIn = async (page, name) => {
  await page.getByLabel("Name, stored as “user”").fill(name);
  await click(page, "Log in");
  await showsStatus(page, "Logged in");
};

test("the page describes every load outcome of the server, and no other", () => {
  const source = readFileSync(new URL("../../src/session/load_reason.rs", import.meta.url), "utf8");
  const words = [...source.matchAll(/Self::\w+ => "([\w-]+)"/g)].map(([, word]) => word);
  assert.ok(words.length > 12);
  assert.deepEqual(Object.keys(LOAD_REASONS).sort(), words.sort());
});

visit("a new session, and one that is stored", async ({ page }) => {
  assert.deepEqual(await shown(page), expected("new"));
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set.");
  await readsAs(page, "live");
});

visit("a key that a login has replaced: the page shows it, a change is refused, and the login's cookie has the data", async ({ page, context }) => {
  const anonymous = await sessionCookie(context);
  await logIn(page, "Ada");
  const login = await sessionCookie(context);
  await useCookies(context, anonymous);
  await readsAs(page, "superseded");
  assert.deepEqual(await table(page), []);
  assert.match(await nothing(page), /stored under the new key/);
  assert.match(await cookieState(page), /^The browser sent the cookie from before the login\./);
  assert.equal(await page.locator("#movement").textContent(), "The end of the session cannot be read now.");
  await set(page, "cart", "[2]");
  await showsStatus(page, "changed the session's key");
  assert.match(await page.locator("#status").textContent(), /PUT \/session\/data\/cart 409/);
  assert.deepEqual(await sessionCookie(context), anonymous, "the cookie is left alone");
  await useCookies(context, login);
  await readsAs(page, "live");
  assert.deepEqual(await table(page), [["cart", "[1]"], ["user", '"Ada"']]);
}, { data: { cart: [1] }, refusals: true });

visit("a second login with the key that the first one has replaced is accepted, and keeps the data", async ({ page, context }) => {
  const anonymous = await sessionCookie(context);
  await logIn(page, "Ada");
  await useCookies(context, anonymous);
  await readsAs(page, "superseded");
  await logIn(page, "Ada");
  await readsAs(page, "live");
  assert.deepEqual(await table(page), [["cart", "[1]"], ["user", '"Ada"']]);
}, { data: { cart: [1] } });

visit("a session that a logout has ended, and the next change", async ({ page, context }) => {
  await logIn(page, "Ada");
  const cookie = await sessionCookie(context);
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  await useCookies(context, cookie);
  await readsAs(page, "revoked");
  assert.match(await cookieState(page), /^The browser still has the cookie of the session that has ended\./);
  assert.equal(await page.locator("#user").textContent(), "No user is logged in.");
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set.");
  await readsAs(page, "live");
  assert.deepEqual(await table(page), [["a", "1"]]);
}, { data: { cart: [1] } });

visit("a cookie that does not verify is deleted, and the session is new from then on", async ({ page, context }) => {
  const cookie = await sessionCookie(context);
  await useCookies(context, { ...cookie, value: `${cookie.value.slice(0, -1)}${cookie.value.endsWith("A") ? "B" : "A"}` });
  await readsAs(page, "malformed");
  assert.match(await cookieState(page), /^The browser sent a cookie that this server did not sign\. This answer deletes it\./);
  assert.equal(await sessionCookie(context), undefined);
  await readsAs(page, "new");
}, { data: { a: 1 } });

visit("a session that has expired, and whose cookie the browser still has", async ({ page, context }) => {
  await page.getByLabel("Seconds after each save").fill("2");
  await click(page, "Set seconds");
  await showsStatus(page, "The lifetime is set.");
  const cookie = await sessionCookie(context);
  await showsStatus(page, "Time is up");
  await sleep(200);
  await useCookies(context, { ...cookie, expires: -1 });
  await readsAs(page, "expired");
  assert.match(await cookieState(page), /This answer deletes it\./);
  assert.equal(await sessionCookie(context), undefined);
}, { data: { a: 1 } });

visit("a session that KV does not show here yet: a change is refused, and the cookie stays", async ({ page, context }) => {
  // The cookie of the other server, which has the same secret and another KV: cookies do not depend on the port.
  await context.request.patch(`${site.url}/session/data`, { data: { a: 1 } });
  const cookie = await sessionCookie(context);
  await readsAs(page, "not-yet-visible");
  assert.match(await nothing(page), /KV does not show them here yet/);
  await set(page, "a", "2");
  await page.locator("#status", { hasText: /PUT \/session\/data\/a 409/ }).waitFor();
  assert.deepEqual(await sessionCookie(context), cookie);
  assert.deepEqual((await opened(cookie)).data, { a: 1 });
}, { vars: {}, refusals: true });

visit("a session that was made under another prefix: the cookie stays", async ({ page, context }) => {
  await context.request.patch(`${site.url}/session/data`, { data: { a: 1 } });
  const cookie = await sessionCookie(context);
  await readsAs(page, "other-settings");
  assert.deepEqual(await sessionCookie(context), cookie);
}, { vars: { SESSION_KEY_PREFIX: "another" } });

visit("KV that does not respond: the page keeps its content, reports it, and continues when KV is back", async ({ page }) => {
  const body = JSON.stringify({ error: { code: "ES_STORE_UNAVAILABLE", message: "the session store did not answer" } });
  await page.route("**/session", (route) => route.fulfill({ status: 503, contentType: "application/json", body }));
  await click(page, "Read again");
  await showsStatus(page, "the session store did not answer");
  assert.deepEqual(await shown(page), expected("unavailable"));
  assert.deepEqual(await table(page), [["a", "1"]]);
  await page.unroute("**/session");
  await readsAs(page, "live");
}, { data: { a: 1 }, refusals: true });

visit("an unknown load outcome is shown by its name", async ({ page }) => {
  await answerWith(page, () => "of-a-later-version");
  await readsAs(page, "of-a-later-version");
});

/**
 * Replaces the load outcome in the server's responses to `GET /session` by that of `next`, without data if the session cannot be
 * read. One route for all of them: replacing the route would leave a request in between waiting forever.
 */
async function answerWith(page, next) {
  await page.route("**/session", async (route) => {
    const reason = next();
    const response = await route.fetch();
    const session = await response.json();
    const { badge, values } = describeLoad(reason);
    const empty = badge === "plain" || values !== undefined ? { data: {}, isNew: true, stored: null, cookie: { ...session.cookie, issued: null, expires: null } } : {};
    await route.fulfill({ response, json: { ...session, loadReason: reason, ...empty } });
  });
}

visit("every load outcome, in light and dark, narrow and wide: it is described, has contrast, and nothing overflows", async ({ page }) => {
  let reason;
  await answerWith(page, () => reason);
  for (reason of Object.keys(LOAD_REASONS)) {
    await readsAs(page, reason);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const sticksOut = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.deepEqual([sticksOut, await page.evaluate(faint)], [0, []], `${reason}, ${colorScheme}, ${width} pixels`);
        await picture(page, `${reason}-${colorScheme}-${width}`);
      }
    }
  }
}, { data: { cart: { items: [1, 2] }, user: "Ada" }, reducedMotion: "reduce" });

// The cookie's names

visit("the page shows both names of the cookie, the one in use first", async ({ page, context }) => {
  const names = () => page.locator("#cookie tbody tr").evaluateAll((rows) =>
    rows.slice(0, 2).map((row) => [...row.cells].slice(0, 2).map((cell) => cell.textContent)));
  const [anonymous, login] = ["__Host-sessionid-anonymous", "__Host-sessionid"];
  assert.deepEqual(await names(), [["Name", anonymous], ["After a login", login]]);
  assert.equal((await sessionCookie(context)).name, anonymous);
  await logIn(page, "Ada");
  assert.deepEqual(await names(), [["Name", login], ["Before a login", anonymous]]);
  assert.equal((await sessionCookie(context)).name, login);
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  assert.deepEqual(await names(), [["Name", anonymous], ["After a login", login]]);
}, { data: { cart: [1] } });

visit("with a name of its own, the site's cookie has two names, too", async ({ page, context }) => {
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set.");
  assert.equal((await sessionCookie(context, "shop")).name, "shop-anonymous");
  await logIn(page, "Ada");
  assert.equal((await sessionCookie(context, "shop")).name, "shop");
  assert.equal(await page.locator("#cookie tbody code").first().textContent(), "shop");
}, { vars: { SESSION_COOKIE_NAME: "shop" } });
