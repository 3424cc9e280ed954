import { createSessions, kv } from "edge-session";
import { KvModel } from "edge-session/testing";
import { expect, test } from "vitest";

test("two visits at once, and the location that still has the old record in its cache", async () => {
  const model = new KvModel({ seed: 3, latency: [20, 20], slow: 0, locallyInvisible: 0 });
  const at = (location: string) =>
    createSessions<{ user: string; theme: string }>({ store: kv(model.at(location)), secrets: ["a secret of at least thirty-two bytes"] });
  const [here, there] = [at("AMS"), at("SIN")];
  using session = await here.load(null);
  session.set("user", "alice");
  const cookie = new Headers(await here.commitHeaders(session, 200)).get("Set-Cookie")?.split(";")[0];
  await model.sleep(100_000);
  expect((await there.load(cookie)).get("user")).toBe("alice");

  using change = await here.load(cookie);
  change.set("theme", "dark");
  await here.commitHeaders(change, 200);
  const [seen, unseen] = await Promise.all([here.load(cookie), there.load(cookie)]);
  expect([seen.get("theme"), unseen.get("theme")]).toEqual(["dark", undefined]);
});
