// Responses that the platform refuses to send are detected before the save, in both implementations.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { kv, withSessions } from "../../dist/workerd.js";
import Pages from "../packages/rust-pages/build/index.js";
import { secret, watched } from "./worker.mjs";

const responses = {
  "text": () => new Response("answer"),
  "body-read": async (request) => {
    const response = new Response(request.body);
    await response.text();
    return response;
  },
  "body-locked": (request) => {
    const response = new Response(request.body);
    response.body.getReader();
    return response;
  },
  "body-cached": async (request) => {
    const response = new Response(request.body, { headers: { "Cache-Control": "max-age=60" } });
    await caches.default.put("https://example.com/cached", response);
    return response;
  },
  "error": () => Response.error(),
  "nothing": () => undefined,
  "no-response": () => ({ status: 200, body: "text" }),
};

const answering = withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    const [, , touch, kind] = new URL(request.url).pathname.split("/");
    if (touch === "login") {
      session.cycleKey();
      session.set("user", "alice");
    }
    if (touch === "write") session.set("visits", session.get("visits", 0) + 1);
    if (touch === "read") session.has("user");
    return responses[kind](request);
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

let log;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => log.mockRestore());

const implementations = {
  "the crate": { Worker: Pages, kinds: ["body-read", "body-locked", "body-cached", "body-with-204", "150", "999"] },
  "the package": { Worker: Answering, kinds: ["body-read", "body-locked", "body-cached", "error", "nothing", "no-response"] },
};

for (const [implementation, { Worker, kinds }] of Object.entries(implementations)) {
  describe(implementation, () => {
    /** One request, to a Worker whose KV operations are noted; an error of the handler is what it ended with. */
    async function ask(path, cookie = "", body = "a body") {
      const { kv: SESSIONS, names } = watched();
      const context = createExecutionContext();
      const request = new Request(`https://example.com/answer/${path}`, { method: "POST", body, headers: { Cookie: cookie } });
      const response = await new Worker(context, { SESSIONS, SESSION_SECRET: secret }).fetch(request).catch((error) => error);
      await waitOnExecutionContext(context);
      return { response, operations: names() };
    }

    for (const kind of kinds) {
      test(`${kind}: a login with it saves nothing, sets no cookie, and the visitor is as before`, async () => {
        const { response: first } = await ask("write/text");
        const [cookie] = first.headers.get("Set-Cookie").split(";");
        const { response, operations } = await ask(`login/${kind}`, cookie);
        expect(operations).toEqual(["get", "get"]);
        const message = response instanceof Error ? response.message : log.mock.calls.flat().join();
        expect(message).toMatch(/commit takes a Response, not|nothing was saved, since the response cannot be sent: \w+ \w+/);
        if (kind.startsWith("body-") && !kind.endsWith("204")) expect(message).toMatch(/its body was read or is locked; read, or cache, response\.cloned?\(\) instead/);
        if (response instanceof Error) expect(response).toMatchObject({ name: "ValueError", code: "ES_VALUE" });
        else expect([response.status, response.headers.getSetCookie()]).toEqual([500, []]);
        const { response: next } = await ask("write/text", cookie);
        expect([next.status, next.headers.getSetCookie().length], "the cookie of before still opens the session").toEqual([200, 1]);
        expect((await ask("read/text", next.headers.get("Set-Cookie").split(";")[0])).operations).toEqual(["get", "get"]);
      });

      test(`${kind}: a new visitor gets no session with it`, async () => {
        expect((await ask(`write/${kind}`)).operations).toEqual([]);
      });
    }
  });
}
