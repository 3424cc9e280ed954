// A visit to the page in www/: Chromium, the real server, and the actions of a visitor.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { serve } from "./serve.mjs";

/** The name of the session's cookie after a login; before it, the name is followed by `-anonymous`. */
const COOKIE = "__Host-sessionid";

/** Where the page is served; known once the tests run. */
export const site = { url: "" };

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([serve(), launch()]);
  site.url = server.url;
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/**
 * A test in a browser of its own, whose session holds `data`: `page` has read the session, `sent` lists its requests, `trouble`
 * the errors that must not happen. Chromium reports every 4xx as an error of the console; a test that provokes some sets
 * `refusals`. With `vars`, the site has other settings.
 */
export function visit(name, work, { data, refusals = false, vars, ...options } = {}) {
  test(name, async () => {
    const own = vars && (await serve({ vars }));
    const { url } = own ?? site;
    const context = await browser.newContext({ locale: "en-GB", ...options });
    try {
      if (data) await context.request.patch(`${url}/session/data`, { data });
      const page = await context.newPage();
      page.setDefaultTimeout(5_000);
      const sent = [];
      const trouble = [];
      page.on("request", (request) => {
        sent.push(`${request.method()} ${new URL(request.url()).pathname}`);
        if (new URL(request.url()).origin !== url) trouble.push(`off-origin: ${request.url()}`);
      });
      page.on("pageerror", (error) => trouble.push(error.message));
      page.on("dialog", (dialog) => trouble.push(`dialog: ${dialog.message()}`));
      page.on("console", (message) => {
        const refusal = refusals && message.text().startsWith("Failed to load resource");
        if (["error", "warning"].includes(message.type()) && !refusal) trouble.push(message.text());
      });
      await page.goto(url);
      await showsStatus(page, "This is the session now.");
      await work({ page, context, sent });
      assert.deepEqual(trouble, []);
    } finally {
      await context.close();
      await own?.stop();
    }
  });
}

/** Waits for a text of the status line. */
export const showsStatus = (page, text) => page.locator("#status").filter({ hasText: text }).waitFor();
export const click = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** The table of the data as the visitor sees it. */
export const table = (page) => page.locator("#data tbody tr").evaluateAll((rows) =>
  rows.map((row) => [row.querySelector("th").textContent, row.querySelector("td code").textContent]));

export async function set(page, key, value) {
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.getByLabel("Value, as JSON", { exact: true }).fill(value);
  await click(page, "Set value");
}

export async function setSeveral(page, object) {
  const details = page.locator("details", { has: page.locator("#several") });
  if (!(await details.evaluate(({ open }) => open))) await page.getByText("Set several at once").click();
  await page.getByLabel("A JSON object").fill(object);
  await click(page, "Set all of them");
}

/** The browser's session cookie. A test in which it has both names fails. */
export async function sessionCookie(context, name = COOKIE) {
  const cookies = (await context.cookies()).filter((cookie) => [name, `${name}-anonymous`].includes(cookie.name));
  assert.ok(cookies.length < 2, "the browser has a session cookie of each name");
  return cookies[0];
}

/** The server's response to a request with this cookie alone, from outside of the browser. */
export async function opened({ name, value }) {
  return (await fetch(`${site.url}/session`, { headers: { Cookie: `${name}=${value}` } })).json();
}
