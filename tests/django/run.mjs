// Random sequences, asked of Django and of both doors, until enough answers were compared or one is a mismatch.

import { sequence } from "./generator.mjs";
import { judge } from "./judge.mjs";
import { shrink } from "./shrink.mjs";

const AT_ONCE = 64;

/**
 * Compares `calls` answers of each door, from sequences with the seeds `seed`, `seed` + 1, …
 * Gives `{ compared, rows, mismatch }`: a mismatch has its door, its seed and its shortest sequence.
 */
export async function compare(reference, doors, calls, seed) {
  const compared = Object.fromEntries(Object.keys(doors).map((name) => [name, 0]));
  const rows = new Map();
  for (let next = seed >>> 0; Object.values(compared).some((count) => count < calls); next += AT_ONCE) {
    const seeds = Array.from({ length: AT_ONCE }, (_, index) => next + index);
    const asked = await Promise.all(seeds.map((one) => ask(reference, doors, sequence(one))));
    for (const [index, results] of asked.entries()) {
      for (const [name, { compared: count, rows: occurred, mismatch }] of Object.entries(results)) {
        if (mismatch) return { compared, rows, mismatch: await shortest(reference, name, doors[name], seeds[index]) };
        compared[name] += count;
        for (const [row, times] of occurred) rows.set(row, (rows.get(row) ?? 0) + times);
      }
    }
  }
  return { compared, rows };
}

/** What the judge says of each door's answers to one sequence. */
export async function ask(reference, doors, asked) {
  const [django, ...answers] = await Promise.all([reference, ...Object.values(doors)].map((one) => one.ask(asked)));
  return Object.fromEntries(Object.keys(doors).map((name, index) => [name, judge(asked, django, answers[index])]));
}

async function shortest(reference, name, door, seed) {
  const judged = async (asked) => (await ask(reference, { [name]: door }, asked))[name].mismatch;
  const shown = await shrink(sequence(seed), async (asked) => Boolean(await judged(asked)));
  return { door: name, seed, sequence: shown, ...(await judged(shown)) };
}
