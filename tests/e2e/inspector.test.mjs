// The inspector's view of the session: its remaining life, its cookie, and the cost of requests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readCost, reason } from "../../www/cost.js";
import { inWords, split } from "../../www/time.js";
import { click, showsStatus, sessionCookie, set, setSeveral, site, visit } from "./visit.mjs";

const TWO_WEEKS = 1_209_600;

// The countdown

/** The seconds that the countdown shows, or NaN. */
const left = async (page) => {
  const [days, hours, minutes, seconds] = (await page.locator("#countdown b").allTextContents()).map((text) => Number(text || NaN));
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
};
const moment = (page, id) => page.locator(`${id} time`).getAttribute("datetime");
/** The server's description of this browser's session, read beside the page. */
const description = async (context, url = site.url) => (await context.request.get(`${url}/session`)).json();

visit("the countdown ticks each second, to the deadline that is stored", async ({ page, context }) => {
  const { stored, cookie } = await description(context);
  assert.equal(await moment(page, "#deadline"), stored.deadline);
  assert.equal(await moment(page, "#absolute"), stored.absoluteDeadline);
  assert.equal(await moment(page, "#saved"), cookie.issued);
  const before = await left(page);
  assert.ok(Math.abs(before - (Date.parse(stored.deadline) - Date.now()) / 1000) < 2, String(before));
  const began = Date.now();
  await sleep(2_300);
  const passed = before - (await left(page));
  assert.ok(passed >= 2 && passed < (Date.now() - began) / 1000 + 1.5, `${passed} seconds`);
}, { data: { a: 1 } });

visit("reading does not move the countdown, and a save does", async ({ page }) => {
  await page.getByLabel("Seconds after each save").fill("100");
  await click(page, "Set seconds");
  await showsStatus(page, "The lifetime is set.");
  assert.ok((await left(page)) <= 100);
  assert.match(await page.locator("#movement").textContent(), /^The last save moved the end by -14 days\.$/);
  const deadline = await moment(page, "#deadline");
  await sleep(2_500);
  await click(page, "Read again");
  await page.locator("#movement", { hasText: "The last request has not moved the end." }).waitFor();
  const before = await left(page);
  assert.ok(before <= 98);
  assert.equal(await moment(page, "#deadline"), deadline);
  await set(page, "a", "2");
  await showsStatus(page, "“a” is set.");
  assert.ok((await left(page)) > before, "it starts anew");
  assert.match(await page.locator("#movement").textContent(), /^The last save moved the end by \+\d+(\.\d)? seconds?\.$/);
  assert.ok(Date.parse(await moment(page, "#deadline")) - Date.parse(deadline) >= 2_500);
}, { data: { a: 1 } });

visit("at zero the page reads the session once, and shows that it has ended", async ({ page, context, sent }) => {
  await page.getByLabel("Seconds after each save").fill("2");
  await click(page, "Set seconds");
  await showsStatus(page, "The lifetime is set.");
  const reads = () => sent.filter((request) => request === "GET /session").length;
  const before = reads();
  await showsStatus(page, "Time is up: the session has ended.");
  assert.match(await page.locator("#state").textContent(), /^(New|Expired)$/); // depends on whether the browser still sent the cookie
  assert.ok(Number.isNaN(await left(page)));
  assert.equal(await page.locator("#movement").textContent(), "It has ended; nothing is stored any more.");
  assert.equal(await page.locator("#deadline").textContent(), "–");
  assert.equal(await sessionCookie(context), undefined);
  await sleep(1_500);
  assert.equal(reads(), before + 1);
}, { data: { a: 1 } });

visit("a visitor without a session sees no countdown, and the first change starts one", async ({ page }) => {
  assert.ok(Number.isNaN(await left(page)));
  assert.equal(await page.locator("#movement").textContent(), "Nothing is stored yet, so nothing runs out.");
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set.");
  assert.equal(await page.locator("#movement").textContent(), "The first save started it.");
  assert.ok(Math.abs((await left(page)) - TWO_WEEKS) < 3);
});

visit("the countdown goes by the server's clock, however wrong the browser's is", async ({ page }) => {
  await page.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 86_400_000;
  });
  await page.reload();
  await showsStatus(page, "This is the session now.");
  assert.ok(Math.abs((await left(page)) - TWO_WEEKS) < 10);
}, { data: { a: 1 } });

visit("a hidden page does not count, and is right at once when it is seen again", async ({ page }) => {
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  const before = await left(page);
  await sleep(2_200);
  assert.equal(await left(page), before);
  await hide(false);
  assert.ok((await left(page)) <= before - 2);
}, { data: { a: 1 } });

visit("screen readers do not announce the seconds: only the status line is live, after requests", async ({ page }) => {
  const live = "[aria-live], [role=status], [role=alert], [role=log], output";
  assert.deepEqual(await page.locator(live).evaluateAll((found) => found.map(({ id }) => id)), ["status"]);
  assert.equal(await page.locator("#countdown").getAttribute("role"), "timer");
  await page.evaluate(() => {
    window.changes = 0;
    new MutationObserver(() => { window.changes += 1; }).observe(document.querySelector("#status"), { childList: true, subtree: true, characterData: true });
  });
  const before = await left(page);
  await sleep(2_200);
  assert.notEqual(await left(page), before);
  assert.equal(await page.evaluate(() => window.changes), 0);
}, { data: { a: 1 } });

// The cookie

/** The rows of the cookie's table, and the time at which it expires. */
const shownCookie = async (page) => {
  const rows = await page.locator("#cookie tbody tr").evaluateAll((rows) => rows.map((row) => {
    const [name, value, meaning] = [...row.cells].map((cell) => cell.textContent);
    return [name, { value, meaning, time: row.querySelector("time")?.dateTime }];
  }));
  return Object.fromEntries(rows);
};

/** Compares what the page shows with the browser's own cookie. */
async function sameCookie(page, context, name) {
  const cookie = await sessionCookie(context, name);
  const shown = await shownCookie(page);
  assert.equal(shown.Name.value, cookie.name);
  assert.equal(shown.Path.value, cookie.path);
  assert.equal(shown.Secure.value, cookie.secure ? "yes" : "no");
  assert.equal(shown.HttpOnly.value, cookie.httpOnly ? "yes" : "no");
  assert.equal(shown.SameSite.value, cookie.sameSite);
  assert.equal(shown.Domain.value, "none");
  assert.equal(cookie.domain, "localhost");
  if (cookie.expires === -1) assert.equal(shown.Expires.value, "when the browser closes");
  else assert.ok(Math.abs(Date.parse(shown.Expires.time) / 1000 - cookie.expires) < 2);
  return shown;
}

visit("the cookie's attributes are those of the browser's cookie, and its value is not shown", async ({ page, context }) => {
  const shown = await sameCookie(page, context);
  assert.match(shown.Expires.value, /Max-Age=1209600$/);
  assert.match(shown.Name.meaning, /no other host can set such a cookie/);
  await click(page, "Until the browser closes");
  await showsStatus(page, "The session ends when the browser closes.");
  await sameCookie(page, context);
  await page.getByLabel("Seconds after each save").fill("3600");
  await click(page, "Set seconds");
  await showsStatus(page, "The lifetime is set.");
  assert.match((await sameCookie(page, context)).Expires.value, /Max-Age=3600$/);
  const { value } = await sessionCookie(context);
  assert.ok(!(await page.content()).includes(value.slice(0, 20)));
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  assert.equal((await shownCookie(page)).Expires.value, "not sent yet");
  assert.match(await page.locator("#cookie-state").textContent(), /^This browser has no cookie\..* given 2 times and deleted 1 time\.$/);
}, { data: { a: 1 } });

visit("on a site with other settings, the page shows them, and that reading renews", async ({ page, context }) => {
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set.");
  const shown = await sameCookie(page, context, "sessionid");
  assert.deepEqual([shown.Secure.value, shown.HttpOnly.value, shown.SameSite.value], ["no", "no", "Strict"]);
  assert.match(shown.Name.meaning, /other hosts of the domain can set/);
  assert.match(await page.locator("#visible-cookies").textContent(), /^sessionid-anonymous=/);
  assert.equal(await page.getByText("Reading is no activity").isVisible(), false);
  assert.equal(await page.getByText("On this site reading renews").isVisible(), true);
  await sleep(3_300); // more than a tenth of its life
  const before = await left(page);
  await click(page, "Read again");
  await page.locator("#movement", { hasText: "The last save moved the end by +" }).waitFor();
  assert.ok((await left(page)) > before);
}, {
  vars: {
    SESSION_COOKIE_SECURE: "false", SESSION_COOKIE_HTTPONLY: "false", SESSION_COOKIE_SAMESITE: "Strict",
    SESSION_SAVE_EVERY_REQUEST: "true", SESSION_COOKIE_AGE: "30",
  },
});

// The cost of requests

/** The visitor's last request in the list, not the read that follows it. */
const cost = (page) => page.locator("#requests tbody tr:not(.following)").first().evaluate((row) => {
  const [request, status, ...figures] = [...row.cells].map((cell) => cell.querySelector("code, b")?.textContent ?? cell.textContent);
  const [reads, writes, deletes] = figures.slice(0, 3).map((text) => parseInt(text, 10));
  return [request, Number(status), reads, writes, deletes, figures[3].replace("Set-Cookie: ", ""), parseInt(row.cells[6].textContent, 10)];
});
const trace = (page) => page.locator("#trace li span:last-child").allTextContents();

visit("each request shows its cost: reads, writes, deletes, the cookie and the time", async ({ page, context }) => {
  const finished = (requests) => page.locator("#sum", { hasText: `: ${requests} requests,` }).waitFor();
  const answers = [];
  page.on("response", (response) => answers.push(response));
  const check = async (expected, way, why) => {
    const [request, status, ...figures] = await cost(page);
    assert.deepEqual([`${request} ${status}`, ...figures.slice(0, 4)], expected);
    const answer = answers.find((answer) => `${answer.request().method()} ${new URL(answer.url()).pathname}` === request);
    if (answer) {
      const setCookie = await answer.headerValue("set-cookie");
      const [first] = setCookie?.split("\n") ?? []; // a login's second line deletes the anonymous cookie
      const outcome = first === undefined ? "none" : /Max-Age=0;/.test(first) ? "cookie deleted" : "new cookie";
      assert.equal(figures[3], outcome, "as the browser got it");
      assert.equal(answer.status(), status);
    }
    answers.length = 0;
    assert.ok(figures[4] >= 0 && figures[4] < 15_000);
    assert.deepEqual((await trace(page)).slice(0, 4), way);
    assert.match(await page.locator("#reason").textContent(), why);
  };
  await check(["GET /session 200", 0, 0, 0, "none"], ["no cookie", "nothing read", "nothing written", "no Set-Cookie"], /^The request had no cookie/);
  await set(page, "a", "1");
  await finished(3);
  await check(["PUT /session/data/a 204", 0, 1, 0, "new cookie"], ["no cookie", "nothing read", "1 write", "new cookie"], /written without a read/);
  await click(page, "Read again");
  await finished(4);
  await check(["GET /session 200", 2, 0, 0, "none"], ["cookie verified", "2 reads", "nothing written", "no Set-Cookie"], /^A read writes nothing/);
  await set(page, "a", "1");
  await finished(6);
  await check(["PUT /session/data/a 204", 2, 0, 0, "none"], ["cookie verified", "2 reads", "nothing written", "no Set-Cookie"], /^The data equal the stored ones/);
  await set(page, "a", "2");
  await finished(8);
  // In a deployed Worker 2: here the clock ticks, and after a tick the save reads again.
  const reads = (await cost(page))[2];
  assert.ok([2, 4].includes(reads), String(reads));
  await check(["PUT /session/data/a 204", reads, 1, 0, "new cookie"], ["cookie verified", `${reads} reads`, "1 write", "new cookie"], /moves the deadline/);
  await click(page, "Log in");
  await finished(10);
  await check(["POST /session/cycle-key 204", 5, 2, 0, "new cookie"], ["cookie verified", "5 reads", "2 writes", "new cookie"], /^The data were stored under a new key/);
  const stolen = await sessionCookie(context);
  await click(page, "Log out");
  await finished(12);
  await check(["POST /session/flush 204", 2, 2, 1, "cookie deleted"], ["cookie verified", "2 reads", "2 writes, 1 delete", "cookie deleted"], /deletes its cookies/);
  await context.addCookies([stolen]);
  await click(page, "Read again");
  await finished(13);
  await check(["GET /session 200", 2, 0, 0, "none"], ["cookie verified", "2 reads", "nothing written", "no Set-Cookie"], /^A read writes nothing/);
  await context.addCookies([{ ...stolen, value: "forged" }]);
  await click(page, "Read again");
  await finished(14);
  await check(["GET /session 200", 0, 0, 0, "cookie deleted"], ["cookie refused", "nothing read", "nothing written", "cookie deleted"], /not signed by this server/);
  assert.equal(await page.locator("#sum").textContent(), `Since this page was opened: 14 requests, ${21 + reads} reads, 6 writes, 1 delete.`);
});

visit("a failed request has no cost, and the list keeps the last twelve", async ({ page, context }) => {
  await context.setOffline(true);
  await click(page, "Log in");
  await showsStatus(page, "The server could not be reached.");
  const row = page.locator("#requests tbody tr:not(.following)").first();
  assert.deepEqual((await row.locator("td").allTextContents()).slice(0, 5), ["no answer", "–", "–", "–", "–"]);
  assert.equal((await trace(page)).length, 1);
  await context.setOffline(false);
  const sum = page.locator("#sum");
  for (let time = 0; time < 12; time += 1) {
    const requests = Number((await sum.textContent()).match(/(\d+) requests?/)[1]);
    await click(page, "Read again");
    await sum.filter({ hasText: `: ${requests + 1} requests` }).waitFor(); // a button is disabled until its response has arrived
  }
  await page.locator("#requests tbody tr:not(.failed)").nth(11).waitFor();
  assert.equal(await page.locator("#requests tbody tr").count(), 12);
}, { refusals: true });

test("other entries of Server-Timing are ignored, and without the header there is no cost", () => {
  const ours = "store;dur=3, store-read;desc=2, store-write;desc=1, store-delete;desc=0, store-list;desc=0, request-cookie;desc=verified, set-cookie;desc=given";
  const expected = { reads: 2, writes: 1, deletes: 0, milliseconds: 3, cookie: "verified", setCookie: "given" };
  for (const header of [ours, `cfExtPri, cfL4;desc="?proto=TCP&rtt=1,2", ${ours}`, `${ours}, cfOrigin;dur=0.5`]) {
    assert.deepEqual(readCost(header), expected, header);
  }
  for (const header of [null, "", "cfOrigin;dur=5", "request-cookie;desc=odd, set-cookie;desc=none"]) assert.equal(readCost(header), undefined);
});

test("a failed save is shown as a failure", () => {
  const cost = readCost("store;dur=0, store-read;desc=1, store-write;desc=1, store-delete;desc=0, store-list;desc=0, request-cookie;desc=verified, set-cookie;desc=none");
  const exchange = { method: "PUT", path: "/session/data/a", milliseconds: 1, text: "", cost };
  assert.equal(reason({ ...exchange, status: 503 }), "");
  assert.notEqual(reason({ ...exchange, status: 204 }), "");
});

test("durations are split and formatted", () => {
  assert.deepEqual(split(0), [0, 0, 0, 0]);
  assert.deepEqual(split(90_061), [1, 1, 1, 1]);
  assert.deepEqual(split(400 * 86_400 - 1), [399, 23, 59, 59]);
  for (const [seconds, words] of [[0, "0 seconds"], [1, "1 second"], [-0.4, "-0.4 seconds"], [90, "1.5 minutes"], [-1_209_600, "-14 days"]]) {
    assert.equal(inWords(seconds), words);
  }
});

// Each route

/** The documented routes. */
function documented() {
  const document = readFileSync(new URL("../../docs/reference/http-routes.md", import.meta.url), "utf8");
  const cells = [...document.matchAll(/^\| (`[A-Z]+.*?`.*?) \|/gm)].map(([, cell]) => cell);
  return cells.filter((cell) => cell.includes("/session")).flatMap((cell) => {
    const [path] = cell.match(/\/session[\w{}/-]*/);
    return [...cell.matchAll(/`([A-Z]+)\b/g)].map(([, method]) => `${method} ${path}`);
  });
}

visit("every documented route has a button that names it and calls it", async ({ page, sent }) => {
  const routes = documented();
  assert.ok(routes.length >= 12, routes.join(", "));
  const named = await page.locator("button > code").allTextContents();
  assert.deepEqual(routes.filter((route) => !named.includes(route)), []);
  const descriptions = await page.locator("main button:has(> code)").evaluateAll((buttons) =>
    buttons.map((button) => [button.getAttribute("aria-description"), button.querySelector("code").textContent]));
  for (const [description, route] of descriptions) assert.equal(description, route);

  const key = page.getByLabel("Key", { exact: true });
  await set(page, "a b", "1");
  await showsStatus(page, "“a b” is set.");
  await key.fill("a b");
  assert.equal(await page.locator("[name=read] code").textContent(), "GET /session/data/a%20b");
  await click(page, "Read value");
  await showsStatus(page, "“a b” is 1");
  await click(page, "Delete value");
  await showsStatus(page, "“a b” is deleted.");
  await setSeveral(page, '{"c": 3}');
  await showsStatus(page, "All of them are set.");
  for (const [button, outcome] of [
    ["As the settings say", "The settings decide again."],
    ["Ten seconds, to see it end", "Ten seconds from now"],
    ["Log in", "Logged in"],
    ["Set", "Set. Now check."],
    ["Check", "worked: true"],
    ["Delete", "Deleted."],
    ["Read again", "This is the session now."],
  ]) {
    await click(page, button);
    await showsStatus(page, outcome);
  }
  await click(page, "Delete all…");
  await click(page, "Delete all");
  await showsStatus(page, "All values are deleted.");
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  const called = new Set(sent.map((request) => request.replace("/a%20b", "/{key}")));
  assert.deepEqual(routes.filter((route) => !called.has(route)), []);
});

visit("for a key that no path can contain, the buttons show what they can do", async ({ page, sent }) => {
  await page.getByLabel("Key", { exact: true }).fill("..");
  assert.equal(await page.locator("[name=set] code").textContent(), "PUT /session/data/{key}");
  await click(page, "Read value");
  await showsStatus(page, "No path can name the key “..”");
  await click(page, "Delete value");
  await showsStatus(page, "“Delete all” deletes it");
  await set(page, "..", "1");
  await showsStatus(page, "Choose another one.");
  assert.ok(!sent.some((request) => /^(PUT|PATCH|DELETE)/.test(request)));
});
