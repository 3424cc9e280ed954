// examples/my-devices, installed from the packed tarball, served by wrangler, in Chromium: each context is a device of a user.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { deviceName } from "../../examples/my-devices/device-name.ts";
import { devicesPage, signInPage } from "../../examples/my-devices/pages.ts";
import { install, serve } from "../packages/installed.mjs";
import { faint, picture } from "./appearance.mjs";
import { launch } from "./browser.mjs";

/** The `User-Agent` of each device. */
const agents = {
  "Firefox on Linux": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
  "Safari on iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
  "Edge on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
};
const [FIREFOX, IPHONE, EDGE] = Object.keys(agents);

let server;
let browser;
let users = 0;

before(async () => {
  const { folder } = await install({ consumers: [], examples: ["my-devices"], packages: [] });
  [server, browser] = await Promise.all([serve(`${folder}/my-devices`), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const path = (page) => page.url().slice(server.url.length);
const title = (page) => page.getByRole("heading", { level: 1 }).textContent();
const click = (page, name) => page.getByRole("button", { name, exact: true }).click();
const note = (page) => page.getByRole("status").textContent();

/** The names of the listed devices. That of the device itself is in brackets, and first. */
async function listed(page) {
  await page.goto(server.url);
  const items = page.getByRole("listitem");
  return (await items.evaluateAll((items) => items.map((item) => {
    const [name, badge] = [...item.querySelector("h2").childNodes].map((node) => node.textContent.trim()).filter(Boolean);
    return badge === "This device" ? `[${name}]` : name;
  })));
}

/** Checks that the page is the one of a device that was signed out, and that its cookie opens no other. */
async function isSignedOut(page) {
  for (const visit of ["of the click", "after it"]) {
    assert.equal(path(page), "/sign-in?ended", visit);
    assert.equal(await note(page), "You are signed out on this device. Sign in again to continue.");
    await page.goto(server.url);
  }
}

/**
 * A test with a user of its own. `device(name)` opens a browser of this name; unless `user` is undefined, that user signs in there. Pages
 * must not report errors, apart from a 403, 404 or 422 that the test provokes.
 */
function inBrowsers(name, work, options = {}) {
  test(name, async () => {
    const contexts = [];
    const trouble = [];
    const alice = `alice-${++users}`;
    const device = async (name, { user = alice, ...more } = {}) => {
      const context = await browser.newContext({ userAgent: agents[name], ...options, ...more });
      contexts.push(context);
      const page = await context.newPage();
      page.setDefaultTimeout(5_000);
      page.on("pageerror", (error) => trouble.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" && !/status of 4(03|04|22)/.test(message.text())) trouble.push(message.text());
      });
      await page.goto(server.url);
      if (user !== null) await signIn(page, user);
      return page;
    };
    try {
      await work({ alice, device });
      assert.deepEqual(trouble, []);
    } finally {
      for (const context of contexts) await context.close();
    }
  });
}

async function signIn(page, user) {
  await page.getByLabel("User name").fill(user);
  await click(page, "Sign in");
}

for (const javaScriptEnabled of [true, false]) {
  inBrowsers(`two devices of a user: each lists both; one signs the other out, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async ({ alice, device }) => {
    const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
    assert.deepEqual([path(phone), await title(phone)], ["/", "Your devices"]);
    assert.equal(await phone.locator(".lead strong").textContent(), alice);
    assert.deepEqual(await listed(laptop), [`[${FIREFOX}]`, IPHONE]);
    assert.deepEqual(await listed(phone), [`[${IPHONE}]`, FIREFOX]);

    await click(laptop, `Sign out ${IPHONE}`);
    assert.equal(await note(laptop), "One device is signed out.");
    // The page on the phone still lists both. Its next click changes nothing.
    await click(phone, `Sign out ${FIREFOX}`);
    await isSignedOut(phone);
    assert.deepEqual(await listed(laptop), [`[${FIREFOX}]`]);
    assert.equal(await laptop.getByRole("button", { name: "Sign out all other devices" }).count(), 0);

    await signIn(phone, alice);
    assert.deepEqual(await listed(phone), [`[${IPHONE}]`, FIREFOX]);
  }, { javaScriptEnabled });
}

inBrowsers("of three devices, one signs out all others", async ({ device }) => {
  const [laptop, phone, desktop] = [await device(FIREFOX), await device(IPHONE), await device(EDGE)];
  assert.deepEqual(await listed(desktop), [`[${EDGE}]`, IPHONE, FIREFOX]);
  await click(desktop, "Sign out all other devices");
  assert.equal(await note(desktop), "2 devices are signed out.");
  for (const page of [laptop, phone]) {
    await page.reload();
    await isSignedOut(page);
  }
  assert.deepEqual(await listed(desktop), [`[${EDGE}]`]);
});

inBrowsers("the id of another user's device is answered with 404, and nothing ends", async ({ device }) => {
  const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
  await laptop.reload();
  const id = await laptop.getByRole("button", { name: `Sign out ${IPHONE}` }).getAttribute("value");
  const bob = `bob-${users}`;
  const [bobs, other] = [await device(EDGE, { user: bob }), await device(FIREFOX, { user: bob })];
  assert.deepEqual(await listed(bobs), [`[${EDGE}]`, FIREFOX], "the list of one user has no device of another");
  for (const value of [id, "", "x".repeat(10_000), "é'"]) {
    await bobs.goto(server.url);
    await bobs.getByRole("button", { name: `Sign out ${FIREFOX}` }).evaluate((button, value) => { button.value = value; }, value);
    const [response] = await Promise.all([bobs.waitForResponse((response) => response.request().method() === "POST"), click(bobs, `Sign out ${FIREFOX}`)]);
    assert.deepEqual([response.status(), await title(bobs)], [404, "No such device"]);
  }
  await bobs.getByRole("link", { name: "Go to your devices" }).click();
  assert.equal(await title(bobs), "Your devices");
  assert.equal((await listed(laptop)).length, 2);
  assert.deepEqual(await listed(phone), [`[${IPHONE}]`, FIREFOX]);
  assert.deepEqual(await listed(other), [`[${FIREFOX}]`, EDGE]);
});

inBrowsers("a device that is signed out by hand leaves the other's list, and needs no explanation", async ({ device }) => {
  const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
  await click(phone, "Sign out this device");
  assert.equal(path(phone), "/sign-in");
  assert.equal(await phone.getByRole("status").count(), 0);
  assert.deepEqual(await phone.context().cookies(), []);
  assert.deepEqual(await listed(laptop), [`[${FIREFOX}]`]);
});

inBrowsers("its own id signs a device out; a second click on an old list is told that there is no such device", async ({ device }) => {
  const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
  const own = await laptop.goto(server.url).then(() => laptop.getByRole("button", { name: `Sign out ${IPHONE}` }).getAttribute("value"));
  await phone.getByRole("button", { name: `Sign out ${FIREFOX}` }).evaluate((button, id) => { button.value = id; }, own);
  await click(phone, `Sign out ${FIREFOX}`);
  await isSignedOut(phone);
  await click(laptop, `Sign out ${IPHONE}`);
  assert.equal(await title(laptop), "No such device");
});

inBrowsers("another user who signs in at the same browser gets a session of their own", async ({ device, alice }) => {
  const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
  await laptop.goto(`${server.url}/sign-in`);
  assert.equal(path(laptop), "/", "a visitor who is signed in needs no form");
  // An old tab that still has the form.
  const tab = await laptop.context().newPage();
  await tab.goto(`${server.url}/sign-in`);
  await tab.setContent(`<form method="post" action="${server.url}/sign-in"><input name="user"><button>Sign in</button></form>`);
  await tab.locator("input").fill(`bob-${alice}`);
  await click(tab, "Sign in");
  await tab.getByText(`Signed in as bob-${alice}`).waitFor();
  assert.deepEqual(await listed(tab), [`[${FIREFOX}]`]);
  assert.deepEqual(await listed(phone), [`[${IPHONE}]`]);
});

inBrowsers("a form on another origin is refused, even of the same site, to which the browser sends the cookies", async ({ device }) => {
  const [laptop, phone] = [await device(FIREFOX), await device(IPHONE)];
  const form = `<!doctype html><title>x</title><form method="post" action="${server.url}/sign-out-others"><button>Win a prize</button></form>`;
  const attacker = createServer((request, response) => response.setHeader("Content-Type", "text/html").end(form)).listen(0, "localhost");
  try {
    await new Promise((resolve) => attacker.once("listening", resolve));
    await laptop.goto(`http://localhost:${attacker.address().port}/`);
    const [sent] = await Promise.all([laptop.waitForRequest(`${server.url}/sign-out-others`), click(laptop, "Win a prize")]);
    const [headers, response] = [await sent.allHeaders(), await sent.response()];
    assert.deepEqual([headers["sec-fetch-site"], response.status(), await title(laptop)], ["same-site", 403, "Not allowed"]);
    assert.match(headers.cookie, /__Host-sessionid=/);
  } finally {
    attacker.close();
  }
  assert.deepEqual(await listed(phone), [`[${IPHONE}]`, FIREFOX]);
});

test("requests that no page of the site sends are refused or find nothing", async () => {
  const post = async (headers, body = new URLSearchParams({ user: "alice" })) =>
    (await fetch(`${server.url}/sign-in`, { method: "POST", headers, body, redirect: "manual" })).status;
  const own = { Origin: server.url };
  for (const headers of [own, {}]) assert.equal(await post(headers), 303, "a program sends neither header");
  for (const headers of [{ Origin: "null" }, { Origin: "https://example.com" }, { ...own, "Sec-Fetch-Site": "cross-site" }]) {
    assert.equal(await post(headers), 403, JSON.stringify(headers));
  }
  for (const [body, type] of [["user=", "application/x-www-form-urlencoded"], [`user=${"x".repeat(65)}`, "application/x-www-form-urlencoded"], ["user=alice", "text/plain"], ["{}", "application/json"]]) {
    assert.equal(await post({ ...own, "Content-Type": type }, body), 422, body);
  }
  for (const route of ["/", "/sign-out", "/sign-out-device", "/sign-out-others", "/unknown"]) {
    for (const method of ["GET", "POST"]) {
      const response = await fetch(server.url + route, { method, headers: own, redirect: "manual" });
      assert.deepEqual([response.status, response.headers.get("Location"), response.headers.get("Set-Cookie")], [303, "/sign-in", null], `${method} ${route}`);
    }
  }
});

inBrowsers("an unknown address and a name that is too long are explained", async ({ alice, device }) => {
  const page = await device(FIREFOX, { user: null });
  await page.getByLabel("User name").evaluate((input) => input.removeAttribute("maxlength"));
  await signIn(page, "x".repeat(65));
  await page.getByText("Enter a name of 1 to 64 characters.").waitFor();
  assert.equal(await page.getByLabel("User name").inputValue(), "x".repeat(65));
  await signIn(page, alice);
  assert.equal((await page.goto(`${server.url}/unknown`)).status(), 404);
  assert.equal(await title(page), "No such page");
});

// What is shown

const attack = `<img src=x onerror=alert(1)> "' & `;

inBrowsers("a name of markup is shown as text", async ({ device }) => {
  const page = await device(FIREFOX, { user: attack });
  assert.equal(await page.locator(".lead strong").textContent(), attack.trim());
  assert.equal(await page.locator("main img").count(), 0);
});

test("a label and the value of the form are escaped as well", () => {
  const now = new Date();
  const devices = [{ id: attack, current: false, createdAt: now, lastSeenAt: now, label: attack }];
  for (const { text } of [devicesPage({ user: "alice", devices }), signInPage({ user: attack, problem: attack })]) {
    assert.doesNotMatch(text, /<img/);
    assert.match(text, /&#60;img src=x onerror=alert\(1\)&#62; &#34;&#39; &#38; /);
  }
});

test("the times are machine-readable, and the last visit is no more exact than it is known", () => {
  const shown = (seconds) => {
    const lastSeenAt = new Date(Date.now() - seconds * 1000);
    const device = { id: "id", current: false, createdAt: new Date(0), lastSeenAt, label: undefined };
    const { text } = devicesPage({ user: "alice", devices: [device], signedOut: undefined });
    assert.ok(text.includes("Unknown device"));
    assert.ok(text.includes('<time datetime="1970-01-01T00:00:00.000Z">1 Jan 1970, 00:00 UTC</time>'), text);
    return text.match(new RegExp(`<time datetime="${lastSeenAt.toISOString()}">(.*)</time>`))[1];
  };
  const HOUR = 3600;
  assert.deepEqual([0, 59 * 60, 61 * 60, 23.5 * HOUR, 25 * HOUR, 80 * HOUR].map(shown), [
    "In the last hour", "In the last hour", "About 1 hour ago", "About 23 hours ago", "About 1 day ago", "About 3 days ago",
  ]);
});

test("a device is named after the browser and the system that it claims to be", () => {
  for (const [name, agent] of Object.entries(agents)) assert.equal(deviceName(agent), name);
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0";
  for (const [agent, name] of [
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36`, "Chrome on Windows"],
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`, "Chrome on Android"],
    [`Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36`, "Samsung Internet on Android"],
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36 EdgA/156.0.0.0`, "Edge on Android"],
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome} Safari/537.36`, "Chrome on ChromeOS"],
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${chrome} Safari/537.36 OPR/142.0.0.0`, "Opera on macOS"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15", "Safari on macOS"],
    ["Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0.0.0 Mobile/15E148 Safari/604.1", "Chrome on iPad"],
    ["Mozilla/5.0 (X11; Linux x86_64) SomeBrowser/1.0", "Unknown browser on Linux"],
    ["Firefox/153.0", "Firefox"],
    ["curl/8.16.0", "Unknown device"],
    ["", "Unknown device"],
    [null, "Unknown device"],
  ]) assert.equal(deviceName(agent), name, agent);
});

describe("accessibility and appearance", () => {
  inBrowsers("every control has a name, and can be reached and used with the keyboard alone", async ({ alice, device }) => {
    const page = await device(FIREFOX, { user: null });
    await device(IPHONE);
    await page.locator("#user").focus();
    await page.keyboard.type(alice);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Your devices" }).waitFor();
    const names = [];
    for (let tabs = 0; tabs < 3; tabs += 1) {
      await page.keyboard.press("Tab");
      const { name, outline, height, about } = await page.evaluate(() => {
        const { activeElement: focused } = document;
        const { outlineWidth } = getComputedStyle(focused);
        const about = document.getElementById(focused.getAttribute("aria-describedby"))?.textContent;
        return { name: focused.ariaLabel ?? focused.textContent, outline: outlineWidth, height: focused.offsetHeight, about };
      });
      names.push(name);
      assert.deepEqual([outline, height >= 44], ["3px", true], name);
      if (name.endsWith(IPHONE)) assert.match(about, /Signed in\s+\d+ \w+ \d{4}, \d\d:\d\d UTC\s+Last seen\s+In the last hour/);
    }
    assert.deepEqual(names, ["Sign out this device", `Sign out ${IPHONE}`, "Sign out all other devices"]);
    await page.keyboard.press("Enter");
    assert.equal(await note(page), "One device is signed out.");
    assert.match(await page.locator("main").ariaSnapshot(), /heading "Your devices" \[level=1\][^]+list:[^]+listitem:[^]+heading "Firefox on Linux This device" \[level=2\]/);
  });

  inBrowsers("in light and dark, at every width, text has contrast and nothing overflows", async ({ device }) => {
    const long = "a-name-of-64-characters-".repeat(3).slice(0, 64);
    const page = await device(FIREFOX, { user: long });
    for (const name of [IPHONE, EDGE]) await device(name, { user: long });
    const ended = await device(EDGE, { user: null });
    const pages = [["devices", page, `${server.url}/?signed-out=1`], ["sign-in", ended, `${server.url}/sign-in?ended`], ["not-found", page, `${server.url}/unknown`]];
    for (const [name, page, url] of pages) {
      await page.goto(url);
      for (const [colorScheme, ground] of [["light", "rgb(243, 245, 244)"], ["dark", "rgb(15, 20, 19)"]]) {
        for (const width of [320, 479, 480, 720, 1280]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 720 });
          const look = await page.evaluate(() => ({
            sticksOut: document.documentElement.scrollWidth - document.documentElement.clientWidth,
            ground: getComputedStyle(document.body).backgroundColor,
          }));
          assert.deepEqual(look, { sticksOut: 0, ground }, `${name}, ${colorScheme}, ${width} pixels`);
          assert.deepEqual(await page.evaluate(faint), [], `${name}, ${colorScheme}, ${width} pixels`);
          await picture(page, `my-devices-${name}-${colorScheme}-${width}`);
        }
      }
    }
  });

  inBrowsers("the page loads its own files only, has no scripts, and is neither framed nor cached", async ({ device }) => {
    const page = await device(FIREFOX);
    const headers = (await page.goto(server.url)).headers();
    const policy = headers["content-security-policy"];
    assert.match(policy, /^default-src 'none';.* form-action 'self';.* frame-ancestors 'none'$/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:|script-src/);
    assert.deepEqual([headers["cache-control"], headers.vary], ["private, no-store", "Cookie"]);
    assert.equal(await page.evaluate(() => document.querySelectorAll("script, style, [style], [onclick]").length), 0);
  });
});
