// Workers KV with one fault at one call of a request.

import { env } from "cloudflare:workers";

const MIB = 1024 * 1024;
const encoder = new TextEncoder();

/** The kind of a storage key, from its second part. */
const kinds = { session: "record", ended: "tombstone" };

/**
 * A namespace around another, by default the real one. `plan(step, fault)` has a fault happen at a step of what follows, such as
 * "get record 2", the second read of a record; with `always` from there on, at each call of the same kind. `steps()` gives the
 * steps since the last look. `land()` carries out what was late. `puts` holds every value that was put, by its key, the oldest
 * first.
 */
export function faultyKv(namespace = env.SESSIONS) {
  const puts = new Map();
  let taken = [];
  let late = [];
  let planned;
  const call = (name) => (...args) => {
    const what = `${name} ${kinds[args[0].split?.(":").at(-2)] ?? "keys"}`;
    const number = taken.filter((step) => step.replace(/ \d+$/, "") === what).length + 1;
    const step = number > 1 ? `${what} ${number}` : what;
    taken.push(step);
    const real = () => {
      if (name === "put") puts.set(args[0], [...(puts.get(args[0]) ?? []), new Uint8Array(args[1]).slice().buffer]);
      return namespace[name](...args);
    };
    const hit = planned && (planned.step === step || (planned.always && planned.what === what && number >= planned.number));
    if (!hit) return real();
    planned.hits += 1;
    return planned.fault({ real, past: puts.get(args[0]) ?? [], later: (work) => late.push(work) });
  };
  return {
    kv: Object.fromEntries(["get", "put", "delete", "list"].map((name) => [name, call(name)])),
    puts,
    plan(step, fault, { always = false } = {}) {
      const [, what, number = "1"] = step.match(/^(.*?)(?: (\d+))?$/);
      taken = [];
      planned = { step, what, number: Number(number), fault, always, hits: 0 };
      return planned;
    },
    heal: () => void (planned = undefined),
    steps: () => taken.splice(0),
    async land() {
      for (const work of late.splice(0)) await work();
    },
  };
}

const fails = (message) => () => Promise.reject(new Error(message));
const throwsAtOnce = (message) => () => {
  throw new Error(message);
};
const answers = (value) => () => Promise.resolve(value);
const holds = (text) => answers(bytesOf(text));

/** The stored value, changed. */
const changed = (change) => async ({ real }) => {
  const value = await real();
  return value === null ? null : change(new Uint8Array(value)).slice().buffer;
};
const rewritten = (from, to) => changed((bytes) => encoder.encode(new TextDecoder().decode(bytes).replace(from, to)));

/** The value from before the last `age` puts. */
export const stale = (age) => async ({ past }) => past.at(-1 - age) ?? null;
export const truncated = (length) => changed((bytes) => bytes.subarray(0, length));
export const flipped = (bit) => changed((bytes) => {
  bytes[bit >> 3] ^= 1 << (bit & 7);
  return bytes;
});
export const bytesOf = (text) => encoder.encode(text).buffer;

/** The results of a read, grouped by their effect on the session. */
export const reads = {
  outage: {
    "500": fails("KV GET failed: 500 Internal Server Error"),
    "503": fails("KV GET failed: 503 Service Unavailable"),
    "429": fails("KV GET failed: 429 Too Many Requests"),
    "414, thrown at once": throwsAtOnce("KV GET failed: 414 UTF-8 encoded length of 600 exceeds key length limit of 512."),
    "hangs, then is cancelled": async () => {
      await scheduler.wait(50);
      throw new Error("The operation was aborted");
    },
    "something that is no Error": () => Promise.reject(undefined),
    "an Error without a text": () => Promise.reject(Object.assign(new Error(), { message: undefined })),
    "an Error whose text cannot be read": () => Promise.reject(Object.defineProperty(new Error(), "message", { get: throwsAtOnce("no text") })),
    "a promise that is none": () => ({ then: throwsAtOnce("no promise") }),
    "bytes that are gone": async () => {
      const bytes = new ArrayBuffer(8);
      structuredClone(bytes, { transfer: [bytes] });
      return bytes;
    },
    "undefined": answers(undefined),
    "a text": answers("text"),
  },
  missing: { "null": answers(null) },
  over: { "past its deadline": rewritten(/"deadline":\d{16}/, '"deadline":1000000000000000') },
  corrupt: {
    "no bytes": holds(""),
    "null": holds("null"),
    "a list": holds("[]"),
    "a text": holds('"x"'),
    "a number": holds("1"),
    "an empty object": holds("{}"),
    "plain data": holds('{"user":"mallory"}'),
    "a version alone": holds('{"edge-session":1}'),
    "cut in half": changed((bytes) => bytes.subarray(0, bytes.length >> 1)),
    "the last byte missing": changed((bytes) => bytes.subarray(0, -1)),
    "a byte more": changed((bytes) => new Uint8Array([...bytes, 0x7d])),
    "invalid UTF-8": changed((bytes) => bytes.fill(0xff, 2, 6)),
    "UTF-16": changed((bytes) => Uint8Array.from([...bytes].flatMap((byte) => [byte, 0]))),
  },
  large: {
    "25 MiB of zeros": () => Promise.resolve(new ArrayBuffer(25 * MIB)),
    "25 MiB of brackets": () => Promise.resolve(new Uint8Array(25 * MIB).fill(0x5b).buffer),
  },
  newer: { "a newer version": rewritten('"edge-session":1', '"edge-session":2') },
  // Any value under a tombstone's key ends the session: an unnecessary login is better than a missing revocation.
  ended: {
    "a tombstone": holds('{"edge-session":1,"ended":1790000000000000}'),
    "a tombstone that was cut": holds('{"edge'),
    "no bytes": holds(""),
  },
  // A moment ago the key was rotated: a request with it may have been on its way.
  cycled: { "the tombstone of a rotation": async () => bytesOf(`{"edge-session":1,"cycled":${Date.now() * 1000}}`) },
  "cycled long ago": { "the tombstone of a rotation": async () => bytesOf(`{"edge-session":1,"cycled":${(Date.now() - 110_000) * 1000}}`) },
  stale: { "one save ago": stale(1), "two saves ago": stale(2) },
};

/** The results of a write. */
export const writes = {
  refused: {
    "429": fails("KV PUT failed: 429 Too Many Requests"),
    "500": fails("KV PUT failed: 500 Internal Server Error"),
    "413": fails("KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400."),
    "400, thrown at once": throwsAtOnce("KV PUT failed: 400 Invalid expiration_ttl of 30. Expiration TTL must be at least 60."),
    "something that is no Error": () => Promise.reject(undefined),
  },
  applied: {
    "applied, though it says 500": async ({ real }) => {
      await real();
      throw new Error("KV PUT failed: 500 Internal Server Error");
    },
  },
  slow: {
    "slow": async ({ real }) => {
      await scheduler.wait(300);
      return real();
    },
  },
  late: {
    "applied later": async ({ real, later }) => later(real),
  },
};
