// Caching: every combination of a handler's headers with a session, and every kind of response, in both
// implementations.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { createSessions, kv, withSessions } from "../../dist/workerd.js";
import Pages from "../packages/rust-pages/build/index.js";
import { secret } from "./worker.mjs";

/** The package's Worker, with the same responses as the tests' Rust Worker under /answer. */
const answering = withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    const [, , touch, kind] = new URL(request.url).pathname.split("/");
    if (touch === "read") session.has("user");
    if (touch === "write") session.set("visits", session.get("visits", 0) + 1);
    const headers = new Headers(request.headers.get("Answer")?.split("|").map((header) => header.split(/=(.*)/s).slice(0, 2)));
    if (kind === "redirect") return Response.redirect("https://example.com/next");
    if (kind === "stream") return new Response(request.body, { headers });
    if (kind === "text") {
      if (!headers.has("Content-Type")) headers.set("Content-Type", "text/plain; charset=utf-8");
      return new Response("answer", { headers });
    }
    if (kind === "socket") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      return new Response(null, { status: 101, webSocket: client, headers });
    }
    return new Response(null, { status: Number(kind), headers });
  },
});
class Answering {
  constructor(context, env) {
    Object.assign(this, { context, env });
  }

  fetch(request) {
    return answering.fetch(request, this.env, this.context);
  }
}

/** The response of a `kind` to a request with the action `touch` on its session and the handler's `headers`. */
async function ask(Worker, touch, { kind = "text", headers = [], method = "GET", body, cookie = "" } = {}) {
  const context = createExecutionContext();
  const answer = headers.map(([name, value]) => `${name}=${value}`).join("|");
  const init = { method, body, headers: { Cookie: cookie, ...(answer && { Answer: answer }) } };
  const worker = new Worker(context, { SESSIONS: env.SESSIONS, SESSION_SECRET: secret });
  const response = await worker.fetch(new Request(`https://example.com/answer/${touch}/${kind}`, init));
  await waitOnExecutionContext(context);
  return response;
}

const isOwn = (line) => /^__Host-sessionid(-anonymous)?=/.test(line);
const own = (response) => response.headers.getSetCookie().filter(isOwn);
const others = (response) => response.headers.getSetCookie().filter((line) => !isOwn(line));

/** Returns whether any header lets a shared cache store the response. */
const SHARED = ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"];

/**
 * The handler's headers; what `Cache-Control` says where the session was read, and what `Vary` says then. Where a cookie is set,
 * `Cache-Control` says `private, no-store` whatever it said before.
 */
const matrix = [
  ["none", [], "private", "Cookie"],
  ["public", [["Cache-Control", "public, max-age=60"]], "private, max-age=60", "Cookie"],
  ["PUBLIC in capitals", [["CACHE-CONTROL", "PUBLIC, Max-Age=60"]], "private, Max-Age=60", "Cookie"],
  ["s-maxage", [["Cache-Control", "s-maxage=600, max-age=5"]], "private, max-age=5", "Cookie"],
  ["Private in capitals", [["Cache-Control", "Private"]], "private", "Cookie"],
  ["no-store", [["Cache-Control", "no-store"]], "private, no-store", "Cookie"],
  ["proxy-revalidate", [["Cache-Control", "proxy-revalidate, must-revalidate"]], "private, must-revalidate", "Cookie"],
  ["several lines of Cache-Control", [["Cache-Control", "public"], ["cache-control", "s-maxage=9"], ["Cache-Control", "max-age=1"]], "private, max-age=1", "Cookie"],
  // K5: a response that is private for some of its headers only, is public in its body
  ["private for Set-Cookie alone", [["Cache-Control", 'private="set-cookie", max-age=60']], "private, max-age=60", "Cookie"],
  ["no-cache for Set-Cookie alone", [["Cache-Control", 'public, no-cache="set-cookie, public"']], 'private, no-cache="set-cookie, public"', "Cookie"],
  ["CDN-Cache-Control", [["CDN-Cache-Control", "max-age=600"]], "private", "Cookie"],
  ["Cloudflare-CDN-Cache-Control", [["cloudflare-cdn-cache-control", "public, max-age=600"]], "private", "Cookie"],
  ["Surrogate-Control", [["Surrogate-Control", "max-age=600"]], "private", "Cookie"],
  ["all of them", [["Cache-Control", "public, s-maxage=9"], ["CDN-Cache-Control", "max-age=9"], ["Cloudflare-CDN-Cache-Control", "max-age=9"], ["Surrogate-Control", "max-age=9"], ["Vary", "Accept"]], "private", "Accept, Cookie"],
  ["Vary: *", [["Vary", "*"]], "private", "*"],
  ["Vary: * among others", [["Vary", "Accept"], ["vary", "*"]], "private", "*"],
  ["several lines of Vary", [["Vary", "Accept"], ["Vary", "Accept-Encoding, Authorization"]], "private", "Accept, Accept-Encoding, Authorization, Cookie"],
  ["Vary: COOKIE", [["Vary", "COOKIE"]], "private", "COOKIE"],
  ["Vary that only begins so", [["Vary", "Cookies, X-Cookie"]], "private", "Cookies, X-Cookie, Cookie"],
  ["cookies of its own", [["Set-Cookie", "theme=dark"], ["Set-Cookie", "seen=1; Path=/"]], "private", "Cookie"],
];

for (const [implementation, Worker] of Object.entries({ "the crate": Pages, "the package": Answering })) {
  describe.concurrent(implementation, () => {
    for (const [what, headers, cacheControl, vary] of matrix) {
      const cookies = headers.filter(([name]) => name === "Set-Cookie").map(([, value]) => value);
      const wanted = new Headers([...headers, ["Content-Type", "text/plain; charset=utf-8"]]);

      // K6
      test(`${what}: an untouched session leaves them as they are`, async () => {
        const login = (await ask(Worker, "write")).headers.get("Set-Cookie").split(";")[0];
        for (const cookie of ["", login, "theme=dark"]) {
          const response = await ask(Worker, "leave", { headers, cookie });
          expect([...response.headers]).toEqual([...wanted]);
          expect(await response.text()).toBe("answer");
        }
      });

      // K3, K4, K5
      test(`${what}: a session that is read makes them private`, async () => {
        const login = (await ask(Worker, "write")).headers.get("Set-Cookie").split(";")[0];
        for (const cookie of ["", login]) {
          const response = await ask(Worker, "read", { headers, cookie });
          expect([response.headers.get("Cache-Control"), response.headers.get("Vary")]).toEqual([cacheControl, vary]);
          for (const name of SHARED) expect(response.headers.has(name), name).toBe(false);
          expect([own(response), others(response)]).toEqual([[], cookies]);
        }
      });

      // K2, K4
      test(`${what}: a cookie forbids to store them`, async () => {
        const response = await ask(Worker, "write", { headers });
        expect([response.headers.get("Cache-Control"), response.headers.get("Vary")]).toEqual(["private, no-store", vary]);
        for (const name of SHARED) expect(response.headers.has(name), name).toBe(false);
        expect([own(response).length, others(response)]).toEqual([1, cookies]);
      });
    }

    // K2: a deleted cookie counts as a cookie that is set
    test("a cookie that does not verify is deleted, and that response is not stored either", async () => {
      const response = await ask(Worker, "leave", { headers: [["Cache-Control", "public, s-maxage=60"]], cookie: "__Host-sessionid=forged" });
      expect(response.headers.get("Set-Cookie")).toContain("Max-Age=0;");
      expect([response.headers.get("Cache-Control"), response.headers.get("Vary")]).toEqual(["private, no-store", "Cookie"]);
    });

    // K7
    for (const [kind, touch, speaks] of [
      ...["201", "204", "304", "404", "499"].flatMap((kind) => [[kind, "leave", "nothing"], [kind, "read", "private"], [kind, "write", "private, no-store"]]),
      ...["500", "503", "599"].flatMap((kind) => [[kind, "leave", "nothing"], [kind, "read", "private"], [kind, "write", "private"]]),
      ...["redirect", "socket"].flatMap((kind) => [[kind, "leave", "nothing"], [kind, "read", "private"], [kind, "write", "private, no-store"]]),
    ]) {
      test(`${kind}, session ${touch === "leave" ? "left alone" : touch}: ${speaks}`, async () => {
        const response = await ask(Worker, touch, { kind });
        const status = { redirect: 302, socket: 101 }[kind] ?? Number(kind);
        expect(response.status).toBe(status);
        expect(response.headers.get("Cache-Control")).toBe(speaks === "nothing" ? null : speaks);
        expect(response.headers.get("Vary")).toBe(speaks === "nothing" ? null : "Cookie");
        expect(own(response).length).toBe(speaks === "private, no-store" ? 1 : 0);
        if (kind === "redirect") expect(response.headers.get("Location")).toBe("https://example.com/next");
        if (kind === "socket") {
          expect(response.webSocket).not.toBeNull();
          response.webSocket.accept();
          response.webSocket.close();
        } else {
          expect(await response.text()).toBe("");
        }
      });
    }

    // K7
    test("a stream arrives whole, whether the session is left alone, read or written", async () => {
      const chunks = Array.from({ length: 200 }, (_, n) => `${n} ${"x".repeat(1000)}\n`);
      for (const [touch, cacheControl] of [["leave", null], ["read", "private"], ["write", "private, no-store"]]) {
        const { readable, writable } = new TransformStream();
        const writing = (async () => {
          const writer = writable.getWriter();
          for (const chunk of chunks) await writer.write(new TextEncoder().encode(chunk));
          await writer.close();
        })();
        const response = await ask(Worker, touch, { kind: "stream", method: "POST", body: readable });
        expect([response.status, response.headers.get("Cache-Control")]).toEqual([200, cacheControl]);
        expect(await response.text()).toBe(chunks.join(""));
        await writing;
      }
    });

    // K7
    test("HEAD has the headers of GET", async () => {
      for (const touch of ["leave", "read"]) {
        const [get, head] = [await ask(Worker, touch), await ask(Worker, touch, { method: "HEAD" })];
        expect([...head.headers]).toEqual([...get.headers]);
      }
    });
  });
}

/** The methods that are called with arguments; all others are called without. */
const arguments_ = {
  item: ["user"],
  get: ["user"],
  set: ["a", 1],
  remove: ["user"],
  delete: ["user"],
  has: ["user"],
  pop: ["user"],
  setDefault: ["user", "bob"],
  update: [{ a: 1 }],
  flash: ["message", "Saved"],
  flashed: ["message"],
  setExpiry: [60],
  bindUser: ["alice"],
};

/** The members that neither reveal nor change data; as in Django, the existence of a key is not data. */
const silent = [
  "constructor", "encode", "decode", "accessed", "modified", "sessionKey", "isEmpty", "loadReason", "toJSON", Symbol.for("nodejs.util.inspect.custom"),
  Symbol.dispose,
];

// K1: CVE-2023-30861, CVE-2026-27205, CVE-2026-35192
test("every call on a session that reveals its data makes the response depend on the cookie", async () => {
  const sessions = createSessions({ store: kv(env.SESSIONS), secrets: [secret] });
  const alice = async () => {
    const session = await sessions.load("");
    session.set("user", "alice");
    session.setTestCookie();
    const headers = new Headers(await sessions.commitHeaders(session, 200));
    return sessions.load(headers.get("Set-Cookie").split(";")[0]);
  };
  const names = Reflect.ownKeys(Object.getPrototypeOf(await sessions.load("")));
  expect(names.length).toBeGreaterThan(30);
  for (const name of names) {
    const session = await alice();
    if (!silent.includes(name)) {
      const member = session[name];
      if (typeof member === "function") await member.apply(session, arguments_[name] ?? []);
    }
    const speaks = new Headers(await sessions.commitHeaders(session, 200)).has("Vary");
    expect(speaks, String(name)).toBe(!silent.includes(name));
  }
  const changed = await alice();
  changed.modified = true;
  expect(new Headers(await sessions.commitHeaders(changed, 200)).get("Cache-Control")).toBe("private, no-store");
});
