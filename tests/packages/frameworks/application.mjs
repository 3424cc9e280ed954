// What each project in this folder is: a site with a counter, a login, a message for the next page, a logout and a streamed page. Its
// server is started from the outside, and these tests are its visitors.
//
//   /        counts the visit, and takes the message:  visits=2 user=alice message=welcome
//   /login   gives the session a new key, sets user=alice, message=welcome and another cookie, seen=1, and redirects to /
//   /logout  ends the session, and redirects to /
//   /boom    sets a message, and throws an error
//   /stream  sends "began", and later "user=alice", which is read after the headers were sent
//
// A page is any text that contains these. Other paths are not found. With OUTAGE=1, the store of the server fails.

import assert from "node:assert/strict";
import { launch } from "../../e2e/browser.mjs";

/** A visitor with cookies. */
export class Visitor {
  jar = new Map();

  constructor(url) {
    this.url = url;
  }

  get(path, headers = {}) {
    return this.request(path, { headers });
  }

  post(path, body) {
    return this.request(path, { method: "POST", body });
  }

  async request(path, { headers, ...init }) {
    const Cookie = [...this.jar].map((pair) => pair.join("=")).join("; ");
    const all = { ...(Cookie && { Cookie }), Accept: "text/html", ...headers };
    const response = await fetch(this.url + path, { ...init, headers: all, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^(.*?)=(.*?)(;|$)/.exec(line);
      if (/; (Max-Age=0|Expires=Thu, 01 Jan 1970[^;]*)(;|$)/i.test(line)) this.jar.delete(name);
      else this.jar.set(name, value);
    }
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, page: /visits=\d+ user=[^\s<]+ message=[^\s<]+/.exec(text)?.[0] };
  }
}

/** The tests of a served project, as subtests of `t`. `later` is the later part of the streamed page, before scripts have run. */
export async function visits(t, url, { later = /user=alice/ } = {}) {
  await t.test("counts the visits of each visitor", async () => {
    const [alice, bob] = [new Visitor(url), new Visitor(url)];
    assert.equal((await alice.get("/")).page, "visits=1 user=- message=-");
    const second = await alice.get("/");
    assert.equal(second.page, "visits=2 user=- message=-");
    assert.match(second.headers.get("Vary") ?? "", /\bcookie\b/i);
    assert.match(second.headers.get("Cache-Control") ?? "", /no-store|private/);
    assert.equal((await bob.get("/")).page, "visits=1 user=- message=-");
  });

  await t.test("a login with a redirect keeps what was set, changes the key, and keeps the cookies of others", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/");
    const before = new Map(visitor.jar);
    const login = await visitor.get("/login");
    assert.ok([302, 303, 307].includes(login.status), `status ${login.status}`);
    assert.equal(new URL(login.headers.get("Location"), url).pathname, "/");
    assert.equal(visitor.jar.get("seen"), "1");
    assert.notDeepEqual(visitor.jar, before);
    assert.equal((await visitor.get("/")).page, "visits=2 user=alice message=welcome");
    assert.equal((await visitor.get("/")).page, "visits=3 user=alice message=-", "a message is shown once");
    const old = new Visitor(url);
    old.jar = before;
    const after = await old.get("/");
    assert.ok(after.status === 409 || after.page === "visits=1 user=- message=-", `the key of before the login opens nothing: ${after.status} ${after.page}`);
  });

  await t.test("a logout ends the session", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const copy = new Visitor(url);
    copy.jar = new Map(visitor.jar);
    await visitor.get("/logout");
    assert.equal((await visitor.get("/")).page, "visits=1 user=- message=-");
    assert.match((await copy.get("/")).text, /user=-/, "a copy of its cookie opens nothing");
  });

  await t.test("a request that fails saves nothing", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    await visitor.get("/");
    assert.equal((await visitor.get("/boom")).status, 500);
    assert.equal((await visitor.get("/")).page, "visits=2 user=alice message=-");
  });

  await t.test("a page that is not found sets no cookie", async () => {
    const answer = await new Visitor(url).get("/missing");
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });

  await t.test("a forged cookie is an anonymous visitor", async () => {
    const visitor = new Visitor(url);
    visitor.jar.set("__Host-sessionid", "forged");
    assert.equal((await visitor.get("/")).page, "visits=1 user=- message=-");
  });

  await t.test("a streamed page reads the session after its headers were sent", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const { status, text } = await visitor.get("/stream");
    assert.equal(status, 200);
    assert.match(text, /began/);
    assert.match(text.slice(text.indexOf("began")), later);
  });
}

/** The tests of a project served with OUTAGE=1, as subtests of `t`: its visitor has a session of the server at `healthy`. */
export async function outage(t, url, healthy) {
  await t.test("during an outage of the store, a page that uses its session is a 503, and the cookie stays", async () => {
    const visitor = new Visitor(healthy);
    await visitor.get("/login");
    visitor.url = url;
    const before = new Map(visitor.jar);
    assert.equal((await visitor.get("/")).status, 503);
    assert.equal((await new Visitor(url).get("/login")).status, 503);
    assert.deepEqual(visitor.jar, before);
    assert.equal((await visitor.get("/missing")).status, 404);
  });
}

/**
 * Serves a project, healthy and with OUTAGE=1, and visits both, as subtests of `t`. Returns the two servers, which stop when `t` ends. `options`
 * are those of `visits`.
 */
export async function serveAndVisit(t, serve, options) {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url, options);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);
  return { site, broken };
}

// Visits to pages that not all projects have.

/** `/large` stores more than a session may have. */
export async function refusal(t, url) {
  await t.test("a session that cannot be saved is an error in JSON, and sets no cookie", async () => {
    const answer = await new Visitor(url).get("/large");
    assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [413, "ES_TOO_LARGE"]);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });
}

/** `/events` sends the parts of the streamed page as events. */
export async function events(t, url) {
  await t.test("events are sent one by one, and read the session after the headers", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const { headers, text } = await visitor.get("/events");
    assert.match(headers.get("Content-Type"), /^text\/event-stream/);
    assert.equal(text, "data: began \n\ndata: user=alice\n\n");
  });
}

/** `/refused` sets a message and throws an error with the status 403; `/headers` has `Vary` and `Cache-Control` of its own. */
export async function ownHeaders(t, url) {
  await t.test("an HTTPError below 500 keeps what was set", async () => {
    const visitor = new Visitor(url);
    const answer = await visitor.get("/refused", { Accept: "application/json" });
    assert.deepEqual([answer.status, JSON.parse(answer.text).message], [403, "not you"]);
    assert.equal((await visitor.get("/")).page, "visits=1 user=- message=refused");
  });

  await t.test("the headers of the handler are merged with those of the session, once", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const { headers } = await visitor.get("/headers");
    assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control")], ["Accept, Cookie", "private, max-age=60"]);
    const login = await new Visitor(url).get("/login");
    assert.deepEqual(login.headers.getSetCookie().map((line) => line.split("=")[0]), ["seen", "__Host-sessionid"]);
  });
}

/** The streamed page in Chromium. */
export async function streamed(t, url) {
  await t.test("in Chromium, a page is streamed, and its later part reads the session", async () => {
    const browser = await launch();
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${url}/login`);
    await page.getByText("visits=1 user=alice message=welcome").waitFor();
    await page.goto(`${url}/stream`, { waitUntil: "commit" });
    await page.getByText("began").waitFor();
    assert.equal(await page.getByText("user=").count(), 0);
    await page.getByText("user=alice").waitFor();
  });
}
