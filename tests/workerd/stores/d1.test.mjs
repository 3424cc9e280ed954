// D1: the sweep by the index, lists with pages, the primary, and a database without the table.

import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { ConfigError, d1 } from "../../../dist/workerd.js";

const database = env.SESSION_DB;
const store = d1(database);
const now = Date.now() * 1000;

beforeAll(() => applyD1Migrations(database, env.MIGRATIONS));

/** Puts so many rows, in one statement. Their deadlines are before `now` if they have expired, and after it otherwise. */
async function fill(prefix, rows, { expired }) {
  const query = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO edge_session (key, value, deadline, generation) SELECT ?2 || printf('%06d', i), x'00', ?3 + i, 1 FROM n`;
  await database.prepare(query).bind(rows, prefix, expired ? now - 1_000_000 : now + 1_000_000).run();
}
const count = (prefix) => database.prepare("SELECT count(*) AS n FROM edge_session WHERE key LIKE ? || '%'").bind(prefix).first("n");

test("2,500 expired rows are swept in several runs, and live ones stay", async () => {
  await fill("swept:session:expired", 2500, { expired: true });
  await fill("swept:session:live", 300, { expired: false });
  await fill("swept.other:session:", 40, { expired: true });
  const deleted = [];
  do deleted.push(await store.deleteExpired("swept:", now, 1000));
  while (deleted.at(-1) === 1000);
  expect(deleted).toEqual([1000, 1000, 500]);
  expect([await count("swept:"), await count("swept.other:")]).toEqual([300, 40]);
  expect(await store.deleteExpired("swept:", now, 1000)).toBe(0);
});

test("a sweep finds rows by the index of the deadlines, and a read by the key", async () => {
  const queries = [];
  const watched = { withSession: () => ({ prepare: (query) => (queries.push(query), database.prepare(query)) }) };
  await d1(watched).deleteExpired("swept:", now, 1000);
  await d1(watched).get("key");
  await d1(watched).list("swept:", undefined);
  const plans = [];
  for (const query of queries) {
    const values = Array(query.match(/\?\d/g).length).fill("x");
    const { results } = await database.prepare(`EXPLAIN QUERY PLAN ${query}`).bind(...values).run();
    plans.push(results.map(({ detail }) => detail).join("; "));
  }
  expect(plans).toEqual([
    expect.stringMatching(/USING COVERING INDEX edge_session_deadline \(deadline<\?\)/),
    "SEARCH edge_session USING PRIMARY KEY (key=?)",
    "SEARCH edge_session USING PRIMARY KEY (key>? AND key<?)",
  ]);
  expect(plans[0]).not.toMatch(/SCAN edge_session/);
});

test("2,500 rows are listed in three pages, in order and each once", async () => {
  await fill("listed:session:", 2500, { expired: false });
  const pages = [];
  let cursor;
  do {
    const page = await store.list("listed:", cursor);
    pages.push(page.keys);
    ({ cursor } = page);
  } while (cursor);
  expect(pages.map(({ length }) => length)).toEqual([1000, 1000, 500]);
  const names = pages.flat().map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  expect(pages[0][0]).toEqual({ name: "listed:session:000001", deadline: now + 1_000_001 });
});

test("a record is one row of the table and one of the index; a save that moves the deadline writes both", async () => {
  const written = [];
  const watched = {
    withSession: (constraint) => ({
      prepare: (query) => ({
        bind: (...values) => ({
          async run() {
            const result = await database.withSession(constraint).prepare(query).bind(...values).run();
            written.push([constraint, result.meta.rows_written]);
            return result;
          },
        }),
      }),
    }),
  };
  const options = { ttl: 3600, deadline: now, generation: 1, ifGeneration: 0 };
  await d1(watched).put("rows", new Uint8Array(200), options);
  await d1(watched).put("rows", new Uint8Array(200), { ...options, deadline: now + 1, generation: 2, ifGeneration: 1 });
  await d1(watched).get("rows");
  expect(written).toEqual([["first-primary", 2], ["first-primary", 2], ["first-primary", 0]]);
});

test("the same database gives the same store", () => {
  expect(d1(database)).toBe(store);
});

test("a missing table is one sentence that says what to run", async () => {
  const empty = d1(env.EMPTY_DB);
  const options = { ttl: 3600, deadline: now, generation: 1, ifGeneration: undefined };
  const calls = [
    () => empty.get("key"),
    () => empty.put("key", new Uint8Array(1), options),
    () => empty.put("key", new Uint8Array(1), { ...options, ifGeneration: 3 }),
    () => empty.delete("key"),
    () => empty.list("", undefined),
    () => empty.deleteExpired("", now, 1),
  ];
  for (const call of calls) {
    const error = await call().catch((error) => error);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^the D1 database has no table edge_session: run `npx wrangler d1 migrations apply .*$/);
  }
});

test("a wrong binding is one sentence that says what to do", () => {
  for (const wrong of [undefined, null, {}, env.SESSIONS]) {
    expect(() => d1(wrong)).toThrow(/^d1\(database\) got no D1 database: add its binding under d1_databases in the configuration of wrangler$/);
  }
});
