// The server that `npm start` starts, from curl with a cookie jar and over a bare socket.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { serve } from "./serve.mjs";

const run = promisify(execFile);
let server;
let jars;

before(async () => {
  jars = await mkdtemp(join(tmpdir(), "edge-session-jars-"));
  server = await serve();
});
after(async () => {
  await server?.stop();
  await rm(jars, { recursive: true, force: true });
});

/** curl with a cookie jar of the name: `{ status, headers, body }`. */
async function curl(jar, method, path, body, more = []) {
  const file = join(jars, jar);
  const data = body === undefined ? [] : ["--data-binary", JSON.stringify(body)];
  const head = method === "HEAD" ? ["--head"] : ["--request", method];
  const { stdout } = await run("curl", ["-sS", "--include", ...head, "--cookie", file, "--cookie-jar", file, ...data, ...more, server.url + path]);
  const [top, ...rest] = stdout.split("\r\n\r\n");
  const [first, ...lines] = top.split("\r\n");
  const headers = lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]);
  return { status: Number(first.split(" ")[1]), headers: new Map(headers), body: rest.join("\r\n\r\n") };
}

const data = async (jar) => JSON.parse((await curl(jar, "GET", "/session")).body).data;

test("a value is visible in the next request and after a restart of the server, and to no other visitor", async () => {
  assert.equal((await curl("alice", "PUT", "/session/data/cart", ["apple"])).status, 204);
  assert.deepEqual(await data("alice"), { cart: ["apple"] });
  assert.deepEqual(await data("bob"), {});
  server = await server.restart();
  assert.deepEqual(await data("alice"), { cart: ["apple"] });
});

test("a login and a logout", async () => {
  await curl("carol", "PUT", "/session/data/cart", [1]);
  const { status, headers } = await curl("carol", "POST", "/session/cycle-key", { user: "carol" });
  assert.deepEqual([status, headers.get("vary"), headers.get("cache-control")], [204, "Cookie", "private, no-store"]);
  assert.deepEqual(await data("carol"), { cart: [1], user: "carol" });
  assert.equal((await curl("carol", "POST", "/session/flush")).status, 204);
  assert.deepEqual(await data("carol"), {});
});

test("set_expiry(2): expired after three seconds", async () => {
  await curl("dave", "PUT", "/session/data/user", "dave");
  const { headers } = await curl("dave", "PUT", "/session/expiry", { value: 2 });
  const cookie = headers.get("set-cookie").split(";")[0];
  assert.deepEqual(await data("dave"), { user: "dave" });
  await wait(3_000);
  // Sent by hand, since curl has dropped the cookie too.
  const { body } = await curl("nobody", "GET", "/session", undefined, ["--header", `Cookie: ${cookie}`]);
  assert.deepEqual(JSON.parse(body).data, {});
});

test("a client that refuses cookies fails the test cookie", async () => {
  await curl("erin", "POST", "/session/test-cookie");
  assert.equal((await curl("erin", "GET", "/session/test-cookie")).body, '{"worked":true}');
  await run("curl", ["-sS", "--request", "POST", `${server.url}/session/test-cookie`]);
  const { stdout } = await run("curl", ["-sS", `${server.url}/session/test-cookie`]);
  assert.equal(stdout, '{"worked":false}');
});

test("HEAD responses have no body, and the page is served beside the routes", async () => {
  await curl("frank", "PUT", "/session/data/a", 1);
  const { status, headers, body } = await curl("frank", "HEAD", "/session");
  assert.deepEqual([status, body, headers.get("vary"), headers.has("set-cookie")], [200, "", "Cookie", false]);
  const page = await curl("frank", "GET", "/");
  assert.equal(page.status, 200);
  assert.match(page.body, /<title>/);
  assert.equal(page.headers.has("set-cookie"), false);
});

test("the cron's sweep runs", async () => {
  const { status } = await curl("cron", "GET", "/cdn-cgi/handler/scheduled");
  assert.equal(status, 200);
  for (let tries = 0; !/clear_expired: \d+ records removed/.test(server.output()) && tries < 50; tries += 1) await wait(100);
  assert.match(server.output(), /clear_expired: \d+ records removed/);
});

/** Sends a request of raw bytes. Returns the text of the response. */
async function raw(...cookieLines) {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  const head = `GET /session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), ...cookieLines.map((line) => Buffer.concat([Buffer.from("Cookie: "), line, Buffer.from("\r\n")])), Buffer.from("\r\n")]));
  const chunks = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("bytes that no browser would send open no other session and cause no error", async () => {
  const mine = async () => {
    const { headers } = await curl(`raw${Math.random()}`, "PUT", "/session/data/user", "grace");
    return Buffer.from(headers.get("set-cookie").split(";")[0]);
  };
  const [good, other] = [await mine(), await mine()];
  assert.match(await raw(good), /"user":"grace"/);
  for (const space of [[0xc2, 0xa0], [0xa0], [0xe2, 0x80, 0x80], [0xc2, 0x85], [0x1c], [0x0b], [0xff], [0x01]]) {
    const answer = await raw(Buffer.concat([good, Buffer.from("; "), Buffer.from(space), other]));
    assert.match(answer, /^HTTP\/1.1 200 .*"user":"grace"/s);
  }
  // Two Cookie headers: the runtime joins them by a comma. An anonymous session or the right one, never an error.
  for (const lines of [[good, Buffer.from("a=1")], [Buffer.from("a=1"), good], [good, other]]) {
    assert.match(await raw(...lines), /^HTTP\/1.1 200 /);
  }
  assert.match(await raw(Buffer.concat([good, Buffer.from("; "), other])), /"data":\{\}/);
  assert.match(await raw(Buffer.from("a=;".repeat(20_000)), Buffer.from("b=1")), /^HTTP\/1.1 (200|431) /);
});

test("without a valid secret every session route reports it, and the log names the setting", async () => {
  const broken = await serve({ vars: { SESSION_SECRET: "short" } });
  try {
    const response = await fetch(`${broken.url}/session`);
    assert.equal(response.status, 500);
    assert.equal((await response.json()).error.code, "ES_CONFIG");
    assert.match(broken.output(), /SESSION_SECRET/);
    assert.equal((await fetch(broken.url)).status, 200, "the page is there all the same");
  } finally {
    await broken.stop();
  }
});

test("a port in use ends with a message that explains what to do", async () => {
  const { port } = new URL(server.url);
  await assert.rejects(serve({ port }), /PORT=\d+ npm start/);
});
