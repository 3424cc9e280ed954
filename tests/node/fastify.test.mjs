// The plugin for Fastify, in Fastify itself.

import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { once } from "node:events";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fastify from "fastify";
import { session } from "../../dist/fastify/index.js";
import { createSessions, memory } from "../../dist/node.js";
import { anonymous, cookiesAfter, eventual, loggedIn, secrets } from "./visitor.mjs";

const file = fileURLToPath(new URL("../../LICENSE", import.meta.url));
const license = readFileSync(file, "utf8");

const count = ({ session }) => {
  session.set("visits", session.get("visits", 0) + 1);
  return session.get("visits");
};

/** A browser of an application. */
function browser(app) {
  const visitor = {
    cookie: "",
    async visit(url, { method = "GET" } = {}) {
      const answer = await app.inject({ url, method, headers: { cookie: visitor.cookie } });
      const headers = new Headers(Object.entries(answer.headers).flatMap(([name, value]) => [value].flat().map((line) => [name, line])));
      visitor.cookie = cookiesAfter(visitor.cookie, headers);
      return { status: answer.statusCode, text: answer.body, headers, cookies: headers.getSetCookie().map((line) => line.split("=")[0]) };
    },
  };
  return visitor;
}

/** An application with the plugin, and a browser. `before` is called before the plugin is registered. */
function site(t, settings = {}, before = () => {}) {
  const app = fastify();
  t.after(() => app.close());
  before(app);
  app.register(session, { store: memory(), secrets, ...settings });
  app.get("/", (request) => ({ visits: count(request) }));
  return { app, ...browser(app) };
}

test("each request has its session, which is committed with the reply", async (t) => {
  const { app, visit } = site(t);
  app.post("/login", ({ session }, reply) => {
    session.cycleKey();
    return reply.header("Set-Cookie", "theme=dark").header("Vary", "Accept").redirect("/", 303);
  });
  assert.equal((await visit("/")).text, '{"visits":1}');
  const login = await visit("/login", { method: "POST" });
  assert.deepEqual([login.status, login.headers.get("Location")], [303, "/"]);
  assert.deepEqual(login.cookies, ["theme", loggedIn, anonymous]);
  assert.deepEqual([login.headers.get("Vary"), login.headers.get("Cache-Control")], ["Accept, Cookie", "private, no-store"]);
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("a page that does not use its session, and a page that is not found, are unchanged", async (t) => {
  const { app, visit } = site(t);
  app.get("/about", async () => "about");
  for (const [path, status] of [["/about", 200], ["/missing", 404]]) {
    const page = await visit(path);
    assert.deepEqual([page.status, [...page.headers.keys()].sort()], [status, ["connection", "content-length", "content-type", "date"]]);
  }
});

test("the handler of pages that are not found uses the session", async (t) => {
  const { app, visit } = site(t);
  app.setNotFoundHandler((request, reply) => reply.code(404).send(String(count(request))));
  assert.deepEqual((({ status, text, cookies }) => [status, text, cookies])(await visit("/missing")), [404, "1", [anonymous]]);
  assert.equal((await visit("/missing")).text, "2");
});

test("the plugin applies to the instance that registers it, and to the children of that instance", async (t) => {
  const { app, visit } = site(t);
  app.register(async (child) => child.get("/child", async (request) => count(request)), { prefix: "/api" });
  assert.equal((await visit("/api/child")).text, "1");
  assert.equal(app.hasPlugin("edge-session"), true);
  assert.match(app.printPlugins(), /\bedge-session\b/);

  const other = fastify();
  t.after(() => other.close());
  other.register(async (child) => {
    child.register(session, { store: memory(), secrets });
    child.get("/child", async (request) => count(request));
  });
  other.get("/", async (request) => String(request.session));
  const { visit: visitOther } = browser(other);
  assert.deepEqual([(await visitOther("/child")).text, (await visitOther("/")).text], ["1", "undefined"]);
});

test("invalid options, and a second registration, fail when the application starts", async (t) => {
  for (const [settings, code] of [[{ secrets: [] }, "ES_CONFIG"], [{ prefix: "/api" }, "ES_CONFIG"]]) {
    await assert.rejects(site(t, settings).app.ready(), { code });
  }
  const { app } = site(t);
  app.register(session, { store: memory(), secrets });
  await assert.rejects(app.ready(), { code: "FST_ERR_DEC_ALREADY_PRESENT" });
});

test("the plugin takes a Sessions, whose other calls the handlers use", async (t) => {
  const sessions = createSessions({ store: memory(), secrets });
  const app = fastify();
  t.after(() => app.close());
  app.register(session, sessions);
  app.post("/login", async ({ session }) => {
    session.bindUser("alice", { label: "Phone" });
    return "welcome";
  });
  app.get("/devices", async ({ session }) => (await sessions.list("alice", session)).map(({ label, current }) => [label, current]));
  const { visit } = browser(app);
  await visit("/login", { method: "POST" });
  assert.equal((await visit("/devices")).text, '[["Phone",true]]');
});

for (const [what, body] of [
  ["a stream of Node", () => createReadStream(file, { highWaterMark: 50 })],
  ["a web stream", () => Readable.toWeb(createReadStream(file, { highWaterMark: 50 }))],
  ["a Response", () => new Response(license)],
]) {
  test(`${what} is sent with the cookie of what was written before it`, async (t) => {
    const { app, visit } = site(t);
    app.get("/stream", (request, reply) => {
      count(request);
      return reply.header("Content-Type", "text/plain").send(body());
    });
    const { text, cookies } = await visit("/stream");
    assert.deepEqual([text, cookies], [license, [anonymous]]);
    assert.equal((await visit("/")).text, '{"visits":2}');
  });
}

test("the headers and the status of a Response count", async (t) => {
  const { app, visit } = site(t);
  app.get("/public", async (request) => {
    count(request);
    return new Response("shared", { headers: { "Cache-Control": "public, max-age=60", Vary: "Accept", "Set-Cookie": "theme=dark" } });
  });
  app.get("/broken", async (request) => {
    count(request);
    return new Response("broken", { status: 500 });
  });
  const { headers, cookies } = await visit("/public");
  assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control"), cookies], ["Accept, Cookie", "private, no-store", ["theme", anonymous]]);
  const broken = await visit("/broken");
  assert.deepEqual([broken.status, broken.text, broken.cookies], [500, "broken", []]);
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("a stream that fails before its first part is answered by the error handler, and saves nothing", async (t) => {
  const { app, visit } = site(t);
  app.get("/file", (request, reply) => {
    count(request);
    return reply.send(createReadStream(`${file}.missing`));
  });
  await visit("/");
  const { status, cookies } = await visit("/file");
  assert.deepEqual([status, cookies], [500, []]);
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("an onSend hook uses the session", async (t) => {
  const { app, visit } = site(t);
  app.get("/page", async () => "page");
  app.addHook("onSend", async (request, reply, payload) => `${payload} ${count(request)}`);
  assert.equal((await visit("/page")).text, "page 1");
  assert.equal((await visit("/page")).text, "page 2");
});

test("an error page saves nothing, an error with a status below 500 does", async (t) => {
  const { app, visit } = site(t);
  app.get("/broken", async ({ session }) => {
    session.set("visits", 100);
    throw new Error("a mistake");
  });
  app.get("/refused", async ({ session }) => {
    session.set("visits", 200);
    throw Object.assign(new Error("not you"), { statusCode: 403 });
  });
  await visit("/");
  assert.equal((await visit("/broken")).status, 500);
  assert.equal((await visit("/")).text, '{"visits":2}');
  assert.equal((await visit("/refused")).status, 403);
  assert.equal((await visit("/")).text, '{"visits":201}');
});

test("a session that cannot be read gives a 503 by the error handler, unless the handler catches it", async (t) => {
  const store = memory();
  let fails = false;
  const failing = { ...store, get: async (key) => (fails ? Promise.reject(new Error("down")) : store.get(key)) };
  const { app, visit } = site(t, { store: failing });
  app.get("/about", async () => "about");
  app.get("/caught", async (request) => {
    try {
      return count(request);
    } catch (error) {
      return error.code;
    }
  });
  app.setErrorHandler((error, request, reply) => reply.code(error.statusCode ?? 500).send(`sorry, ${error.code}`));
  await visit("/");
  fails = true;
  const { status, text, cookies } = await visit("/");
  assert.deepEqual([status, text, cookies], [503, "sorry, ES_STORE_UNAVAILABLE", []]);
  assert.equal((await visit("/caught")).text, "ES_STORE_UNAVAILABLE");
  assert.equal((await visit("/about")).status, 200);
  fails = false;
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("a session that cannot be saved replaces the reply; headers of earlier hooks stay", async (t) => {
  t.mock.method(console, "error", () => {});
  const { app, visit } = site(t, { store: eventual(), maxRecordBytes: 4096 }, (app) => {
    app.addHook("onRequest", async (request, reply) => void reply.headers({ "Access-Control-Allow-Origin": "https://example.com", Vary: "Origin" }));
  });
  app.get("/large", ({ session }, reply) => {
    session.set("essay", "x".repeat(5000));
    return reply.header("X-Page", "1").header("Set-Cookie", "theme=dark").send("written");
  });
  app.get("/large-stream", ({ session }, reply) => {
    session.set("essay", "x".repeat(5000));
    return reply.send(createReadStream(file, { highWaterMark: 50 }));
  });
  app.post("/login", async ({ session }) => session.cycleKey());
  await visit("/");
  for (const path of ["/large", "/large-stream"]) {
    const { status, text, headers, cookies } = await visit(path);
    assert.deepEqual([status, JSON.parse(text).error.code, cookies, headers.get("X-Page")], [413, "ES_TOO_LARGE", [], null]);
    assert.deepEqual([headers.get("Access-Control-Allow-Origin"), headers.get("Vary")], ["https://example.com", "Origin, Cookie"]);
  }
  const page = await visit("/");
  assert.deepEqual([page.headers.get("Access-Control-Allow-Origin"), page.headers.get("Vary")], ["https://example.com", "Origin, Cookie"]);
});

test("an error of the program in the commit goes to the error handler, once", async (t) => {
  const { app, visit } = site(t);
  app.get("/date", ({ session }, reply) => {
    session.setDefault("cart", []).push(new Date(0));
    session.modified = true;
    return reply.header("Content-Type", "text/html").send("<p>bought");
  });
  const seen = [];
  app.setErrorHandler(async (error, request, reply) => {
    seen.push(error.code);
    await after(5);
    return reply.code(500).send({ message: error.message });
  });
  await visit("/");
  const { status, text, cookies } = await visit("/date");
  assert.deepEqual([status, cookies, seen], [500, [], ["ES_VALUE"]]);
  assert.match(JSON.parse(text).message, /session\.cart\[0\]/);
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("an error before the load goes to the error handler, and the handler does not run", async (t) => {
  const { app, visit } = site(t, { entropy: () => new Uint8Array(8) });
  app.setErrorHandler((error, request, reply) => reply.code(500).send(error.code));
  assert.deepEqual((({ status, text }) => [status, text])(await visit("/")), [500, "ES_ENTROPY"]);
});

/** Serves an application until the test ends, and returns the port. */
async function listen(app) {
  await app.listen({ port: 0, host: "localhost" });
  return app.server.address().port;
}

test("a hijacked reply is committed with its first part", async (t) => {
  const { app, visit } = site(t);
  app.get("/events", (request, reply) => {
    const visits = count(request);
    reply.hijack();
    reply.raw.writeHead(200, { "Content-Type": "text/event-stream" });
    reply.raw.write(`data: ${visits}\n\n`);
    setTimeout(() => reply.raw.end("data: end\n\n"), 5);
  });
  const { text, headers, cookies } = await visit("/events");
  assert.deepEqual([text, headers.get("Content-Type"), cookies], ["data: 1\n\ndata: end\n\n", "text/event-stream", [anonymous]]);
  assert.equal((await visit("/")).text, '{"visits":2}');
});

test("an error of the program in the commit of a hijacked reply is logged, and closes the connection", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const { app } = site(t);
  app.get("/events", ({ session }, reply) => {
    session.setDefault("cart", []).push(new Date(0));
    reply.hijack();
    reply.raw.write("data: 1\n\n");
  });
  const client = httpRequest({ port: await listen(app), host: "localhost", path: "/events" }).end();
  const [error] = await once(client, "error");
  assert.equal(error.code, "ECONNRESET");
  assert.equal(log.mock.calls[0].arguments[1].code, "ES_VALUE");
});

test("a client that disconnects before the reply saves nothing", async (t) => {
  const store = memory();
  const { app } = site(t, { store });
  let arrived;
  const waiting = new Promise((resolve) => (arrived = resolve));
  app.get("/slow", async (request, reply) => {
    count(request);
    arrived(reply.raw);
    await once(reply.raw, "close");
    return "too late";
  });
  const client = httpRequest({ port: await listen(app), host: "localhost", path: "/slow" }).on("error", () => {}).end();
  const response = await waiting;
  client.destroy();
  await once(response, "close");
  await after(5);
  assert.equal(store.records.size, 0);
});

test("HTTP/2", async (t) => {
  const app = fastify({ http2: true });
  app.register(session, { store: memory(), secrets });
  app.get("/", async (request) => ({ visits: count(request) }));
  const client = connect(`http://localhost:${await listen(app)}`);
  t.after(async () => {
    client.close();
    await app.close();
  });
  const stream = client.request({ ":path": "/" });
  const [headers] = await once(stream, "response");
  let text = "";
  for await (const part of stream.setEncoding("utf8")) text += part;
  assert.deepEqual([headers[":status"], text, headers.vary, headers["set-cookie"].length], [200, '{"visits":1}', "Cookie", 1]);
});
