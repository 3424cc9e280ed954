// Faults of the platform: no random bytes, a clock that jumps, stops or runs backwards. In both implementations.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import App from "../../worker/build/index.js";
import { createSessions, EntropyError, kv } from "../../dist/workerd.js";
import PackageWorker from "./package-worker.mjs";
import { secret, visitor as visitorOf, watched } from "./worker.mjs";

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

const noEntropy = {
  "throws": () => {
    throw new Error("the pool is empty");
  },
  "is absent": undefined,
};

/** Moves the clock of the isolate by a number of seconds. */
function jump(seconds) {
  const now = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => now() + seconds * 1000);
}

const ok = (status) => status < 300;

for (const [implementation, Worker] of Object.entries({ "the Rust Worker": App, "the package": PackageWorker })) {
  const visitor = (bindings) => visitorOf(bindings, Worker);

  describe(implementation, () => {
    // A2
    for (const [how, getRandomValues] of Object.entries(noEntropy)) {
      test(`a random source that ${how}: an error, no cookie, no operation, and later requests succeed`, async () => {
        const { kv: namespace, names } = watched();
        const one = visitor({ SESSIONS: namespace });
        const mock = vi.spyOn(globalThis, "crypto", "get").mockReturnValue({ getRandomValues });
        // The package draws for 64 sessions ahead, so that each of these environments is a new one.
        for (const path of ["/session/data/a", "/session/data/b"]) {
          const answered = await one.put(path, 1).catch((error) => error);
          if (answered instanceof Error) expect(answered).toBeInstanceOf(EntropyError);
          else expect([answered.status, answered.json.error.code, answered.headers.getSetCookie()]).toEqual([500, "ES_ENTROPY", []]);
        }
        expect([one.cookie, names()]).toEqual([undefined, []]);
        mock.mockRestore();
        expect(ok((await one.put("/session/data/a", 1)).status)).toBe(true);
        expect(await one.data()).toEqual({ a: 1 });
      });
    }

    // E6
    for (const seconds of [-300, -5, 0, 5, 300]) {
      test(`a clock that jumps by ${seconds} s between two requests: the session stays, and can be changed and ended`, async () => {
        const one = visitor();
        await one.put("/session/data/user", "alice");
        jump(seconds);
        expect(await one.data()).toEqual({ user: "alice" });
        expect(ok((await one.put("/session/data/page", 1)).status)).toBe(true);
        vi.mocked(Date.now).mockRestore();
        expect(await one.data()).toEqual({ user: "alice", page: 1 });
        jump(seconds);
        expect(ok((await one.post("/session/cycle-key")).status)).toBe(true);
        expect(await one.data()).toEqual({ user: "alice", page: 1 });
        const { headers } = await one.post("/session/flush");
        expect(headers.get("Set-Cookie")).toContain("Max-Age=0;");
        expect(await one.data()).toEqual({});
      });
    }

    // E6
    test("a clock that ran backwards does not make a session live longer than it may", async () => {
      const one = visitor({ SESSION_COOKIE_AGE: 1000, SESSION_ABSOLUTE_AGE: 2000 });
      await one.put("/session/data/user", "alice");
      const cookies = [one.cookie];
      for (const seconds of [-900, 50, 1040, 1990]) {
        jump(seconds);
        await one.put("/session/data/at", seconds);
        expect(await one.data()).toEqual({ user: "alice", at: seconds });
        vi.mocked(Date.now).mockRestore();
        cookies.push(one.cookie);
      }
      jump(2001);
      for (const cookie of cookies) expect(await { ...one, cookie }.data()).toEqual({});
    });

    // I11
    test("seconds at the edges of 31, 32 and 53 bits are in the record, the metadata and the time to live as they were meant", async () => {
      const [now, longest] = [1_800_000_000_123, 3_155_760_000];
      vi.spyOn(Date, "now").mockReturnValue(now);
      const { kv: namespace, calls } = watched();
      const one = visitor({ SESSIONS: namespace, SESSION_ABSOLUTE_AGE: longest, SESSION_COOKIE_AGE: 100 });
      await one.put("/session/data/user", "alice");
      for (const seconds of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, longest, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Math.ceil(2 ** 53 / 1e6) + 1]) {
        const { status, headers } = await one.request("PUT", "/session/expiry", { value: seconds });
        expect(status).toBe(200);
        expect(headers.get("Set-Cookie")).toContain("; Max-Age=34560000;");
        const { args: [, value, options] } = calls.findLast(({ name }) => name === "put");
        const after = (seconds) => BigInt(now) * 1000n + BigInt(seconds) * 1_000_000n;
        expect(new TextDecoder().decode(value)).toContain(`"deadline":${after(seconds)},"absolute":${after(longest)},`);
        const kept = Math.min(seconds, longest);
        expect(options).toEqual({ expirationTtl: Math.min(kept, 2 ** 31 - 1), metadata: { deadline: Number(after(kept)) } });
      }
      expect(await one.data()).toMatchObject({ user: "alice" });
      expect((await one.post("/session/flush")).status).toBe(204);
    });

    test("an invalid clock causes errors of this package only", async () => {
      const one = visitor();
      await one.put("/session/data/user", "alice");
      for (const now of [Number.NaN, Infinity, -Infinity, 0, -1, 8.64e15, 1e300]) {
        vi.spyOn(Date, "now").mockReturnValue(now);
        const { status } = await visitor().get("/session");
        expect([now, status]).toEqual([now, 200]);
        for (const call of [["PUT", "/session/data/a", 1], ["POST", "/session/cycle-key"], ["POST", "/session/flush"]]) {
          const answered = await visitor().request(...call).catch((error) => error);
          expect(answered.status < 300 || /^ES_(?!PANIC)/.test(answered.code ?? answered.json?.error?.code), `${now} ${call} ${answered}`).toBe(true);
        }
        vi.mocked(Date.now).mockRestore();
      }
      expect(await one.data()).toEqual({ user: "alice" });
    });
  });
}

test("sessions of one set draw again once the random source is back", async () => {
  const sessions = createSessions({ store: kv(watched().kv), secrets: [secret] });
  const mock = vi.spyOn(globalThis, "crypto", "get").mockReturnValue({});
  await expect(sessions.load("")).rejects.toBeInstanceOf(EntropyError);
  mock.mockRestore();
  expect((await sessions.load("")).isEmpty()).toBe(true);
});
