// Compares every answer of both implementations with Django's, on random calls.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { differences } from "./differences.mjs";
import { start, describeMismatch } from "./implementations.mjs";
import { ask, compare } from "./run.mjs";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

const calls = Number(process.env.DJANGO_CALLS ?? 5000);
const seed = Number(process.env.DJANGO_SEED ?? Math.floor(Math.random() * 2 ** 32));

/** The number of calls in which each difference has to occur. */
const MANY = 50_000;

const { reference, implementations, stop } = start();
after(stop);

test("earlier mismatches are fixed", async (t) => {
  for (const { what, ...sequence } of JSON.parse(read("found.json"))) {
    for (const consistency of ["eventual", "linearizable"]) {
      await t.test(`${what} (${consistency})`, async () => {
        const asked = { consistency, ...sequence };
        for (const [implementation, { mismatch }] of Object.entries(await ask(reference, implementations, asked))) {
          assert.ok(!mismatch, mismatch && describeMismatch({ implementation, sequence: asked, ...mismatch }));
        }
      });
    }
  }
});

test(`${calls} random calls of each implementation are answered as Django answers them (seed ${seed})`, async (t) => {
  const { compared, rows, mismatch } = await compare(reference, implementations, calls, seed);
  assert.ok(!mismatch, mismatch && describeMismatch(mismatch));
  for (const [implementation, count] of Object.entries(compared)) t.diagnostic(`${implementation}: ${count} calls compared, no mismatch`);
  for (const [row, times] of rows) t.diagnostic(`${String(times).padStart(6)} × ${row}`);
  await t.test("each difference of the list occurs", { skip: calls < MANY && `in ${MANY} calls` }, () => {
    assert.deepEqual(differences.filter(({ id, expect }) => expect && !rows.has(id)).map(({ id }) => id), []);
  });
});

test("the differences that may occur are those of the documented table, and no others", () => {
  const document = read("../../docs/concepts/differences-from-django.md");
  const listed = [...document.matchAll(/^\| (.+?) \|/gm)].map(([, matter]) => matter).slice(2);
  assert.deepEqual(differences.map(({ id }) => id).sort(), listed.sort());
});

test("each difference that the table of the calls names is on the list", () => {
  const document = read("../../docs/reference/djangos-calls.md");
  const named = [...document.matchAll(/^\| .*$/gm)].flatMap(([row]) => [...row.matchAll(/\*([^*]+)\*/g)].map(([, name]) => name));
  const listed = differences.map(({ id }) => id);
  assert.ok(named.length > 0);
  assert.deepEqual(named.filter((name) => !listed.includes(name)), []);
});

test("a difference that no comparison can show names the test that shows it", () => {
  for (const { id, expect, test: named } of differences) {
    if (expect) continue;
    const [file, name] = named;
    assert.ok(read(`../../${file}`).includes(`test("${name}"`), `${id}: ${file} has no test "${name}"`);
  }
});
