// Measures the times. In each round every contender makes its visits in every cell once, in a random order, so that
// other load affects all of them; times are compared within a round.

/**
 * The milliseconds that a contender's visits take in a round, about, and those of them in one request: memory settles between requests,
 * as it does in a Worker.
 */
const usual = { sample: 60, turn: 10 };
const warmth = 2000; // milliseconds of visits before the first round, for the compilers

/** Returns for each cell and contender the microseconds of a visit in each round. */
export async function measure({ ask, pid }, clock, contenders, cells, rounds, report, { sample, turn } = usual) {
  const entries = cells.flatMap((cell) => contenders.filter(({ fits }) => fits?.(cell) ?? true).map(({ name }) => ({ cell, name, times: [] })));

  async function timed({ cell, name }, visits, requests = 1) {
    const process = pid(name);
    const began = clock(process);
    for (let n = 0; n < requests; n++) await ask(name, query(cell, visits));
    return (clock(process) - began) / requests;
  }

  /** Makes visits until the code is warm, and returns how many of them fill a turn at their best. */
  async function warmed(entry) {
    let best = Infinity;
    for (let visits = 1, total = 0; total < warmth || best === Infinity; ) {
      const spent = await timed(entry, visits);
      total += spent;
      if (spent > turn / 2) best = Math.min(best, spent / visits);
      if (spent < turn) visits *= 2;
    }
    return Math.max(1, Math.round(turn / best));
  }

  /** The cost of a request without a visit. */
  async function idling(name) {
    const times = [];
    for (let n = 0; n < 200; n++) times.push(await timed({ cell: cells[0], name }, 0));
    return median(times);
  }

  report("warming up");
  for (const entry of entries) entry.visits = await warmed(entry);
  const idle = new Map();
  for (const { name } of contenders) idle.set(name, await idling(name));
  for (let round = 1; round <= rounds; round++) {
    report(`round ${round} of ${rounds}`);
    for (const cell of shuffled(cells)) {
      for (const entry of shuffled(entries.filter((entry) => entry.cell === cell))) {
        const spent = await timed(entry, entry.visits, sample / turn);
        entry.times.push(((spent - idle.get(entry.name)) * 1000) / entry.visits);
      }
    }
  }
  for (const { cell, name } of entries) await ask(name, `${query(cell, 1)}&leave`);
  return entries.map(({ cell, name, times }) => ({ ...cell, contender: name, times }));
}

export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const query = ({ mode, bytes }, visits) => `mode=${mode}&bytes=${bytes}&visits=${visits}`;

export function shuffled(list) {
  const rest = [...list];
  for (let n = rest.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [rest[n], rest[other]] = [rest[other], rest[n]];
  }
  return rest;
}
