// Takes the times. In each round every contender makes its visits in every cell once, in an order that is drawn anew, so that
// what else the machine does falls on all of them; times are compared within a round.

import { performance } from "node:perf_hooks";

const sample = 100; // milliseconds that a contender's visits take in a round, about
const warmth = 300; // milliseconds of visits before the first round, for the compilers

/** Gives for each cell and contender the microseconds of a visit in each round. */
export async function measure(ask, contenders, cells, rounds, tell) {
  const entries = cells.flatMap((cell) => contenders.filter(({ fits }) => fits?.(cell) ?? true).map((contender) => ({ cell, contender, times: [] })));
  const idle = await overhead(ask, contenders);
  tell("warming up");
  for (const entry of entries) entry.visits = await calibrated(ask, entry);
  for (let round = 1; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    for (const cell of shuffled(cells)) {
      for (const entry of shuffled(entries.filter((entry) => entry.cell === cell))) {
        const spent = await timed(ask, entry, entry.visits);
        entry.times.push(((spent - idle) * 1000) / entry.visits);
      }
    }
  }
  return entries.map(({ cell, contender, times }) => ({ ...cell, contender: contender.name, times }));
}

/** What a request costs that asks for no visit. */
async function overhead(ask, contenders) {
  const times = [];
  for (let n = 0; n < 50; n++) {
    for (const contender of contenders) times.push(await timed(ask, { contender, cell: { mode: "small", bytes: 200 } }, 0));
  }
  return median(times);
}

/** Visits until the code is warm, and gives how many of them fill a sample. */
async function calibrated(ask, entry) {
  for (let visits = 1, total = 0; ; ) {
    const spent = await timed(ask, entry, visits);
    total += spent;
    if (total > warmth && spent > sample / 4) return Math.max(1, Math.round((visits * sample) / spent));
    if (spent < sample / 2) visits *= 2;
  }
}

async function timed(ask, { contender, cell }, visits) {
  const began = performance.now();
  await ask(contender.name, `mode=${cell.mode}&bytes=${cell.bytes}&visits=${visits}`);
  return performance.now() - began;
}

export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function shuffled(list) {
  const rest = [...list];
  for (let n = rest.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [rest[n], rest[other]] = [rest[other], rest[n]];
  }
  return rest;
}
