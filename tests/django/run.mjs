// Runs random sequences with Django and both implementations, until enough answers were compared or a mismatch is found.

import { sequence } from "./generator.mjs";
import { judge } from "./judge.mjs";
import { shrink } from "./shrink.mjs";

const AT_ONCE = 64;

/**
 * Compares `calls` answers of each implementation, from sequences with the seeds `seed`, `seed` + 1, …
 * Returns `{ compared, rows, mismatch }`: a mismatch has its implementation, its seed and its shortest sequence.
 */
export async function compare(reference, implementations, calls, seed) {
  const compared = Object.fromEntries(Object.keys(implementations).map((name) => [name, 0]));
  const rows = new Map();
  for (let next = seed >>> 0; Object.values(compared).some((count) => count < calls); next += AT_ONCE) {
    const seeds = Array.from({ length: AT_ONCE }, (_, index) => next + index);
    const asked = await Promise.all(seeds.map((one) => ask(reference, implementations, sequence(one))));
    for (const [index, results] of asked.entries()) {
      for (const [name, { compared: count, rows: occurred, mismatch }] of Object.entries(results)) {
        if (mismatch) return { compared, rows, mismatch: await shortest(reference, name, implementations[name], seeds[index]) };
        compared[name] += count;
        for (const [row, times] of occurred) rows.set(row, (rows.get(row) ?? 0) + times);
      }
    }
  }
  return { compared, rows };
}

/** Returns the judgement of each implementation's answers to one sequence. */
export async function ask(reference, implementations, asked) {
  const [django, ...answers] = await Promise.all([reference, ...Object.values(implementations)].map((one) => one.ask(asked)));
  return Object.fromEntries(Object.keys(implementations).map((name, index) => [name, judge(asked, django, answers[index])]));
}

async function shortest(reference, name, implementation, seed) {
  const judged = async (asked) => (await ask(reference, { [name]: implementation }, asked))[name].mismatch;
  const shown = await shrink(sequence(seed), async (asked) => Boolean(await judged(asked)));
  return { implementation: name, seed, sequence: shown, ...(await judged(shown)) };
}
