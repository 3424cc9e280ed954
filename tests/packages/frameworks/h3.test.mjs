// h3 2, with the middleware of `edge-session/h3`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { build, install, outage, start, Visitor, visits } from "./application.mjs";

await install();
const serve = (env) => start("h3", "node", () => ["server.ts"], env);

test("h3", async (t) => {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);

  await t.test("an HTTPError below 500 keeps what was set", async () => {
    const visitor = new Visitor(site.url);
    const answer = await visitor.get("/refused");
    assert.deepEqual([answer.status, JSON.parse(answer.text).message], [403, "not you"]);
    assert.equal((await visitor.get("/")).page, "visits=1 user=- message=refused");
  });

  await t.test("the headers of the handler are merged with those of the session, once", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const { headers } = await visitor.get("/headers");
    assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control")], ["Accept, Cookie", "private, max-age=60"]);
    const login = await new Visitor(site.url).get("/login");
    assert.deepEqual(login.headers.getSetCookie().map((line) => line.split("=")[0]), ["seen", "__Host-sessionid"]);
  });

  await t.test("the handler of a WebSocket reads the session", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const Cookie = [...visitor.jar].map((pair) => pair.join("=")).join("; ");
    const socket = new WebSocket(`${site.url.replace("http", "ws")}/socket`, { headers: { Cookie } });
    const [{ data }] = await once(socket, "message");
    socket.close();
    assert.equal(data, "user=alice");
  });

  await t.test("a session that cannot be saved is an error in JSON, and sets no cookie", async () => {
    const answer = await new Visitor(site.url).get("/large");
    assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [413, "ES_TOO_LARGE"]);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });
});

test("TypeScript agrees with the project", async () => {
  await build("h3", "tsc", "--project", "tsconfig.json");
});
