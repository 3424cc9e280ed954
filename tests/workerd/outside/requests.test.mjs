// Requests that no `fetch` can make, byte by byte over a socket, to the three Workers: none of them ends an instance, and none
// of them is an error of ours.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { serve } from "./serve.mjs";

const script = `
import App from "./app/index.js";
import Pages from "./pages/index.js";
import { kv, withSessions } from "./package/workerd.js";

const counting = withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    if (request.url.endsWith("/count")) session.set("visits", session.get("visits", 0) + 1);
    return new Response(String(session.get("visits")));
  },
});
class Package {
  constructor(context, env) { Object.assign(this, { context, env }); }
  fetch(request) { return counting.fetch(request, this.env, this.context); }
}
const workers = { app: App, pages: Pages, package: Package };

export default {
  fetch(request, env, context) {
    return new workers[request.headers.get("Worker")](context, env).fetch(request);
  },
};`;

let server;
before(async () => {
  server = await serve(script);
});
after(() => server?.stop());

/**
 * Sends bytes, in one part or in several with a pause between them, and gives what came back until the server closed or fell
 * silent.
 */
function send(...parts) {
  return new Promise((resolve) => {
    const socket = connect(Number(server.url.port), "127.0.0.1");
    const chunks = [];
    const end = () => (socket.destroy(), resolve(Buffer.concat(chunks).toString("latin1")));
    socket.setTimeout(1000, end);
    socket.on("data", (chunk) => chunks.push(chunk)).on("close", end).on("error", end);
    (async () => {
      for (const part of parts) {
        if (part === "pause") await wait(20);
        else if (part === "hang up") socket.destroy();
        else socket.write(part);
      }
    })();
  });
}

const latin1 = (text) => Buffer.from(text, "latin1");
const host = "Host: localhost";

/** A request of its first line, header lines, and body, in bytes 0 to 255. */
const request = (worker, first, lines = [host], body = "") =>
  latin1([first, ...lines, `Worker: ${worker}`, "Connection: close", "", body].join("\r\n"));

const status = (answer) => Number(answer.match(/^HTTP\/1\.[01] (\d+)/)?.[1]);

/** Returns whether the Worker still works, in the same instance. */
async function works(worker) {
  const path = { app: "/session", pages: "/read", package: "/count" }[worker];
  const answer = await send(request(worker, `GET ${path} HTTP/1.1`));
  assert.equal(status(answer), 200, answer);
  assert.doesNotMatch(server.output(), /Critical|Reinitializing|panicked|uncaught|hung/);
}

const every = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => String.fromCharCode(from + n));

/** By name: the parts that are sent, for a worker and a path of its own. */
const odd = {
  "targets": (worker, path) => [
    "//", "///session", "/session//", "*", "http://localhost/session", "http://user:pass@other:1/session", "https://[::1]/session?x#y",
    `${path}?`, `${path}?${"a=b&".repeat(3000)}`, `${path}#fragment`, `${path};x`, `${path}/../${path}`, `${path}/%2e%2e/%2E`, `${path}%`,
    `${path}%2`, `${path}%zz`, `${path}%ff%fe`, `${path}%00`, `${path}%C3%28`, `${path}%F4%90%80%80`, `${path}\\x`, `${path}|x`, `${path}"<>`,
    `/session/data/%`, "/session/data/%2", "/session/data/%ff", "/session/data/%00", "/session/data/%ED%A0%80", "/session/data/é", "/session/data/a%2Fb",
    `/session/data/${"k".repeat(15_000)}`, ...every(0x80, 0xff).filter((_, n) => n % 16 === 0).map((byte) => `${path}${byte}`),
  ].map((target) => [request(worker, `GET ${target} HTTP/1.1`)]),

  "methods": (worker, path) => ["get", "FOO", "G", "M".repeat(200), "TRACE", "PROPFIND", "OPTIONS", "BREW-COFFEE", "PATCH", "DELETE", "HEAD", "POST"]
    .map((method) => [request(worker, `${method} ${path} HTTP/1.1`)]),

  "hosts": (worker, path) => ["", "a_b", "localhost:99999", "localhost:", ":80", "[::1]:1", "[::1", "%00", "a b", "a..b", "xn--", "xn--a-0", "1.2.3.4.5", "0x7f.1", "é", "a".repeat(300), "user@host", "a/b", "a?b", "a#b", "[fe80::1%25eth0]"]
    .map((name) => [request(worker, `GET ${path} HTTP/1.1`, [`Host: ${name}`])])
    .concat([[request(worker, `GET ${path} HTTP/1.1`, [])], [request(worker, `GET ${path} HTTP/1.1`, [host, "Host: other"])], [request(worker, `GET ${path} HTTP/1.0`, [])]]),

  "bytes in headers": (worker, path) => [...every(0, 0x1f), ...every(0x7f, 0xff)].flatMap((byte) => ["Cookie", "Origin", "Sec-Fetch-Site"].map((name) =>
    [request(worker, `GET ${path} HTTP/1.1`, [host, `${name}: __Host-sessionid=${byte}a${byte}; x${byte}=${byte}`])])),

  "cookies": (worker, path) => [
    "__Host-sessionid", "__Host-sessionid=", "=__Host-sessionid", ";", ";;;=;=", "__Host-sessionid=".repeat(500), `__Host-sessionid=${"A".repeat(8000)}`,
    "a=;".repeat(5000), '__Host-sessionid="A"', "__Host-sessionid=%00", `__Host-sessionid=${"A".repeat(128)}`, `${"__Host-sessionid=A; ".repeat(400)}`,
  ].map((cookie) => [request(worker, `GET ${path} HTTP/1.1`, [host, `Cookie: ${cookie}`])])
    .concat([[request(worker, `GET ${path} HTTP/1.1`, [host, ...Array(200).fill("Cookie: __Host-sessionid=A; b=c")])]]),

  "lengths": (worker) => ["0", "1", "-1", "+1", "1.5", "abc", "", "99999999999999999999", "65537", "0x10", "1, 2"].map((length) =>
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, `Content-Length: ${length}`], "1")])
    .concat([[request(worker, "PUT /session/data/a HTTP/1.1", [host, "Content-Length: 1", "Content-Length: 2"], "12")]]),

  "bodies that break off": (worker) => [
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Content-Length: 100"], '"half'), "pause", "hang up"],
    [request(worker, "PATCH /session/data HTTP/1.1", [host, "Transfer-Encoding: chunked"], "5\r\n{\"a\":"), "pause", "hang up"],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Transfer-Encoding: chunked"], "zz\r\nno chunk\r\n")],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Transfer-Encoding: chunked"], "ffffffffffffffff\r\n1")],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Transfer-Encoding: chunked"], "1\r\n1\r\n"), "pause", latin1("0\r\n\r\n")],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Transfer-Encoding: gzip, chunked"], "1\r\n1\r\n0\r\n\r\n")],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Content-Encoding: gzip", "Content-Length: 3"], "abc")],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Expect: 100-continue", "Content-Length: 1"]), "pause", latin1("1")],
    [request(worker, "GET /session HTTP/1.1", [host, "Content-Length: 3"], "abc")],
    [request(worker, "POST /session/cycle-key HTTP/1.1", [host, "Transfer-Encoding: chunked"], `${"1\r\n[\r\n".repeat(3000)}0\r\n\r\n`)],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Content-Length: 65536"], "[".repeat(65_536))],
    [request(worker, "PUT /session/data/a HTTP/1.1", [host, "Content-Length: 4"], "\xff\xfe\x00\x01")],
  ],
};

// I1, B7
for (const [worker, path] of Object.entries({ app: "/session", pages: "/read", package: "/count" })) {
  for (const [what, requests] of Object.entries(odd)) {
    test(`${worker}: odd ${what}`, async () => {
      const all = requests(worker, path);
      for (let at = 0; at < all.length; at += 20) {
        const answers = await Promise.all(all.slice(at, at + 20).map((parts) => send(...parts)));
        for (const [n, answer] of answers.entries()) {
          const sent = all[at + n].find((part) => part instanceof Buffer).toString("latin1").slice(0, 120);
          assert.ok(answer === "" || status(answer) < 500 || status(answer) === 501, `${sent}\n${answer}`);
        }
      }
      await works(worker);
    });
  }
}
