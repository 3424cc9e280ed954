// h3 2, with the middleware of `edge-session/h3`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ownHeaders, refusal, serveAndVisit, Visitor } from "./application.mjs";
import { checkTypes, install, start } from "./servers.mjs";

await install();
const serve = (env) => start("h3", "node", () => ["server.ts"], env);

test("h3", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await ownHeaders(t, site.url);

  await t.test("the handler of a WebSocket reads the session", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const Cookie = [...visitor.jar].map((pair) => pair.join("=")).join("; ");
    const socket = new WebSocket(`${site.url.replace("http", "ws")}/socket`, { headers: { Cookie } });
    const [{ data }] = await once(socket, "message");
    socket.close();
    assert.equal(data, "user=alice");
  });

  await refusal(t, site.url);
});

test("TypeScript agrees with the project", async () => {
  await checkTypes("h3");
});
