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
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { environment, root } from "../../../scripts/project.mjs";
import { succeed } from "../installed.mjs";

export const folder = fileURLToPath(new URL(".", import.meta.url));

/** Puts the packed package into node_modules, once for all tests of this process. */
export async function install() {
  const scratch = mkdtempSync(join(tmpdir(), "edge-session-frameworks-"));
  await succeed("npm", ["pack", "--pack-destination", scratch], { cwd: join(root, "dist") });
  const [tarball] = readdirSync(scratch);
  const place = join(folder, "node_modules", "edge-session");
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  await succeed("tar", ["-xzf", join(scratch, tarball), "--strip-components=1", "-C", place]);
  rmSync(scratch, { recursive: true, force: true });
}

/** Runs a program of node_modules, to its end, in a project. */
export const build = (project, program, ...args) => succeed(programOf(program), args, { cwd: join(folder, project), limit: 300 });

/** Starts a server in a project, on the port that `args` gets, and waits until it answers. Returns its URL, its output, and how to stop it. */
export async function start(project, program, args, env = {}) {
  const port = await freePort();
  const child = spawn(programOf(program), args(String(port)), {
    cwd: join(folder, project),
    env: { ...environment(), ...env, PORT: String(port), HOST: "localhost" },
    detached: true,
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const text = () => Buffer.concat(output).toString();
  const closed = once(child, "close");
  const stop = async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {} // it has ended already
    await closed;
  };
  const url = `http://localhost:${port}`;
  for (const began = Date.now(); ; await sleep(100)) {
    const answer = await fetch(`${url}/missing`).catch(() => undefined);
    if (answer && (await answer.arrayBuffer())) return { url, output: text, stop };
    if (child.exitCode !== null || Date.now() - began > 90_000) {
      await stop();
      throw new Error(`${program} in ${project} does not answer:\n${text()}`);
    }
  }
}

function programOf(name) {
  const local = join(folder, "node_modules", ".bin", name);
  return existsSync(local) ? local : name;
}

async function freePort() {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

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
