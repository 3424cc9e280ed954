// The page in www/ in a real browser, with the real server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { members } from "../../www/json-text.js";
import { faint, picture } from "./appearance.mjs";
import { click, opened, showsStatus, sessionCookie, set, setSeveral, site, table, visit } from "./visit.mjs";

const TWO_WEEKS = 1_209_600;

// Data

visit("a new visitor has no data and no cookie, and the page shows it", async ({ page, context }) => {
  assert.equal(await page.title(), "edge-session");
  assert.equal(await page.locator("#state").textContent(), "New");
  assert.equal(await page.getByText("No values yet.").isVisible(), true);
  assert.equal(await page.getByRole("button", { name: "Delete all…" }).isVisible(), false);
  assert.deepEqual(await context.cookies(), []);
});

visit("a value that is set is shown, and survives a reload", async ({ page }) => {
  await set(page, "theme", '"dark"');
  await showsStatus(page, "“theme” is set.");
  assert.deepEqual(await table(page), [["theme", '"dark"']]);
  assert.equal(await page.locator("#state").textContent(), "Stored");
  await page.reload();
  await showsStatus(page, "This is the session now.");
  assert.deepEqual(await table(page), [["theme", '"dark"']]);
});

visit("another browser does not see the data", async ({ page }) => {
  const stranger = await page.context().browser().newPage();
  try {
    await stranger.goto(site.url);
    await showsStatus(stranger, "This is the session now.");
    assert.deepEqual(await table(stranger), []);
  } finally {
    await stranger.close();
  }
}, { data: { secret: 1 } });

visit("a value is edited in its row", async ({ page }) => {
  await click(page, "Edit “cart”");
  const field = page.getByLabel("Value of “cart”, as JSON");
  assert.equal(await field.inputValue(), '{"items": [1]}');
  await field.fill('{"items": [1, 2]}');
  await click(page, "Save");
  await page.getByRole("button", { name: "Edit “cart”" }).waitFor();
  assert.deepEqual(await table(page), [["cart", '{"items": [1, 2]}']]);
}, { data: '{"cart": {"items": [1]}}' });

visit("an edit that is cancelled changes nothing", async ({ page, sent }) => {
  const before = sent.length;
  await click(page, "Edit “cart”");
  await page.getByLabel("Value of “cart”, as JSON").fill("2");
  await click(page, "Cancel");
  await click(page, "Edit “cart”");
  assert.equal(await page.getByLabel("Value of “cart”, as JSON").inputValue(), "1");
  await page.keyboard.press("Escape");
  assert.deepEqual(await table(page), [["cart", "1"]]);
  assert.equal(sent.length, before);
}, { data: { cart: 1 } });

visit("an edit goes on while another value is deleted", async ({ page }) => {
  await click(page, "Edit “b”");
  await page.getByLabel("Value of “b”, as JSON").fill("20");
  await click(page, "Delete “a”");
  await showsStatus(page, "“a” is deleted.");
  assert.equal(await page.getByLabel("Value of “b”, as JSON").inputValue(), "20");
}, { data: { a: 1, b: 2, c: 3 } });

visit("a value is deleted, and the focus goes to the next one", async ({ page }) => {
  await click(page, "Delete “a”");
  await showsStatus(page, "“a” is deleted.");
  assert.deepEqual(await table(page), [["b", "2"]]);
  await page.locator(':focus[aria-label="Delete “b”"]').waitFor();
}, { data: { a: 1, b: 2 } });

visit("a value that was already deleted is reported, and its row disappears", async ({ page, context }) => {
  await context.request.delete(`${site.url}/session/data/a`);
  await click(page, "Delete “a”");
  await showsStatus(page, 'the session has no key "a"');
  assert.deepEqual(await table(page), [["b", "2"]]);
}, { data: { a: 1, b: 2 }, refusals: true });

visit("several values are set at once, and the others stay", async ({ page, sent }) => {
  await setSeveral(page, '{"theme": "dark", "visits": 3}');
  await showsStatus(page, "All of them are set.");
  assert.deepEqual(await table(page), [["old", "0"], ["theme", '"dark"'], ["visits", "3"]]);
  assert.ok(sent.includes("PATCH /session/data"));
}, { data: { old: 0 } });

visit("all values are deleted, but only after a question", async ({ page }) => {
  await click(page, "Delete all…");
  await click(page, "Keep them");
  assert.equal((await table(page)).length, 2);
  await click(page, "Delete all…");
  await page.keyboard.press("Escape");
  assert.equal((await table(page)).length, 2);
  await click(page, "Delete all…");
  await click(page, "Delete all");
  await showsStatus(page, "All values are deleted.");
  assert.deepEqual(await table(page), []);
}, { data: { a: 1, b: 2 } });

visit("a plain word gets a hint, and can be stored as text", async ({ page, sent }) => {
  await set(page, "name", 'Ada "the first"');
  const correction = page.locator("#item .correction");
  assert.match(await correction.textContent(), /Text needs quotes in JSON: "Ada \\"the first\\""/);
  assert.equal(await page.getByLabel("Value, as JSON", { exact: true }).getAttribute("aria-invalid"), "true");
  assert.ok(!sent.includes("PUT /session/data/name"));
  await click(page, "Store it as text");
  await showsStatus(page, "“name” is set.");
  assert.deepEqual(await table(page), [["name", '"Ada \\"the first\\""']]);
  assert.equal(await correction.isVisible(), false);
});

visit("invalid JSON, or another value instead of an object, is explained and not sent", async ({ page, sent }) => {
  await set(page, "list", "[1, 2");
  assert.match(await page.locator("#item .correction").textContent(), /This is not JSON\. .+/);
  await set(page, "list", "");
  assert.match(await page.locator("#item .correction").textContent(), /A value is missing/);
  await page.getByLabel("Value, as JSON", { exact: true }).fill("[1, 2]");
  assert.equal(await page.locator("#item .correction").isVisible(), false);
  for (const wrong of ["[1]", "{a: 1}", "7", ""]) {
    await setSeveral(page, wrong);
    assert.match(await page.locator("#several .correction").textContent(), /An object looks like/);
  }
  assert.ok(sent.every((request) => request.startsWith("GET")));
});

visit("numbers are shown as they were sent, never rounded", async ({ page }) => {
  await set(page, "order", "9007199254740993");
  await showsStatus(page, "“order” is set.");
  assert.deepEqual(await table(page), [["price", "1.50"], ["tiny", "1E-7"], ["order", "9007199254740993"]]);
  await click(page, "Edit “order”");
  assert.equal(await page.getByLabel("Value of “order”, as JSON").inputValue(), "9007199254740993");
}, { data: '{"price": 1.50, "tiny": 1E-7}' });

visit("strange keys keep their order, nothing in them is executed, and each can be deleted", async ({ page }) => {
  const attack = "<img src=x onerror=alert(1)>";
  const keys = ["b", "10", "2", "a/b", "é", attack, "constructor", "a b?c#d%41", "\"q\\", "1\n2", "😀"];
  await setSeveral(page, JSON.stringify(Object.fromEntries(keys.map((key) => [key, 0]))).replace("{", '{"b": 0, "10": 0, '));
  await showsStatus(page, "All of them are set.");
  assert.deepEqual(new Set((await table(page)).map(([key]) => key)), new Set(keys));
  assert.deepEqual((await table(page)).slice(0, 2).map(([key]) => key), ["b", "10"]);
  await set(page, attack, JSON.stringify(`<script>alert(2)</script>${attack}`));
  await showsStatus(page, "is set.");
  assert.equal(await page.locator("main img, main script").count(), 0);
  for (const key of keys) {
    await page.getByRole("row").filter({ has: page.locator(`[aria-label=${JSON.stringify(`Delete “${key}”`).replace("\\n", "\\a ")}]`) })
      .getByRole("button", { name: /^Delete/ }).click();
    await showsStatus(page, `“${key}” is deleted.`);
  }
  assert.deepEqual(await table(page), []);
});

visit("keys that no path can contain are not set, alone or among others", async ({ page, sent }) => {
  for (const key of [".", ".."]) {
    await set(page, key, "1");
    await showsStatus(page, `No path can name the key “${key}”.`);
  }
  assert.ok(!sent.some((request) => request.startsWith("PUT")));
  for (const key of ["", ".", ".."]) {
    await setSeveral(page, JSON.stringify({ before: 1, [key]: 2 }));
    await showsStatus(page, 'a key cannot be empty, "." or "..", since no URL can name it');
  }
  assert.deepEqual(await table(page), []);
}, { refusals: true });

visit("keys that no path can contain, which only an application sets, are shown; the page explains why it cannot change them", async ({ page, sent }) => {
  await page.route("**/session", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), data: { "": 1, "..": 2 } } });
  });
  await click(page, "Read again");
  await page.getByRole("button", { name: "Edit “..”" }).waitFor();
  assert.deepEqual(await table(page), [["", "1"], ["..", "2"]]);
  await click(page, "Edit “..”");
  await page.getByLabel("Value of “..”, as JSON").fill("30");
  await click(page, "Save");
  await showsStatus(page, "No path can name the key “..”. Only the application changes its value.");
  await click(page, "Delete “”");
  await showsStatus(page, "No path can name the key “”. “Delete all” deletes it with the others.");
  assert.ok(sent.every((request) => request.startsWith("GET")));
});

visit("a key that begins with _ is refused with the server's message, and changes no prototype", async ({ page }) => {
  await set(page, "__proto__", '{"polluted": true}');
  await showsStatus(page, "keys that begin with _ belong to the application");
  assert.match(await page.locator("#status").textContent(), /PUT \/session\/data\/__proto__ 403 · \d+ ms/);
  assert.equal(await page.evaluate(() => ({}).polluted), undefined);
  assert.deepEqual(await table(page), []);
}, { refusals: true });

test("a JSON object is split into members without being parsed", () => {
  const cases = [
    ["{}", []],
    [" { } ", []],
    ['{"b":9007199254740993,"10":1.50,"2":-0}', [["b", "9007199254740993"], ["10", "1.50"], ["2", "-0"]]],
    ['{"__proto__":{"a":[{"b":1}]},"":null}', [["__proto__", '{"a":[{"b":1}]}'], ["", "null"]]],
    ['{ "a" : "x" , "b":\t[ 1, 2 ]\n}', [["a", '"x"'], ["b", "[ 1, 2 ]"]]],
    [String.raw`{"\"}:,\\":"{\"a\":[,]}","\u00e9":"\\"}`, [['"}:,\\', String.raw`"{\"a\":[,]}"`], ["é", String.raw`"\\"`]]],
    ['{"a":1,"a":2}', [["a", "1"], ["a", "2"]]],
    [`{"long":"${"x\\n".repeat(50_000)}"}`, [["long", `"${"x\\n".repeat(50_000)}"`]]],
  ];
  for (const [text, expected] of cases) assert.deepEqual(members(text), expected);
  for (const wrong of ["", "[]", "null", '"{}"', "{", "{a:1}", '{"a":1,}']) assert.throws(() => members(wrong), SyntaxError);
});

// Lifetime

visit("a session ends after its seconds, and reading has not extended it", async ({ page, context }) => {
  await page.getByLabel("Seconds after each save").fill("2");
  await click(page, "Set seconds");
  await showsStatus(page, "The lifetime is set.");
  assert.equal(await page.locator("#age").textContent(), "2 seconds 2 s");
  const { expires } = await sessionCookie(context);
  assert.ok(Math.abs(expires - Date.now() / 1000 - 2) < 1.5);
  await sleep(1_000);
  await click(page, "Read again");
  await showsStatus(page, "This is the session now.");
  assert.deepEqual(await table(page), [["a", "1"]]);
  await showsStatus(page, "Time is up: the session has ended.");
  assert.match(await page.locator("#state").textContent(), /^(New|Expired)$/); // depends on whether the browser still sent the cookie
  assert.deepEqual(await table(page), []);
  assert.equal(await sessionCookie(context), undefined);
}, { data: { a: 1 } });

for (const [timezoneId, local, offset] of [
  ["Asia/Kathmandu", "2027-01-06T07:08", "+05:45"],
  ["America/St_Johns", "2027-07-06T07:08", "-02:30"],
]) {
  visit(`a date in ${timezoneId} is sent with the offset that holds there on that day`, async ({ page, context }) => {
    await page.getByLabel("A fixed date, your time").fill(local);
    await click(page, "Set date");
    await showsStatus(page, "The end is set.");
    const end = `${local}:00${offset}`;
    assert.equal(await page.locator("#ends time").getAttribute("datetime"), end);
    const { expires } = await sessionCookie(context);
    assert.ok(Math.abs(expires - Math.min(Date.parse(end) / 1000, Date.now() / 1000 + 400 * 86_400)) < 60);
  }, { data: { a: 1 }, timezoneId });
}

visit("a date that has passed ends the session at once", async ({ page, context }) => {
  await page.getByLabel("A fixed date, your time").fill("2001-01-01T00:00");
  await click(page, "Set date");
  await showsStatus(page, "The end is set.");
  assert.deepEqual(await table(page), []);
  assert.equal(await sessionCookie(context), undefined);
}, { data: { a: 1 } });

visit("a session until the browser closes has a cookie without an expiry, and the settings can be restored", async ({ page, context }) => {
  assert.equal(await page.locator("#age").textContent(), `14 days ${TWO_WEEKS} s`);
  assert.equal(await page.locator("#at-browser-close").textContent(), "no");
  await click(page, "Until the browser closes");
  await showsStatus(page, "The session ends when the browser closes.");
  assert.equal(await page.locator("#at-browser-close").textContent(), "yes");
  assert.equal((await sessionCookie(context)).expires, -1);
  await click(page, "As the settings say");
  await showsStatus(page, "The settings decide again.");
  assert.equal(await page.locator("#at-browser-close").textContent(), "no");
  const { expires } = await sessionCookie(context);
  assert.ok(Math.abs(expires - Date.now() / 1000 - TWO_WEEKS) < 60);
  assert.deepEqual(await table(page), [["a", "1"]]);
}, { data: { a: 1 } });

visit("a lifetime that the server refuses is shown with its message", async ({ page }) => {
  await page.getByLabel("Seconds after each save").fill("1e21");
  await click(page, "Set seconds");
  await showsStatus(page, "the body must be");
  assert.match(await page.locator("#age").textContent(), /^14 days/);
}, { refusals: true });

// Login and logout

visit("a login changes the cookie and keeps the data, with a name and without one", async ({ page, context, sent }) => {
  const before = await sessionCookie(context);
  await page.getByLabel("Name, stored as “user”").fill("Ada");
  await click(page, "Log in");
  await showsStatus(page, "Logged in");
  assert.deepEqual(await table(page), [["cart", "[1]"], ["user", '"Ada"']]);
  assert.equal(await page.locator("#user").textContent(), 'user is "Ada"');
  assert.equal(sent.filter((request) => request === "POST /session/cycle-key").length, 1);
  const after = await sessionCookie(context);
  assert.notEqual(after.value, before.value);
  await click(page, "Log in");
  await page.locator("#requests", { hasText: /(POST \/session\/cycle-key.*){2}/ }).waitFor();
  await click(page, "Read again");
  await showsStatus(page, "This is the session now.");
  assert.deepEqual(await table(page), [["cart", "[1]"], ["user", '"Ada"']]);
  assert.notEqual((await sessionCookie(context)).value, after.value);
  assert.deepEqual((await opened(before)).data, {});
}, { data: { cart: [1] } });

visit("a logout removes the cookie and the data", async ({ page, context }) => {
  const cookie = await sessionCookie(context);
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  assert.deepEqual(await table(page), []);
  assert.equal(await page.locator("#state").textContent(), "New");
  assert.equal(await page.locator("#user").textContent(), "No user is logged in.");
  assert.equal(await sessionCookie(context), undefined);
  assert.deepEqual((await opened(cookie)).data, {});
}, { data: { user: "Ada" } });

visit("scripts cannot read the session's cookie, and the page shows it", async ({ page, context }) => {
  assert.equal((await sessionCookie(context)).httpOnly, true);
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal(await page.locator("#visible-cookies").textContent(), "nothing");
}, { data: { a: 1 } });

// Test cookie

visit("the test cookie works in a browser that keeps cookies, until it is deleted", async ({ page }) => {
  const answer = page.locator("#test-cookie-answer");
  const buttons = page.getByRole("region", { name: "Test cookie" });
  await buttons.getByRole("button", { name: "Check" }).click();
  await answer.filter({ hasText: "worked: false" }).waitFor();
  await buttons.getByRole("button", { name: "Set" }).click();
  await answer.filter({ hasText: "Now check" }).waitFor();
  await buttons.getByRole("button", { name: "Check" }).click();
  await answer.filter({ hasText: "worked: true" }).waitFor();
  await buttons.getByRole("button", { name: "Delete" }).click();
  await answer.filter({ hasText: "Deleted" }).waitFor();
  await buttons.getByRole("button", { name: "Check" }).click();
  await answer.filter({ hasText: "worked: false" }).waitFor();
});

visit("the test cookie does not work in a browser that refuses cookies", async ({ page, context }) => {
  await context.route("**/session/**", async (route) => {
    const request = route.request();
    const answer = await fetch(request.url(), { method: request.method(), body: request.postData() ?? undefined });
    const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "set-cookie"));
    await route.fulfill({ status: answer.status, headers, body: await answer.text() });
  });
  const buttons = page.getByRole("region", { name: "Test cookie" });
  await buttons.getByRole("button", { name: "Set" }).click();
  await page.locator("#test-cookie-answer", { hasText: "Now check" }).waitFor();
  await buttons.getByRole("button", { name: "Check" }).click();
  await page.locator("#test-cookie-answer", { hasText: "worked: false" }).waitFor();
  assert.deepEqual(await context.cookies(), []);
});

// The messages of the page, and the order of its requests

visit("the status line names method, path, status and milliseconds, and the list keeps them", async ({ page }) => {
  await set(page, "a/b", "1");
  await showsStatus(page, "“a/b” is set.");
  const status = page.locator("#status");
  assert.match(await status.textContent(), /^“a\/b” is set\. PUT \/session\/data\/a%2Fb 204 · \d+ ms$/);
  assert.equal(await status.getAttribute("aria-atomic"), "true");
  const [latest, one] = await page.locator("#requests tbody tr").allInnerTexts();
  assert.match(latest, /^GET \/session\s+200\s.*\s\d+ ms/s);
  assert.match(one, /^PUT \/session\/data\/a%2Fb\s.*\s204\s.*\s\d+ ms/s);
});

visit("a double click sends one request, and deletes one row", async ({ page, sent }) => {
  const count = (request) => sent.filter((other) => other === request).length;
  await page.getByRole("button", { name: "Log in" }).dblclick({ delay: 60 });
  await showsStatus(page, "Logged in");
  await page.getByRole("button", { name: "Delete “a”" }).dblclick({ delay: 60 });
  await showsStatus(page, "“a” is deleted.");
  await click(page, "Read again");
  await showsStatus(page, "This is the session now.");
  assert.equal(count("POST /session/cycle-key"), 1);
  assert.deepEqual(await table(page), [["b", "2"], ["c", "3"]]);
}, { data: { a: 1, b: 2, c: 3 } });

visit("a button is disabled while its request is pending, and other buttons wait", async ({ page }) => {
  const order = [];
  await page.route(/cycle-key|flush/, async (route) => {
    const name = route.request().url().split("/").at(-1);
    order.push(`${name} begins`);
    await sleep(400);
    order.push(`${name} ends`);
    await route.continue();
  });
  for (let clicks = 0; clicks < 3; clicks += 1) await click(page, "Log in");
  await click(page, "Log out");
  await showsStatus(page, "Logged out");
  assert.deepEqual(order, ["cycle-key begins", "cycle-key ends", "flush begins", "flush ends"]);
}, { data: { a: 1 } });

visit("a network failure is reported, and the page continues when the network is back", async ({ page, context }) => {
  await context.setOffline(true);
  await set(page, "a", "1");
  await showsStatus(page, "The server could not be reached.");
  assert.match(await page.locator("#status").textContent(), /PUT \/session\/data\/a no answer · \d+ ms/);
  assert.equal(await page.getByLabel("Key", { exact: true }).inputValue(), "a");
  await context.setOffline(false);
  await click(page, "Set value");
  await showsStatus(page, "“a” is set.");
  assert.deepEqual(await table(page), [["a", "1"]]);
}, { refusals: true });

visit("a successful change is not reported as a failure if the following read fails", async ({ page }) => {
  await page.route("**/session", (route) => route.abort());
  await set(page, "a", "1");
  await showsStatus(page, "“a” is set. But the session could not be read again: The server could not be reached.");
}, { refusals: true });

visit("a response that is not the server's own is reported", async ({ page }) => {
  await page.route("**/session/flush", (route) => route.fulfill({ status: 502, body: "Bad gateway" }));
  await click(page, "Log out");
  await showsStatus(page, "Bad gateway");
  assert.match(await page.locator("#status").textContent(), /POST \/session\/flush 502/);
  await page.route("**/session", (route) => route.fulfill({ contentType: "text/html", body: "<h1>Welcome to the hotel</h1>" }));
  await click(page, "Read again");
  await showsStatus(page, "Something else answered in the server’s place");
}, { refusals: true });

// Accessibility

/** Presses the tab key until the element has the focus. */
async function tabTo(page, selector, key = "Tab") {
  for (let steps = 0; steps < 80; steps += 1) {
    await page.keyboard.press(key);
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
  }
  assert.fail(`${key} never reaches ${selector}`);
}

visit("everything can be done with the keyboard alone", async ({ page, sent }) => {
  await tabTo(page, "[name=key]");
  await page.keyboard.type("name");
  await page.keyboard.press("Tab");
  await page.keyboard.type("ada");
  await tabTo(page, "[name=set]");
  await page.keyboard.press("Enter");
  await page.locator(":focus[name=value]").waitFor();
  await tabTo(page, ".correction button");
  await page.keyboard.press("Enter");
  await showsStatus(page, "“name” is set.");
  await page.locator(":focus[name=key]").waitFor();
  await tabTo(page, "[aria-label='Edit “name”']", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.locator(":focus[aria-label='Value of “name”, as JSON']").waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("7");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(":focus[aria-label='Edit “name”']").waitFor();
  assert.deepEqual(await table(page), [["name", "7"]]);

  await tabTo(page, "summary");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.parentElement.open), true);
  for (const [selector, outcome] of [
    ["#browser-close", "The session ends when the browser closes."],
    ["#login button", "Logged in"],
    ["#test-cookie-set", "Set. Now check."],
    ["#test-cookie-check", "worked: true"],
    ["#reload", "This is the session now."],
  ]) {
    await tabTo(page, selector);
    await page.keyboard.press(selector === "#reload" ? "Space" : "Enter");
    await showsStatus(page, outcome);
  }
  await tabTo(page, "#clear");
  await page.keyboard.press("Enter");
  await tabTo(page, "[value=delete]");
  await page.keyboard.press("Enter");
  await showsStatus(page, "All values are deleted.");
  await page.locator(":focus[name=key]").waitFor();
  await tabTo(page, "#logout");
  await page.keyboard.press("Enter");
  await showsStatus(page, "Logged out");
  assert.deepEqual(sent.filter((request) => request === "POST /session/flush").length, 1);
});

visit("every control has a name, and the focus can be seen on it", async ({ page }) => {
  await page.locator("details").evaluateAll((all) => all.forEach((details) => { details.open = true; }));
  const controls = page.locator("button:visible, input:visible, textarea:visible, summary:visible");
  const count = await controls.count();
  assert.ok(count > 25);
  await page.keyboard.press("Tab");
  for (let index = 0; index < count; index += 1) {
    const { name, outline } = await controls.nth(index).evaluate((control) => {
      control.focus({ focusVisible: true });
      const name = control.ariaLabel || control.labels?.[0]?.textContent || control.textContent;
      return { name: name.trim(), outline: getComputedStyle(control).outlineWidth };
    });
    assert.notEqual(name, "");
    assert.equal(outline, "3px", name);
  }
}, { data: { a: 1 } });

visit("the focused element is never behind the dock", async ({ page }) => {
  await page.locator("details").evaluateAll((all) => all.forEach((details) => { details.open = true; }));
  for (const viewport of [{ width: 360, height: 640 }, { width: 1280, height: 720 }]) {
    await page.setViewportSize(viewport);
    await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    for (const key of ["Tab", "Shift+Tab"]) {
      for (let steps = 0; steps < 45; steps += 1) {
        await page.keyboard.press(key);
        const { hidden, name } = await page.evaluate(() => {
          const focused = document.activeElement;
          const { top, bottom } = focused.getBoundingClientRect();
          const dock = document.querySelector(".dock").getBoundingClientRect();
          return { hidden: focused !== document.body && (top < 0 || bottom > dock.top), name: focused.outerHTML };
        });
        assert.equal(hidden, false, name);
      }
    }
  }
}, { data: { a: 1 } });

const long = { ["k".repeat(80)]: "v".repeat(400), text: "hello", list: [1, 2, 3] };

visit("in light and dark, at every width, text has contrast, nothing overflows, and nothing moves with reduced motion", async ({ page }) => {
  await page.getByLabel("Key", { exact: true }).fill("k".repeat(80));
  await click(page, "Read value");
  await showsStatus(page, "is \"vvv");
  await page.locator("details").evaluateAll((all) => all.forEach((details) => { details.open = true; }));
  await set(page, "word", "plain");
  await click(page, "Edit “text”");
  for (const [colorScheme, ground] of [["light", "rgb(243, 245, 244)"], ["dark", "rgb(15, 20, 19)"]]) {
    for (const width of [320, 360, 600, 960, 1280, 1600]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      const look = await page.evaluate(() => ({
        sticksOut: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        ground: getComputedStyle(document.body).backgroundColor,
        moves: [...document.querySelectorAll("*")].some((element) => {
          const { transitionDuration, animationName } = getComputedStyle(element);
          return transitionDuration !== "0s" || animationName !== "none";
        }),
      }));
      assert.deepEqual(look, { sticksOut: 0, ground, moves: false }, `${colorScheme}, ${width} pixels`);
      assert.deepEqual(await page.evaluate(faint), [], `${colorScheme}, ${width} pixels`);
      await picture(page, `everything-${colorScheme}-${width}`);
    }
  }
}, { data: long, reducedMotion: "reduce" });

visit("a new visitor's page has contrast, too, and one whose request failed", async ({ page }) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await click(page, "Read again");
    await showsStatus(page, "This is the session now.");
    assert.deepEqual(await page.evaluate(faint), [], colorScheme);
    await picture(page, `new-${colorScheme}`);
    await click(page, "Delete");
    await showsStatus(page, "the session has no key");
    assert.deepEqual(await page.evaluate(faint), [], colorScheme);
  }
}, { refusals: true, reducedMotion: "reduce" });

visit("the page may load its own files and nothing else", async ({ page }) => {
  const policy = (await page.request.get(site.url)).headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  const inline = await page.evaluate(() => document.querySelectorAll("[style], [onclick], script:not([src]), style").length);
  assert.equal(inline, 0);
});

visit("the example of the static site guide stores a value and reads it", async ({ page }) => {
  const guide = readFileSync(new URL("../../docs/guides/static-site.md", import.meta.url), "utf8");
  const [, code] = guide.match(/^```js\n(.+?)^```$/ms);
  assert.deepEqual(await page.evaluate(`(async () => { ${code} return data; })()`), { cart: ["apple"] });
});

visit("an unknown address is answered with 404 and the way back", async ({ page }) => {
  const response = await page.goto(`${site.url}/no/such/page`);
  assert.equal(response.status(), 404);
  await page.getByRole("link", { name: "Go to the session inspector" }).click();
  await showsStatus(page, "This is the session now.");
}, { refusals: true });
