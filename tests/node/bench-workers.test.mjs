// The Workers that `npm run bench:start` and `npm run bench:worker` measure, without their clocks.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Browser, parsed } from "../bench/browser.mjs";
import { summary as startSummary } from "../bench/cold-start.mjs";
import { pagesOf } from "../bench/effects.mjs";
import { summary as throughputSummary } from "../bench/throughput.mjs";
import byHand from "../bench/workers/javascript.mjs";
import kv, { counts } from "../bench/workers/kv.mjs";
import withPackage from "../bench/workers/package.mjs";

test("each page counts the visits of its session, the one without a library with the KV calls of edge-session", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() }); // as in a Worker, whose clock advances with I/O only
  const [ours, plain] = [await pagesOf(withPackage), await pagesOf(byHand)];
  assert.deepEqual(ours.bodies, [{ visits: 1 }, { visits: 2 }, { visits: 3 }]);
  assert.deepEqual(plain, ours);
});

test("the KV of the Workers keeps values under any key, and counts its calls", async () => {
  const url = (key) => `http://kv/${encodeURIComponent(key)}?urlencoded=true`;
  const call = (method, key, body) => kv.fetch(new Request(url(key), { method, body }));
  const key = "edge-session:session:ä/b?c";
  assert.equal((await call("GET", key)).status, 404);
  await call("PUT", key, "value");
  assert.equal(await (await call("GET", key)).text(), "value");
  await call("DELETE", key);
  assert.equal((await call("GET", key)).status, 404);
  assert.deepEqual(await counts.fetch().json(), { get: 3, put: 1, delete: 1 });
  assert.deepEqual(await counts.fetch().json(), { get: 0, put: 0, delete: 0 });
});

test("a response is read once it is complete", () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nSet-Cookie: sid=1; Path=/\r\n\r\n{"visits":1}';
  assert.deepEqual(parsed(whole), { status: "200", cookie: "sid=1", body: '{"visits":1}' });
  const chunked = "HTTP/1.1 500 Error\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
  assert.deepEqual(parsed(chunked), { status: "500", cookie: undefined, body: "abc0123456789" });
  for (const text of [whole, chunked]) {
    for (let length = 0; length < text.length; length++) assert.equal(parsed(text.slice(0, length)), undefined);
  }
});

test("a browser keeps its cookie, and detects a lost visit and a failure", async () => {
  const folder = mkdtempSync(join(tmpdir(), "edge-session-browser-"));
  const path = join(folder, "page.sock");
  const answers = [[200, 1], [200, 2], [200, 2], [500, 3]];
  const cookies = [];
  const server = createServer(({ headers }, response) => {
    const [status, visits] = answers[cookies.push(headers.cookie) - 1];
    response.writeHead(status, { "Set-Cookie": `sid=${visits}; Path=/` }).end(JSON.stringify({ visits }));
  });
  await new Promise((resolve) => server.listen(path, resolve));
  try {
    const browser = await Browser.connect(path);
    await browser.visit();
    await browser.visit();
    await assert.rejects(browser.visit(), { message: 'visit 3 was counted as {"visits":2}' });
    await assert.rejects(browser.visit(), { message: 'status 500: {"visits":3}' });
    browser.close();
    assert.deepEqual(cookies, ["consent=yes", "consent=yes; sid=1", "consent=yes; sid=2", "consent=yes; sid=2"]);
    await assert.rejects(Browser.connect(join(folder, "other.sock")), { code: "ENOENT" });
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test("cold starts: medians, and differences inside a round", () => {
  const start = (wall, cpu) => ({ wall, cpu, first: 1, second: 1 });
  const javascript = [start(20, 10), start(90, 11), start(30, 12)];
  const starts = { javascript, package: [start(33, 19), start(101, 21), start(42, 21)] };
  const { goal, results: [plain, added] } = startSummary(starts, "cpu");
  assert.deepEqual([plain.milliseconds.wall, plain.difference], [30, undefined]);
  assert.deepEqual([added.milliseconds.wall, added.difference.wall, added.difference.cpu], [42, 12, 9]);
  assert.deepEqual(goal, { most: 10, clock: "cpu", met: true });
  assert.deepEqual(startSummary(starts, "wall").goal, { most: 10, clock: "wall", met: false });
  const unknown = startSummary({ javascript: [start(20)], package: [start(25)] }, "wall");
  assert.deepEqual([unknown.goal.met, unknown.results[1].difference.cpu], [true, undefined]);
});

test("requests a second: ratios inside a round, and goals", () => {
  const calls = { get: 4, put: 1, delete: 0 };
  const results = [
    { worker: "rust", calls, milliseconds: [1, 2, 4] },
    { worker: "javascript", calls, milliseconds: [0.9, 1.8, 2] },
    { worker: "hono", calls: { ...calls, get: 1 }, milliseconds: [1, 2, 4] },
  ];
  const [rust, javascript, hono] = throughputSummary(results);
  assert.deepEqual([rust.requestsPerSecond.median, rust.rustTimes, rust.goal], [500, 1, undefined]);
  assert.deepEqual([javascript.rustTimes, javascript.goal], [0.9, { least: 0.8, met: true }]);
  assert.deepEqual([hono.rustTimes, hono.goal], [1, { least: 1, met: false }]);
  const [, other] = throughputSummary([results[0], { ...results[1], calls: { ...calls, get: 2 } }]);
  assert.equal(other.goal.met, false); // not the same KV calls
});
