// The stores of the Rust crate, each operation by itself, through a Worker that has a route for each.

import { applyD1Migrations, createExecutionContext, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import Pages from "../../packages/rust-pages/build/index.js";
import { failingObjects } from "../failing-objects.mjs";

const namespace = env.SESSION_OBJECTS;
const database = env.SESSION_DB;

beforeAll(() => applyD1Migrations(database, env.MIGRATIONS));

/** Calls operations of an engine: `store("d1")("read", ["key"])`. A failed one throws `{ code, message, cause }`. */
function store(engine, bindings = {}) {
  const worker = new Pages(createExecutionContext(), { ...env, ...bindings });
  return async (operation, body) => {
    const request = new Request(`http://localhost/stores/${engine}/${operation}`, { method: "POST", body: JSON.stringify(body) });
    const response = await worker.fetch(request);
    const result = await response.json();
    if (response.ok) return result;
    const [code, message, cause] = result;
    throw Object.assign(new Error(message, { cause }), { code });
  };
}

let keys = 0;
const newKey = (prefix = "edge-session:session:") => `${prefix}${String(keys++).padStart(5, "0")}`;

/** Microseconds of Unix time, so many seconds from now. */
const inSeconds = (seconds) => Math.round((Date.now() + seconds * 1000) * 1000);
const put = (key, value, { deadline = inSeconds(3600), generation = 1, ifGeneration = null } = {}) => [[key, value, deadline, generation, ifGeneration]];

describe.each(["kv", "durable_object", "d1"])("%s", (engine) => {
  const call = store(engine);

  test("a value is read as it was put, until it is deleted", async () => {
    const [key, other, all] = [newKey(), newKey(), Array.from({ length: 256 }, (_, byte) => byte)];
    expect(await call("read", [key, other])).toEqual([null, null]);
    expect(await call("put", put(key, all))).toBe(true);
    expect(await call("put", put(other, []))).toBe(true);
    expect(await call("read", [other, key, newKey(), key])).toEqual([[], all, null, all]);
    expect(await call("put", put(key, [2], { generation: 2 }))).toBe(true);
    expect(await call("read", [key])).toEqual([[2]]);
    await call("delete", key);
    await call("delete", key);
    expect(await call("read", [key, other])).toEqual([null, []]);
    expect(await call("read", [])).toEqual([]);
  });

  test("the store keeps its contract", async () => {
    expect(await call("contract", [`contract-${engine}`, engine !== "durable_object"])).toEqual([]);
  });

  test("the entries of a user are listed and deleted one by one", async () => {
    const list = `edge-session:user:${"aB-_".repeat(8)}:`;
    const [one, two] = ["1", "2"].map((id) => list + id.padEnd(22, "x"));
    const deadline = inSeconds(3600);
    for (const [n, key] of [one, two].entries()) expect(await call("put", put(key, [n], { deadline, ifGeneration: 0 }))).toBe(true);
    await call("put", put(`edge-session:user:${"zzzz".repeat(8)}:${"1".padEnd(22, "x")}`, [9]));
    const [page] = await call("list", [list, null]);
    expect(page.sort()).toEqual([[one, deadline], [two, deadline]]);
    expect(await call("read", [two, one])).toEqual([[1], [0]]);
    await call("delete", one);
    expect(await call("list", [list, null])).toEqual([[[two, deadline]], null]);
    expect(await call("read", [one, two])).toEqual([null, [1]]);
    await call("delete", two);
    expect(await call("list", [list, null])).toEqual([[], null]);
  });

  test("a record of 64 KiB is read as it was put", async () => {
    const [key, value] = [newKey(), Array.from({ length: 65_536 }, (_, n) => n % 251)];
    await call("put", put(key, value));
    expect(await call("read", [key])).toEqual([value]);
  });
});

test("the stores state what they guarantee", async () => {
  expect(await store("kv")("about")).toEqual(["Eventual", true]);
  expect(await store("durable_object")("about")).toEqual(["Linearizable", true]);
  expect(await store("d1")("about")).toEqual(["Linearizable", false]);
});

describe.each(["durable_object", "d1"])("%s, linearizable", (engine) => {
  const call = store(engine);

  test("a put whose condition does not hold is a conflict and stores nothing", async () => {
    const key = newKey();
    expect(await call("put", put(key, [9], { generation: 5, ifGeneration: 4 }))).toBe(false);
    expect(await call("read", [key])).toEqual([null]);
    expect(await call("put", put(key, [1], { generation: 5, ifGeneration: 0 }))).toBe(true);
    for (const ifGeneration of [0, 4, 6]) expect(await call("put", put(key, [9], { generation: 6, ifGeneration }))).toBe(false);
    expect(await call("read", [key])).toEqual([[1]]);
    expect(await call("put", put(key, [2], { generation: 6, ifGeneration: 5 }))).toBe(true);
    expect(await call("put", put(key, [3], { generation: 7 }))).toBe(true);
    expect(await call("put", put(key, [4], { generation: 8, ifGeneration: 7 }))).toBe(true);
    await call("delete", key);
    expect(await call("put", put(key, [9], { generation: 9, ifGeneration: 8 }))).toBe(false);
    expect(await call("put", put(key, [5], { generation: 1, ifGeneration: 0 }))).toBe(true);
    expect(await call("read", [key])).toEqual([[5]]);
  });

  test("the operations after a conflict are not applied", async () => {
    const [first, second, third] = [newKey(), newKey(), newKey()];
    const puts = [...put(first, [1]), ...put(second, [2], { ifGeneration: 7 }), ...put(third, [3])];
    expect(await call("put", puts)).toBe(false);
    expect(await call("read", [first, second, third])).toEqual([[1], null, null]);
  });

  test("of 20 concurrent writers with the same condition one wins, and its value is stored", async () => {
    const key = newKey();
    for (const [generation, ifGeneration] of [[1, 0], [2, 1], [4_294_967_295, 2]]) {
      const writers = Array.from({ length: 20 }, (_, n) => call("put", put(key, [n], { generation, ifGeneration })));
      const outcomes = await Promise.all(writers);
      expect(outcomes.filter(Boolean).length).toBe(1);
      expect(await call("read", [key])).toEqual([[outcomes.indexOf(true)]]);
    }
  });

  test("20 writers that compare and set are all kept", async () => {
    const key = newKey();
    await call("put", put(key, [], { generation: 1, ifGeneration: 0 }));
    const append = async (n) => {
      for (;;) {
        const [value] = await call("read", [key]);
        const generation = value.length + 1;
        if (await call("put", put(key, [...value, n], { generation: generation + 1, ifGeneration: generation }))) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => append(n)));
    const [value] = await call("read", [key]);
    expect([...value].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});

describe("Durable Objects", () => {
  const call = store("durable_object");
  const object = (key) => namespace.get(namespace.idFromName(key));
  const alarm = (key) => runInDurableObject(object(key), (_, { storage }) => storage.getAlarm());

  test("the alarm is at the deadline of the first put, empties the object after it, and lists nothing", async () => {
    const [key, deadline] = [newKey(), inSeconds(2)];
    await call("put", put(key, [1], { deadline }));
    expect(await alarm(key)).toBe(Math.ceil(deadline / 1000));
    await call("put", put(key, [2], { deadline: inSeconds(3600), generation: 2, ifGeneration: 1 }));
    expect(await alarm(key)).toBe(Math.ceil(deadline / 1000));
    await runDurableObjectAlarm(object(key));
    expect(await call("read", [key])).toEqual([[2]]);
    await call("put", put(key, [3], { deadline: inSeconds(-1), generation: 3, ifGeneration: 2 }));
    // An earlier deadline moves the alarm, which is due by now.
    await expect.poll(() => call("read", [key])).toEqual([null]);
    expect(await call("list", ["", null])).toEqual([[], null]);
    expect(await call("delete-expired", ["", inSeconds(0), 10])).toBe(null);
  });

  test("a retryable error is retried once, with a new stub; an overloaded one and others never", async () => {
    const key = newKey();
    await call("put", put(key, [1]));
    for (const [errors, calls, succeeds] of [
      [[{ retryable: true }], 2, true],
      [[{ retryable: true }, { retryable: true }], 2, false],
      [[{ retryable: true, overloaded: true }], 1, false],
      [[{ overloaded: true }], 1, false],
      [[{ remote: true }], 1, false],
    ]) {
      for (const [operation, body] of [["read", [key]], ["put", put(key, [1])], ["delete", newKey()]]) {
        const SESSION_OBJECTS = failingObjects(namespace, [...errors]);
        const outcome = await store("durable_object", { SESSION_OBJECTS })(operation, body).catch((error) => error);
        expect([!(outcome instanceof Error), SESSION_OBJECTS.stubs.length], `${operation} ${JSON.stringify(errors)}`).toEqual([succeeds, calls]);
        if (!succeeds) expect(outcome).toMatchObject({ code: "ES_STORE_UNAVAILABLE", cause: "the call failed" });
      }
    }
  });

  test("a put that was applied although it failed is no conflict when it is repeated", async () => {
    const key = newKey();
    const applied = store("durable_object", { SESSION_OBJECTS: failingObjects(namespace, [{ retryable: true }], { applied: true }) });
    expect(await applied("put", put(key, [1], { ifGeneration: 0 }))).toBe(true);
    const other = store("durable_object", { SESSION_OBJECTS: failingObjects(namespace, [{ retryable: true }]) });
    expect(await other("put", put(key, [2], { ifGeneration: 0 }))).toBe(false);
    expect(await call("read", [key])).toEqual([[1]]);
  });

  test("the jurisdiction and the location hint reach the platform, and a jurisdiction that it refuses is an error", async () => {
    const calls = [];
    const seen = {
      idFromName: (name) => namespace.idFromName(name),
      jurisdiction: (name) => (calls.push(name), seen),
      get: (id, ...options) => (calls.push(...options), namespace.get(id)),
    };
    expect(await store("european_object", { SESSION_OBJECTS: seen })("read", [newKey()])).toEqual([null]);
    expect(await store("durable_object", { SESSION_OBJECTS: seen })("read", [newKey()])).toEqual([null]);
    expect(calls).toEqual(["eu", { locationHint: "weur" }]);
    const refusing = { ...seen, jurisdiction: () => { throw new Error("not on this plan"); } };
    const message = "the jurisdiction eu of SESSION_OBJECTS is refused: not on this plan";
    await expect(store("european_object", { SESSION_OBJECTS: refusing })("read", [newKey()])).rejects.toMatchObject({ code: "ES_CONFIG", message });
  });

  test("what is no answer is an error, not a missing record", async () => {
    for (const answer of ["text", undefined, 1, {}]) {
      const SESSION_OBJECTS = { idFromName: (name) => name, get: () => ({ read: () => answer, write: () => answer }) };
      const broken = store("durable_object", { SESSION_OBJECTS });
      await expect(broken("read", [newKey()])).rejects.toMatchObject({ code: "ES_STORE_UNAVAILABLE" });
      await expect(broken("put", put(newKey(), [1]))).rejects.toMatchObject({ code: "ES_STORE_UNAVAILABLE" });
    }
  });
});

describe("D1", () => {
  const call = store("d1");

  test("expired rows of a prefix are deleted in batches by the index, and no others", async () => {
    const now = inSeconds(0);
    const query = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
      INSERT INTO edge_session (key, value, deadline, generation) SELECT ?2 || i, x'00', ?3 + i, 1 FROM n`;
    await database.prepare(query).bind(250, "swept:session:over", now - 1_000_000).run();
    await database.prepare(query).bind(30, "swept:session:live", now + 1_000_000).run();
    await database.prepare(query).bind(4, "swept.other:", now - 1_000_000).run();
    const removed = [];
    for (let n = 0; n < 4; n += 1) removed.push(await call("delete-expired", ["swept:", now, 100]));
    expect(removed).toEqual([100, 100, 50, 0]);
    const count = (prefix) => database.prepare("SELECT count(*) AS n FROM edge_session WHERE key LIKE ? || '%'").bind(prefix).first("n");
    expect([await count("swept:"), await count("swept.other:")]).toEqual([30, 4]);
  });

  test("a read at any place runs at the primary, finds rows by their key, and a sweep by the deadline", async () => {
    const seen = [];
    const watched = {
      withSession: (constraint) => ({
        prepare: (query) => (seen.push([constraint, query]), database.withSession(constraint).prepare(query)),
      }),
    };
    const watching = store("d1", { SESSION_DB: watched });
    await watching("read", [newKey(), newKey()]);
    await watching("delete-expired", ["watched:", 0, 10]);
    await watching("list", ["watched:", null]);
    expect(new Set(seen.map(([constraint]) => constraint))).toEqual(new Set(["first-primary"]));
    const plans = [];
    for (const [, query] of seen) {
      const { results } = await database.prepare(`EXPLAIN QUERY PLAN ${query}`).bind(...Array(query.match(/\?/g).length).fill("x")).run();
      plans.push(results.map(({ detail }) => detail).join("; "));
    }
    expect(plans[0]).toBe("SEARCH edge_session USING PRIMARY KEY (key=?)");
    expect(plans[1]).toMatch(/INDEX edge_session_deadline \(deadline<\?\)/);
    expect(plans[2]).toBe("SEARCH edge_session USING PRIMARY KEY (key>? AND key<?)");
    expect(plans.join()).not.toMatch(/SCAN edge_session/);
  });

  test("a list has pages of 1000 keys in order, with their deadlines", async () => {
    const query = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2001)
      INSERT INTO edge_session (key, value, deadline, generation) SELECT 'listed:' || printf('%05d', i), x'00', 1000 + i, 1 FROM n`;
    await database.prepare(query).run();
    const entries = [];
    let cursor = null;
    const sizes = [];
    do {
      const [page, next] = await call("list", ["listed:", cursor]);
      sizes.push(page.length);
      entries.push(...page);
      cursor = next;
    } while (cursor);
    expect(sizes).toEqual([1000, 1000, 1]);
    expect(entries).toEqual(Array.from({ length: 2001 }, (_, n) => [`listed:${String(n + 1).padStart(5, "0")}`, 1001 + n]));
  });

  test("150 keys are read, more than a statement has parameters", async () => {
    const wanted = Array.from({ length: 150 }, () => newKey("many:"));
    await call("put", [...put(wanted[3], [3]), ...put(wanted[149], [149])]);
    const values = await call("read", wanted);
    expect(values.map((value, n) => value && [n, ...value]).filter(Boolean)).toEqual([[3, 3], [149, 149]]);
  });
});

test("a missing or wrong binding is one sentence that says what to do", async () => {
  for (const [engine, name, kind, section] of [
    ["kv", "SESSIONS", "KV", "[[kv_namespaces]]"],
    ["durable_object", "SESSION_OBJECTS", "Durable Object", "[[durable_objects.bindings]]"],
    ["d1", "SESSION_DB", "D1", "[[d1_databases]]"],
  ]) {
    const wrong = [env.SESSION_DB, env.SESSIONS].find((binding) => binding !== env[name]);
    for (const [binding, problem] of [[undefined, "is missing"], [null, "is missing"], [wrong, "is of another kind"], ["a text", "is of another kind"]]) {
      const message = `the ${kind} binding ${name} ${problem}: add it under ${section} in wrangler.toml`;
      await expect(store(engine, { [name]: binding })("read", [newKey()])).rejects.toMatchObject({ code: "ES_CONFIG", message });
    }
  }
});

test("a class without the methods and a database without the table are reported as such", async () => {
  const calls = [["read", [newKey()]], ["put", put(newKey(), [1])], ["put", put(newKey(), [1], { ifGeneration: 3 })], ["delete", newKey()]];
  const objects = "the Durable Object binding SESSION_OBJECTS has another class: set its class_name to SessionObject in wrangler.toml";
  const table = "the D1 database SESSION_DB has no table edge_session: run `npx wrangler d1 migrations apply SESSION_DB`, with --remote for the deployed one";
  for (const [operation, body] of calls) {
    await expect(store("durable_object", { SESSION_OBJECTS: env.OTHER_OBJECTS })(operation, body)).rejects.toMatchObject({ code: "ES_CONFIG", message: objects });
    await expect(store("d1", { SESSION_DB: env.EMPTY_DB })(operation, body)).rejects.toMatchObject({ code: "ES_CONFIG", message: table });
  }
});
