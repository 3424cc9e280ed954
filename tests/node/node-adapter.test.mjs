// The middleware for Node, in Express, in Fastify and in plain `node:http`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream, readFileSync } from "node:fs";
import { Agent, createServer, request as httpRequest } from "node:http";
import { createServer as createHttp2Server, connect } from "node:http2";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import express from "express";
import fastify from "fastify";
import { session } from "../../dist/node/index.js";
import { createSessions, memory } from "../../dist/node.js";
import { anonymous, cookiesAfter, eventual, loggedIn, secrets } from "./visitor.mjs";

const file = fileURLToPath(new URL("../../LICENSE", import.meta.url));
const license = readFileSync(file, "utf8");
const noSecondCall = () => assert.fail("next was called twice");

/** A store in memory whose puts take time and can fail; its reads can fail. */
function slowStore(milliseconds = 30) {
  const store = memory();
  const faults = { get: false, put: false };
  const puts = { count: 0 };
  return {
    ...store,
    faults,
    puts,
    async get(...args) {
      if (faults.get) throw new Error("down");
      return store.get(...args);
    },
    async put(...args) {
      puts.count++;
      await after(milliseconds);
      if (faults.put) throw new Error("down");
      return store.put(...args);
    },
  };
}

/** Serves a listener until the test ends. Returns a browser that keeps the session's cookies. */
async function serve(t, listener) {
  const server = createServer(listener).listen(0, "localhost");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address();
  const site = {
    port,
    cookie: "",
    /** Runs one request, without the ways in which `fetch` changes it. Returns its status, its headers and its text. */
    async visit(path = "/", { headers = {}, ...options } = {}) {
      const request = httpRequest({ port, host: "localhost", path, headers: { Cookie: site.cookie, ...headers }, ...options }).end();
      const [response] = await once(request, "response");
      const answer = { status: response.statusCode, message: response.statusMessage, headers: new Headers(), raw: response.rawHeaders, text: "" };
      for (let n = 0; n < answer.raw.length; n += 2) answer.headers.append(answer.raw[n], answer.raw[n + 1]);
      for await (const part of response.setEncoding("utf8")) answer.text += part;
      site.cookie = cookiesAfter(site.cookie, answer.headers);
      return answer;
    },
  };
  return site;
}

/** An application of Express with the middleware and a page that counts visits. */
function application(settings = {}) {
  const app = express();
  app.set("env", "test"); // logs no errors
  app.use(session({ store: memory(), secrets, ...settings }));
  app.get("/", (request, response) => response.send(String(count(request))));
  return app;
}

function count({ session }) {
  session.set("visits", session.get("visits", 0) + 1);
  return session.get("visits");
}

/** A plain server whose handler gets a session of a store. */
const plain = (t, handler, store = memory(), settings) => {
  const middleware = session({ store, secrets, ...settings });
  return serve(t, (request, response) => middleware(request, response, (error) => (error ? noSecondCall() : handler(request, response))));
};

const names = (headers) => headers.getSetCookie().map((line) => line.split("=")[0]);
const errorOf = ({ status, text, headers }) => [status, JSON.parse(text).error.code, names(headers)];

test("Express: each request has its session, which is committed with the response", async (t) => {
  const app = application();
  app.post("/login", (request, response) => {
    request.session.cycleKey();
    response.cookie("theme", "dark").vary("Accept").set("Cache-Control", "max-age=60").redirect(303, "/");
  });
  app.post("/logout", async ({ session }, response) => {
    await session.flush();
    response.json({ loggedOut: true });
  });
  const { visit } = await serve(t, app);
  const first = await visit();
  assert.deepEqual([first.text, names(first.headers), first.headers.get("Vary")], ["1", [anonymous], "Cookie"]);
  assert.equal(first.headers.get("Content-Length"), "1");
  const login = await visit("/login", { method: "POST" });
  assert.deepEqual([login.status, login.headers.get("Location")], [303, "/"]);
  assert.deepEqual(names(login.headers), ["theme", loggedIn, anonymous]);
  assert.equal(login.raw.filter((name) => name === "Set-Cookie").length, 3, "each cookie has a line of its own");
  assert.deepEqual([login.headers.get("Vary"), login.headers.get("Cache-Control")], ["Accept, Cookie", "private, no-store"]);
  assert.equal((await visit()).text, "2");
  const logout = await visit("/logout", { method: "POST" });
  assert.deepEqual([logout.text, logout.headers.get("Content-Type")], ['{"loggedOut":true}', "application/json; charset=utf-8"]);
  assert.equal((await visit()).text, "1");
});

test("Express: a page that does not use its session is unchanged", async (t) => {
  const app = application();
  const bare = express();
  const page = (request, response) => response.vary("Accept").vary("Origin").send("about");
  app.get("/about", page);
  bare.get("/about", page);
  const [answer, expected] = [await (await serve(t, app)).visit("/about"), await (await serve(t, bare)).visit("/about")];
  const withoutDate = ({ raw }) => raw.filter((text, n) => raw[n - (n % 2)] !== "Date");
  assert.deepEqual(withoutDate(answer), withoutDate(expected));
});

test("Express: errors of a handler, thrown or rejected, save nothing; a response below 500 does", async (t) => {
  const app = application();
  const mistake = ({ session }) => {
    session.set("visits", 100);
    throw new Error("a mistake");
  };
  app.get("/thrown", mistake);
  app.get("/rejected", async (request) => {
    await after(1);
    mistake(request);
  });
  app.get("/refused", ({ session }, response) => {
    session.set("visits", 200);
    response.status(403).send("not you");
  });
  app.get("/half", ({ session }, response) => {
    session.set("visits", 300);
    response.write("half a page");
    throw new Error("a mistake");
  });
  const { visit } = await serve(t, app);
  await visit();
  for (const path of ["/thrown", "/rejected"]) {
    const { status, headers } = await visit(path);
    assert.deepEqual([status, names(headers)], [500, []], path);
  }
  assert.equal((await visit()).text, "2");
  assert.equal((await visit("/refused")).status, 403);
  assert.equal((await visit()).text, "201");
  await assert.rejects(visit("/half"), /socket hang up|aborted/, "as without the middleware, an answer that has begun is cut off");
});

test("Express: a session that cannot be read is an error at its first use", async (t) => {
  const store = slowStore(0);
  const app = application({ store });
  app.get("/about", (request, response) => response.send("about"));
  app.get("/caught", ({ session }, response) => {
    try {
      response.send(String(session.get("visits")));
    } catch (error) {
      response.send(error.code);
    }
  });
  const { visit } = await serve(t, app);
  await visit();
  store.faults.get = true;
  const down = await visit();
  assert.deepEqual([down.status, names(down.headers)], [503, []]);
  assert.equal((await visit("/about")).text, "about");
  assert.equal((await visit("/caught")).text, "ES_STORE_UNAVAILABLE");
  store.faults.get = false;
  assert.equal((await visit()).text, "2");
});

test("Express: ETag and 304", async (t) => {
  const app = application();
  app.get("/same", ({ session }, response) => {
    session.set("seen", (session.get("seen") ?? 0) + 1);
    response.send("the same page");
  });
  app.get("/about", (request, response) => response.send("about"));
  const { visit } = await serve(t, app);
  const [same, about] = [await visit("/same"), await visit("/about")];
  const again = await visit("/same", { headers: { "If-None-Match": same.headers.get("ETag") } });
  assert.deepEqual([again.status, again.text, names(again.headers)], [304, "", [anonymous]], "its cookie comes with the 304");
  assert.equal((await visit("/about", { headers: { "If-None-Match": about.headers.get("ETag") } })).status, 304);
});

test("Express: sendFile and piped streams", async (t) => {
  const app = application({ store: slowStore() });
  let sent;
  const written = new Promise((resolve) => (sent = resolve));
  app.get("/file", (request, response) => {
    count(request);
    response.sendFile(file, sent);
  });
  app.get("/pipe", (request, response) => {
    count(request);
    createReadStream(file, { highWaterMark: 50 }).pipe(response.type("text"));
  });
  app.get("/pipeline", async (request, response) => {
    count(request);
    await pipeline(createReadStream(file, { highWaterMark: 50 }), response);
  });
  const { visit } = await serve(t, app);
  for (const path of ["/file", "/pipe", "/pipeline"]) {
    const { status, text, headers } = await visit(path);
    assert.deepEqual([status, text, names(headers)], [200, license, [anonymous]], path);
  }
  assert.equal(await written, undefined, "sendFile called its callback without an error");
  const part = await visit("/file", { headers: { Range: "bytes=0-9" } });
  assert.deepEqual([part.status, part.text], [206, license.slice(0, 10)]);
  assert.equal((await visit()).text, "5");
});

test("Express: a second middleware on a request uses the session of the first", async (t) => {
  const app = application();
  const seen = [];
  app.use("/twice", (request, response, next) => {
    seen.push(request.session);
    next();
  }, session({ store: memory(), secrets }), (request, response) => {
    seen.push(request.session);
    response.send(String(count(request)));
  });
  const { visit } = await serve(t, app);
  await visit();
  const { text, headers } = await visit("/twice");
  assert.deepEqual([text, names(headers)], ["2", [anonymous]]);
  assert.equal(seen[0], seen[1]);
});

test("Express: a second response is refused as without the middleware", async (t) => {
  const app = application({ store: slowStore() });
  let code;
  app.get("/double", (request, response) => {
    count(request);
    response.send("first");
    try {
      response.status(404).send("the second one");
    } catch (error) {
      code = error.code;
    }
  });
  const { visit } = await serve(t, app);
  const { status, text, headers } = await visit("/double");
  assert.deepEqual([status, text, headers.get("Content-Length"), code], [200, "first", "5", "ERR_HTTP_HEADERS_SENT"]);
});

test("Express: middlewares that wrap the response, before and after this one", async (t) => {
  const app = express();
  const calls = [];
  const wrap = (name) => (request, response, next) => {
    const { writeHead, end } = response;
    response.writeHead = function (...args) {
      calls.push(`${name}: writeHead`);
      this.setHeader(`X-${name}`, "1");
      return writeHead.apply(this, args);
    };
    response.end = function (...args) {
      calls.push(`${name}: end`);
      return end.apply(this, args);
    };
    next();
  };
  app.use(wrap("Before"), session({ store: memory(), secrets }), wrap("After"));
  app.get("/", (request, response) => response.send(String(count(request))));
  const { visit } = await serve(t, app);
  const { text, headers } = await visit();
  assert.deepEqual([text, headers.get("X-Before"), headers.get("X-After"), names(headers)], ["1", "1", "1", [anonymous]]);
  assert.deepEqual(calls, ["After: end", "Before: end", "After: writeHead", "Before: writeHead"]);
});

test("node:http: parts are sent in their order after the commit, and callbacks are called", async (t) => {
  const store = slowStore();
  const calls = [];
  const { visit } = await plain(t, (request, response) => {
    count(request);
    assert.equal(response.headersSent, false);
    assert.equal(response.write("one ", () => calls.push("one", store.puts.count)), false, "the writer has to wait");
    assert.deepEqual([response.headersSent, response.writableEnded], [true, false]);
    response.write(Buffer.from("two "));
    response.write("dGhyZWUg", "base64", () => calls.push("three"));
    response.once("drain", () => {
      calls.push("drain");
      assert.equal(response.write("four ", "utf8"), true);
      assert.equal(response.end("five", "utf8", () => calls.push("end")), response);
      assert.equal(response.writableEnded, true);
    });
  }, store);
  assert.equal((await visit()).text, "one two three four five");
  assert.deepEqual(calls.filter((call) => call !== "drain"), ["one", 1, "three", "end"]);
  assert.equal(calls.filter((call) => call === "drain").length, 1);
});

test("node:http: the forms of end", async (t) => {
  const forms = {
    "/nothing": (response) => response.end(),
    "/text": (response) => response.end("text"),
    "/encoding": (response) => response.end("dGV4dA==", "base64"),
    "/bytes": (response) => response.end(new TextEncoder().encode("text")),
    "/callback": (response, called) => response.end(called),
    "/text-callback": (response, called) => response.end("text", called),
    "/all": (response, called) => response.end("text", "latin1", called),
  };
  let called = 0;
  const { visit } = await plain(t, (request, response) => {
    count(request);
    assert.equal(forms[request.url](response, () => called++), response);
    assert.equal(response.writableEnded, true);
  }, slowStore(5));
  for (const path of Object.keys(forms)) {
    const { text, headers } = await visit(path);
    const expected = ["/nothing", "/callback"].includes(path) ? "" : "text";
    assert.deepEqual([text, headers.get("Content-Length"), names(headers)], [expected, String(expected.length), [anonymous]], path);
  }
  assert.equal(called, 3);
});

test("node:http: writeHead in its forms", async (t) => {
  const cookie = ["a=1", "b=2"];
  const forms = {
    "/object": [{ "Set-Cookie": cookie, Vary: "Accept", "X-Case": "1" }],
    "/message": ["Well", { "Set-Cookie": cookie, Vary: ["Accept"], "X-Case": 1 }],
    "/list": [["Set-Cookie", "a=1", "Set-Cookie", "b=2", "Vary", "Accept", "X-Case", "1"]],
    "/undefined": [undefined, { "Set-Cookie": cookie, Vary: "Accept", "X-Case": "1" }],
    "/pairs": [[["Set-Cookie", cookie], ["Vary", "Accept"], ["X-Case", "1"]]],
  };
  const { visit } = await plain(t, (request, response) => {
    count(request);
    response.setHeader("X-Case", "0");
    assert.equal(response.writeHead(201, ...forms[request.url]), response);
    assert.equal(response.headersSent, true);
    assert.throws(() => response.writeHead(200), { code: "ERR_HTTP_HEADERS_SENT" });
    assert.throws(() => response.setHeader("X", "1"), { code: "ERR_HTTP_HEADERS_SENT" });
    response.end("made");
  }, slowStore(5));
  for (const path of Object.keys(forms)) {
    const { status, message, text, headers, raw } = await visit(path);
    assert.deepEqual([status, message, text], [201, path === "/message" ? "Well" : "Created", "made"], path);
    assert.deepEqual(names(headers), ["a", "b", anonymous], path);
    assert.deepEqual([headers.get("Vary"), headers.get("X-Case")], ["Accept, Cookie", "1"], path);
    assert.ok(raw.includes("X-Case"), "the case of a name is kept");
  }
});

test("node:http: a wrong header is refused where it is given", async (t) => {
  const { visit } = await plain(t, (request, response) => {
    count(request);
    assert.throws(() => response.writeHead(200, { "X-Bad": "line\nfeed" }), { code: "ERR_INVALID_CHAR" });
    assert.equal(response.headersSent, false);
    response.end("fine");
  });
  assert.equal((await visit()).text, "fine");
});

test("node:http: writeHead with a status of 500 saves nothing", async (t) => {
  const store = slowStore(0);
  const { visit } = await plain(t, (request, response) => {
    count(request);
    response.writeHead(500).end("broken");
    response.statusCode = 200; // too late
  }, store);
  const { status, text, headers } = await visit();
  assert.deepEqual([status, text, names(headers), store.puts.count], [500, "broken", [], 0]);
});

test("node:http: flushHeaders sends the cookie before the body", async (t) => {
  let finish;
  const { port } = await plain(t, (request, response) => {
    count(request);
    response.setHeader("Content-Type", "text/event-stream");
    response.flushHeaders();
    assert.equal(response.headersSent, true);
    finish = () => response.end("data: 1\n\n");
  }, slowStore(10));
  const response = await fetch(`http://localhost:${port}/`);
  assert.deepEqual(names(response.headers), [anonymous]);
  finish();
  assert.equal(await response.text(), "data: 1\n\n");
});

test("node:http: HEAD, 204, 304 and unusual statuses have their cookie", async (t) => {
  const { visit } = await plain(t, (request, response) => {
    count(request);
    response.statusCode = Number(request.url.slice(1));
    response.end(request.method === "HEAD" ? "not sent" : undefined);
  });
  for (const [method, status] of [["HEAD", 200], ["GET", 204], ["GET", 304], ["GET", 205], ["GET", 499]]) {
    const answer = await visit(`/${status}`, { method });
    assert.deepEqual([answer.status, answer.text, names(answer.headers)], [status, "", [anonymous]]);
  }
  const strange = await visit("/999");
  assert.deepEqual([strange.status, names(strange.headers)], [999, []], "it is over 499");
});

test("node:http: informational responses are not held back, and save nothing", async (t) => {
  const { port } = await plain(t, (request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    setTimeout(() => response.end(String(count(request))), 10);
  });
  const request = httpRequest({ port, host: "localhost" }).end();
  const [hints] = await once(request, "information");
  assert.equal(hints.statusCode, 103);
  const [response] = await once(request, "response");
  assert.equal(response.headers["set-cookie"].length, 1);
  response.resume();
});

for (const [what, settings, code, status, change] of [
  ["too large", { maxRecordBytes: 4096 }, "ES_TOO_LARGE", 413, ({ session }) => session.set("essay", "x".repeat(5000))],
  ["unavailable", {}, "ES_STORE_UNAVAILABLE", 503, (request, store) => {
    store.faults.put = true;
    count(request);
  }],
]) {
  test(`a session that cannot be saved, ${what}, replaces the response`, async (t) => {
    const log = t.mock.method(console, "error", () => {});
    const store = slowStore(5);
    const app = express();
    app.use((request, response, next) => {
      response.set("Access-Control-Allow-Origin", "https://example.com").vary("Origin").cookie("other", "1");
      next();
    });
    app.use(session({ store, secrets, ...settings }));
    const errors = [];
    let drains = 0;
    app.get("/send", (request, response) => {
      change(request, store);
      response.cookie("theme", "dark").set({ "X-Page": "1", Connection: "close", Date: "today" }).status(201).send("written");
    });
    app.get("/write", async (request, response) => {
      change(request, store);
      response.on("drain", () => drains++);
      response.writeHead(201, "Made", { "Content-Length": "12" });
      await new Promise((resolve) => response.write("some", (error) => resolve(errors.push(error))));
      response.write("more", (error) => errors.push(error)); // ignored
      response.end("last", (error) => errors.push(error));
    });
    app.get("/file", (request, response) => {
      change(request, store);
      response.sendFile(file);
    });
    app.get("/stream", async (request, response) => {
      change(request, store);
      await pipeline(Readable.from(["one", "two", "three"]), response).catch((error) => errors.push(error));
    });
    const site = await serve(t, app);
    for (const path of ["/send", "/write", "/file", "/stream"]) {
      const answer = await site.visit(path);
      assert.deepEqual(errorOf(answer), [status, code, ["other"]], path);
      assert.equal(answer.headers.get("Content-Length"), String(answer.text.length));
      assert.deepEqual(["X-Page", "ETag", "Content-Range"].filter((name) => answer.headers.has(name)), []);
      assert.equal(answer.headers.get("Access-Control-Allow-Origin"), "https://example.com");
      assert.equal(answer.headers.get("Vary"), "Origin, Cookie");
      assert.match(answer.headers.get("Content-Type"), /^application\/json/);
      assert.deepEqual([answer.headers.has("Date"), answer.headers.has("Connection")], [true, true]);
      store.faults.put = false;
    }
    assert.equal(log.mock.callCount(), 4);
    await after(10);
    assert.equal(drains, 0);
    assert.ok(errors.length >= 3 && errors.every((error) => error instanceof Error), String(errors));
  });
}

test("onError makes the response to a session that cannot be saved, with or without a body", async (t) => {
  t.mock.method(console, "error", () => {});
  for (const [body, text] of [["Sorry", "Sorry"], [null, ""]]) {
    const app = express();
    const onError = (error) => new Response(body, { status: error.status, headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Code", error.code]] });
    app.use(session({ store: memory(), secrets, maxRecordBytes: 4096 }, { onError }));
    app.get("/", (request, response) => {
      request.session.set("essay", "x".repeat(5000));
      response.send("written");
    });
    const answer = await (await serve(t, app)).visit("/");
    assert.deepEqual([answer.status, answer.text, answer.headers.get("X-Code")], [413, text, "ES_TOO_LARGE"]);
    assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  }
});

test("a session whose key another request has just replaced answers 409", async (t) => {
  t.mock.method(console, "error", () => {});
  const app = application({ store: eventual() });
  app.post("/login", ({ session }, response) => {
    session.cycleKey();
    response.send("welcome");
  });
  const site = await serve(t, app);
  await site.visit();
  const { cookie } = site;
  await site.visit("/login", { method: "POST" });
  assert.deepEqual(errorOf(await site.visit("/", { headers: { Cookie: cookie } })), [409, "ES_SUPERSEDED", []]);
  assert.equal((await site.visit()).text, "2");
});

test("an error of the program in the commit is passed to next, once", async (t) => {
  const app = application();
  app.get("/date", ({ session }, response) => {
    session.setDefault("cart", []).push(new Date(0));
    session.modified = true;
    response.set("X-Page", "1").send("bought");
  });
  const seen = [];
  app.use((error, request, response, next) => {
    seen.push([error.code, response.headersSent, request.session.modified]);
    response.status(500).send(error.message);
    response.write("the rest of the page", () => seen.push("ignored")); // Node would end the process
  });
  const { visit } = await serve(t, app);
  await visit();
  const { status, text, headers } = await visit("/date");
  assert.deepEqual([status, names(headers), headers.get("X-Page")], [500, [], null]);
  assert.match(text, /session\.cart\[0\]/);
  assert.deepEqual(seen, [["ES_VALUE", false, true], "ignored"]);
  assert.equal((await visit()).text, "2");
});

test("an error before the load is passed to next instead of the request", async (t) => {
  const app = application({ entropy: () => new Uint8Array(8) });
  const { visit } = await serve(t, app);
  const { status, text } = await visit();
  assert.equal(status, 500);
  assert.match(text, /entropy must return 32 random bytes/);
});

test("plain node:http: the promise has the result of next, or its error", async (t) => {
  const store = slowStore(0);
  const middleware = session({ store, secrets });
  const results = [];
  const { visit } = await serve(t, async (request, response) => {
    try {
      results.push(await middleware(request, response, async () => {
        response.end(String(count(request)));
        return "handled";
      }));
    } catch (error) {
      response.writeHead(error.status).end(error.code);
    }
  });
  assert.equal((await visit()).text, "1");
  store.faults.get = true;
  const { status, text, headers } = await visit();
  assert.deepEqual([status, text, names(headers)], [503, "ES_STORE_UNAVAILABLE", []]);
  assert.deepEqual(results, ["handled"]);
});

test("a page that the application makes of an outage has the status 503 instead of 500, and keeps other ones", async (t) => {
  const store = slowStore(0);
  const middleware = session({ store, secrets });
  const pages = {
    "/property": (response) => Object.assign(response, { statusCode: 500, statusMessage: "Oh" }),
    "/call": (response) => response.writeHead(500, "Oh", { "X-Page": "own" }),
    "/502": (response) => response.writeHead(502),
    "/404": (response) => response.writeHead(404),
  };
  const { visit } = await serve(t, (request, response) => {
    middleware(request, response, () => {
      try {
        count(request);
      } catch {
        pages[request.url]?.(response);
      }
      response.end("sorry");
    });
  });
  await visit();
  store.faults.get = true;
  const seen = [];
  for (const path of Object.keys(pages)) {
    const { status, text } = await visit(path);
    seen.push([path, status, text]);
  }
  assert.deepEqual(seen, [["/property", 503, "sorry"], ["/call", 503, "sorry"], ["/502", 502, "sorry"], ["/404", 404, "sorry"]]);
});

test("a call that fails after the commit cuts the response off, since its headers are sent", async (t) => {
  const { visit } = await plain(t, (request, response) => {
    count(request);
    response.write("one");
    response.end(2);
  });
  await assert.rejects(visit(), { code: "ECONNRESET" });
});

test("a session that was saved removes headers that would let a shared cache keep the response", async (t) => {
  const { visit } = await plain(t, (request, response) => {
    if (request.url === "/") count(request);
    response.setHeader("CDN-Cache-Control", "max-age=60");
    response.end();
  });
  assert.deepEqual([await visit(), await visit("/about")].map(({ headers }) => headers.get("CDN-Cache-Control")), [null, "max-age=60"]);
});

test("plain node:http: an error of the commit that next throws closes the connection, and does not end the process", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const middleware = session({ store: memory(), secrets });
  const { visit } = await serve(t, (request, response) => middleware(request, response, async (error) => {
    if (error) throw error;
    request.session.setDefault("cart", []).push(new Date(0));
    response.end("bought");
  }));
  await assert.rejects(visit(), { code: "ECONNRESET" });
  assert.equal(log.mock.calls[0].arguments[1].code, "ES_VALUE");
});

test("a client that disconnects before the response: nothing is saved, and the session is closed", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const store = slowStore(0);
  let waiting;
  const arrived = new Promise((resolve) => (waiting = resolve));
  const { port } = await plain(t, async (request, response) => {
    count(request);
    waiting({ request, response });
  }, store);
  const client = httpRequest({ port, host: "localhost" }).on("error", () => {}).end();
  const { request, response } = await arrived;
  client.destroy();
  await once(response, "close");
  await after(1);
  assert.throws(() => request.session.get("visits"), { code: "ES_SESSION_CLOSED" });
  const error = await new Promise((resolve) => response.write("too late", resolve));
  assert.equal(error.code, "ERR_STREAM_DESTROYED");
  response.end();
  await after(5);
  assert.deepEqual([store.puts.count, store.records.size, log.mock.callCount()], [0, 0, 0]);
});

for (const [call, visits] of [["get", "2"], ["put", "3"]]) {
  test(`a client that disconnects during the ${call} of its request harms nothing`, async (t) => {
    const store = memory();
    let pause;
    const paused = { ...store };
    paused[call] = async (...args) => {
      await pause?.();
      return store[call](...args);
    };
    const site = await plain(t, (request, response) => {
      response.write(String(count(request)));
      response.end();
    }, paused);
    await site.visit();
    let client;
    const resumed = new Promise((resolve) => {
      pause = async () => {
        pause = undefined;
        client.destroy();
        await after(20); // until the server sees it
        resolve();
      };
      client = httpRequest({ port: site.port, host: "localhost", headers: { Cookie: site.cookie } }).on("error", () => {}).end();
    });
    await resumed;
    await after(20);
    assert.equal((await site.visit()).text, visits, "only a commit that has begun is finished");
  });
}

test("a response that was sent before the middleware: the session can be read, and nothing is saved", async (t) => {
  const store = slowStore(0);
  const middleware = session({ store, secrets });
  let used;
  const { visit } = await serve(t, (request, response) => {
    if (request.url === "/early") response.write("early ");
    middleware(request, response, () => {
      used = request.session;
      response.end(String(count(request)));
    });
  });
  await visit();
  const { text, headers } = await visit("/early");
  assert.deepEqual([text, names(headers), store.puts.count], ["early 2", [], 1]);
  await after(5);
  assert.throws(() => used.get("visits"), { code: "ES_SESSION_CLOSED" });
  assert.equal((await visit()).text, "2");
});

test("after the response the session can be read, and not be changed", async (t) => {
  let used;
  const { visit } = await plain(t, (request, response) => {
    used = request.session;
    response.end(String(count(request)));
  });
  await visit();
  assert.equal(used.get("visits"), 1);
  assert.throws(() => used.set("visits", 2), { code: "ES_SESSION_CLOSED" });
});

test("several requests on one connection", async (t) => {
  const site = await serve(t, application({ store: slowStore(1) }));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const sockets = new Set();
  agent.on("free", (socket) => sockets.add(socket));
  for (let n = 1; n <= 10; n++) assert.equal((await site.visit("/", { agent })).text, String(n));
  assert.equal(sockets.size, 1);
});

test("100 parallel requests: each visitor has their own session", async (t) => {
  const app = application({ store: slowStore(5) });
  app.get("/name/:name", ({ session, params }, response) => {
    session.set("name", params.name);
    response.send("hello");
  });
  app.get("/name", ({ session }, response) => response.send(session.get("name")));
  const { visit } = await serve(t, app);
  const texts = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const first = await visit(`/name/${n}`, { headers: { Cookie: "" } });
    return (await visit("/name", { headers: { Cookie: cookiesAfter("", first.headers) } })).text;
  }));
  assert.deepEqual(texts, Array.from({ length: 100 }, (_, n) => String(n)));
});

test("sessions of the same store outside of the middleware see what it saved", async (t) => {
  const store = memory();
  const app = application({ store });
  app.get("/key", ({ session }, response) => response.send(session.sessionKey));
  const { visit } = await serve(t, app);
  await visit();
  const key = (await visit("/key")).text;
  assert.equal((await createSessions({ store, secrets }).open(key)).get("visits"), 1);
});

test("Fastify, by a hook on its raw request and response", async (t) => {
  t.mock.method(console, "error", () => {});
  const app = fastify();
  t.after(() => app.close());
  const middleware = session({ store: slowStore(5), secrets, maxRecordBytes: 4096 });
  app.decorateRequest("session", { getter() { return this.raw.session; } });
  app.addHook("onRequest", (request, reply, done) => void middleware(request.raw, reply.raw, done));
  app.get("/", (request) => ({ visits: count(request) }));
  app.post("/login", (request, reply) => {
    request.session.cycleKey();
    return reply.header("Set-Cookie", "theme=dark").header("Vary", "Accept").redirect("/", 303);
  });
  app.get("/stream", (request, reply) => {
    count(request);
    return reply.type("text/plain").send(createReadStream(file, { highWaterMark: 50 }));
  });
  app.get("/large", async ({ session }) => {
    session.set("essay", "x".repeat(5000));
    return "written";
  });
  app.get("/date", async ({ session }) => {
    session.setDefault("cart", []).push(new Date(0));
    return "bought";
  });
  app.get("/broken", async (request) => {
    count(request);
    throw new Error("a mistake");
  });
  let cookie = "";
  const visit = async (url, method = "GET") => {
    const { statusCode, headers, body } = await app.inject({ url, method, headers: { cookie } });
    const lines = new Headers([headers["set-cookie"] ?? []].flat().map((line) => ["Set-Cookie", line]));
    cookie = cookiesAfter(cookie, lines);
    return { status: statusCode, text: body, headers: lines, vary: headers.vary };
  };
  assert.equal((await visit("/")).text, '{"visits":1}');
  const login = await visit("/login", "POST");
  assert.deepEqual([login.status, names(login.headers), login.vary], [303, ["theme", loggedIn, anonymous], "Accept, Cookie"]);
  assert.equal((await visit("/stream")).text, license);
  assert.deepEqual(errorOf(await visit("/large")), [413, "ES_TOO_LARGE", []]);
  for (const path of ["/broken", "/date"]) {
    const { status, headers } = await visit(path);
    assert.deepEqual([status, names(headers)], [500, []], path);
  }
  assert.equal((await visit("/")).text, '{"visits":3}');
});

test("HTTP/2, by the compatibility API of node:http2", async (t) => {
  const middleware = session({ store: slowStore(5), secrets });
  const server = createHttp2Server((request, response) => middleware(request, response, () => {
    response.write("visit ");
    response.end(String(count(request)));
  })).listen(0, "localhost");
  await once(server, "listening");
  const client = connect(`http://localhost:${server.address().port}`);
  t.after(() => {
    client.close();
    server.close();
  });
  const stream = client.request({ ":path": "/" });
  const [headers] = await once(stream, "response");
  let text = "";
  for await (const part of stream.setEncoding("utf8")) text += part;
  assert.deepEqual([headers[":status"], text, headers.vary], [200, "visit 1", "Cookie"]);
});
