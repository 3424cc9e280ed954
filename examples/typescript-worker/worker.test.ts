import { KvModel } from "edge-session/testing";
import { expect, test } from "vitest";
import worker from "./worker";

test("100 seconds after a logout, the session has ended everywhere", async () => {
  const model = new KvModel({ seed: 1 });
  const secret = { SESSION_SECRET: "a secret of at least thirty-two bytes" };
  const amsterdam = { SESSIONS: model.at("AMS"), ...secret };
  const singapore = { SESSIONS: model.at("SIN"), ...secret };
  let cookie = "";
  const visit = async (env: typeof amsterdam, path: string, method = "GET") => {
    const request = new Request(`https://example.com${path}`, { method, headers: { Cookie: cookie } });
    const response = await worker.fetch(request, env, undefined);
    cookie = response.headers.get("Set-Cookie")?.split(";")[0] ?? cookie;
    return response.text();
  };

  await visit(amsterdam, "/login", "POST");
  expect(await visit(amsterdam, "/")).toBe("Visit number 1");
  await model.sleep(100_000); // of virtual time: it takes a few milliseconds
  expect(await visit(singapore, "/")).toBe("Visit number 2");

  const stolen = cookie;
  await visit(singapore, "/logout", "POST");
  await model.sleep(100_000);
  cookie = stolen;
  expect(await visit(amsterdam, "/")).toBe("Visit number 1"); // of a session that is new
});
